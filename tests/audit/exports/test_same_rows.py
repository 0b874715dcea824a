"""One run's four formats say the same, and two runs write the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.audit.exports.table import Kind, Table
from service.audit.exports.tables import TABLES
from tests.audit.exports.conftest import Relief
from tests.audit.exports.reading import READERS

NAMES = [table.name for table in TABLES]
SOME = [table for table in TABLES if table.name != "findings"]


@pytest.mark.parametrize("table", TABLES, ids=NAMES)
def test_every_format_has_the_same_cells(exported: Path, table: Table) -> None:
    read = {name: reader(exported, table) for name, reader in READERS.items()}
    for name, rows in read.items():
        assert rows == read["jsonl"], name


@pytest.mark.parametrize("table", SOME, ids=[table.name for table in SOME])
def test_the_scenario_has_rows_of_every_table_whose_cells_are_of_their_kind(
    exported: Path, table: Table
) -> None:
    rows = READERS["jsonl"](exported, table)
    assert rows
    for row in rows:
        for column, cell in zip(table.columns, row, strict=True):
            expected = str if column.kind is Kind.TEXT else int
            assert cell is None or type(cell) is expected, (column.name, cell)
            assert cell != ""
        assert None not in row[: table.key]
    assert len({row[: table.key] for row in rows}) == len(rows)


def test_no_column_is_always_empty_but_for_what_the_scenario_lacks(exported: Path) -> None:
    lacking = {
        f"{table.name}.{column.name}"
        for table in SOME
        for position, column in enumerate(table.columns)
        if all(row[position] is None for row in READERS["jsonl"](exported, table))
    }
    assert lacking == {
        "batches.expired_block",
        "batches.held_by",
        "payouts.expired_block",
        "payouts.held_until_unix_s",
        "programmes.pending_budget_base_units",
        "programmes.pending_budget_from_unix_s",
        "report.notes",
        "signers.removed_block",
        "verifiers.removed_block",
    }


def test_two_runs_write_the_same_bytes(exported: Path, relief: Relief, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert relief("--out", again).exit_code == 0
    files = {path.relative_to(exported) for path in exported.rglob("*") if path.is_file()}
    assert files == {path.relative_to(again) for path in again.rglob("*") if path.is_file()}
    assert {Path("relief.sqlite"), Path("replay.json")} < files
    for path in files:
        assert (exported / path).read_bytes() == (again / path).read_bytes(), path


def test_the_document_is_what_the_command_prints(exported: Path, relief: Relief) -> None:
    printed = json.loads(relief("--json").stdout)
    assert json.loads((exported / "replay.json").read_text()) == printed
    report = READERS["jsonl"](exported, TABLES[0])
    assert printed["state_digest"] in report[0]
