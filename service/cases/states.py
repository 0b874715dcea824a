"""The states of a case, and the one table of the steps between them."""

from __future__ import annotations

from enum import StrEnum


class CaseState(StrEnum):
    """Where a case stands; what happens to its money is the payout's state, not the case's."""

    RECEIVED = "received"
    APPROVED = "approved"
    REJECTED = "rejected"


TRANSITIONS: dict[CaseState, frozenset[CaseState]] = {
    CaseState.RECEIVED: frozenset({CaseState.APPROVED, CaseState.REJECTED}),
    CaseState.APPROVED: frozenset(),  # from here the payout is held or cancelled, not the case
    CaseState.REJECTED: frozenset(),  # the office files a new case
}


def sources_of(target: CaseState) -> frozenset[CaseState]:
    """Return the states from which a case may go to ``target``."""
    return frozenset(state for state, targets in TRANSITIONS.items() if target in targets)
