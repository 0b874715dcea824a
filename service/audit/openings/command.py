"""``relief audit draw`` and ``relief audit check-openings``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from service.audit.command_line import DIFFERENCES, address_of, fail, node_url, shown_progress
from service.audit.new_file import require_new, write_new
from service.errors import InvalidInput, ReliefError
from service.terminal import console, write_json

if TYPE_CHECKING:
    from service.audit.openings.draw import Draw
    from service.audit.report import ReplayReport

NOT_PROVEN = (
    "that these persons are real, and that the money reached them, is not proven: compare some of "
    "them with the register"
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def draw_command(
    ctx: typer.Context,
    out: Annotated[Path, typer.Argument(help="Where to write the draw; nothing may be there.")],
    *,
    rpc: Annotated[str, typer.Option(help="Address of a node, http or https.")],
    vault: Annotated[str, typer.Option(help="Address of the AllowanceVault.")],
    block: Annotated[
        int, typer.Option(min=1, help="The block whose hash draws; after all that is drawn from.")
    ],
    count: Annotated[int, typer.Option(min=1, help="How many payouts to draw.")],
    until: Annotated[
        int | None,
        typer.Option(min=0, help="Last block of approvals to draw from; default: all before."),
    ] = None,
    programme: Annotated[
        int | None, typer.Option(min=1, help="Draw from one programme alone.")
    ] = None,
    manifests: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder of lists: adds the commitments."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw payouts that the office must open, by the hash of a later block.

    Replays to that block first. Exit codes: 0 drawn; 1 drawn, and the replay found differences; 2
    wrong input; 3 node unavailable.
    """
    from service.audit.replay import Options, replay
    from service.audit.rpc import Node

    try:
        address = address_of(vault, "--vault")
        require_new(out)
        if until is not None and until >= block:
            raise InvalidInput(f"--block {block} is not after --until {until}: it could be known")
        with Node(node_url(rpc)) as node, shown_progress(ctx) as progress:
            report = replay(node, Options(address, to_block=block), progress)
        drawn = _draw(report, block, until, count, programme)
        if manifests is not None:
            drawn = _with_commitments(drawn, manifests)
        write_new(out, drawn.content)
    except ReliefError as error:
        fail(error, as_json=as_json)
    if as_json:
        write_json(drawn.as_json() | {"differences": report.differences})
    else:
        screen = console(sys.stdout)
        screen.print(Text(f"{len(drawn.payouts)} of {drawn.population} payouts, by block {block}"))
        for each in drawn.payouts:
            screen.print(Text(f"programme {each.programme}, payout {each.number}"))
        if report.differences:
            screen.print(
                Text(f"the replay found {report.differences} differences", style="bold red")
            )
    if report.differences:
        raise typer.Exit(DIFFERENCES)


def _draw(
    report: ReplayReport, block: int, until: int | None, count: int, programme: int | None
) -> Draw:
    from service.audit.openings.draw import Draw, draw

    batches = report.state.batches.values()
    own = [b for b in batches if b.block >= block and programme in (None, b.programme)]
    if until is None and own:
        raise InvalidInput(
            f"--block {block} is not after every approval: batch 0x{own[0].id.hex()} is of block "
            f"{own[0].block}; take a later block, or --until an earlier one"
        )
    last = block - 1 if until is None else until
    seed = bytes.fromhex(report.to_block_hash[2:])
    population, payouts = draw(report.state, (block, seed), last, count, programme)
    return Draw(
        report.chain_id,
        report.vault,
        programme,
        last,
        block,
        report.to_block_hash,
        population,
        payouts,
    )


def _with_commitments(drawn: Draw, manifests: Path) -> Draw:
    from service.audit.openings.draw import commitments_of

    commitments = commitments_of(manifests, drawn.payouts)
    payouts = [
        replace(each, commitment=commitment)
        for each, commitment in zip(drawn.payouts, commitments, strict=True)
    ]
    return replace(drawn, payouts=payouts)


def check_openings_command(
    *,
    draw: Annotated[Path, typer.Option(help="The draw, as draw wrote it.")],
    openings: Annotated[Path, typer.Option(help="The office's answer.")],
    manifests: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder of the signed lists.")
    ],
    programme_key_file: Annotated[
        list[str],
        typer.Option(
            metavar="PROGRAMME=FILE", help="A programme's key, 64 digits in a file of mode 0600."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Check that the office can name person, cause and period of each payout that was drawn.

    Exit codes: 0 each opened; 1 some did not; 2 wrong input.
    """
    from service.audit.findings import Findings
    from service.audit.openings.check import check_openings, read_draw, read_openings

    findings = Findings()
    try:
        drawn = read_draw(draw)
        keys = dict(_programme_key(text) for text in programme_key_file)
        answers = read_openings(openings)
        opened = check_openings(drawn, answers, manifests, keys, findings)
    except ReliefError as error:
        fail(error, as_json=as_json)
    asked = {(each.programme, each.number) for each in drawn.payouts}
    more = len(answers.keys() - asked)
    notes = [NOT_PROVEN]
    if more:
        notes.append(f"{more} openings were not asked for: they tell of persons without need")
    if as_json:
        shown = [finding.as_dict() for finding in findings.items]
        write_json({"opened": opened, "of": len(asked), "findings": shown, "notes": notes})
    else:
        screen = console(sys.stdout)
        for finding in findings.items:
            screen.print(Text(f"{finding.code}: {finding.message}", style="bold red"))
        for note in notes:
            screen.print(Text(f"note: {note}", style="dim"))
        screen.print(Text(f"{opened} of {len(asked)} opened"))
    if findings.errors:
        raise typer.Exit(DIFFERENCES)


def _programme_key(text: str) -> tuple[int, bytes]:
    from service.audit.openings.check import read_programme_key

    programme, separator, path = text.partition("=")
    if not separator or not programme.isascii() or not programme.isdigit():
        raise InvalidInput(f"--programme-key-file is not PROGRAMME=FILE: {text}")
    return int(programme), read_programme_key(Path(path))
