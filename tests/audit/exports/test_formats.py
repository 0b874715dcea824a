"""Each format with rows that no honest chain has: formulas, quotes, amounts of any size."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.audit.exports.csv_files import csv_files
from service.audit.exports.jsonl_files import jsonl_files
from service.audit.exports.parquet_files import parquet_files
from service.audit.exports.sqlite_file import sqlite_file
from service.audit.exports.table import BY_BLOCK, Row, Table, amount, integer, text
from service.audit.exports.writing import Open, batches
from tests.audit.exports.reading import READERS, from_parquet, from_sqlite

WORDS = Table(
    "words",
    "Words of strangers.",
    (integer("number", "Which."), text("said", "What."), amount("worth", "How much.")),
    lambda _source: iter(()),
    indexes=(("said",),),
)
STRANGE = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "|calc", "%0", "＝1", "'", "'=1", "''"),
    *('say "no"', '"', '""', "a,b", ",", " ", " =1", "王小明", "null", "NULL", "0", "\\N"),
]
SIZES = [0, 1, -5, 2**63 - 1, 2**63, 2**80 - 1, -(2**80), 10**38 - 1]


def write(opens: AbstractContextManager[Open], table: Table, rows: list[Row]) -> None:
    with opens as opened, opened(table) as append:
        for batch in batches(rows):
            append(batch)


WRITERS: dict[str, Callable[[Path], AbstractContextManager[Open]]] = {
    "sqlite": sqlite_file,
    "parquet": lambda folder: parquet_files(folder, wide=False),
    "csv": csv_files,
    "jsonl": jsonl_files,
}


@pytest.mark.parametrize("name", WRITERS)
def test_any_text_and_any_amount_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    rows: list[Row] = [
        *((number, said, None) for number, said in enumerate(STRANGE)),
        *((100 + number, None, size) for number, size in enumerate(SIZES)),
    ]
    write(WRITERS[name](tmp_path), WORDS, rows)
    assert READERS[name](tmp_path, WORDS) == rows


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_without_rows_still_has_its_columns(tmp_path: Path, name: str) -> None:
    write(WRITERS[name](tmp_path), WORDS, [])
    assert READERS[name](tmp_path, WORDS) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()]


def test_no_cell_of_csv_is_a_formula(tmp_path: Path) -> None:
    rows: list[Row] = [(number, said, -5) for number, said in enumerate(STRANGE)]
    write(csv_files(tmp_path), WORDS, rows)
    with (tmp_path / "csv" / "words.csv").open(newline="", encoding="utf-8") as file:
        header, *read = list(csv.reader(file, strict=True))
    assert header == ["number", "said", "worth_base_units"]
    for (number, said, worth), given in zip(read, STRANGE, strict=True):
        assert number.isdecimal()
        assert said[0] not in "=+-@\t\r|%＝＋－＠"
        assert said.removeprefix("'") == given or said[1:] == given
        assert worth == "-5"


# ---- SQLite --------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    rows: list[Row] = [(number, f"w{number}", 2**62) for number in range(3)]
    write(sqlite_file(tmp_path), WORDS, [*rows[:1], (7, "large", 2**80), *rows[1:]])
    with closing(sqlite3.connect(tmp_path / "relief.sqlite")) as connection:
        yield connection


def test_sqlite_sums_integers_exactly_or_fails(database: sqlite3.Connection) -> None:
    query = "SELECT sum(worth_base_units) FROM words WHERE number < ?"
    assert database.execute(query, (1,)).fetchone() == (2**62,)
    with pytest.raises(sqlite3.OperationalError, match="integer overflow"):
        database.execute(query, (3,)).fetchone()


def test_sqlite_has_what_is_larger_than_its_integers_as_text(database: sqlite3.Connection) -> None:
    query = "SELECT number, worth_base_units FROM words WHERE typeof(worth_base_units) = 'text'"
    assert database.execute(query).fetchall() == [(7, str(2**80))]


def test_sqlite_tables_are_strict_and_have_keys_and_indexes(database: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="cannot store BLOB"):
        database.execute("INSERT INTO words VALUES (8, x'00', 1)")
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        database.execute("INSERT INTO words VALUES (7, 'y', 1)")
    plan = database.execute("EXPLAIN QUERY PLAN SELECT * FROM words WHERE said = 'w1'").fetchall()
    assert "USING INDEX words_by_said" in plan[0][3]


# ---- Parquet -------------------------------------------------------------------------------------

PLACED = Table(
    "placed",
    "Things in blocks.",
    (integer("number", "Which."), integer("block", "Where."), amount("worth", "How much.")),
    lambda _source: iter(()),
    partition=BY_BLOCK,
)


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.parquet"))


def test_parquet_divides_large_tables_by_folder(tmp_path: Path) -> None:
    blocks = [0, 99_999, 100_000, 250_000, 299_999]
    rows: list[Row] = [(number, block, 1) for number, block in enumerate(blocks)]
    write(parquet_files(tmp_path, wide=False), PLACED, rows)
    assert files_of(tmp_path / "parquet" / "placed") == [
        "from_block=0/part-0.parquet",
        "from_block=100000/part-1.parquet",
        "from_block=200000/part-2.parquet",
    ]
    assert from_parquet(tmp_path, PLACED) == rows
    query = f"SELECT count(*), sum(number) FROM '{tmp_path}/parquet/placed/**/*.parquet'"
    with duckdb.connect() as connection:
        found = connection.execute(f"{query} WHERE from_block = 200000").fetchall()
    assert found == [(2, 7)]


def test_parquet_keeps_rows_that_come_back_to_a_folder(tmp_path: Path) -> None:
    """A node that lies about its blocks' order must not make a file be written over."""
    rows: list[Row] = [(0, 5, 1), (1, 100_000, 1), (2, 6, 1)]
    write(parquet_files(tmp_path, wide=False), PLACED, rows)
    assert from_parquet(tmp_path, PLACED) == rows


def test_parquet_bounds_its_row_groups_and_compresses_them(tmp_path: Path) -> None:
    rows: list[Row] = [(number, 1, number) for number in range(120_001)]
    write(parquet_files(tmp_path, wide=False), PLACED, rows)
    (path,) = tmp_path.rglob("*.parquet")
    metadata: Any = pq.ParquetFile(path).metadata
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sizes == [50_000, 50_000, 20_001]
    assert metadata.row_group(0).column(2).compression == "ZSTD"
    assert pq.ParquetFile(path).schema_arrow.field(2).type == pa.decimal128(38, 0)


def test_parquet_has_amounts_as_text_where_one_may_have_more_digits_than_numbers_have(
    tmp_path: Path,
) -> None:
    rows: list[Row] = [(0, None, 2**256 - 1), (1, "x", None), (2, None, -1)]
    write(parquet_files(tmp_path, wide=True), WORDS, rows)
    assert from_parquet(tmp_path, WORDS) == rows
    (path,) = tmp_path.rglob("*.parquet")
    assert pq.ParquetFile(path).schema_arrow.field(2).type == pa.string()


def test_batches_are_bounded_in_rows_and_in_characters() -> None:
    many: list[Row] = [(i, "x") for i in range(12_000)]
    assert [len(batch) for batch in batches(many)] == [5_000, 5_000, 2_000]
    long: list[Row] = [(i, "x" * 2**21) for i in range(5)]
    assert [len(batch) for batch in batches(long)] == [2, 2, 1]
    assert list(batches([])) == []


def test_sqlite_that_was_written_is_read_in_the_order_of_its_rows(tmp_path: Path) -> None:
    rows: list[Row] = [(number, f"w{number}", number) for number in (1, 2, 9)]
    write(sqlite_file(tmp_path), WORDS, rows)
    assert from_sqlite(tmp_path, WORDS) == rows
