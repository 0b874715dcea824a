"""``relief audit checkpoint`` and ``relief audit new-key``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from service.audit.command_line import DIFFERENCES, address_of, fail, node_url, shown_progress
from service.audit.findings import Code
from service.audit.new_file import require_new, write_new
from service.errors import InvalidInput, ReliefError
from service.terminal import console, write_json

if TYPE_CHECKING:
    from service.audit.auditor_key import AuditorKey
    from service.audit.checkpoints.document import Checkpoint
    from service.audit.report import ReplayReport

CHECKPOINT_CODES = frozenset(
    {
        Code.CHECKPOINT_MISMATCH,
        Code.CHECKPOINT_SIGNATURE_INVALID,
        Code.CHECKPOINT_CHAIN_BROKEN,
    }
)


def new_key_command(
    file: Annotated[Path, typer.Argument(help="Where to write it; nothing may be there yet.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Make an auditor's key (Ed25519, PEM, mode 0600) and print its public key.

    It signs checkpoints and reports. Publish the public key; keep the file off every server.
    """
    from service.audit.auditor_key import AuditorKey

    try:
        key = AuditorKey.create(file)
    except ReliefError as error:
        fail(error, as_json=as_json)
    if as_json:
        write_json({"public_key": key.public_hex})
    else:
        sys.stdout.write(key.public_hex + "\n")


def checkpoint_command(
    ctx: typer.Context,
    out: Annotated[Path, typer.Argument(help="Where to write it; nothing may be there yet.")],
    *,
    rpc: Annotated[str, typer.Option(help="Address of a node, http or https.")],
    vault: Annotated[str, typer.Option(help="Address of the AllowanceVault.")],
    at: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Block; default: what the node calls finalized, else 64 before the newest.",
        ),
    ] = None,
    after: Annotated[
        Path | None, typer.Option(help="The checkpoint before: compared, and named by its hash.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="The auditor's key, to sign with: new-key makes one.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the checkpoint and its hash as JSON.")
    ] = False,
) -> None:
    """Replay to a final block and write down what is there, to be published elsewhere.

    Nothing is written where the chain no longer is that of the checkpoint before. Exit codes: 0
    written; 1 differences, written all the same unless it is the chain that was rewritten; 2 wrong
    input; 3 node unavailable.
    """
    from service.audit.auditor_key import AuditorKey
    from service.audit.checkpoints.document import read_checkpoint
    from service.audit.replay import Options, replay
    from service.audit.rpc import Node

    try:
        require_new(out)
        signing = None if key is None else AuditorKey.load(key)
        before = None if after is None else read_checkpoint(after)
        with Node(node_url(rpc)) as node, shown_progress(ctx) as progress:
            final = node.final_block()
            block = final if at is None else at
            if before is not None and before.block >= block:
                raise InvalidInput(
                    f"--after: that checkpoint is of block {before.block}, this one of {block}"
                )
            given = () if after is None else (after,)
            options = Options(address_of(vault, "--vault"), to_block=block, checkpoints=given)
            report = replay(node, options, progress)
        made = _checkpoint(report, before, signing)
        rewritten = any(finding.code in CHECKPOINT_CODES for finding in report.findings)
        notes = _notes(block, final)
        if not rewritten:
            write_new(out, made.content)
    except ReliefError as error:
        fail(error, as_json=as_json)
    if as_json:
        findings = [finding.as_dict() for finding in report.findings]
        shown = None if rewritten else made.as_json() | {"hash": made.hash}
        written = {"written": not rewritten, "checkpoint": shown}
        write_json(written | {"findings": findings, "notes": notes})
    else:
        _show(made, report, notes, written=not rewritten)
    if report.differences:
        raise typer.Exit(DIFFERENCES)


def _checkpoint(
    report: ReplayReport, before: Checkpoint | None, signing: AuditorKey | None
) -> Checkpoint:
    from service.audit.checkpoints.compare import STATE_FORMAT, moment_of
    from service.audit.checkpoints.document import Checkpoint

    moment = moment_of(report.state)
    made = Checkpoint(
        chain_id=report.chain_id,
        contracts=report.addresses,
        block=report.to_block,
        block_hash=report.to_block_hash,
        timestamp=report.timestamp,
        events=moment.events,
        state_format=STATE_FORMAT,
        state_digest=moment.state_digest,
        errors=report.differences,
        warnings=len(report.findings) - report.differences,
        previous=None if before is None else before.hash,
    )
    return made if signing is None else made.signed_by(signing)


def _notes(block: int, final: int) -> list[str]:
    if block <= final:
        return []
    note = (
        f"block {block} is after {final}, the newest that is sure to be final: should it leave the "
        "chain, this checkpoint will say that the chain was rewritten"
    )
    return [note]


def _show(made: Checkpoint, report: ReplayReport, notes: Sequence[str], *, written: bool) -> None:
    out = console(sys.stdout)
    for finding in report.findings:
        out.print(Text(f"{finding.severity}: {finding.code}: {finding.message}", style="bold red"))
    if not written:
        out.print(Text("nothing written: the chain is not that of the checkpoint before"))
        return
    for note in notes:
        out.print(Text(f"note: {note}", style="dim"))
    out.print(Text(f"block {made.block} ({made.block_hash})"))
    out.print(Text(f"state digest {made.state_digest}"))
    out.print(Text(f"publish this hash (SHA-256 of the file): {made.hash}"))
