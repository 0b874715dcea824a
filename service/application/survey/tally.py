"""How many payouts are in each state, and their amounts, counted again and again at little cost.

The numbers come from an index alone. Amounts stand in the rows, so they are added up anew only for
those (batch, state) whose number changed since, and all of them from time to time: two payouts of
a batch that change places between two counts are seen then.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.payouts.models import Chunk, Payout
from service.payouts.queries import StateSum, payout_sums
from service.payouts.states import ChunkState, PayoutState

ALL_ANEW_S = 3600.0
"""So often every amount is added up anew."""

MANY = 50
"""From so many changes on one statement over all rows is the quicker one."""

_Key = tuple[str, str]
"""State and batch."""


class PayoutTally:
    """Keeps what was added up."""

    def __init__(self) -> None:
        self._sums: dict[_Key, StateSum] = {}
        self._all_anew_at = 0.0

    def take(self, session: Session) -> Mapping[PayoutState, StateSum]:
        """Return count and amount by state."""
        counts: dict[_Key, int] = {
            (state, batch_id): count
            for state, batch_id, count in session.execute(
                select(Payout.state, Payout.batch_id, func.count()).group_by(
                    Payout.state, Payout.batch_id
                )
            )
        }
        if time.monotonic() >= self._all_anew_at:
            self._sums = {}
            self._all_anew_at = time.monotonic() + ALL_ANEW_S
        kept = {key: found for key, found in self._sums.items() if counts.get(key) == found.count}
        changed = counts.keys() - kept.keys()
        if len(changed) > MANY:
            kept |= _all(session)
        else:
            for state, batch_id in changed:
                where = (Payout.state == state, Payout.batch_id == batch_id)
                kept[state, batch_id] = _together(payout_sums(session, *where).values())
        self._sums = kept
        totals: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for (state, _), found in kept.items():
            count, amount = totals[state]
            totals[state] = count + found.count, amount + found.amount_base_units
        _show_sent(session, totals)
        return {PayoutState(state): StateSum(*totals[state]) for state in sorted(totals)}


def _together(sums: Iterable[StateSum]) -> StateSum:
    found = list(sums)
    return StateSum(sum(s.count for s in found), sum(s.amount_base_units for s in found))


def _show_sent(session: Session, totals: dict[str, tuple[int, int]]) -> None:
    """Count as ``sent`` what is ``queued`` in chunks that are on their way (decision 0081)."""
    sent = session.execute(
        select(Chunk.count, Chunk.total_base_units).where(Chunk.state == ChunkState.SENT.value)
    ).all()
    queued = totals.get(PayoutState.QUEUED.value)
    if not sent or queued is None:
        return
    count = min(queued[0], sum(number for number, _ in sent))
    amount = min(queued[1], sum(total for _, total in sent))
    before = totals[PayoutState.SENT.value]
    totals[PayoutState.SENT.value] = before[0] + count, before[1] + amount
    totals[PayoutState.QUEUED.value] = queued[0] - count, queued[1] - amount


def _all(session: Session) -> dict[_Key, StateSum]:
    sums: dict[_Key, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for state, batch_id, amount_base_units, count in session.execute(
        select(Payout.state, Payout.batch_id, Payout.amount_base_units, func.count()).group_by(
            Payout.state, Payout.batch_id, Payout.amount_base_units
        )
    ):
        number, total = sums[state, batch_id]
        sums[state, batch_id] = number + count, total + amount_base_units * count
    return {key: StateSum(*found) for key, found in sums.items()}
