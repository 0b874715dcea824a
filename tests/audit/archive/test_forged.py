"""What a forger may try with an archive, and what damages one: named, and never a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.audit.archive.schemas import BLOCKS_FILE, LOGS_FILE, TRANSFERS_FILE
from service.audit.reports.manifest import RESULT
from tests.audit.archive.making import codes, edit, part_file, resealed, result_of, run
from tests.audit.scenario import Scenario

Rows = list[dict[str, Any]]


def test_a_path_from_here(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    assert codes(result_of("--archive", "made")) == {"evidence_weak"}


# ---- checkpoints ---------------------------------------------------------------------------------


def test_a_checkpoint_of_an_earlier_block_holds(
    scenario: Scenario, made: Path, tmp_path: Path
) -> None:
    where = ("--rpc", scenario.deployed.node.rpc_url, "--vault", scenario.deployed.vault)
    assert run("checkpoint", tmp_path / "early", *where, "--at", 60).exit_code == 0
    found = result_of("--archive", made / "made", "--checkpoints", tmp_path / "early")
    assert (codes(found), found["checkpoints_compared"]) == ({"evidence_weak"}, 1)


def test_a_checkpoint_after_the_archives_end_is_not_compared(
    scenario: Scenario, tmp_path: Path
) -> None:
    where = ("--rpc", scenario.deployed.node.rpc_url, "--vault", scenario.deployed.vault)
    assert run("checkpoint", tmp_path / "late", *where, "--at", 100).exit_code == 0
    made = tmp_path / "made"
    result_of(*where, "--at", 60, "--out", made, "--format", "archive")
    for beside in ((), where[:2]):
        found = result_of("--archive", made, "--checkpoints", tmp_path / "late", *beside)
        assert codes(found) == {"evidence_weak"}
        assert any("block 100" in note for note in found["notes"])


# ---- another chain -------------------------------------------------------------------------------


def without_headers(rows: Rows) -> None:
    for row in rows:
        row["header"] = None


def without_one_header(rows: Rows) -> None:
    rows[7]["header"] = None


def another_end(rows: Rows) -> None:
    without_headers(rows)
    rows[-1]["block_hash"] = b"\xee" * 32


def test_a_header_that_is_missing_among_others_is_named(archive: Path) -> None:
    found = result_of("--archive", edit(archive, BLOCKS_FILE, without_one_header), code=1)
    assert "header_hash_mismatch" in codes(found)


def test_without_any_header_the_blocks_are_there_by_word_alone(archive: Path) -> None:
    found = result_of("--archive", edit(archive, BLOCKS_FILE, without_headers))
    told = [each["message"] for each in found["findings"]]
    assert any("no block hash could be recomputed" in message for message in told)


def test_another_end_than_the_manifests_is_named(archive: Path, scenario: Scenario) -> None:
    forged = edit(archive, BLOCKS_FILE, another_end)
    for beside in ((), ("--rpc", scenario.deployed.node.rpc_url)):
        found = result_of("--archive", forged, *beside, code=1)
        assert "archive_mismatch" in codes(found)


def test_code_that_the_node_does_not_have_is_named(archive: Path, scenario: Scenario) -> None:
    path = part_file(archive, "answers.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if line[0] == "eth_getCode":
            line[3] = "0x6001"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    forged = resealed(archive)
    assert "archive_mismatch" in codes(result_of("--archive", forged, code=1))  # its own result
    found = result_of("--archive", forged, "--rpc", scenario.deployed.node.rpc_url, code=1)
    assert any("another code" in each["message"] for each in found["findings"])


@pytest.mark.parametrize("name", ["chain_id", "totals", "events", "grants"])
def test_a_result_that_says_something_else_is_named(archive: Path, name: str) -> None:
    path = archive / RESULT
    result = json.loads(path.read_text())
    if name == "totals":
        result[name]["payouts_paid"] += 1
    else:
        result[name] = [] if name == "grants" else result[name] + 1
    path.write_text(json.dumps(result))
    done = run("replay", "--json", "--archive", resealed(archive))
    assert done.exit_code in (1, 2)
    assert name in done.stdout


# ---- damaged files -------------------------------------------------------------------------------


def typed(folder: Path, name: str, column: str, kind: pa.DataType) -> Path:
    path = part_file(folder, name)
    table = pq.read_table(path)
    at = table.schema.get_field_index(column)
    pq.write_table(table.set_column(at, column, table[column].cast(kind)), path)
    return resealed(folder)


@pytest.mark.parametrize(
    ("name", "column", "kind"),
    [
        (TRANSFERS_FILE, "value", pa.int64()),
        (TRANSFERS_FILE, "value", pa.float64()),
        (TRANSFERS_FILE, "block_number", pa.uint64()),
        (TRANSFERS_FILE, "source", pa.binary(20)),
        (TRANSFERS_FILE, "transaction_hash", pa.large_binary()),
        (LOGS_FILE, "log_index", pa.int32()),
        (BLOCKS_FILE, "timestamp", pa.float64()),
    ],
)
def test_columns_of_other_types_are_refused(
    archive: Path, name: str, column: str, kind: pa.DataType
) -> None:
    done = run("replay", "--archive", typed(archive, name, column, kind))
    assert (done.exit_code, "its columns are" in " ".join(done.stderr.split())) == (2, True)


def cleared(name: str) -> Callable[[Path], Path]:
    return lambda folder: edit(folder, name, lambda rows: rows.clear())


def cut(name: str, size: int) -> Callable[[Path], Path]:
    def damage(folder: Path) -> Path:
        path = part_file(folder, name)
        path.write_bytes(path.read_bytes()[:size])
        return resealed(folder)

    return damage


def result_with(**members: Any) -> Callable[[Path], Path]:
    def damage(folder: Path) -> Path:
        path = folder / RESULT
        path.write_text(json.dumps(json.loads(path.read_text()) | members))
        return resealed(folder)

    return damage


def answers_with(*lines: str) -> Callable[[Path], Path]:
    def damage(folder: Path) -> Path:
        path = part_file(folder, "answers.jsonl")
        path.write_text(path.read_text() + "".join(f"{line}\n" for line in lines))
        return resealed(folder)

    return damage


def without_answers(method: str) -> Callable[[Path], Path]:
    def damage(folder: Path) -> Path:
        path = part_file(folder, "answers.jsonl")
        kept = [line for line in path.read_text().splitlines() if f'"{method}"' not in line]
        path.write_text("".join(f"{line}\n" for line in kept))
        return resealed(folder)

    return damage


def two_hashes(folder: Path) -> Path:
    def change(rows: Rows) -> None:
        places = [(row["block_number"], row["transaction_index"]) for row in rows]
        at = next(i for i, place in enumerate(places) if places.count(place) > 1)
        rows[at]["transaction_hash"] = b"\5" * 32

    return edit(folder, TRANSFERS_FILE, change)


def far_future(folder: Path) -> Path:
    def change(rows: Rows) -> None:
        without_headers(rows)
        rows[-1]["timestamp"] = 2**62

    return edit(folder, BLOCKS_FILE, change)


FINDING = {"code": "evidence_weak", "severity": "warning"}
DAMAGES: dict[str, Callable[[Path], Path]] = {
    "transfers cut short": cut(TRANSFERS_FILE, 100),
    "transfers empty": cut(TRANSFERS_FILE, 0),
    "logs cut short": cut(LOGS_FILE, 100),
    "blocks cut short": cut(BLOCKS_FILE, 100),
    "no blocks": cleared(BLOCKS_FILE),
    "no transfers": cleared(TRANSFERS_FILE),
    "no logs": cleared(LOGS_FILE),
    "a finding without a message": result_with(findings=[FINDING]),
    "a finding with an odd value": result_with(findings=[{**FINDING, "expected": {"a": 1}}]),
    "a finding at an odd place": result_with(findings=[{**FINDING, "block": [1]}]),
    "odd evidence": result_with(evidence=[1]),
    "no evidence": result_with(evidence=None),
    "a refusal of nothing": answers_with('["eth_call",[],"error",{}]'),
    "a refusal without end": answers_with('["eth_call",[],"error",[1e999,"x"]]'),
    "no chain": without_answers("eth_chainId"),
    "no code": without_answers("eth_getCode"),
    "no calls": without_answers("eth_call"),
    "no transactions": without_answers("eth_getTransactionByHash"),
    "two hashes of one transaction": two_hashes,
    "a time that no calendar has": far_future,
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("as_json", [True, False])
def test_no_damage_is_a_traceback(archive: Path, name: str, *, as_json: bool) -> None:
    words = ("--json",) if as_json else ()
    done = run("replay", "--archive", DAMAGES[name](archive), *words)
    assert done.exit_code in (0, 1, 2), done.exception
    assert done.exception is None or isinstance(done.exception, SystemExit)
    if as_json:
        json.loads(done.stdout)


@pytest.mark.parametrize("name", ["no chain", "no code", "no calls"])
def test_answers_that_are_missing_are_wrong_input(archive: Path, name: str) -> None:
    done = run("replay", "--archive", DAMAGES[name](archive))
    assert (done.exit_code, "has no answer to" in " ".join(done.stderr.split())) == (2, True)


# ---- archives of a part of a chain ---------------------------------------------------------------


def test_no_archive_is_made_of_a_part_of_the_chain(scenario: Scenario, tmp_path: Path) -> None:
    where = ("--rpc", scenario.deployed.node.rpc_url, "--vault", scenario.deployed.vault)
    out = ("--out", tmp_path / "out", "--format", "archive")
    for part in (("--from-block", 50), ("--resume", tmp_path / "kept")):
        done = run("replay", *where, *out, *part)
        assert (done.exit_code, (tmp_path / "out").exists()) == (2, False)
        shutil.rmtree(tmp_path / "kept", ignore_errors=True)
