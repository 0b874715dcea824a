"""Alarms as the command line and the API show them."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from service.confirmations.alarms import get_alarm, meaning
from service.confirmations.models import ChainAlarm
from service.payouts import journal
from service.units import format_time


def alarm_view(session: Session, row: ChainAlarm) -> dict[str, Any]:
    """Return an alarm for JSON: what it says, what to do, and who cleared it why."""
    means = meaning(row.kind)
    settled = journal.history(session, "alarm", str(row.id))
    return {
        "id": row.id,
        "kind": row.kind,
        "stops_the_worker": means.stops,
        "detail": row.detail,
        "advice": means.advice,
        "block_number": row.block_number,
        "created_at": format_time(row.created_at),
        "cleared_at": row.cleared_at and format_time(row.cleared_at),
        "cleared_by": settled[-1].actor if settled else None,
        "cleared_because": settled[-1].reason if settled else None,
    }


def find_alarm(session: Session, alarm_id: int) -> dict[str, Any]:
    """Return one alarm for JSON.

    Raises
    ------
    NotFound
        When there is none of that number.
    """
    return alarm_view(session, get_alarm(session, alarm_id))
