"""``relief audit replay --out`` and ``relief audit verify-report`` as people run them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.audit.auditor_key import AuditorKey
from service.audit.command import audit_app
from tests.audit.scenario import Scenario

Run = Callable[..., Result]


@pytest.fixture
def run(scenario: Scenario) -> Run:
    """Runs a command; those that replay get the scenario's node and vault."""
    where = ("--rpc", scenario.deployed.node.rpc_url, "--vault", scenario.deployed.vault)

    def command(*words: object, replays: bool = True) -> Result:
        return CliRunner().invoke(audit_app, [*map(str, words), *(where if replays else ())])

    return command


def test_a_report_is_written_signed_and_holds(run: Run, scenario: Scenario, tmp_path: Path) -> None:
    key = AuditorKey.create(tmp_path / "key.pem")
    folder = tmp_path / "report"
    done = run("replay", "--json", "--out", folder, "--key", tmp_path / "key.pem")
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == [
        "archive",
        "csv",
        "jsonl",
        "manifest.json",
        "manifest.sig",
        "parquet",
        "relief.sqlite",
        "replay.json",
        "report.html",
        "report.pdf",
    ]
    assert (folder / "replay.json").read_text() == done.stdout
    assert key.public_hex in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key.pem", "report"]

    alone = run("verify-report", folder, "--trusted-key", key.public_hex, replays=False)
    assert (alone.exit_code, alone.stdout.splitlines()[-1]) == (0, "the report holds")
    assert f"{key.public_hex} (the key you trust)" in alone.stdout

    again = run("verify-report", folder, "--json")
    document = json.loads(again.stdout)
    assert again.exit_code == 0
    assert (document["holds"], document["replayed"], document["problems"]) == (True, True, [])
    assert document["state_digest"] == json.loads(done.stdout)["state_digest"]


def test_two_reports_of_one_block_are_the_same_bytes(run: Run, tmp_path: Path) -> None:
    AuditorKey.create(tmp_path / "key.pem")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()  # an empty folder will do
        run("replay", "--out", tmp_path / name, "--key", tmp_path / "key.pem")
    one, two = tmp_path / "one", tmp_path / "two"
    files = [path.relative_to(one) for path in one.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert (one / path).read_bytes() == (two / path).read_bytes(), path


def test_a_report_is_of_a_past_block_too(run: Run, scenario: Scenario, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    block = int(scenario.deployed.rpc.call("eth_blockNumber"), 16) - 40
    assert run("replay", "--out", folder, "--at", block).exit_code == 0
    done = run("verify-report", folder, "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["to_block"], document["replayed"]) == (0, block, True)
    assert document["signed_by"] is None


def test_a_report_with_differences_exits_1_and_is_there(
    run: Run, scenario: Scenario, tmp_path: Path
) -> None:
    (tmp_path / "manifests").mkdir()
    folder = tmp_path / "report"
    done = run("replay", "--out", folder, "--manifests", tmp_path / "manifests")
    assert done.exit_code == 1
    assert "<code>manifest_missing</code>" in (folder / "report.html").read_text()
    done = run("verify-report", folder, replays=False)
    assert done.exit_code == 0
    assert "note: not replayed again: that its numbers are the chain's is the auditor's" in (
        done.stdout
    )


def test_a_tampered_report_exits_1(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    run("replay", "--out", folder)
    (folder / "report.html").write_text("all is well")
    done = run("verify-report", folder, replays=False)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, "the report does not hold")
    assert "report.html has 11 bytes" in done.stdout


def test_a_folder_that_is_no_report_exits_2_and_one_whose_manifest_is_damaged_exits_1(
    run: Run, scenario: Scenario, tmp_path: Path
) -> None:
    done = run("verify-report", scenario.manifests, replays=False)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{scenario.manifests} is no report" in "".join(done.stderr.splitlines())
    done = run("verify-report", scenario.manifests, "--json", replays=False)
    assert (done.exit_code, json.loads(done.stdout)["error"]["code"]) == (2, "invalid_input")
    done = run("verify-report", tmp_path, replays=False)
    assert done.exit_code == 2
    (tmp_path / "manifest.json").write_text("{}")
    done = run("verify-report", tmp_path, replays=False)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, "the report does not hold")


def test_a_node_without_a_vault_replays_nothing(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    run("replay", "--out", folder)
    done = run("verify-report", folder, "--rpc", "http://127.0.0.1:1", replays=False)
    assert done.exit_code == 2
    assert "--rpc and --vault go together" in done.stderr


def filled(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("kept")
    return tmp_path / "there"


def readable(tmp_path: Path) -> Path:
    AuditorKey.create(tmp_path / "open.pem")
    (tmp_path / "open.pem").chmod(0o644)
    return tmp_path / "open.pem"


BAD: dict[str, tuple[Callable[[Path], tuple[object, ...]], str]] = {
    "a folder with something in it": (
        lambda tmp: ("--out", filled(tmp)),
        "give a folder that is new or empty",
    ),
    "a file": (
        lambda tmp: ("--out", filled(tmp) / "file"),
        "is no folder",
    ),
    "no folder above": (
        lambda tmp: ("--out", tmp / "none" / "report"),
        "No such file or directory",
    ),
    "a key that is not there": (
        lambda tmp: ("--out", tmp / "report", "--key", tmp / "none.pem"),
        "cannot read the key",
    ),
    "a key that others may read": (
        lambda tmp: ("--out", tmp / "report", "--key", readable(tmp)),
        "others may read the key",
    ),
    "a key and no folder": (lambda tmp: ("--key", readable(tmp)), "say where, --out"),
    "blocks to come": (
        lambda tmp: ("--out", tmp / "report", "--at", 10**9),
        "is not there",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_wrong_input_exits_2_and_leaves_nothing_behind(run: Run, tmp_path: Path, what: str) -> None:
    options, words = BAD[what]
    given = options(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    done = run("replay", *given)
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in " ".join(done.stderr.split())
    assert sorted(tmp_path.rglob("*")) == before
