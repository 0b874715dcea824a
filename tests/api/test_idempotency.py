"""POST, exactly once: replays, conflicts, races, crashes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from service.api import idempotency
from service.api.app import create_app
from service.api.models import IdempotencyKey
from service.api.routes import programmes
from service.payouts.models import Programme
from tests.api.conftest import Api, add_programme, import_cases, new_token, serving


def order(code: str = "flood", **more: Any) -> dict[str, Any]:
    return {
        "code": code,
        "name": "Flood",
        "budget_base_units": "100000000000",
        "payout_cap_base_units": "5000000000",
        "tiers": [{"up_to_base_units": "100000000000", "reviewers": 1}],
        **more,
    }


def programme_count(api: Api) -> int:
    with api.application.transaction() as session:
        return session.scalar(select(func.count()).select_from(Programme)) or 0


def key_count(api: Api) -> int:
    with api.application.transaction() as session:
        return session.scalar(select(func.count()).select_from(IdempotencyKey)) or 0


def test_the_same_call_twice_is_done_once_and_answered_twice(api: Api) -> None:
    first = api.post("/v1/programmes", key="a-1", json=order())
    again = api.post("/v1/programmes", key="a-1", json=order())

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert programme_count(api) == 1


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/v1/programmes", {"json": order("drought")}),
        ("/v1/cases/decisions", {"json": {"decision": "approved", "all": True}}),
    ],
)
def test_the_same_key_for_something_else_is_a_conflict(
    api: Api, path: str, options: dict[str, Any]
) -> None:
    api.ok("POST", "/v1/programmes", key="a-1", json=order())

    reply = api.post(path, key="a-1", **options)

    assert (reply.status_code, reply.json()["code"]) == (409, "idempotency_conflict")
    assert not reply.json()["retryable"]


def test_the_same_key_for_another_query_is_a_conflict(api: Api, cases_file: bytes) -> None:
    add_programme(api.application)
    files = {"file": ("cases.csv", cases_file)}
    api.ok("POST", "/v1/imports", key="a-1", files=files)

    reply = api.post("/v1/imports?skip_bad_rows=true", key="a-1", files=files)

    assert (reply.status_code, reply.json()["code"]) == (409, "idempotency_conflict")
    assert programme_count(api) == 1


@pytest.mark.parametrize("key", ["", "with space", "x" * 256])
def test_a_post_needs_a_key_of_printable_ascii(api: Api, key: str) -> None:
    reply = api.post("/v1/programmes", headers={"Idempotency-Key": key}, json=order())

    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_input")
    assert reply.json()["problems"][0]["field"] == "Idempotency-Key"


def test_a_post_without_a_key_is_refused_before_anything_is_done(api: Api) -> None:
    reply = api.request("POST", "/v1/programmes", json=order())

    assert reply.status_code == 400
    assert reply.json()["problems"][0]["field"] == "Idempotency-Key"
    assert programme_count(api) == 0


def test_a_key_belongs_to_the_actor_who_used_it(api: Api) -> None:
    api.ok("POST", "/v1/programmes", key="a-1", json=order())
    with Api(api.url, new_token(api.application, "Li Na"), api.application, None) as other:
        reply = other.post("/v1/programmes", key="a-1", json=order("drought"))

    assert reply.status_code == 201
    assert "Idempotent-Replayed" not in reply.headers


def test_a_refusal_leaves_the_key_free_to_try_again(api: Api) -> None:
    wrong = order(payout_cap_base_units="0")
    assert api.post("/v1/programmes", key="a-1", json=wrong).status_code == 400
    assert key_count(api) == 0

    assert api.post("/v1/programmes", key="a-1", json=order()).status_code == 201


def test_of_two_equal_calls_at_once_one_works_and_the_other_gets_its_reply(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go_on = threading.Event(), threading.Event()
    create = programmes.create_programme

    def slow(*args: Any, **options: Any) -> Programme:
        made = create(*args, **options)
        inside.set()
        assert go_on.wait(10)
        return made

    monkeypatch.setattr(programmes, "create_programme", slow)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(api.post, "/v1/programmes", key="a-1", json=order())
        assert inside.wait(10)
        second = pool.submit(api.post, "/v1/programmes", key="a-1", json=order())
        threading.Timer(0.3, go_on.set).start()
        replies = [first.result(), second.result()]

    assert [reply.status_code for reply in replies] == [201, 201]
    assert replies[0].content == replies[1].content
    assert "Idempotent-Replayed" not in replies[0].headers
    assert replies[1].headers["Idempotent-Replayed"] == "true"
    assert programme_count(api) == 1


def test_many_equal_calls_at_once_are_done_once(api: Api) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(
            pool.map(lambda _: api.post("/v1/programmes", key="a-1", json=order()), range(16))
        )

    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.content for reply in replies}) == 1
    assert sum("Idempotent-Replayed" not in reply.headers for reply in replies) == 1
    assert programme_count(api) == 1


# On SQLite the wait is the file's own lock.
@pytest.mark.parametrize(
    "api", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
def test_whoever_waits_too_long_for_the_other_call_may_try_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_FOR_OTHER_MS", 50)
    inside, go_on = threading.Event(), threading.Event()
    create = programmes.create_programme

    def slow(*args: Any, **options: Any) -> Programme:
        inside.set()
        assert go_on.wait(10)
        return create(*args, **options)

    monkeypatch.setattr(programmes, "create_programme", slow)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(api.post, "/v1/programmes", key="a-1", json=order())
        assert inside.wait(10)
        second = api.post("/v1/programmes", key="a-1", json=order())
        go_on.set()
        assert first.result().status_code == 201

    assert (second.status_code, second.json()["code"]) == (409, "request_in_progress")
    assert second.json()["retryable"]
    assert second.headers["Retry-After"] == "2"


def test_a_crash_before_the_reply_is_stored_leaves_nothing_and_the_retry_works(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*args: Any, **options: Any) -> Any:
        programmes_create(*args, **options)
        raise RuntimeError("killed")

    programmes_create = programmes.create_programme
    with monkeypatch.context() as patched:
        patched.setattr(programmes, "create_programme", crash)
        reply = api.post("/v1/programmes", key="a-1", json=order())
    assert (reply.status_code, reply.json()["code"]) == (500, "internal_error")
    assert "killed" not in reply.text
    assert (programme_count(api), key_count(api)) == (0, 0)

    assert api.post("/v1/programmes", key="a-1", json=order()).status_code == 201
    assert programme_count(api) == 1


def test_a_stored_reply_outlives_the_process(api: Api) -> None:
    first = api.post("/v1/programmes", key="a-1", json=order())
    with (
        serving(create_app(api.application)) as url,
        Api(url, api.token, api.application, None) as restarted,
    ):
        again = restarted.post("/v1/programmes", key="a-1", json=order())
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"


def test_of_an_upload_the_bytes_of_the_file_count(api: Api, cases_file: bytes) -> None:
    add_programme(api.application)
    first = api.post("/v1/imports", key="a-1", files={"file": ("cases.csv", cases_file)})
    again = api.post("/v1/imports", key="a-1", files={"file": ("cases.csv", cases_file)})
    other = api.post("/v1/imports", key="a-1", files={"file": ("cases.csv", cases_file + b"\n")})

    assert first.status_code == 201
    assert again.content == first.content  # with another boundary between the parts
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert len(api.ok("GET", "/v1/cases")["items"]) == 4


def test_a_dry_run_is_not_stored(api: Api, cases_file: bytes) -> None:
    add_programme(api.application)
    reply = import_cases(api, cases_file, dry_run=True)

    assert (reply.status_code, reply.json()["accepted"]) == (200, 4)
    assert key_count(api) == 0
    assert api.ok("GET", "/v1/cases")["items"] == []
