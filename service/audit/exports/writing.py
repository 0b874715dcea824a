"""What a writer of one format is, and how rows come to all of them: a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

from service.audit.exports.table import Row, Table

Write = Callable[[list[Row]], None]
"""Appends rows to the table that is open."""

Open = Callable[[Table], AbstractContextManager[Write]]
"""Opens a table, one at a time; the table is whole once its block ends."""

ROWS_A_TIME = 5_000
CHARACTERS_A_TIME = 4 << 20
"""A batch ends with whichever comes first: an event of a chunk has 28,000 characters."""


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield rows in batches, bounded in number and in characters."""
    batch: list[Row] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += sum(len(cell) for cell in row if isinstance(cell, str))
        if len(batch) >= ROWS_A_TIME or characters >= CHARACTERS_A_TIME:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
