"""``relief cap`` and ``relief minter``: how much there may be, and who may commit it."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.actions import (
    DEFAULT_DEADLINE,
    Deadline,
    Keystores,
    Reason,
    propose_and_show,
)
from service.cli.keys import PassphraseFile
from service.cli.run import Json, start
from service.cli.values import read_address, read_total
from service.cli.waiting import Wait, show_request

cap_app = typer.Typer(
    no_args_is_help=True, help="The cap on supply and commitments: show, raise, apply, lower."
)
minter_app = typer.Typer(
    no_args_is_help=True, help="Who may commit money to payouts: list, add, activate, remove."
)

Cap = Annotated[str, typer.Argument(help="The whole cap, such as 1000000 or 1234.50.")]
Minter = Annotated[str, typer.Argument(help="EIP-55 address of the contract.")]


@cap_app.command("show")
def show(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Show the cap, what is left under it, and a higher one that is planned."""
    from service.application.supply import cap_view

    run = start(ctx, as_json)
    run.record(cap_view(run.app))


@cap_app.command("raise")
def raise_(
    ctx: typer.Context,
    cap: Cap,
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose a higher cap, by a quorum of governors; two days later `cap apply` brings it on."""
    from service.application.supply import cap_raise
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    propose_and_show(
        run,
        ActionKind.CAP_INCREASE,
        cap_raise(run.app, read_total(cap)),
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


@cap_app.command("apply")
def apply(ctx: typer.Context, *, wait: Wait = 0, as_json: Json = False) -> None:
    """Bring the planned higher cap into force, now that its two days are over."""
    from service.application.supply import apply_cap

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        request_id = apply_cap(run.app, session, actor=run.actor).id
    show_request(run, request_id, wait)


@cap_app.command("lower")
def lower(
    ctx: typer.Context, cap: Cap, *, reason: Reason, wait: Wait = 0, as_json: Json = False
) -> None:
    """Lower the cap at once; sent with the treasurer's keystore by the worker that has it.

    A planned higher cap is dropped. Below what supply and commitments are, nothing more is
    approved until some is redeemed.
    """
    from service.application.supply import lower_cap

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        request = lower_cap(run.app, session, read_total(cap), actor=run.actor, reason=reason)
        request_id = request.id
    show_request(run, request_id, wait)


@minter_app.command("list")
def list_(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List the minters, those planned or removed too, with what each has committed and minted."""
    from service.application.reading import reading
    from service.application.supply import minters_view

    run = start(ctx, as_json)
    with reading(run.app) as session:
        items = minters_view(run.app, session)
    columns = {
        "address": "minter",
        "contract": "which is",
        "active": "active",
        "cap": "cap",
        "committed": "committed",
        "minted": "minted",
        "pending_cap": "planned cap",
        "pending_from": "from",
    }
    run.rows(items, columns)


@minter_app.command("add")
def add(
    ctx: typer.Context,
    minter: Minter,
    cap: Annotated[str, typer.Argument(help="Most it may ever commit and mint.")],
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose a minter, or a higher cap of one; 14 days later `minter activate` brings it on.

    By a quorum of governors. It is the largest power there is: whoever may mint decides who is
    paid.
    """
    from service.application.supply import minter_addition
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    propose_and_show(
        run,
        ActionKind.MINTER_ADDITION,
        minter_addition(run.app, read_address(minter), read_total(cap)),
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


@minter_app.command("activate")
def activate(ctx: typer.Context, minter: Minter, *, wait: Wait = 0, as_json: Json = False) -> None:
    """Bring a planned minter, or its higher cap, into force, now that its 14 days are over."""
    from service.application.supply import activate_minter

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        request = activate_minter(run.app, session, read_address(minter), actor=run.actor)
        request_id = request.id
    show_request(run, request_id, wait)


@minter_app.command("remove")
def remove(
    ctx: typer.Context,
    minter: Minter,
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose that a minter commit nothing more, for good; what it has committed it still pays.

    By a quorum of governors, at once when it is on chain.
    """
    from service.application.supply import minter_removal
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    propose_and_show(
        run,
        ActionKind.MINTER_REMOVAL,
        minter_removal(run.app, read_address(minter)),
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )
