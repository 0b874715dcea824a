"""How many payouts are in each state, and their amounts, counted again and again at little cost.

Chunks have the sums of their payouts, and most payouts are where their chunk is. Only where the
payouts of a batch went different ways their amounts are added up one by one: anew when a number of
the batch changed since, and from time to time, since two payouts of a batch may change places.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.payouts.models import BY_CHUNK, Chunk, Payout
from service.payouts.queries import StateSum, payout_sums
from service.payouts.states import ChunkState, PayoutState

ALL_ANEW_S = 3600.0
"""So often every amount is added up anew."""

Sums = Mapping[PayoutState, StateSum]


@dataclass(slots=True)
class _Batch:
    """Numbers of a batch: its payouts by their own state, its chunks' payouts by the chunks'."""

    own: dict[PayoutState, int] = field(default_factory=dict)
    chunks: dict[ChunkState, StateSum] = field(default_factory=dict)

    def sums(self) -> Sums | None:
        """Return count and amount by state; None where its payouts went different ways."""
        if len(self.own) != 1:
            return None
        (own,) = self.own
        if own is PayoutState.QUEUED:
            return {BY_CHUNK[state]: found for state, found in self.chunks.items()}
        return {own: _add_up(self.chunks.values())}


class PayoutTally:
    """Keeps what was added up."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[_Batch, Sums]] = {}
        self._all_anew_at = 0.0

    def take(self, session: Session) -> Sums:
        """Return count and amount by state."""
        if time.monotonic() >= self._all_anew_at:
            self._kept = {}
            self._all_anew_at = time.monotonic() + ALL_ANEW_S
        counts: Counter[PayoutState] = Counter()
        amounts: Counter[PayoutState] = Counter()
        kept = {}
        for batch_id, batch in _batches(session).items():
            sums = batch.sums()
            if sums is None:
                before, sums = self._kept.get(batch_id, (None, {}))
                if before != batch:
                    sums = payout_sums(session, Payout.batch_id == batch_id)
                kept[batch_id] = batch, sums
            for state, found in sums.items():
                counts[state] += found.count
                amounts[state] += found.amount_base_units
        self._kept = kept
        return {state: StateSum(counts[state], amounts[state]) for state in sorted(counts)}


def _batches(session: Session) -> Mapping[str, _Batch]:
    batches: dict[str, _Batch] = defaultdict(_Batch)
    for state, batch_id, count in session.execute(
        select(Payout.own_state, Payout.batch_id, func.count()).group_by(
            Payout.own_state, Payout.batch_id
        )
    ):
        batches[batch_id].own[PayoutState(state)] = count
    for state, batch_id, count, total in session.execute(
        select(Chunk.state, Chunk.batch_id, Chunk.count, Chunk.total_base_units)
    ):
        chunks = batches[batch_id].chunks
        before = chunks.get(ChunkState(state), _NOTHING)
        chunks[ChunkState(state)] = _add_up((before, StateSum(count, total)))
    return batches


_NOTHING = StateSum(0, 0)


def _add_up(sums: Iterable[StateSum]) -> StateSum:
    """Return the sum of counts and amounts."""
    found = list(sums)
    return StateSum(sum(s.count for s in found), sum(s.amount_base_units for s in found))
