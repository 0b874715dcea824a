"""How many payouts are in each state, and their amounts, counted again and again at little cost.

The numbers come from an index alone. Amounts stand in the rows, so they are added up anew only for
those (batch, state) whose number changed since, and all of them from time to time: two payouts of
a batch that change places between two counts are seen then.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.payouts.models import Payout
from service.payouts.queries import StateSum, payout_sums
from service.payouts.states import PayoutState

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
                kept[state, batch_id] = payout_sums(session, *where)[PayoutState(state)]
        self._sums = kept
        totals: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for (state, _), found in kept.items():
            count, amount = totals[state]
            totals[state] = count + found.count, amount + found.amount_base_units
        return {PayoutState(state): StateSum(*totals[state]) for state in sorted(totals)}


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
