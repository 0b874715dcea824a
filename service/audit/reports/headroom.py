"""The reserve and what stands against it over time, in bounded memory that hides no minimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_SPANS = 1_000
"""Spans kept while reading are at most twice as many."""


class Level(NamedTuple):
    """Sums at one moment, base units.

    Attributes
    ----------
    time
        Of the block, Unix seconds.
    supply, committed, reserve
        What is minted, what is approved and not minted yet, and the attested reserve in force.
    """

    block: int
    time: int
    supply: int
    committed: int
    reserve: int

    @property
    def outstanding(self) -> int:
        """What the reserve must cover: supply and commitments."""
        return self.supply + self.committed

    @property
    def headroom(self) -> int:
        """What may still be committed; negative once an attestation is below what stands."""
        return self.reserve - self.outstanding


@dataclass(frozen=True, slots=True)
class Span:
    """Blocks that follow each other, as two levels.

    Attributes
    ----------
    first_block
        Of the span; `last` is at its end.
    lowest
        Where headroom was lowest in it, between the transactions of a block too.
    last
        Level after its last block.
    """

    first_block: int
    lowest: Level
    last: Level

    def joined(self, later: Span) -> Span:
        """Return this span and the next as one."""
        lowest = min(self.lowest, later.lowest, key=lambda level: level.headroom)
        return Span(self.first_block, lowest, later.last)


@dataclass
class HeadroomLine:
    """The spans from the first change to the last.

    Attributes
    ----------
    spans
        In the order of blocks; only where something changed.
    """

    spans: list[Span] = field(default_factory=list)
    _lowest: Level | None = None
    _lowest_headroom: int = 0
    _last: tuple[int, int, int, int, int] | None = None

    def see(self, block: int, time: int, supply: int, committed: int, reserve: int) -> None:
        """Take the level after an event, as :class:`Level` has it; blocks ascend."""
        headroom = reserve - supply - committed
        if self._last is not None and self._last[0] != block:
            self.close()
        # A mint moves a sum from commitments to supply: most events make no new level.
        if self._lowest is None or headroom < self._lowest_headroom:
            self._lowest = Level(block, time, supply, committed, reserve)
            self._lowest_headroom = headroom
        self._last = (block, time, supply, committed, reserve)

    def close(self) -> None:
        """End the block that is being seen."""
        if self._last is None or self._lowest is None:
            return
        last, lowest = Level(*self._last), self._lowest
        self._last = self._lowest = None
        if self.spans and self.spans[-1].last[2:] == last[2:] and lowest[2:] == last[2:]:
            return
        self.spans.append(Span(last.block, lowest, last))
        if len(self.spans) == 2 * MAX_SPANS:
            self.spans = thinned(self.spans, MAX_SPANS)

    @property
    def lowest(self) -> Level | None:
        """The lowest level there was since there has been a reserve; None without one."""
        levels = [span.lowest for span in self.spans if span.last.reserve or span.lowest.reserve]
        return min(levels, key=lambda level: level.headroom, default=None)


def thinned(spans: Sequence[Span], most: int) -> list[Span]:
    """Return at most so many spans: neighbours are joined, and each keeps its lowest level."""
    size = -(-len(spans) // most) or 1
    joined = []
    for at in range(0, len(spans), size):
        span = spans[at]
        for later in spans[at + 1 : at + size]:
            span = span.joined(later)
        joined.append(span)
    return joined
