"""``relief officer``: who may sign. The registry decides; a quorum of governors changes it."""

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
from service.cli.signers import ACCOUNT, SignerTypeOption, read_signer_kind
from service.cli.values import MAX_OFFICER_NUMBER, read_address, read_region
from service.cli.waiting import Wait

app = typer.Typer(no_args_is_help=True, help="Officers: add, remove, list, their signers.")

Number = Annotated[
    int,
    typer.Argument(min=1, max=MAX_OFFICER_NUMBER, help="Number of the officer; never used again."),
]
Signer = Annotated[
    str,
    typer.Argument(help="Address (EIP-55) of the account that signs, or a key: 0x, x and y."),
]
Verifier = Annotated[str, typer.Argument(help="Address (EIP-55) of the verifier's contract.")]


@app.command("add")
def add(
    ctx: typer.Context,
    number: Number,
    signer: Signer,
    *,
    signer_type: SignerTypeOption = ACCOUNT,
    roles: Annotated[str, typer.Option(help="maker, reviewer, governor; parted by commas.")],
    region: Annotated[
        str, typer.Option(help="GB/T 2260 code they may sign for; 0 for the whole country.")
    ] = "0",
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose a new officer: governors sign, and two days after its block they may sign too.

    Without enough --keystore the action waits for signatures: relief action typed-data, sign.
    """
    from service.application.approvals import parse_roles, region_members
    from service.application.signer_types import read_new_signer
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    kind, signer_bytes = read_new_signer(run.app, read_signer_kind(signer_type), signer)
    message = {
        "officerId": number,
        "roles": parse_roles(roles),
        **region_members(None if region == "0" else read_region(region)),
        "signerType": kind,
        "signer": signer_bytes,
    }
    propose_and_show(
        run,
        ActionKind.OFFICER_ADDITION,
        message,
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


@app.command("remove")
def remove(
    ctx: typer.Context,
    number: Number,
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose to remove an officer, at once when it is on chain; what they approved stays."""
    from service.approvals.models import ActionKind
    from service.approvals.officers import get_officer

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        get_officer(session, number)
    propose_and_show(
        run,
        ActionKind.OFFICER_REMOVAL,
        {"officerId": number},
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


@app.command("add-signer")
def add_signer(
    ctx: typer.Context,
    number: Number,
    signer: Signer,
    *,
    signer_type: SignerTypeOption = ACCOUNT,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose another signer for an officer, in force two days after its block."""
    from service.application.signer_types import read_new_signer
    from service.approvals.models import ActionKind
    from service.approvals.officers import get_officer

    run = start(ctx, as_json)
    kind, signer_bytes = read_new_signer(run.app, read_signer_kind(signer_type), signer)
    with run.app.transaction() as session:
        get_officer(session, number)
    message = {
        "officerId": number,
        "signerType": kind,
        "signer": signer_bytes,
    }
    propose_and_show(
        run,
        ActionKind.SIGNER_ADDITION,
        message,
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


@app.command("remove-signer")
def remove_signer(
    ctx: typer.Context,
    signer: Signer,
    *,
    signer_type: SignerTypeOption = ACCOUNT,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose to take a signer away, such as a lost or stolen key or passkey."""
    from service.application.signer_types import read_signer
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    kind, signer_bytes = read_signer(run.app, read_signer_kind(signer_type), signer)
    propose_and_show(
        run,
        ActionKind.SIGNER_REMOVAL,
        {"signerType": kind, "signer": signer_bytes},
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


@app.command("add-verifier")
def add_verifier(
    ctx: typer.Context,
    verifier: Verifier,
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose another contract that checks P-256 keys (ERC-7913), in force after two days."""
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    propose_and_show(
        run,
        ActionKind.VERIFIER_ADDITION,
        {"verifier": read_address(verifier)},
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


@app.command("remove-verifier")
def remove_verifier(
    ctx: typer.Context,
    verifier: Verifier,
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose to disallow a verifier for good, and with it every key that names it.

    Governors see to it that a quorum of them signs with something else.
    """
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    propose_and_show(
        run,
        ActionKind.VERIFIER_REMOVAL,
        {"verifier": read_address(verifier)},
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    removed: Annotated[bool, typer.Option("--removed", help="Also officers who left.")] = False,
    as_json: Json = False,
) -> None:
    """List officers and their signers, as the registry's events have them."""
    from service.application.approvals import officer_view
    from service.approvals.officers import list_officers, signers_of

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        items = [
            officer_view(officer, signers_of(session, officer.officer_id))
            for officer in list_officers(session)
            if removed or not officer.removed
        ]
    shown = [
        item
        | {
            "roles": ", ".join(item["roles"]),
            "signers": ", ".join(s["signer"] for s in item["signers"] if not s["removed"]),
        }
        for item in items
    ]
    columns = {
        "officer_id": "officer",
        "display_name": "name",
        "roles": "roles",
        "region": "region",
        "active_from": "in force from",
        "signers": "signers",
    }
    run.rows(shown, columns, data={"items": items})
    if not items:
        run.note("a worker reads officers from the chain: `relief worker run`")


@app.command("name")
def name_(
    ctx: typer.Context,
    number: Number,
    name: Annotated[str, typer.Argument(help="Name to show here; it never goes on chain.")],
    *,
    as_json: Json = False,
) -> None:
    """Give an officer a name to be shown here."""
    from service.application.approvals import officer_view
    from service.approvals.officers import get_officer, signers_of

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        officer = get_officer(session, number)
        officer.display_name = name
        data = officer_view(officer, signers_of(session, number))
    if run.as_json:
        run.json(data)
    else:
        run.record({"officer": number, "name": name})
