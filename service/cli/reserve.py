"""``relief reserve``: what backs the money."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.run import Json, start
from service.cli.values import read_hash, read_time, read_total
from service.cli.waiting import Wait, show_request
from service.clock import SYSTEM_CLOCK
from service.errors import InvalidInput

app = typer.Typer(no_args_is_help=True, help="The reserve: show, attest.")


@app.command("show")
def show(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Show the attested reserve, and what supply and commitments leave of it."""
    from service.application.reserve import reserve_view

    run = start(ctx, as_json)
    run.record(reserve_view(run.app))


@app.command("attest")
def attest(
    ctx: typer.Context,
    amount: Annotated[str, typer.Argument(help="The whole reserve, such as 1000000 or 1234.50.")],
    *,
    document: Annotated[
        Path | None, typer.Option(help="The attestor's signed document; its SHA-256 is stated.")
    ] = None,
    document_hash: Annotated[
        str | None, typer.Option(help="Its hash instead: 0x and 64 hexadecimal digits.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="When it was counted (ISO 8601 with offset); default: now.")
    ] = None,
    redemptions_included: Annotated[
        str | None,
        typer.Option(help="Cumulative redemptions the amount takes into account; default: all."),
    ] = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """State the reserve; sent with the attestor's keystore by the worker that has it."""
    from service.application.reserve import attest as ask_to_attest
    from service.application.reserve import document_hash as hash_of

    run = start(ctx, as_json)
    if (document is None) == (document_hash is None):
        raise InvalidInput("give either --document or --document-hash")
    stated = hash_of(document) if document else read_hash(document_hash or "")
    included = None
    if redemptions_included is not None:
        included = 0 if redemptions_included == "0" else read_total(redemptions_included)
    with run.app.transaction() as session:
        request = ask_to_attest(
            run.app,
            session,
            read_total(amount),
            document_hash=stated,
            actor=run.actor,
            as_of=read_time(as_of, now=SYSTEM_CLOCK.now()) if as_of else None,
            redemptions_included_base_units=included,
        )
        request_id = request.id
    show_request(run, request_id, wait)
