"""Days put together into as many periods as a chart can show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from service.audit.arithmetic import DAY_S
from service.audit.reports.text import LAST_UNIX_S, day_text

MOST = 48
"""Periods of a chart."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_DAY = LAST_UNIX_S // DAY_S


def _date(day: int) -> datetime:
    return EPOCH + timedelta(days=min(day, LAST_DAY))


def _first_of_week(day: int) -> int:
    return day - _date(day).weekday()


def _first_of_month(day: int) -> int:
    return (_date(day).replace(day=1) - EPOCH).days


def _first_of_year(day: int) -> int:
    return (_date(day).replace(month=1, day=1) - EPOCH).days


KINDS: tuple[tuple[str, int, Callable[[int], int]], ...] = (
    ("day", 1, lambda day: day),
    ("week", 7, _first_of_week),
    ("month", 31, _first_of_month),
    ("year", 366, _first_of_year),
)
"""Name, days at most, and the first day of the one that a day is in; weeks begin on Mondays."""


def periods(days: Iterable[int]) -> tuple[str, dict[int, int]]:
    """Return what kind of period shows some days, and the first day of each day's period.

    Every period between the first and the last is there, with or without one of the days, as long
    as they are not more than a chart can show; of more years, those with a day.
    """
    given = sorted(set(days))
    if not given:
        return KINDS[0][0], {}
    span = given[-1] - given[0] + 1
    name, length, first_of = next(
        (kind for kind in KINDS if span <= kind[1] * MOST - kind[1]), KINDS[-1]
    )
    shown = {day: first_of(day) for day in given}
    if span <= length * MOST:
        shown |= {first: first for first in map(first_of, range(given[0], given[-1] + 1))}
    return name, shown


def period_text(kind: str, first_day: int) -> str:
    """Write a period by its first day."""
    date = day_text(first_day)
    return {"month": date[:-3], "year": date[:-6]}.get(kind, date)
