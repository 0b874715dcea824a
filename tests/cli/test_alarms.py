from __future__ import annotations

from sqlalchemy import select

from service.confirmations.alarms import raise_alarm
from service.confirmations.models import ChainAlarm
from service.payouts.models import JournalEntry
from tests.cli.conftest import Cli


def raised(cli: Cli, kind: str = "sequence_gap", detail: str = "event 12 is missing") -> int:
    with cli.app.transaction() as session:
        raise_alarm(session, kind, detail, 5)
        session.flush()
        return session.scalars(select(ChainAlarm.id).order_by(ChainAlarm.id.desc())).first() or 0


def test_an_alarm_says_what_to_do_and_whether_it_stops_the_worker(cli: Cli) -> None:
    stopping, warning = raised(cli), raised(cli, "unknown_batch", "batch 0x01")

    listed = cli.ok("alarms", "list")["items"]

    assert [(row["id"], row["stops_the_worker"]) for row in listed] == [
        (warning, False),
        (stopping, True),
    ]
    assert "log index" in cli.ok("alarms", "show", str(stopping))["advice"]


def test_clearing_an_alarm_leaves_actor_and_reason_in_the_journal(cli: Cli) -> None:
    number = raised(cli)

    cleared = cli.ok("alarms", "clear", str(number), "--reason", "index rebuilt")

    assert (cleared["cleared_by"], cleared["cleared_because"]) == ("tester", "index rebuilt")
    assert cleared["cleared_at"] is not None
    assert cli.ok("alarms", "list")["items"] == []
    assert [row["id"] for row in cli.ok("alarms", "list", "--cleared")["items"]] == [number]
    with cli.app.transaction() as session:
        entry = session.scalars(select(JournalEntry)).one()
    assert (entry.actor, entry.action, entry.object_id, entry.reason) == (
        "tester",
        "clear_alarm",
        str(number),
        "index rebuilt",
    )


def test_an_alarm_is_cleared_once_with_a_reason_and_only_if_there_is_one(cli: Cli) -> None:
    number = raised(cli)
    assert cli("alarms", "clear", str(number), "--reason", "  ").code == 2
    assert cli("alarms", "clear", "77", "--reason", "none such").code == 1
    cli.ok("alarms", "clear", str(number), "--reason", "index rebuilt")
    assert cli("alarms", "clear", str(number), "--reason", "again").code == 1


def test_a_cause_that_is_still_there_raises_the_alarm_anew(cli: Cli) -> None:
    first = raised(cli)
    assert raised(cli) == first  # once, while it is open
    cli.ok("alarms", "clear", str(first), "--reason", "looked at")

    second = raised(cli)

    assert second != first
    assert [row["id"] for row in cli.ok("alarms", "list")["items"]] == [second]
