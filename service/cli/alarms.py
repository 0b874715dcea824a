"""``relief alarms``: what a person must look at, and settling it."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.run import Json, start

app = typer.Typer(
    no_args_is_help=True, help="Alarms: what stopped the worker or needs a person, and clearing it."
)

AlarmId = Annotated[int, typer.Argument(metavar="ID", help="Number of the alarm, from the list.")]

_COLUMNS = {
    "id": "id",
    "kind": "kind",
    "stops_the_worker": "stops the worker",
    "detail": "what",
    "created_at": "since",
    "cleared_at": "cleared",
}


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    cleared: Annotated[
        bool, typer.Option("--cleared", help="Also those that were cleared.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the open alarms, newest first."""
    from service.application.alarms import alarm_view
    from service.confirmations.alarms import list_alarms

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        found = list_alarms(session, with_cleared=cleared)
        items = [alarm_view(session, row) for row in found]
    run.rows(items, _COLUMNS)


@app.command("show")
def show(ctx: typer.Context, alarm_id: AlarmId, *, as_json: Json = False) -> None:
    """Show an alarm: what was found, what to do, and who cleared it why."""
    from service.application.alarms import find_alarm

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        data = find_alarm(session, alarm_id)
    run.record(data)


@app.command("clear")
def clear(
    ctx: typer.Context,
    alarm_id: AlarmId,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes into the journal.")],
    as_json: Json = False,
) -> None:
    """Settle an alarm, after its cause was dealt with: a stopped worker goes on within seconds.

    If the cause is still there the alarm is raised anew, under another number.
    """
    from service.application.alarms import alarm_view
    from service.confirmations import alarms

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        row = alarms.clear(session, alarm_id, actor=run.actor, reason=reason)
        session.flush()
        data = alarm_view(session, row)
    run.record(data)
