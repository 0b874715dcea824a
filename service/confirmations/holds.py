"""Holds by the events read: until when one lasts, and who has held before."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.approvals.actions import ActionStatus
from service.approvals.models import ActionKind
from service.confirmations.models import Event
from service.errors import AlreadyExists

_EVENTS = {ActionKind.BATCH_HOLD: "BatchHeld", ActionKind.ENTRY_HOLD: "EntryHeld"}


def held_until(session: Session, batch_id: str, index: int) -> int:
    """Return until when a reviewer holds a payout, Unix seconds; 0 for one that is not held.

    As ``heldUntil`` of the vault: a changed wallet ends a hold.
    """
    events = session.scalars(
        select(Event)
        .where(Event.batch_id == batch_id, Event.name.in_(["EntryHeld", "WalletChanged"]))
        .order_by(Event.block_number.desc(), Event.log_index.desc())
    )
    last = next((event for event in events if event.args["index"] == index), None)
    return int(last.args.get("until", 0)) if last is not None else 0


def refuse_second_hold(session: Session, status: ActionStatus) -> None:
    """Refuse a hold by an officer who has held the same batch or payout before.

    Raises
    ------
    AlreadyExists
        When the chain has such a hold of theirs.
    """
    action = status.action
    name = _EVENTS.get(ActionKind(action.kind))
    if name is None:
        return
    index = action.message.get("index")
    held = session.scalars(
        select(Event).where(Event.name == name, Event.batch_id == action.message["batchId"])
    )
    for event in held:
        same = index is None or event.args["index"] == int(index)
        if same and event.args["officerId"] in status.officers:
            officer = event.args["officerId"]
            raise AlreadyExists(f"officer {officer} held this once already: another reviewer may")
