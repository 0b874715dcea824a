"""``relief pause`` and ``relief sunset``: stopping what the contracts do, and going on."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from service.cli.actions import (
    DEFAULT_DEADLINE,
    Deadline,
    Keystores,
    Reason,
    end_actions,
    propose_and_show,
    propose_and_sign,
    show_action,
    wait_for_actions,
)
from service.cli.keys import PassphraseFile
from service.cli.run import Json, start
from service.cli.waiting import BlockWait, Wait, end_unmined
from service.errors import InvalidInput

app = typer.Typer(no_args_is_help=True, help="Pauses of the contracts: show, start, lift.")

Operations = Annotated[
    list[str],
    typer.Argument(
        metavar="OPERATION...", help="Some of approvals, execution, withdrawals, transfers, grants."
    ),
]


@app.command("show")
def show(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Show what is paused by the chain now, and whether the vault is in its sunset."""
    from service.application.pauses import pauses_view

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        run.record(pauses_view(run.app, session))


@app.command("start")
def start_(
    ctx: typer.Context,
    operations: Operations,
    *,
    reason: Reason,
    keystore: Annotated[
        str | None,
        typer.Option(
            "--keystore", "-k", help="Keystore of a guardian; default: the one that is here."
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
    wait: BlockWait = 0,
    as_json: Json = False,
) -> None:
    """Pause at once, by one guardian: approving, running chunks, withdrawing, transfers, grants.

    Transfers are all of the token's, grants those of the emergency lane. A pause of withdrawals
    ends by itself after 72 hours; the others last until a quorum lifts them. What streams accrue
    goes on.
    """
    from service.application.pauses import pause

    run = start(ctx, as_json)
    sent = pause(
        run.app,
        operations,
        keystore=keystore,
        passphrase_file=passphrase_file,
        actor=run.actor,
        reason=reason,
        wait_s=wait,
    )
    items: list[dict[str, Any]] = [
        {
            "operations": list(names),
            "tx_hash": call.tx_hash,
            "sender": call.sender,
            "block_number": call.block_number,
        }
        for names, call in sent
    ]
    shown = [item | {"operations": ", ".join(item["operations"])} for item in items]
    columns = {"operations": "paused", "tx_hash": "transaction", "block_number": "in block"}
    run.rows(shown, columns, data={"items": items})
    end_unmined(run, [call for _, call in sent], wait)


@app.command("lift")
def lift(
    ctx: typer.Context,
    operations: Operations,
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose to lift pauses, by a quorum of governors: one action for each contract concerned."""
    from service.application.pauses import lifting

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        actions = [
            propose_and_sign(
                run,
                session,
                kind,
                message,
                deadline=deadline,
                reason=reason,
                keystores=keystore,
                passphrase_file=passphrase_file,
            )
            for kind, message in lifting(run.app, session, operations)
        ]
    actions = wait_for_actions(run, actions, wait)
    if run.as_json:
        run.json({"items": actions})
    else:
        for action in actions:
            show_action(run, action)
    end_actions(run, actions, wait)


def sunset(
    ctx: typer.Context,
    *,
    reason: Reason,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask whether it is meant: it is for good.")
    ] = False,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose the vault's end, for good: nothing more is approved; what was approved is paid on.

    By a quorum of governors. No new programme, no higher budget, no batch that is not on chain by
    then; chunks, retries, withdrawals, holds and changes of wallets go on for ever.
    """
    from service.application.pauses import refuse_second_sunset
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    refuse_second_sunset(run.app)
    if not yes:
        if run.as_json:
            raise InvalidInput("a sunset cannot be taken back: give --yes where it is meant")
        typer.confirm("No batch will ever be approved again. Is that meant?", abort=True, err=True)
    propose_and_show(
        run,
        ActionKind.SUNSET,
        {},
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )
