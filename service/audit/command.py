"""``relief audit``: for an auditor with a node and nothing of ours but this command.

Also ``python -m service.audit``. Data goes to stdout, progress and errors to stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from service.audit.command_line import DIFFERENCES, address_of, fail, node_url, shown_progress
from service.audit.replay import Options, replay
from service.audit.report import ReplayReport
from service.audit.reports.command import replay_into, verify_report_command
from service.audit.rpc import Node
from service.errors import InvalidInput, ReliefError
from service.terminal import console, write_json

audit_app = typer.Typer(
    no_args_is_help=True, help="Rebuild everything from the chain and name each difference."
)


@audit_app.callback()
def _group() -> None:
    """Rebuild everything from the chain and name each difference."""


@audit_app.command("replay")
def replay_command(
    ctx: typer.Context,
    *,
    rpc: Annotated[str, typer.Option(help="Address of a node, http or https.")],
    vault: Annotated[str, typer.Option(help="Address of the AllowanceVault.")],
    from_block: Annotated[
        int | None, typer.Option(min=0, help="First block; default: the first event's.")
    ] = None,
    to_block: Annotated[
        int | None, typer.Option("--to-block", "--at", min=0, help="Last block; default: newest.")
    ] = None,
    manifests: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Folder of manifests, <batch id>.jsonl each."
        ),
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="SQLAlchemy URL of the service's database; only read.")
    ] = None,
    report_folder: Annotated[
        Path | None,
        typer.Option("--report", help="Folder, new or empty, for a report as HTML, PDF and JSON."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="The auditor's key, PEM; signs the report's manifest.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole result as one JSON document.")
    ] = False,
) -> None:
    """Rebuild programmes, officers, payouts, streams, balances and supply from events alone.

    Checks every signature, root, limit, withdrawal and mint, compares the result with the
    contracts' own views and, where given, with manifests and the database. Exit codes: 0 no
    difference; 1 differences; 2 wrong input; 3 node or database unavailable.
    """
    try:
        if key is not None and report_folder is None:
            raise InvalidInput("--key signs a report: say where it goes with --report")
        options = Options(address_of(vault, "--vault"), from_block, to_block, manifests, database)
        with Node(node_url(rpc)) as node, shown_progress(ctx) as progress:
            if report_folder is None:
                report = replay(node, options, progress)
            else:
                report = replay_into(report_folder, key, node, options, progress)
    except ReliefError as error:
        fail(error, as_json=as_json)
    _print(report, as_json=as_json)
    if report.differences:
        raise typer.Exit(DIFFERENCES)


audit_app.command("verify-report")(verify_report_command)


def _print(report: ReplayReport, *, as_json: bool) -> None:
    if as_json:
        write_json(report.as_json())
        return
    console(sys.stdout).print(report.render())
