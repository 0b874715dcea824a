"""Pages of rows: a limit, and a cursor that names the last row of the page before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.errors import InvalidInput

T = TypeVar("T")

MAX_PAGE_ROWS = 500


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page.

    Attributes
    ----------
    items
        At most the limit asked for.
    next_cursor
        Give it to the next call; None at the end.
    """

    items: Sequence[T]
    next_cursor: str | None


def check_limit(limit: int) -> int:
    """Return the limit.

    Raises
    ------
    InvalidInput
        When it is not 1 to 500.
    """
    if not 1 <= limit <= MAX_PAGE_ROWS:
        raise InvalidInput(f"a page has 1 to {MAX_PAGE_ROWS} rows, not {limit}")
    return limit


def indexed_cursor(batch_id: str, index: int) -> str:
    """Return the cursor of a row that is named by its batch and index."""
    return f"{batch_id}:{index}"


def parse_indexed_cursor(cursor: str) -> tuple[str, int]:
    """Return batch id and index of a cursor.

    Raises
    ------
    InvalidInput
        When it is none of ours.
    """
    batch_id, _, index = cursor.rpartition(":")
    if not batch_id.startswith("0x") or not (index.isascii() and index.isdigit()):
        raise InvalidInput("the cursor is not one that a page gave")
    return batch_id, int(index)
