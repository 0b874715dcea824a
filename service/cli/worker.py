"""``relief worker``: the process that sends transactions and reads events."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from service.cli.run import Json, log_to_stderr, start
from service.errors import Conflict

app = typer.Typer(no_args_is_help=True, help="The worker: sends, reads events, posts the ledger.")


@app.command("run")
def run_worker(
    ctx: typer.Context,
    *,
    until_idle: Annotated[
        bool,
        typer.Option(
            "--until-idle", help="End when nothing is left to do but to wait for finality."
        ),
    ] = False,
    max_seconds: Annotated[
        float, typer.Option(min=1, help="With --until-idle: give up after so many seconds.")
    ] = 300,
    relayer: Annotated[
        list[str] | None,
        typer.Option(
            "--relayer", help="Keystore to send with; repeatable. Default: all named relayer…"
        ),
    ] = None,
    roles: Annotated[
        bool,
        typer.Option(
            help="Send attestations and programmes too, where a keystore here holds the role."
        ),
    ] = True,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log each round on stderr.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Work until interrupted: read events, plan, sign, send, look for receipts, post the ledger.

    Killed at any moment, the next one goes on from the rows. One at a time on SQLite. Asked to end
    (SIGTERM, Ctrl-C), it finishes its round, gives its lanes back and ends with code 0 within
    seconds, even if the node is silent; asked twice, it ends at once.
    """
    from service.application.database import require_present_version
    from service.application.survey.exporter import exporting
    from service.application.worker import worker_signers
    from service.ledger.worker import Worker, collect_seldom, stop_on_signals

    run = start(ctx, as_json)
    settings = run.app.settings
    require_present_version(run.app.engine)
    signers = worker_signers(run.app, relayer or (), with_roles=roles)
    if verbose or not until_idle:
        log_to_stderr(settings)
    with Worker(settings, signers) as worker:
        if not until_idle:
            senders = [signer.address for signer in signers]
            run.note(f"working with {', '.join(senders)}")
            with exporting(settings, settings.worker_metrics_port, senders) as served:
                if served is not None:
                    run.note(f"measurements at http://127.0.0.1:{served.port}/metrics")
                collect_seldom()
                with stop_on_signals(worker) as stop:
                    worker.run(stop)
            if run.as_json:
                run.json({"stopped": True})
            return
        try:
            report = worker.run_until_idle(max_seconds)
        except TimeoutError as error:
            raise Conflict(str(error)) from None
    if report.unsettled:
        count = report.unsettled
        some = "1 transaction is" if count == 1 else f"{count} transactions are"
        run.note(f"{some} mined and not final yet: run it again when more blocks have followed")
    run.record(asdict(report) | {"idle": report.idle})
