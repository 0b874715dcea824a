"""The states of batches, chunks, payouts, grants and requests, and the one table of their steps.

Nothing sets a state elsewhere: single rows go through :func:`move`, sets of rows through
:func:`move_all`. Officers' commands take fewer steps than the table has (each names the states it
starts from); the rest is for contract events, which are the authority: a stranger may run what
officers signed whatever our row says, and a re-org may take back what was included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from service import transitions
from service.db import Base
from service.errors import IllegalTransition
from service.transitions import sources


class BatchState(StrEnum):
    """Where a batch stands."""

    DRAFT = "draft"
    APPROVED = "approved"
    RELEASED = "released"
    ONCHAIN = "onchain"
    DONE = "done"
    CANCELLED = "cancelled"


class ChunkState(StrEnum):
    """Where a chunk stands."""

    WAITING = "waiting"
    SENT = "sent"
    INCLUDED = "included"
    FINAL = "final"


class PayoutState(StrEnum):
    """Where a payout stands; of a stream, ``included`` and ``paid`` say that it was opened."""

    DRAFT = "draft"
    APPROVED = "approved"
    QUEUED = "queued"
    SENT = "sent"
    INCLUDED = "included"
    PAID = "paid"
    HELD = "held"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class GrantState(StrEnum):
    """Where an emergency grant stands; past its time, ``outstanding`` is shown as overdue."""

    PROPOSED = "proposed"
    OUTSTANDING = "outstanding"
    COUNTERSIGNED = "countersigned"
    WRITTEN_OFF = "written_off"
    EXPIRED = "expired"


class ProgrammeState(StrEnum):
    """Where a programme stands."""

    PROPOSED = "proposed"
    ONCHAIN = "onchain"


class RequestState(StrEnum):
    """Where a request for a transaction stands."""

    REQUESTED = "requested"
    PLANNED = "planned"
    DONE = "done"
    FAILED = "failed"


State = BatchState | ChunkState | PayoutState | GrantState | ProgrammeState | RequestState
S = TypeVar("S", BatchState, ChunkState, PayoutState, GrantState, ProgrammeState, RequestState)

_B, _C, _P, _G, _R = BatchState, ChunkState, PayoutState, ProgrammeState, RequestState
_E = GrantState

TRANSITIONS: Mapping[type[State], Mapping[Any, frozenset[Any]]] = {
    # Programmes: the event, or its re-org.
    _G: {
        _G.PROPOSED: frozenset({_G.ONCHAIN}),
        _G.ONCHAIN: frozenset({_G.PROPOSED}),
    },
    # Batches. Signed elsewhere and sent by a stranger, even a draft or one cancelled here may
    # appear on chain; a re-org leads back.
    _B: {
        _B.DRAFT: frozenset({_B.APPROVED, _B.CANCELLED, _B.ONCHAIN}),
        _B.APPROVED: frozenset({_B.RELEASED, _B.CANCELLED, _B.ONCHAIN}),
        _B.RELEASED: frozenset({_B.ONCHAIN, _B.CANCELLED}),
        _B.ONCHAIN: frozenset({_B.DONE, _B.CANCELLED, _B.RELEASED}),
        _B.DONE: frozenset({_B.ONCHAIN}),
        _B.CANCELLED: frozenset({_B.ONCHAIN}),
    },
    # Chunks: a lost or superseded transaction and a re-org lead back.
    _C: {
        _C.WAITING: frozenset({_C.SENT, _C.INCLUDED}),
        _C.SENT: frozenset({_C.WAITING, _C.INCLUDED}),
        _C.INCLUDED: frozenset({_C.FINAL, _C.WAITING, _C.SENT}),
        _C.FINAL: frozenset(),
    },
    # Payouts.
    _P: {
        _P.DRAFT: frozenset(
            {_P.APPROVED, _P.QUEUED, _P.HELD, _P.CANCELLED, _P.INCLUDED, _P.SKIPPED, _P.EXPIRED}
        ),
        _P.APPROVED: frozenset(
            {_P.QUEUED, _P.HELD, _P.CANCELLED, _P.INCLUDED, _P.SKIPPED, _P.EXPIRED}
        ),
        _P.QUEUED: frozenset({_P.SENT, _P.HELD, _P.INCLUDED, _P.SKIPPED, _P.CANCELLED, _P.EXPIRED}),
        _P.SENT: frozenset({_P.QUEUED, _P.HELD, _P.INCLUDED, _P.SKIPPED, _P.CANCELLED, _P.EXPIRED}),
        _P.INCLUDED: frozenset({_P.PAID, _P.QUEUED, _P.SENT, _P.SKIPPED}),
        _P.PAID: frozenset(),
        _P.HELD: frozenset({_P.QUEUED, _P.INCLUDED, _P.SKIPPED, _P.CANCELLED, _P.EXPIRED}),
        _P.SKIPPED: frozenset({_P.QUEUED, _P.INCLUDED, _P.EXPIRED}),
        # Only a re-org, or a batch that was cancelled here and sent to the chain all the same.
        _P.CANCELLED: frozenset({_P.QUEUED, _P.INCLUDED, _P.SKIPPED}),
        _P.EXPIRED: frozenset({_P.QUEUED, _P.INCLUDED, _P.SKIPPED}),
    },
    # Emergency grants: events, or their re-orgs; one that no block can take any more expires.
    _E: {
        _E.PROPOSED: frozenset({_E.OUTSTANDING, _E.EXPIRED}),
        _E.OUTSTANDING: frozenset({_E.COUNTERSIGNED, _E.WRITTEN_OFF, _E.PROPOSED}),
        _E.COUNTERSIGNED: frozenset({_E.OUTSTANDING}),
        _E.WRITTEN_OFF: frozenset({_E.OUTSTANDING}),
        # Another grant paid the same case, and a re-org took that one back.
        _E.EXPIRED: frozenset({_E.OUTSTANDING}),
    },
    # Requests: a failed one is asked for again by a new row, but it is done when an event says that
    # somebody else did it, whose transaction made ours fail. What they did, a re-org may take back.
    _R: {
        _R.REQUESTED: frozenset({_R.PLANNED, _R.DONE, _R.FAILED}),
        _R.PLANNED: frozenset({_R.REQUESTED, _R.DONE, _R.FAILED}),
        _R.DONE: frozenset({_R.REQUESTED}),
        _R.FAILED: frozenset({_R.DONE}),
    },
}
"""By kind: members of two kinds with the same text are equal as strings and share a hash."""

EXECUTED = (ChunkState.INCLUDED.value, ChunkState.FINAL.value)
"""The chain has run a chunk in one of these, as they are stored."""

LIVE_PAYOUT_STATES = frozenset(PayoutState) - {PayoutState.CANCELLED, PayoutState.EXPIRED}
"""A case has at most one payout in one of these."""

LIVE_GRANT_STATES = frozenset(GrantState) - {GrantState.EXPIRED}
"""A case that was, or may still be, granted stands in no batch."""


def move(current: S | str, to: S) -> S:
    """Return ``to`` when the step is in the table.

    Parameters
    ----------
    current
        The state of the row, as a member or as stored.
    to
        The state wanted.

    Raises
    ------
    IllegalTransition
        When the table has no such step.
    """
    start = type(to)(current)
    if to not in TRANSITIONS[type(to)][start]:
        kind = type(to).__name__.removesuffix("State").lower()
        raise IllegalTransition(f"a {kind} that is {start} cannot become {to}")
    return to


def predecessors(to: State) -> frozenset[State]:
    """Return the states of the same kind from which the table leads to ``to``."""
    return sources(TRANSITIONS[type(to)], to)


def move_all(
    session: Session,
    model: type[Base],
    to: State,
    *where: ColumnElement[bool],
    through: State | None = None,
    **values: Any,
) -> int:
    """Move every row that matches and may become ``to``, as :func:`service.transitions.move_rows`.

    Parameters
    ----------
    model
        A model with a ``state`` column of that kind.
    through
        Two steps in one: rows that may become this, which must lead to ``to``.

    Returns
    -------
    int
        How many rows moved.

    Raises
    ------
    IllegalTransition
        If `through` does not lead to `to`.
    """
    return transitions.move_rows(
        session, model, TRANSITIONS[type(to)], to, *where, through=through, **values
    )


def move_each(
    session: Session,
    model: type[Base],
    to: State,
    rows: Sequence[Mapping[str, Any]],
    *,
    through: State | None = None,
) -> None:
    """Move rows that may become ``to``, as :func:`service.transitions.move_each`."""
    transitions.move_each(session, model, TRANSITIONS[type(to)], to, rows, through=through)
