"""``relief token``: who may call the REST API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.run import Json, Run, start
from service.clock import SYSTEM_CLOCK
from service.units import format_time

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from service.identity.models import ApiToken

app = typer.Typer(no_args_is_help=True, help="API tokens: issue, list, revoke.")

_COLUMNS = {
    "id": "id",
    "name": "speaks for",
    "created_at": "issued",
    "last_used_at": "last used",
    "revoked_at": "revoked",
}


@app.command("issue")
def issue(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Who calls with it, as the journal will name them.")],
    *,
    as_json: Json = False,
) -> None:
    """Issue a token of the REST API; it is shown once and only its hash is kept.

    The token alone goes to stdout: TOKEN=$(relief token issue "Chen Wei"). Whoever holds it may
    do everything the API offers in that name, until it is revoked; no token pays anyone, since
    the contract asks for officers' signatures.
    """
    from service.identity.tokens import issue_token

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        issued = issue_token(session, name)
        _record(session, run, "issue_token", issued.row)
        data = _described(issued.row)
    run.note(f"token {data['id']} speaks for {data['name']}; it cannot be shown again")
    if run.as_json:
        run.json(data | {"token": issued.token})
    else:
        typer.echo(issued.token)


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    revoked: Annotated[
        bool, typer.Option("--revoked", help="Also those that were revoked.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the tokens in force, oldest first; the last use is accurate to a minute."""
    from service.identity.tokens import list_tokens

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        items = [_described(row) for row in list_tokens(session, include_revoked=revoked)]
    run.rows(items, _COLUMNS)


@app.command("revoke")
def revoke(
    ctx: typer.Context,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the token, from the list.")],
    *,
    as_json: Json = False,
) -> None:
    """Revoke a token at once and for ever; doing it twice changes nothing more."""
    from service.identity.tokens import revoke_token

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        row = revoke_token(session, token_id)
        _record(session, run, "revoke_token", row)
        data = _described(row)
    run.record(data)


def _record(session: Session, run: Run, action: str, row: ApiToken) -> None:
    from service.payouts import journal

    journal.record(
        session,
        at=SYSTEM_CLOCK.now(),
        actor=run.actor,
        action=action,
        object_type="api_token",
        object_id=row.id,
    )


def _described(row: ApiToken) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "created_at": format_time(row.created_at),
        "last_used_at": row.last_used_at and format_time(row.last_used_at),
        "revoked_at": row.revoked_at and format_time(row.revoked_at),
    }
