"""DuckDB: in this process, with so much memory and the rest on disk."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa

from service.audit.ahead import ahead
from service.audit.archive.parts import Part, read_part
from service.audit.scratch import scratch_folder
from service.audit.transfer_rows import ROWS_A_BATCH, TransferRows

MEMORY, THREADS = "96MiB", 2
"""More goes to disk; each thread needs some of it. What was measured is in docs/benchmarks.md."""

PARTS_AHEAD = 1


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Return the one database of this process, which has :data:`MEMORY` in all."""
    folder = str(scratch_folder(_database))
    return duckdb.connect(
        config={"memory_limit": MEMORY, "threads": THREADS, "temp_directory": folder}
    )


def cursor() -> duckdb.DuckDBPyConnection:
    """Return a connection to it; what is temporary there is its own, and goes with it."""
    return _database().cursor()


@dataclass
class Duck:
    """Answers in SQL."""

    beside: bool = True
    _own: duckdb.DuckDBPyConnection | None = None

    def parts(self, folders: Sequence[Path]) -> Generator[Part, None, None]:
        """Read parts, the next while one is worked on."""
        with closing(ahead(folders, read_part, PARTS_AHEAD)) as answers:
            for _, part in answers:
                yield part

    def answer(self, sql: str, rows: TransferRows, opening: pa.Table) -> Iterator[pa.RecordBatch]:
        """Ask, with the relations ``transfers`` and ``opening``; rows in any order."""
        self._prepare(rows, opening)
        yield from self._connection.sql(sql).to_arrow_reader(ROWS_A_BATCH)

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._own is None:
            self._own = cursor()
        return self._own

    def _prepare(self, rows: TransferRows, opening: pa.Table) -> None:
        connection = self._connection
        connection.register("waiting", rows.waiting())
        connection.register("opening", opening)
        parts = ["SELECT * FROM waiting"]
        if rows.files:
            files = ", ".join(f"'{_quoted(path)}'" for path in rows.files)
            read = f"read_parquet([{files}], hive_partitioning = false)"
            parts.insert(0, f"SELECT * FROM {read}")  # noqa: S608 - quoted
        connection.execute(f"CREATE OR REPLACE TEMP VIEW transfers AS {' UNION ALL '.join(parts)}")


def _quoted(path: Path) -> str:
    """Write a path into a text of SQL, in which some characters stand for any."""
    return re.sub(r"[*?\[]", r"[\g<0>]", str(path)).replace("'", "''")
