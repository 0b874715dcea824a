"""The one place that reads the wall clock, so that tests can move it.

Money never depends on this clock: contracts compare block timestamps, leases compare the
database's own time. It stamps rows and messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time as an aware UTC ``datetime``."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's current time in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime) -> None:
        self.current = start

    def now(self) -> datetime:
        """Return the time last set."""
        return self.current


SYSTEM_CLOCK: Clock = SystemClock()


@dataclass
class StageTimes:
    """Seconds of each stage, by name, in the order they were left.

    Attributes
    ----------
    on_end
        Told a stage's name and seconds each time one ends.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    on_end: Callable[[str, float], None] = lambda _name, _seconds: None
    _within: list[float] = field(default_factory=lambda: [0.0], repr=False)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the block's time to a stage, but for what stages within it took."""
        began = time.perf_counter()
        self._within.append(0.0)
        try:
            yield
        finally:
            whole = time.perf_counter() - began
            own = whole - self._within.pop()
            self._within[-1] += whole
            self.seconds[name] = self.seconds.get(name, 0.0) + own
            self.on_end(name, own)

    @property
    def total(self) -> float:
        """Seconds of all stages."""
        return sum(self.seconds.values())
