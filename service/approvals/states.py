"""The states of an action, and the one table of the steps between them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from service.errors import IllegalTransition
from service.transitions import move_rows


class ActionState(StrEnum):
    """Where an action stands."""

    COLLECTING = "collecting"
    READY = "ready"
    SUBMITTED = "submitted"
    DONE = "done"
    EXPIRED = "expired"


_A = ActionState

ACTION_TRANSITIONS: dict[ActionState, frozenset[ActionState]] = {
    # Straight to done: officers may send what they signed without us.
    _A.COLLECTING: frozenset({_A.READY, _A.EXPIRED, _A.DONE}),
    # Back to collecting: a signer was removed before it was sent.
    _A.READY: frozenset({_A.SUBMITTED, _A.COLLECTING, _A.EXPIRED, _A.DONE}),
    _A.SUBMITTED: frozenset({_A.DONE, _A.READY, _A.EXPIRED}),
    _A.DONE: frozenset({_A.READY}),  # a re-org took the event back
    _A.EXPIRED: frozenset({_A.DONE}),  # our clock was ahead of the chain's
}


def move_action(current: ActionState | str, to: ActionState) -> ActionState:
    """Return ``to`` when the step is in the table.

    Raises
    ------
    IllegalTransition
        When the table has no such step.
    """
    start = ActionState(current)
    if to not in ACTION_TRANSITIONS[start]:
        raise IllegalTransition(f"an action that is {start} cannot become {to}")
    return to


def move_actions(
    session: Session, to: ActionState, *where: ColumnElement[bool], **values: Any
) -> int:
    """Move every action that matches and may become ``to``; returns how many."""
    from service.approvals.models import QuorumAction  # which names these states itself

    return move_rows(session, QuorumAction, ACTION_TRANSITIONS, to, *where, **values)
