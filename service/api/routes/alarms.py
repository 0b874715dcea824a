"""Alarms: what stopped the worker or needs a person, and settling it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.orm import Session

from service.api.answers import reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep, Reply
from service.api.pagination import PagingQuery
from service.api.schemas.alarms import AlarmPage, AlarmShown
from service.api.schemas.batches import ReasonGiven
from service.application.alarms import alarm_view, find_alarm
from service.confirmations import alarms
from service.errors import Conflict, NotFound

router = APIRouter(prefix="/alarms", tags=["alarms"])

AlarmPath = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[3])]


@router.get("", responses=reads())
def list_alarms(
    call: CallDep,
    paging: PagingQuery,
    *,
    cleared: Annotated[bool, Query(description="Also those that were cleared.")] = False,
) -> AlarmPage:
    """List the open alarms, newest first."""
    with call.read() as session:
        found = alarms.list_alarms(
            session, with_cleared=cleared, before=paging.number_key(), limit=paging.limit + 1
        )
        page = found[: paging.limit]
        items = [AlarmShown.model_validate(alarm_view(session, row)) for row in page]
    key = str(page[-1].id) if len(found) > paging.limit else None
    return AlarmPage(items=items, next_cursor=paging.next_cursor(key))


@router.get("/{alarm_id}", responses=reads(NotFound))
def show_alarm(call: CallDep, alarm_id: AlarmPath) -> AlarmShown:
    """Show an alarm: what was found, what to do, and who cleared it why."""
    with call.read() as session:
        return AlarmShown.model_validate(find_alarm(session, alarm_id))


@router.post("/{alarm_id}/clear", response_model=AlarmShown, responses=writes(NotFound, Conflict))
def clear_alarm(alarm_id: AlarmPath, given: ReasonGiven, command: CommandDep) -> Response:
    """Settle an alarm, its cause dealt with; a cause that is still there raises it anew."""

    def work(session: Session) -> Reply:
        row = alarms.clear(session, alarm_id, actor=command.actor, reason=given.reason)
        session.flush()
        return Reply(AlarmShown.model_validate(alarm_view(session, row)))

    return command.run(work)
