"""A chart with the numbers that it draws as a table, and what figures share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from service.audit.arithmetic import DAY_S
from service.audit.reports.charts import Axis, Values, bars_by_row
from service.audit.reports.shapes import Drawing
from service.audit.reports.text import day_text, short_amount

MOST_ROWS = 12
"""Bars of a chart by programme or officer; the table has all."""

TOKENS = Axis("tokens", short_amount)

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart and its numbers.

    Attributes
    ----------
    title, description
        What it shows, for those who do not see it too.
    headings, rows
        The table: its first column says what a row is of, the others are numbers.
    draw
        Draws the chart for a width in pixels; None where there is nothing to draw.
    """

    title: str
    description: str
    headings: Row
    rows: tuple[Row, ...]
    draw: Callable[[float], Drawing] | None


def _largest_rows(rows: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Return the rows with the largest sums, as many as are drawn, in their own order."""
    ranked = sorted(rows, key=lambda name: -sum(rows[name]))
    chosen = set(ranked[:MOST_ROWS])
    return {name: parts for name, parts in rows.items() if name in chosen}


def and_drawn(rows: dict[str, tuple[int, ...]]) -> str:
    """Say so where not every row is drawn."""
    return (
        f" The {MOST_ROWS} largest are drawn; the table has all." if len(rows) > MOST_ROWS else ""
    )


def bars_of(
    rows: dict[str, tuple[int, ...]], names: Sequence[str], axis: Axis
) -> Callable[[float], Drawing] | None:
    """Return what draws rows of parts, the largest of them; None where all is zero."""
    if not any(any(parts) for parts in rows.values()):
        return None
    shown = _largest_rows(rows)
    series = [
        Values(name, name, tuple(parts[at] for parts in shown.values()))
        for at, name in enumerate(names)
    ]
    return partial(bars_by_row, rows=list(shown), series=series, axis=axis)


def day_of(unix_s: int) -> str:
    """Write the day of a Unix time."""
    return day_text(unix_s // DAY_S)
