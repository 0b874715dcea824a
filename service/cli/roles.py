"""``relief role``: who pauses, freezes, attests and plans; none of them can pay."""

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
from service.cli.values import read_address
from service.cli.waiting import Wait

app = typer.Typer(no_args_is_help=True, help="Housekeeping roles: list, grant, revoke.")

Role = Annotated[
    str, typer.Argument(help="guardian, freezer, attestor, treasurer or programme_manager.")
]
Account = Annotated[str, typer.Argument(help="EIP-55 address of the account.")]


@app.command("list")
def list_(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List the roles and who holds each, by the chain now."""
    from service.application.roles import roles_view

    run = start(ctx, as_json)
    items = roles_view(run.app)
    shown = [item | {"holders": ", ".join(item["holders"]) or "nobody"} for item in items]
    run.rows(shown, {"role": "role", "holders": "held by"}, data={"items": items})


@app.command("grant")
def grant(
    ctx: typer.Context,
    role: Role,
    account: Account,
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose to give an account a role, by a quorum of governors; at once when it is on chain.

    For the worker to send what needs the role, write the account into the deployment file too.
    """
    from service.application.roles import role_change
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    propose_and_show(
        run,
        ActionKind.MANAGER_CALL,
        role_change(run.app, role, read_address(account), grant=True),
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


@app.command("revoke")
def revoke(
    ctx: typer.Context,
    role: Role,
    account: Account,
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose to take a role from an account, by a quorum of governors; at once on chain."""
    from service.application.roles import role_change
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    propose_and_show(
        run,
        ActionKind.MANAGER_CALL,
        role_change(run.app, role, read_address(account), grant=False),
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )
