"""Tables as Parquet: a folder a table, large ones divided into folders of their own, zstd.

Row groups are bounded and written as they fill, so that memory does not grow with a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from service.audit.exports.table import Kind, Row, Table
from service.audit.exports.writing import Open, Write

FOLDER_NAME = "parquet"
ROWS_A_GROUP = 50_000
BYTES_A_GROUP = 32 << 20

AMOUNT_DIGITS = 38
"""Digits of decimal128, the widest exact number that DuckDB and Spark read."""


@contextmanager
def parquet_files(folder: Path, *, wide: bool) -> Iterator[Open]:
    """Write each table into files below ``parquet/<table>/`` in a folder.

    Parameters
    ----------
    wide
        Whether an amount may have more than :data:`AMOUNT_DIGITS` digits: then amounts are text.
    """

    @contextmanager
    def opened(table: Table) -> Iterator[Write]:
        files = _Files(folder / FOLDER_NAME / table.name, table, wide=wide)
        try:
            yield files.write
            files.finish()
        finally:
            files.close()

    yield opened


class _Files:
    """The files of one table: one at a time is open, a new one for each folder of its partition."""

    def __init__(self, folder: Path, table: Table, *, wide: bool) -> None:
        self._folder = folder
        self._table = table
        amount = pa.string() if wide else pa.decimal128(AMOUNT_DIGITS, 0)
        types = {Kind.TEXT: pa.string(), Kind.INTEGER: pa.int64(), Kind.AMOUNT: amount}
        self._schema = pa.schema([(column.name, types[column.kind]) for column in table.columns])
        self._as_text = table.positions(Kind.AMOUNT) if wide else ()
        self._waiting: list[Any] = []
        self._files = 0
        self._value: int | None = None
        self._writer: Any = None
        folder.mkdir(parents=True)

    def write(self, rows: list[Row]) -> None:
        """Append rows to the folder, or folders, that they belong to."""
        partition = self._table.partition
        if partition is None:
            self._append(None, rows)
            return
        at = self._table.names.index(partition.column)
        for value, part in groupby(rows, key=lambda row: partition.of(row[at])):
            self._append(value, list(part))

    def _append(self, value: int | None, rows: list[Row]) -> None:
        if self._writer is None or value != self._value:
            self._open(value)
        columns = [list(column) for column in zip(*rows, strict=True)]
        for position in self._as_text:
            columns[position] = [None if cell is None else str(cell) for cell in columns[position]]
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._waiting.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        if (
            sum(batch.num_rows for batch in self._waiting) >= ROWS_A_GROUP
            or sum(batch.nbytes for batch in self._waiting) >= BYTES_A_GROUP
        ):
            self._flush()

    def _open(self, value: int | None) -> None:
        self.close()
        folder = self._folder
        if self._table.partition is not None and value is not None:
            folder /= f"{self._table.partition.folder}={value}"
            folder.mkdir(exist_ok=True)
        path = folder / f"part-{self._files}.parquet"
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._files += 1
        self._value = value

    def _flush(self) -> None:
        if self._waiting:
            rows = pa.Table.from_batches(self._waiting, self._schema)
            self._writer.write_table(rows, row_group_size=ROWS_A_GROUP)
            self._waiting = []

    def finish(self) -> None:
        """Give a table without rows its one file."""
        if not self._files:
            self._open(None)

    def close(self) -> None:
        """Write what waits and end the file that is open."""
        if self._writer is not None:
            self._flush()
            self._writer.close()
            self._writer = None
