"""Log lines: what they hold, what they must not, and when they are written."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from service.telemetry.context import begin_request, end_request
from service.telemetry.logs import (
    JsonFormatter,
    TextFormatter,
    after_commit,
    note,
    note_after_commit,
)
from service.telemetry.redaction import hide, hide_url, redact
from tests.support.lines import logged

log = logging.getLogger("relief.test")
BATCH = "0x" + "ab" * 32


@pytest.fixture
def session() -> Session:
    return Session(create_engine("sqlite://"))


def test_a_line_is_one_json_object_with_time_level_event_and_facts() -> None:
    with logged() as lines:
        note(log, "sent", batch=BATCH, chunk=3, nothing=None, words="two\nlines")
    (text_line,) = lines.text.splitlines()
    line = json.loads(text_line)
    assert list(line)[:3] == ["time", "level", "event"]
    assert (line["level"], line["event"], line["batch"], line["chunk"]) == (
        "info",
        "sent",
        BATCH,
        3,
    )
    assert line["time"].endswith("Z")
    assert "nothing" not in line


def test_a_sentence_of_a_library_becomes_a_line_too() -> None:
    with logged() as lines:
        log.warning("the %s is full", "pool")
    (line,) = lines.all()
    assert (line["event"], line["message"]) == ("message", "the pool is full")


def test_a_line_names_the_request_at_work_unless_it_has_one_of_its_own() -> None:
    told = begin_request("call-1")
    try:
        with logged() as lines:
            note(log, "one")
            note(log, "other", request_id="call-0")
    finally:
        end_request(told)
    assert [line["request_id"] for line in lines.all()] == ["call-1", "call-0"]


def test_what_is_not_committed_is_not_told(session: Session) -> None:
    counted = []
    with logged() as lines:
        with session.begin():
            session.execute(text("SELECT 1"))
            note_after_commit(session, log, "kept")
            assert lines.text == ""
        with session.begin() as broken_off:
            session.execute(text("SELECT 1"))
            note_after_commit(session, log, "lost")
            after_commit(session, lambda: counted.append(1))
            broken_off.rollback()
        with session.begin():
            session.execute(text("SELECT 1"))
    assert [line["event"] for line in lines.all()] == ["kept"]
    assert counted == []


def test_a_savepoint_that_ends_tells_nothing_yet(session: Session) -> None:
    with logged() as lines:
        with session.begin():
            with session.begin_nested():
                session.execute(text("SELECT 1"))
                note_after_commit(session, log, "within")
            assert lines.text == ""
        assert [line["event"] for line in lines.all()] == ["within"]


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer relief_" + "x" * 43,
        "token relief_" + "Ab9-_" * 8 + "abc",
        "postgresql://relief:s3cret-word@db/relief does not answer",
        "password=s3cret-word;",
        "passphrase: s3cret-word",
        "api_key=s3cret-word&x=1",
    ],
)
def test_secrets_of_a_known_form_are_hidden(line: str) -> None:
    shown = redact(line)
    assert "[hidden]" in shown
    assert "s3cret-word" not in shown
    assert "x" * 43 not in shown
    assert "Ab9" not in shown


def test_secrets_that_were_named_are_hidden_in_facts_messages_and_tracebacks() -> None:
    hide("correct horse battery staple")
    hide_url("https://node.example:8443/v3/0123456789abcdef?key=k")
    with logged() as lines:
        note(log, "failed", detail="https://node.example:8443/v3/0123456789abcdef?key=k is away")
        note(log, "failed", passphrase="anything", token="anything", private_key="anything")
        log.error("broken", exc_info=ValueError("correct horse battery staple"))
    assert "0123456789abcdef" not in lines.text
    assert "https://node.example:8443/… is away" in lines.text
    assert "anything" not in lines.text
    assert "horse" not in lines.text
    assert "ValueError: [hidden]" in lines.text


def test_a_hash_is_not_taken_for_a_key_and_ids_stay_whole() -> None:
    assert redact(BATCH) == BATCH


def test_at_a_terminal_a_line_is_short_and_ids_come_first() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "sent", None, None)
    record.facts = {"seconds": 0.12345, "chunk": 3, "batch": BATCH, "detail": "not yet"}
    line = TextFormatter().format(record)
    assert " warning sent" in line
    assert line.index("batch=0xabababababab ") < line.index("chunk=3") < line.index("seconds=0.123")
    assert 'detail="not yet"' in line


def test_a_fact_that_json_does_not_know_is_written_as_text() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "sent", None, None)
    record.facts = {"error": ValueError("no"), "amount": 2**70}
    line = json.loads(JsonFormatter().format(record))
    assert (line["error"], line["amount"]) == ("no", 2**70)


@pytest.mark.parametrize(("form", "starts"), [("json", '{"time"'), ("text", "")])
def test_a_process_logs_in_the_form_and_from_the_level_it_is_told(form: str, starts: str) -> None:
    program = (
        "import logging\nfrom service.telemetry.logs import configure, note\n"
        f"configure({form!r}, 'warning')\n"
        "note(logging.getLogger('x'), 'quiet')\n"
        "note(logging.getLogger('x'), 'loud', logging.ERROR)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "loud" in ran.stderr
    assert "quiet" not in ran.stderr
    assert ran.stderr.startswith(starts)
    assert ran.stderr.startswith("{") == (form == "json")
    assert ran.stdout == ""
