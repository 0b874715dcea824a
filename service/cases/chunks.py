"""Long lists in pieces, for statements whose number of parameters is bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")

CHUNK_VALUES = 500
"""Values in one IN list: well below SQLite's and PostgreSQL's limits on parameters."""


def chunks(items: Sequence[Item], size: int = CHUNK_VALUES) -> Iterator[Sequence[Item]]:
    """Yield the items in order, ``size`` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
