"""Spark: parts are read and transfers summed up on as many machines as there are.

The session is the environment's: ``spark-submit``, ``SPARK_CONF_DIR``, or this machine alone where
nothing else is said. Workers need this package installed, and the archive at the same path.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from service.audit.archive.parts import Part, read_part
from service.audit.transfer_rows import TransferRows
from service.errors import InvalidInput

PATTERN = re.compile(r"[*?\[\]{}\\]")
"""Characters that stand for others in the paths that Spark reads."""

VALUE = pa.decimal128(20, 0)
"""What Spark has for a number of 64 bits without sign."""


@dataclass
class Spark:
    """Answers in SQL."""

    beside: bool = False
    _started: Any = None

    def parts(self, folders: Sequence[Path]) -> Generator[Part, None, None]:
        """Read parts, each where there is a worker free; yield them in their order."""
        context = self._session.sparkContext
        paths = context.parallelize([str(path) for path in folders], len(folders))
        # Not DataFrame.toLocalIterator: it holds on to every partition that it has given.
        yield from paths.map(_read).toLocalIterator(prefetchPartitions=True)

    def answer(self, sql: str, rows: TransferRows, opening: pa.Table) -> Iterator[pa.RecordBatch]:
        """Ask, with the relations ``transfers`` and ``opening``; rows in any order."""
        yield from _streamed(self._ask(sql, rows, opening))

    @property
    def _session(self) -> Any:
        if self._started is None:
            try:
                from pyspark.sql import SparkSession
            except ImportError:
                raise InvalidInput(
                    "--engine spark needs PySpark: pip install 'relief[spark]'"
                ) from None
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # where nothing else is said
            self._started = SparkSession.builder.appName("relief-audit").getOrCreate()
            self._started.conf.set("spark.sql.ansi.enabled", "true")  # what overflows is an error
        return self._started

    def _ask(self, sql: str, rows: TransferRows, opening: pa.Table) -> Any:
        session = self._session
        if any(PATTERN.search(str(path)) for path in rows.files):
            raise InvalidInput("--engine spark: the archive's path has one of * ? [ ] { } \\ in it")
        transfers = session.read.parquet(*(str(path) for path in rows.files))
        waiting = rows.waiting()
        if len(waiting):
            at = waiting.schema.get_field_index("value")
            waiting = waiting.set_column(at, "value", waiting["value"].cast(VALUE))
            transfers = transfers.unionByName(session.createDataFrame(waiting))
        transfers.createOrReplaceTempView("transfers")
        session.createDataFrame(opening).createOrReplaceTempView("opening")
        return session.sql(sql)


def _read(path: str) -> Part:
    return read_part(Path(path))


def _streamed(frame: Any) -> Iterator[pa.RecordBatch]:
    """Yield a frame's batches in order, no more than two partitions of it at a time."""
    cells = frame.mapInArrow(_as_cells, "cell binary").rdd
    for row in cells.toLocalIterator(prefetchPartitions=True):
        with pa.ipc.open_stream(row.cell) as batches:
            yield from batches


def _as_cells(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Write each batch as one value."""
    for batch in batches:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        cell = pa.array([sink.getvalue().to_pybytes()], pa.binary())
        yield pa.RecordBatch.from_arrays([cell], ["cell"])
