"""The officers' journal: each command leaves who gave it, what it did, and why."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.errors import InvalidInput
from service.payouts.models import JournalEntry
from service.telemetry.logs import note_after_commit

log = logging.getLogger(__name__)

MAX_ACTOR_CHARACTERS = 200

_NAMES = {"quorum_action": "action"}


def record(
    session: Session,
    *,
    at: datetime,
    actor: str,
    action: str,
    object_type: str,
    object_id: str,
    reason: str | None = None,
) -> None:
    """Add one row to the journal.

    Raises
    ------
    InvalidInput
        When the actor is empty or longer than 200 characters.
    """
    if not 1 <= len(actor.strip()) <= MAX_ACTOR_CHARACTERS:
        raise InvalidInput("a command needs the name of who gives it")
    session.add(
        JournalEntry(
            at=at,
            actor=actor,
            action=action,
            object_type=object_type,
            object_id=object_id,
            reason=reason,
        )
    )
    # Who and why stays in the journal: the log has no names.
    note_after_commit(session, log, action, **{_NAMES.get(object_type, object_type): object_id})


def required_reason(reason: str | None) -> str:
    """Return the reason without outer blanks.

    Raises
    ------
    InvalidInput
        When there is none.
    """
    text = (reason or "").strip()
    if not text:
        raise InvalidInput("this needs a reason: it stops money that officers approved or wait for")
    return text


def history(session: Session, object_type: str, object_id: str) -> Sequence[JournalEntry]:
    """Return what was done to one object, oldest first."""
    return session.scalars(
        select(JournalEntry)
        .where(JournalEntry.object_type == object_type, JournalEntry.object_id == object_id)
        .order_by(JournalEntry.id)
    ).all()
