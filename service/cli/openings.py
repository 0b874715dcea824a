"""``relief openings``: the office's answer to an auditor's draw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.run import Json, start


def openings(
    ctx: typer.Context,
    draw: Annotated[Path, typer.Argument(help="The auditor's draw, as relief-audit wrote it.")],
    *,
    out: Annotated[
        Path, typer.Option(help="Where to write the answer, mode 0600; nothing may be there.")
    ],
    reason: Annotated[
        str, typer.Option(help="Why the persons are looked at, for the journal of each case.")
    ],
    leave_out: Annotated[
        bool,
        typer.Option(
            "--leave-out",
            help="Leave out what cannot be opened, such as an erased person; the auditor's check "
            "then names it as missing.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Answer an auditor's draw: person, cause and period of each payout, in one private file.

    Each is opened only if it gives the commitment that officers signed. What cannot be opened is
    named and nothing is written, unless --leave-out says so; where nothing opens, nothing is
    written in any case. The journal records a look at each case that is opened. Nothing of a
    person is printed.
    """
    from service.application.openings import open_drawn
    from service.audit.new_file import OWNERS, require_new, write_new
    from service.audit.openings.check import read_draw

    run = start(ctx, as_json)
    drawn = read_draw(draw)
    require_new(out)
    keyring = run.app.keyring
    with run.app.transaction() as session:
        answer = open_drawn(
            session,
            keyring,
            drawn,
            actor=run.actor,
            reason=reason,
            reason_field="--reason",
            leave_out=leave_out,
        )
    # After the record is kept: a look that left no file is recorded, never the other way round.
    write_new(out, answer.content, mode=OWNERS)
    run.record(
        {
            "path": str(out),
            "block": drawn.block,
            "block_hash": drawn.block_hash,
            "drawn": len(drawn.payouts),
            "opened": len(answer.openings),
            "left_out": [
                {"payout": problem.value, "code": problem.code, "message": problem.message}
                for problem in answer.left_out
            ],
        }
    )
    run.note(f"before you hand it over: is {drawn.block_hash} the hash of block {drawn.block}?")
    run.note(f"{out} names persons: delete it when the auditor has checked it")
