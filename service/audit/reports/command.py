"""What ``relief audit replay --report`` writes, and ``relief audit verify-report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from service.audit.auditor_key import AuditorKey
from service.audit.blocks import Progress
from service.audit.command_line import DIFFERENCES, address_of, fail, node_url, shown_progress
from service.audit.replay import Options, replay
from service.audit.report import ReplayReport
from service.audit.reports.manifest import Manifest
from service.audit.rpc import Node
from service.errors import InvalidInput, ReliefError
from service.terminal import console, write_json


def replay_into(
    folder: Path, key_file: Path | None, node: Node, options: Options, progress: Progress
) -> ReplayReport:
    """Replay the chain and write a report of it, signed where there is a key.

    Parameters
    ----------
    folder
        New or empty; there only once everything is in it.

    Raises
    ------
    InvalidInput
        As :func:`service.audit.replay.replay`, and when folder or key are no good: both are looked
        at first.
    ChainUnavailable, NodeRefused, ConfigurationError
        As :func:`service.audit.replay.replay`, and when the folder cannot be written.
    """
    from service.audit.reports.folder import drafted, write_report
    from service.audit.reports.manifest import seal
    from service.audit.reports.series import Series

    key = None if key_file is None else AuditorKey.load(key_file)
    with drafted(folder) as draft:
        series = Series()
        report = replay(node, options, progress, series.see)
        series.close(report.state, report.timestamp)
        write_report(draft, report, series)
        seal(draft, report, key)
    signed = "not signed" if key is None else f"signed by the key {key.public_hex}"
    console(sys.stderr).print(Text(f"report in {folder}, {signed}", style="dim"))
    return report


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
    2 wrong input; 3 node unavailable.
    """
    from service.audit.reports.verifying import check

    try:
        if (rpc is None) != (vault is None):
            raise InvalidInput("--rpc and --vault go together: to replay the chain again")
        checked = check(folder, trusted_key)
        if rpc is not None and vault is not None:
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
