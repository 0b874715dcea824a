"""What the emergency lane had outstanding and overdue, day by day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from service.audit.arithmetic import DAY_S


class LaneDay(NamedTuple):
    """A day on which something changed; sums in base units.

    Attributes
    ----------
    day
        Days since 1970-01-01, UTC.
    highest, closing
        The most that stood uncountersigned during the day, and what did at its end.
    overdue_highest, overdue_closing
        The same of what was past its time. It only grows at midnight, so it is highest there.
    """

    day: int
    highest: int
    closing: int
    overdue_highest: int
    overdue_closing: int

    def joined(self, later: LaneDay) -> LaneDay:
        """Return this day and those up to a later one as one."""
        return LaneDay(
            self.day,
            max(self.highest, later.highest),
            later.closing,
            max(self.overdue_highest, later.overdue_highest),
            later.overdue_closing,
        )


@dataclass
class LaneDays:
    """Follows grants and their ends; memory grows with the days on which something happened."""

    outstanding: int = 0
    _highest: dict[int, int] = field(default_factory=dict)
    _closing: dict[int, int] = field(default_factory=dict)
    _becomes_overdue: dict[int, int] = field(default_factory=dict)
    _ends_overdue: dict[int, int] = field(default_factory=dict)

    def made(self, time: int, amount: int, overdue_from: int) -> None:
        """Take a grant made at a Unix time."""
        self._change(time, amount)
        day = overdue_from // DAY_S
        self._becomes_overdue[day] = self._becomes_overdue.get(day, 0) + amount

    def ended(self, time: int, amount: int, overdue_from: int) -> None:
        """Take a grant countersigned or written off."""
        self._change(time, -amount)
        if time < overdue_from:
            self._becomes_overdue[overdue_from // DAY_S] -= amount
        else:
            day = time // DAY_S
            self._ends_overdue[day] = self._ends_overdue.get(day, 0) + amount

    def _change(self, time: int, amount: int) -> None:
        day, before = time // DAY_S, self.outstanding
        self.outstanding += amount
        self._highest[day] = max(self._highest.get(day, before), self.outstanding)
        self._closing[day] = self.outstanding

    def days(self, last_time: int) -> Iterator[LaneDay]:
        """Yield the days on which something changed, up to a Unix time."""
        changed = {*self._closing, *self._ends_overdue}
        changed |= {day for day, amount in self._becomes_overdue.items() if amount}
        outstanding = overdue = 0
        for day in sorted(day for day in changed if day <= last_time // DAY_S):
            highest = self._highest.get(day, outstanding)
            outstanding = self._closing.get(day, outstanding)
            late = overdue + self._becomes_overdue.get(day, 0)
            overdue = late - self._ends_overdue.get(day, 0)
            yield LaneDay(day, highest, outstanding, late, overdue)
