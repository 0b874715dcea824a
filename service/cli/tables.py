"""Tables for people, on any width: text folds, and what would be misread folded does not.

Numbers, amounts and times keep their width. Where that leaves the text too little room, the items
are written one below the other instead, each as names and values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

SHORT_ID = 12
"""Characters of a batch's or action's id in a table: 40 bits of it tell them apart."""

LEAST_TEXT = 8
"""Columns that text needs to be read while it folds."""

_BETWEEN = 2
"""Blanks between two columns."""

_IDS = ("id", "batch_id")
_ID = re.compile(r"0x[0-9a-f]{64}")
_NUMBER = re.compile(r"|-?[0-9]+(\.[0-9]+)?")
_WHOLE = re.compile(r"|-?[0-9]+(\.[0-9]+)?|[0-9-]{10}T[0-9:]{8}Z")


def cell(value: Any) -> str:
    """Write one value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def table_of(
    items: Sequence[Mapping[str, Any]],
    headings: Mapping[str, str],
    *,
    width: int,
    title: str | None = None,
) -> RenderableType:
    """Return items as a table with a row each, or one below the other where that does not fit.

    Parameters
    ----------
    headings
        Heading of each column by the items' key.
    width
        Columns of the terminal.
    title
        Heading of the whole.
    """
    columns = [_column(key, heading, items) for key, heading in headings.items()]
    least = sum(column.least_width for column in columns) + _BETWEEN * (len(columns) - 1)
    if items and least > width:
        return _one_below_the_other(columns, title)
    table = Table(
        title=title,
        title_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for column in columns:
        table.add_column(
            column.folded_heading,
            justify="right" if column.number else "left",
            overflow="fold",
            no_wrap=column.whole,
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table


def names_and_values(pairs: Iterable[tuple[str, str]], *, title: str | None = None) -> Table:
    """Return a table of two columns without headings."""
    table = Table(title=title, title_justify="left", show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, value)
    return table


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of a table."""

    heading: str
    cells: tuple[str, ...]

    @property
    def number(self) -> bool:
        """Whether all its cells are numbers, which stand at the right."""
        return any(self.cells) and all(_NUMBER.fullmatch(text) for text in self.cells)

    @property
    def whole(self) -> bool:
        """Whether none of its cells may be folded."""
        return any(self.cells) and all(_WHOLE.fullmatch(text) for text in self.cells)

    @property
    def longest(self) -> int:
        """Columns that its widest cell takes."""
        return max(map(cell_len, self.cells), default=0)

    @property
    def folded_heading(self) -> str:
        """The heading; of a column that keeps its width word below word where it is wider."""
        if self.whole and len(self.heading) > self.longest:
            return self.heading.replace(" ", "\n")
        return self.heading

    @property
    def least_width(self) -> int:
        """Columns that it needs to be read."""
        heading = max(map(len, self.folded_heading.splitlines()))
        widest = max(heading, self.longest)
        return widest if self.whole else min(widest, LEAST_TEXT)


def _column(key: str, heading: str, items: Sequence[Mapping[str, Any]]) -> _Column:
    texts = tuple(cell(item.get(key)) for item in items)
    if key in _IDS:
        texts = tuple(text[:SHORT_ID] if _ID.fullmatch(text) else text for text in texts)
    return _Column(heading, texts)


def _one_below_the_other(columns: Sequence[_Column], title: str | None) -> Group:
    parts: list[RenderableType] = [Text(title, style="italic")] if title else []
    for row in zip(*(column.cells for column in columns), strict=True):
        names = (column.heading for column in columns)
        parts += [names_and_values(zip(names, row, strict=True)), Text()]
    return Group(*parts[:-1])
