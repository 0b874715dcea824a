"""``relief ledger``: the double-entry ledger, and whether it agrees with the chain."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.errors import REFUSED
from service.cli.run import Json, start

app = typer.Typer(no_args_is_help=True, help="The ledger: show, reconcile.")


@app.command("show")
def show(
    ctx: typer.Context,
    *,
    account: Annotated[
        str | None, typer.Option(help="Only this account, such as circulating or committed:1.")
    ] = None,
    entries: Annotated[int, typer.Option(min=0, max=1000, help="Newest entries to show.")] = 20,
    as_json: Json = False,
) -> None:
    """Show each account's balance (debits less credits) and the newest entries."""
    from service.application.ledger import ledger_view
    from service.ledger.posting import check_account

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        if account is not None:
            check_account(session, account)
        data = ledger_view(session, account=account, entries=entries)
    columns = {"account": "account", "balance": "balance"}
    run.rows(data["accounts"], columns, data=data)
    if run.as_json or not data["entries"]:
        return
    run.rows(
        data["entries"],
        {
            "account": "account",
            "side": "side",
            "amount": "amount",
            "event": "event",
            "block_number": "block",
            "batch_id": "batch",
        },
        title="entries, newest first",
    )


@app.command("reconcile")
def reconcile(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Compare the ledger with the contracts' own views; exit code 1 on any difference."""
    from service.application.ledger import reconciliation
    from service.application.reading import reading

    run = start(ctx, as_json)
    with reading(run.app) as session:
        data = reconciliation(run.app, session)
    columns = {"what": "what", "ledger": "ledger", "chain": "chain"}
    run.rows(data["differences"], columns, data=data)
    if data["agrees"]:
        run.note(f"ledger and chain agree at block {data['block_number']}")
    else:
        raise typer.Exit(REFUSED)
