"""``relief audit``: for an auditor with a node and nothing of ours but this command.

Also ``python -m service.audit``. Data goes to stdout, progress and errors to stderr.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.audit.checkpoints.command import checkpoint_command, new_key_command
from service.audit.command_line import DIFFERENCES, address_of, fail, node_url, shown_progress
from service.audit.digests.command import digest_command
from service.audit.engines.name import EngineName
from service.audit.exports.formats import Piece
from service.audit.openings.command import check_openings_command, draw_command
from service.audit.proofs.command import prove_command, verify_proof_command
from service.audit.reports.command import verify_report_command
from service.errors import InvalidInput, ReliefError
from service.terminal import console, write_json
from service.usage import UsageGroup

if TYPE_CHECKING:
    from service.audit.report import ReplayReport

audit_app = typer.Typer(
    cls=UsageGroup,
    no_args_is_help=True,
    help="Rebuild everything from the chain and name each difference.",
)


@audit_app.callback()
def _group() -> None:
    """Rebuild everything from the chain and name each difference."""


@audit_app.command("replay")
def replay_command(
    ctx: typer.Context,
    *,
    rpc: Annotated[str | None, typer.Option(help="Address of a node, http or https.")] = None,
    vault: Annotated[
        str | None, typer.Option(help="Address of the AllowanceVault; an archive knows its own.")
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="A folder handed over with an archive: read in place of a chain.",
        ),
    ] = None,
    engine: Annotated[
        EngineName, typer.Option(help="Who reads an archive and sums up its transfers.")
    ] = EngineName.DUCKDB,
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
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True, help="A checkpoint, or a folder of one auditor's; may be given repeatedly."
        ),
    ] = None,
    trusted_key: Annotated[
        list[str] | None,
        typer.Option(help="Public key of an auditor whose checkpoints and archive must be."),
    ] = None,
    receipts: Annotated[
        bool,
        typer.Option(help="Prove logs by their blocks' receipts; without, the node is believed."),
    ] = True,
    views: Annotated[
        bool,
        typer.Option(help="Compare what was rebuilt with the contracts' own views, every balance."),
    ] = True,
    resume: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, help="Folder in which the replay is kept, to go on from the next time."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder, new or empty, for a report, tables, and a manifest of them."),
    ] = None,
    pieces: Annotated[
        list[Piece] | None,
        typer.Option(
            "--format",
            help="html, pdf, sqlite, parquet, csv, jsonl or archive; again for more; default: all.",
        ),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="The auditor's key, PEM; signs the folder's manifest.")
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
    from service.audit.archive.answers import RecordingNode
    from service.audit.hand_over import hand_over
    from service.audit.replay import Options, replay
    from service.audit.rpc import Node

    try:
        if archive is None and engine is not EngineName.DUCKDB:
            raise InvalidInput("--engine is about an archive: give --archive")
        if archive is None and (rpc is None or vault is None):
            raise InvalidInput("give --rpc and --vault, or --archive")
        options = Options(
            None if vault is None else address_of(vault, "--vault"),
            from_block,
            to_block,
            manifests,
            database,
            tuple(checkpoints or ()),
            tuple(trusted_key or ()),
            receipts=receipts,
            resume=resume,
            views=views,
            archive=archive,
            engine=engine,
        )
        if out is None and (pieces or key):
            raise InvalidInput("--format and --key are about what is handed over: say where, --out")
        if trusted_key and not (checkpoints or archive):
            raise InvalidInput("--trusted-key is about who signed: give --checkpoints or --archive")
        whole = archive is None and from_block is None
        wanted = pieces or [piece for piece in Piece if whole or piece != Piece.ARCHIVE]
        with ExitStack() as opened:
            node = None
            if rpc is not None:
                recorded = out is not None and Piece.ARCHIVE in wanted
                kind = RecordingNode if recorded else Node
                node = opened.enter_context(kind(node_url(rpc)))
            progress = opened.enter_context(shown_progress(ctx))
            if out is None:
                report = replay(node, options, progress)
            else:
                report = hand_over(out, wanted, node, options, progress, key_file=key)
    except ReliefError as error:
        fail(error, as_json=as_json)
    _print(report, as_json=as_json)
    if report.differences:
        raise typer.Exit(DIFFERENCES)


def _print(report: ReplayReport, *, as_json: bool) -> None:
    if as_json:
        write_json(report.as_json())
        return
    console(sys.stdout).print(report.render())


audit_app.command("digest")(digest_command)
audit_app.command("checkpoint")(checkpoint_command)
audit_app.command("new-key")(new_key_command)
audit_app.command("draw")(draw_command)
audit_app.command("check-openings")(check_openings_command)
audit_app.command("prove")(prove_command)
audit_app.command("verify-proof")(verify_proof_command)
audit_app.command("verify-report")(verify_report_command)
