"""``relief``: the root of the command line, with its global options and groups of commands."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from service.application.context import Application
from service.audit.command import audit_app
from service.cli import (
    actions,
    alarms,
    batches,
    bench,
    cases,
    emergency,
    keys,
    ledger,
    officers,
    pauses,
    payouts,
    programmes,
    reserve,
    roles,
    streams,
    supply,
    tokens,
    wallet,
    worker,
)
from service.cli.doctor import doctor
from service.cli.errors import ReliefGroup
from service.cli.openings import openings
from service.cli.redeem import redeem
from service.cli.run import Run, operating_system_user
from service.cli.serve import serve
from service.cli.setup import init
from service.cli.status import status
from service.telemetry.context import begin_request, new_request_id

app = typer.Typer(
    cls=ReliefGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # locals may hold keys and personal data
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Stablecoin disbursement for social assistance: officers approve, contracts pay, "
    "anyone can check.",
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001  # typer's callback
    if wanted:
        typer.echo(f"relief {version('relief')}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    *,
    actor: Annotated[
        str | None,
        typer.Option(help="Who acts, as the journal names them; default: the system's user."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress bars and no notes on stderr.")
    ] = False,
    version: Annotated[  # noqa: ARG001  # handled by its callback
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Approve, pay and check social assistance.

    Data goes to stdout (tables, or one JSON document with --json), everything else to stderr.
    Exit codes: 0 done; 1 refused; 2 wrong input; 3 node, database, keys or settings unavailable;
    4 still open when the time of --wait was over.
    Settings are environment variables RELIEF_*, see docs/configuration.md.
    """
    given = ctx.obj if isinstance(ctx.obj, Application) else None
    begin_request(new_request_id())
    run = Run(actor=actor or operating_system_user(), given=given, quiet=quiet)
    ctx.obj = run
    ctx.call_on_close(run.close)


app.command("init")(init)
app.add_typer(keys.app, name="keys")
app.add_typer(programmes.app, name="programme")
app.add_typer(officers.app, name="officer")
app.add_typer(cases.app, name="cases")
app.add_typer(batches.app, name="batch")
app.add_typer(actions.app, name="action")
app.add_typer(emergency.app, name="emergency")
app.add_typer(payouts.app, name="payout")
app.add_typer(streams.app, name="stream")
app.add_typer(wallet.app, name="wallet")
app.command("redeem")(redeem)
app.add_typer(reserve.app, name="reserve")
app.add_typer(supply.cap_app, name="cap")
app.add_typer(supply.minter_app, name="minter")
app.add_typer(roles.app, name="role")
app.add_typer(pauses.app, name="pause")
app.command("sunset")(pauses.sunset)
app.add_typer(ledger.app, name="ledger")
app.add_typer(audit_app, name="audit")
app.command("openings")(openings)
app.add_typer(worker.app, name="worker")
app.add_typer(alarms.app, name="alarms")
app.add_typer(tokens.app, name="token")
app.command("serve")(serve)
app.command("status")(status)
app.command("doctor")(doctor)
app.add_typer(bench.app, name="bench")
