"""``relief audit verify-report``: whether what somebody handed over is whole, theirs, and true."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.audit.command_line import DIFFERENCES, address_of, fail, node_url, shown_progress
from service.errors import InvalidInput, ReliefError
from service.terminal import console, write_json

if TYPE_CHECKING:
    from service.audit.report import ReplayReport
    from service.audit.reports.manifest import Manifest


def verify_report_command(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The report's folder.")],
    *,
    trusted_key: Annotated[
        str | None,
        typer.Option(help="Public key of the auditor, 64 hexadecimal digits, had from them."),
    ] = None,
    rpc: Annotated[
        str | None, typer.Option(help="Address of a node, to replay the chain again.")
    ] = None,
    vault: Annotated[
        str | None, typer.Option(help="Address of the AllowanceVault, with --rpc.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON document.")
    ] = False,
) -> None:
    """Check a report that somebody handed over: every file, the signature, and the chain again.

    Without --rpc nothing is asked of anybody. Exit codes: 0 the report holds; 1 it does not;
    2 wrong input, such as a folder that is no report; 3 node unavailable.
    """
    from service.audit.replay import Options, replay
    from service.audit.reports.verifying import check
    from service.audit.rpc import Node

    try:
        if (rpc is None) != (vault is None):
            raise InvalidInput("--rpc and --vault go together: to replay the chain again")
        checked = check(folder, trusted_key)
        if rpc is None or vault is None:
            checked.note_no_replay()
        else:
            address = address_of(vault, "--vault")

            def again(manifest: Manifest) -> ReplayReport:
                return replay(node, Options(address, to_block=manifest.to_block), progress)

            with Node(node_url(rpc)) as node, shown_progress(ctx) as progress:
                checked.replay_again(again)
    except ReliefError as error:
        fail(error, as_json=as_json)
    if as_json:
        write_json(checked.as_json())
    else:
        console(sys.stdout).print(checked.render())
    if checked.problems:
        raise typer.Exit(DIFFERENCES)
