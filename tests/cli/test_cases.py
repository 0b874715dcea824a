from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from service.payouts.models import JournalEntry
from tests.cli.conftest import Cli, add_flood

HEADER = (
    "case_ref,name,id_number,phone,region_code,wallet_address,programme,kind,amount,start_date,"
    "duration_days,cause\n"
)
GOOD = (
    "C-1,王芳,51072219800101001X,13800000000,510722,0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359,"
    "flood,one_off,600,2026-11-01,,房屋倒塌\n"
)
TWIN = (
    "C-1,李静,510722197503150026,,510722,0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed,"
    "flood,one_off,1234.50,2026-11-01,,农田受淹\n"
)


@pytest.fixture(autouse=True)
def _programme(cli: Cli) -> None:
    add_flood(cli, 1, datetime(2026, 1, 1, tzinfo=UTC))


def _file(folder: Path, text: str) -> Path:
    path = folder / "cases.csv"
    path.write_text(text)
    return path


def test_a_dry_run_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    report = cli.ok("cases", "import", _file(tmp_path, HEADER + GOOD), "--dry-run")
    assert report["dry_run"]
    assert report["accepted"] == 1
    assert cli.ok("cases", "list")["count"] == 0


def test_a_good_file_is_imported_listed_shown_and_decided(cli: Cli, tmp_path: Path) -> None:
    report = cli.ok("cases", "import", _file(tmp_path, HEADER + GOOD))
    assert report["accepted"] == 1
    assert report["amount_base_units"] == "600000000"
    listed = cli.ok("cases", "list", "--region", "51", "--programme", "flood")
    assert [case["case_ref"] for case in listed["items"]] == ["C-1"]
    assert report["amount"] == "600.00"
    assert cli.ok("cases", "show", "C-1")["person"] is None
    decided = cli.ok("cases", "decide", "--programme", "flood", "--approve")
    assert decided == {"decision": "approved", "decided": 1, "actor": "tester"}
    assert cli.ok("cases", "show", "C-1")["decided_by"] == "tester"


def _looks(cli: Cli) -> list[tuple[str, str, str | None]]:
    with cli.app.sessions() as session:
        rows = session.scalars(select(JournalEntry).where(JournalEntry.action == "reveal_person"))
        return [(row.actor, row.object_id, row.reason) for row in rows]


def test_who_a_case_is_for_is_shown_for_a_reason_that_is_recorded(cli: Cli, tmp_path: Path) -> None:
    cli.ok("cases", "import", _file(tmp_path, HEADER + GOOD))
    shown = cli.ok("cases", "show", "C-1", "--reveal", "--reason", "call-back")
    assert shown["person"] == {
        "name": "王芳",
        "id_number": "51072219800101001X",
        "phone": "13800000000",
    }
    assert _looks(cli) == [("tester", shown["id"], "call-back")]


@pytest.mark.parametrize("reason", [(), ("--reason", " "), ("--reason", "a" * 2001)])
def test_without_a_reason_nobody_is_shown(
    cli: Cli, tmp_path: Path, reason: tuple[str, ...]
) -> None:
    cli.ok("cases", "import", _file(tmp_path, HEADER + GOOD))
    ran = cli("cases", "show", "C-1", "--reveal", *reason)
    assert ran.code == 2
    assert "--reason" in ran.err
    assert "王芳" not in ran.out + ran.err
    assert _looks(cli) == []


def test_a_reason_without_a_look_is_refused(cli: Cli) -> None:
    assert cli("cases", "show", "C-1", "--reason", "call-back").code == 2


def test_both_rows_of_a_duplicate_are_named(cli: Cli, tmp_path: Path) -> None:
    ran = cli("cases", "import", _file(tmp_path, HEADER + GOOD + TWIN))
    assert ran.code == 2
    assert ran.out == ""
    row = next(line for line in ran.err.splitlines() if "case_ref" in line)
    assert "3 and 2" in row
    assert "C-1" in row
    assert cli.ok("cases", "list")["count"] == 0


def test_a_bad_row_is_named_with_row_column_value_and_reason(cli: Cli, tmp_path: Path) -> None:
    bad = GOOD.replace("C-1", "C-2").replace(",600,", ",6oo,")
    ran = cli("cases", "import", _file(tmp_path, HEADER + bad), "--json")
    assert ran.code == 2
    (problem,) = ran.json["error"]["problems"]
    assert (problem["row"], problem["field"], problem["value"]) == (2, "amount", "6oo")
    row = next(line for line in ran.err.splitlines() if "6oo" in line)
    assert "amount" in row


def test_skipping_bad_rows_imports_the_others(cli: Cli, tmp_path: Path) -> None:
    bad = TWIN.replace("C-1", "C-2").replace("1234.50", "0.00")
    path = _file(tmp_path, HEADER + GOOD + bad)
    report = cli.ok("cases", "import", path, "--skip-bad-rows")
    assert (report["accepted"], report["rejected"]) == (1, 1)


def test_a_decision_needs_a_choice_and_a_scope(cli: Cli) -> None:
    assert cli("cases", "decide", "--all").code == 2
    assert cli("cases", "decide", "--approve").code == 2
    assert cli("cases", "decide", "--reject", "--all").code == 2
    assert cli("cases", "show", "C-9").code == 1


def test_a_wrong_filter_value_is_invalid_input(cli: Cli) -> None:
    assert cli("cases", "list", "--state", "paid").code == 2
    assert cli("cases", "list", "--kind", "gift").code == 2
    assert cli("cases", "list", "--region", "5").code == 2


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("cases list --region 99", 2, "GB/T 2260 has no code 99"),
        ("cases list --wallet abc", 2, "EIP-55"),
        ("cases list --kind monthly", 2, "neither one_off nor stream"),
        ("cases list --state lost", 2, "received, approved, rejected"),
        ("cases list --import lost", 1, "there is no import lost"),
        ("cases list --programme lost", 1, "there is no programme lost"),
        ("ledger show --account bogus", 2, "circulating, emergency, funding, redeemed"),
        ("action show 0xzzzz", 2, "four hexadecimal digits"),
    ],
)
def test_a_filter_that_can_match_nothing_is_refused(
    cli: Cli, command: str, code: int, words: str
) -> None:
    ran = cli(*command.split())
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err


def test_an_account_of_the_ledger_without_entries_is_no_mistake(cli: Cli) -> None:
    assert cli.ok("ledger", "show", "--account", "circulating")["entries"] == []


@pytest.mark.parametrize("option", ["--programme", "--kind", "--region", "--import", "--wallet"])
def test_an_empty_filter_decides_nothing(cli: Cli, tmp_path: Path, option: str) -> None:
    cli.ok("cases", "import", _file(tmp_path, HEADER + GOOD))
    assert cli("cases", "decide", "--approve", option, "").code in (1, 2)
    assert cli.ok("cases", "list", "--state", "approved")["count"] == 0
