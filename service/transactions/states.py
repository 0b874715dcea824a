"""States of a transaction and the one table of steps between them.

::

    built ─► signed ─► sent ─► included ─► final
               ▲        │ ▲        │
               │        ▼ │        ▼
               │   replaced └── reorged        aside: reverted, superseded, closed

``replaced``: a replacement (higher fees, or a fill of an unwanted nonce) is signed and committed,
not sent yet. ``reorged``: its block left the chain, the same bytes go out again. ``reverted``: the
contract refused it on chain. ``superseded``: what it should do was done by somebody else.
``closed``: given up before it had a nonce, or because a foreign transaction took its nonce.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from service.errors import IllegalTransition
from service.transactions.models import Transaction
from service.transitions import move_rows


class State(StrEnum):
    """State of a transaction."""

    BUILT = "built"
    SIGNED = "signed"
    SENT = "sent"
    INCLUDED = "included"
    FINAL = "final"
    REPLACED = "replaced"
    REORGED = "reorged"
    REVERTED = "reverted"
    SUPERSEDED = "superseded"
    CLOSED = "closed"


class Kind(StrEnum):
    """What a transaction does."""

    APPROVE_BATCH = "approve_batch"
    EXECUTE_CHUNK = "execute_chunk"
    QUORUM_ACTION = "quorum_action"
    REQUEST = "request"
    FILL = "fill"


_MINED = frozenset({State.INCLUDED, State.REVERTED, State.SUPERSEDED, State.CLOSED})

TRANSITIONS: dict[State, frozenset[State]] = {
    State.BUILT: frozenset({State.SIGNED, State.CLOSED}),
    State.SIGNED: frozenset({State.SENT, State.REPLACED}) | _MINED,
    State.SENT: frozenset({State.REPLACED, State.SENT}) | _MINED,
    State.REPLACED: frozenset({State.SENT, State.REPLACED}) | _MINED,
    State.INCLUDED: frozenset({State.FINAL, State.REORGED}),
    State.REORGED: frozenset({State.SENT, State.REPLACED}) | _MINED,
    State.REVERTED: frozenset({State.REORGED}),
    State.SUPERSEDED: frozenset({State.REORGED}),
    State.CLOSED: frozenset({State.REORGED}),
    State.FINAL: frozenset(),
}

IN_FLIGHT = (State.SIGNED, State.SENT, State.REPLACED, State.REORGED)
"""States that have a nonce which the chain has not used as far as we know."""

LIVE = (State.BUILT, *IN_FLIGHT, State.INCLUDED)
"""States in which a row claims its effect: it may still come to pass, or be taken back."""


def move(row: Transaction, to: State) -> None:
    """Take one step of :data:`TRANSITIONS`.

    Raises
    ------
    IllegalTransition
        If the table has no such step.
    """
    if to not in TRANSITIONS[State(row.state)]:
        raise IllegalTransition(f"transaction {row.id}: {row.state} → {to}")
    row.state = to.value


def move_all(session: Session, to: State, *where: ColumnElement[bool], **values: Any) -> int:
    """Move every transaction that matches and may become ``to``; returns how many."""
    return move_rows(session, Transaction, TRANSITIONS, to, *where, **values)
