"""``relief audit replay`` as an auditor runs it: what it prints, and how it exits."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak
from typer import Typer
from typer.testing import CliRunner, Result

from service.audit.command import audit_app
from service.cli.main import app as relief_app
from service.config import PROJECT_ROOT
from tests.audit.scenario import Scenario, payee

Relief = Callable[..., Result]


@pytest.fixture
def relief(scenario: Scenario) -> Relief:
    """Runs the command; options given take the place of the right ones."""

    def run(*flags: str, **options: object) -> Result:
        right = {"rpc": scenario.deployed.node.rpc_url, "vault": scenario.deployed.vault}
        words = [
            word
            for name, value in (right | options).items()
            for word in (f"--{name.replace('_', '-')}", str(value))
        ]
        return CliRunner().invoke(audit_app, ["replay", *words, *flags])

    return run


def test_as_a_module_of_its_own_it_prints_one_json_document(scenario: Scenario) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "service.audit", "replay", "--json"),
            *("--rpc", scenario.deployed.node.rpc_url, "--vault", scenario.deployed.vault),
            *("--database", scenario.database_url, "--manifests", str(scenario.manifests)),
        ],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    totals = report["totals"]
    assert {
        key: totals[key]
        for key in (
            *("payouts_paid", "payouts_skipped", "streams_opened", "streams_cancelled"),
            *("withdrawals", "redemptions", "batches_cancelled"),
        )
    } == {
        "payouts_paid": 9,
        "payouts_skipped": 1,
        "streams_opened": 12,
        "streams_cancelled": 2,
        "withdrawals": 36,
        "redemptions": 1,
        "batches_cancelled": 1,
    }
    minted = totals["minted_base_units"]
    assert isinstance(minted, str)
    assert int(minted) == int(totals["supply_base_units"]) + 100_000_000
    assert (
        totals["events"]
        == report["events"]
        == sum(sum(names.values()) for names in report["events_by_contract"].values())
    )
    assert (report["differences"], report["findings"]) == (0, [])
    assert [note.split(":")[0] for note in report["notes"]] == ["no checkpoints given"]
    assert report["state_digest"].startswith("0x")
    hashes = {
        f"verifier {contract['address']}" if name.endswith("_verifier") else name: contract[
            "runtime_code_hash"
        ]
        for name, contract in scenario.deployed.content["contracts"].items()
    }
    assert report["code_hashes"] == hashes


def test_for_people_it_prints_counts_notes_and_a_verdict(relief: Relief) -> None:
    done = relief()
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == "no differences"
    assert "note: no manifests given" in done.stdout
    words = [line.split() for line in done.stdout.splitlines()]
    assert ["payouts", "paid", "9"] in words
    assert ["redeemed", "100.00"] in words, words


def test_it_shows_every_grant_and_what_is_overdue(relief: Relief) -> None:
    report = json.loads(relief("--json").stdout)
    grants = {grant["grant_id"]: grant for grant in report["grants"]}
    by_name = {
        name: grants["0x" + keccak(text=f"grant {name}").hex()]
        for name in ("seen", "spoilt", "forgotten", "fresh")
    }
    assert {name: grant["state"] for name, grant in by_name.items()} == {
        "seen": "countersigned",
        "spoilt": "written_off",
        "forgotten": "overdue",
        "fresh": "outstanding",
    }
    assert by_name["seen"]["countersigned_by_officer_id"] == 2
    assert by_name["forgotten"]["amount_base_units"] == "300000000"
    assert report["overdue_base_units_by_officer"] == {"6": "300000000"}
    regions = ("51", "5107", "510722")
    assert report["overdue_base_units_by_region"] == dict.fromkeys(regions, "300000000")
    totals = report["totals"]
    assert {name: totals[name] for name in totals if name.startswith("grant")} == {
        "grants": 4,
        "grants_outstanding": 1,
        "grants_overdue": 1,
        "grants_written_off": 1,
        "granted_base_units": "2100000001",
    }
    assert totals["uncountersigned_base_units"] == "1800000000"
    assert totals["overdue_base_units"] == "300000000"


def test_for_people_it_lists_what_nobody_countersigned(relief: Relief) -> None:
    lines = [line.strip() for line in relief().stdout.splitlines()]
    first = lines.index("Grants not countersigned")
    states = [line.split("│")[1].strip() for line in lines[first:] if "│" in line and "0x" in line]
    assert states == ["overdue", "outstanding"]


def test_for_people_it_says_what_was_compared_and_what_was_not_given(
    scenario: Scenario, relief: Relief
) -> None:
    for options, told in (
        ({}, {"manifests": "none given", "database": "none given", "checkpoints": "none given"}),
        ({"manifests": scenario.manifests}, {"manifests": "5 compared", "database": "none given"}),
    ):
        lines = [line.strip() for line in relief(**options).stdout.splitlines()]
        shown = {line.split("  ")[0]: line.split("  ")[-1].strip() for line in lines}
        assert {name: shown[name] for name in told} == told
        assert lines[-1] == "no differences"


def test_one_warning_is_not_several(relief: Relief) -> None:
    assert relief("--no-receipts").stdout.splitlines()[-1] == "no differences, 1 warning"


EDITS = {
    "an amount": f"amount_base_units = '{601_000_002:078d}'",
    "a payee": f"payee = '{payee(77).address}'",
    "a state": "state = 'skipped'",
}


@pytest.mark.parametrize("flags", [(), ("--json",)], ids=["for people", "json"])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_by_hand_exits_non_zero_and_names_the_payout(
    scenario: Scenario, relief: Relief, tmp_path: Path, edit: str, flags: tuple[str, ...]
) -> None:
    batch, path = scenario.batches["plain"].hex, scenario.copy_of_database(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute(
            f'UPDATE payouts SET {EDITS[edit]} WHERE batch_id = ? AND "index" = 1', (batch,)
        )
    connection.close()
    done = relief(*flags, database=f"sqlite:///{path}")
    assert done.exit_code == 1
    if not flags:
        assert f"payout 2 (index 1 of batch {batch})" in done.stdout
        assert done.stdout.splitlines()[-1] == "1 difference"
        return
    report = json.loads(done.stdout)
    (finding,) = report["findings"]
    assert report["differences"] == 1
    assert (finding["batch"], finding["index"], finding["number"]) == (batch, 1, 2)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def bad_options(scenario: Scenario, folder: Path) -> dict[str, tuple[dict[str, Any], int, str]]:
    (folder / "text.db").write_text("this is no database " * 100)
    sqlite3.connect(folder / "empty.db").close()
    port = unused_port()
    return {
        "no address": ({"vault": "0x1234"}, 2, "is not an address"),
        "nobody's address": ({"vault": payee(1).address}, 2, "there is no AllowanceVault"),
        "another contract": ({"vault": scenario.deployed.token}, 2, "there is no AllowanceVault"),
        "before there was a vault": ({"to_block": 1}, 2, "in block 1"),
        "blocks backwards": ({"from_block": 9, "to_block": 8}, 2, "block 9 is after block 8"),
        "blocks to come": ({"to_block": 10**9}, 2, "is not there"),
        "a key without checkpoints": ({"trusted_key": "ab" * 32}, 2, "give --checkpoints"),
        "no folder of manifests": ({"manifests": folder / "none"}, 2, "--manifests"),
        "no node": ({"rpc": f"http://127.0.0.1:{port}"}, 3, "does not answer"),
        "no address of a node": ({"rpc": "nonsense"}, 2, "--rpc is no address of a node"),
        "no database": ({"database": f"sqlite:///{folder}/no.db"}, 3, "no database file"),
        "a file of text": ({"database": f"sqlite:///{folder}/text.db"}, 3, "cannot be read"),
        "no tables": ({"database": f"sqlite:///{folder}/empty.db"}, 3, "no such table"),
        "no server": (
            {"database": f"postgresql://nobody@127.0.0.1:{port}/relief"},
            3,
            "cannot be read",
        ),
        "no database url": ({"database": "foo"}, 2, "--database is no database URL"),
        "no such driver": ({"database": "nonsense://relief"}, 2, "--database is no database URL"),
        "a driver not there": ({"database": "mysql://a@b/relief"}, 2, "no database URL"),
    }


BAD = [
    *("no address", "nobody's address", "another contract", "before there was a vault"),
    *("blocks backwards", "blocks to come", "a key without checkpoints"),
    *("no folder of manifests", "no node"),
    *("no address of a node", "no database", "a file of text", "no tables", "no server"),
    *("no database url", "no such driver", "a driver not there"),
]


@pytest.mark.parametrize("what", BAD)
def test_wrong_input_exits_2_and_what_is_out_of_reach_3(
    scenario: Scenario, relief: Relief, tmp_path: Path, what: str
) -> None:
    options, code, words = bad_options(scenario, tmp_path)[what]
    done = relief(**options)
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    "words",
    [
        ("checkpoint", "{there}"),
        ("draw", "{there}", "--block", "9", "--count", "1"),
        ("prove", "--programme", "1", "--number", "1", "--out", "{there}"),
    ],
    ids=lambda words: words[0],
)
def test_a_file_that_is_there_is_refused_before_the_node_is_asked(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    there = tmp_path / "there.json"
    there.write_text("kept")
    nobody = ("--rpc", f"http://127.0.0.1:{unused_port()}", "--vault", payee(1).address)
    given = [word.format(there=there) for word in words]
    done = CliRunner().invoke(audit_app, [*given, *nobody])
    assert (done.exit_code, done.stdout, there.read_text()) == (2, "", "kept")
    assert "is there already: it is never written over" in " ".join(done.stderr.split())


def test_an_error_as_json_is_one_document_too(relief: Relief) -> None:
    done = relief("--json", vault="0x1234")
    assert json.loads(done.stdout)["error"]["code"] == "invalid_input"


@pytest.mark.parametrize("app", [audit_app, relief_app], ids=["alone", "in relief"])
@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["replay", "--archive", "/nowhere"], "dir '/nowhere' does not exist"),
        (["replay", "--turn-back"], "No such option: --turn-back"),
        (["replays"], "No such command 'replays'"),
    ],
)
def test_a_wrong_command_line_is_told_as_data_once(
    app: Typer, words: list[str], wrong: str
) -> None:
    before = [] if app is audit_app else ["audit"]
    done = CliRunner().invoke(app, [*before, *words, "--json"])
    assert done.exit_code == 2
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "invalid_input"
    assert wrong in error["detail"]
    assert CliRunner().invoke(app, [*before, *words]).stdout == ""
