"""Each format read back by another's library, into the same Python values."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from service.audit.exports.table import Kind, Row, Table

Rows = list[Row]


def from_sqlite(folder: Path, table: Table) -> Rows:
    with closing(sqlite3.connect(folder / "relief.sqlite")) as connection:
        cursor = connection.execute(f'SELECT * FROM "{table.name}" ORDER BY rowid')
        assert [column[0] for column in cursor.description] == list(table.names)
        return [_numbers(table, row) for row in cursor]


def from_parquet(folder: Path, table: Table) -> Rows:
    rows: Rows = []
    files = (folder / "parquet" / table.name).rglob("part-*.parquet")
    for path in sorted(files, key=lambda path: int(path.stem.removeprefix("part-"))):
        content = pq.ParquetFile(path).read()
        assert content.column_names == list(table.names)
        columns = [column.to_pylist() for column in content.columns]
        rows += [_numbers(table, row) for row in zip(*columns, strict=True)]
    return rows


def from_csv(folder: Path, table: Table) -> Rows:
    """Read with DuckDB, which tells text in quotes that is empty from nothing."""
    path = folder / "csv" / f"{table.name}.csv"
    assert path.read_bytes().endswith(b"\n")
    assert b"\r" not in path.read_bytes()
    assert path.read_text().splitlines()[0] == ",".join(table.names)
    query = (
        "SELECT * FROM read_csv(?, header=true, delim=',', quote='\"', escape='\"', "
        "all_varchar=true, allow_quoted_nulls=false, parallel=false, max_line_size=10000000)"
    )
    with duckdb.connect() as connection:
        rows = connection.execute(query, [str(path)]).fetchall()
    return [_numbers(table, map(_unmasked, row)) for row in rows]


def _unmasked(cell: str | None) -> str | None:
    return cell[1:] if cell is not None and cell.startswith("'") else cell


def from_jsonl(folder: Path, table: Table) -> Rows:
    rows: Rows = []
    with (folder / "jsonl" / f"{table.name}.jsonl").open() as file:
        for line in file:
            members = json.loads(line)
            assert list(members) == list(table.names)
            for column in table.columns:
                cell = members[column.name]
                expected = int if column.kind is Kind.INTEGER else str
                assert cell is None or type(cell) is expected, (table.name, column.name, cell)
            rows.append(_numbers(table, members.values()))
    return rows


def _numbers(table: Table, cells: Any) -> Row:
    """Amounts and integers as ints, however the format has them."""
    return tuple(
        int(cell) if cell is not None and column.kind is not Kind.TEXT else cell
        for column, cell in zip(table.columns, cells, strict=True)
    )


READERS: dict[str, Callable[[Path, Table], Rows]] = {
    "sqlite": from_sqlite,
    "parquet": from_parquet,
    "csv": from_csv,
    "jsonl": from_jsonl,
}


def as_dicts(folder: Path, table: Table) -> list[dict[str, Any]]:
    """Rows by the names of their columns."""
    return [dict(zip(table.names, row, strict=True)) for row in from_sqlite(folder, table)]


def exact(value: Decimal) -> int:
    """A decimal of a query, which must be whole."""
    assert value == value.to_integral_value()
    return int(value)
