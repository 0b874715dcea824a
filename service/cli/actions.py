"""``relief action``: what officers must sign, other than a batch."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.keys import PassphraseFile
from service.cli.run import Cursor, Json, Limit, Run, start
from service.cli.signers import (
    ACCOUNT,
    AssertionFile,
    Signatures,
    SignerOption,
    SignerTypeOption,
    read_signatures,
)
from service.cli.values import read_time
from service.cli.waiting import POLL_S, Wait, end_open
from service.errors import ChainRefused, Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from service.approvals.models import ActionKind, QuorumAction

app = typer.Typer(no_args_is_help=True, help="Officers' actions: list, show, typed-data, sign.")

ActionId = Annotated[
    str, typer.Argument(metavar="ACTION", help="Its id, or the beginning of it: 0x and 4+ digits.")
]
Keystores = Annotated[
    list[str] | None,
    typer.Option("--keystore", "-k", help="Sign with this officer's keystore here; repeatable."),
]
Deadline = Annotated[
    str, typer.Option(help="The contract refuses it afterwards (ISO 8601, or from now: +3d).")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it goes into the journal.")]

_UNDER_WAY = ("ready", "submitted")
DEFAULT_DEADLINE = "+3d"


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    state: Annotated[
        str | None,
        typer.Option(help="Only collecting, ready, submitted, done or expired ones."),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List actions: what officers sign other than batches."""
    from service.application.approvals import action_view
    from service.approvals.actions import list_actions
    from service.approvals.states import ActionState

    run = start(ctx, as_json)
    if state is not None and state not in set(ActionState):
        raise InvalidInput(f"{state!r} is not one of {', '.join(ActionState)}")
    now = run.app.chain_clock.now()
    with run.app.transaction() as session:
        page = list_actions(
            session, state=ActionState(state) if state else None, limit=limit, cursor=cursor
        )
        items = [action_view(session, action, now=now) for action in page.items]
    columns = {
        "id": "action",
        "kind": "kind",
        "state": "state",
        "deadline": "deadline",
        "reason": "reason",
    }
    run.page(items, columns, page.next_cursor)


@app.command("show")
def show(ctx: typer.Context, action: ActionId, *, as_json: Json = False) -> None:
    """Show an action: what it does and who signed."""
    from service.application.approvals import action_status_view
    from service.application.reading import reading

    run = start(ctx, as_json)
    with reading(run.app) as session:
        data = action_status_view(run.app, session, find_action(session, action))
    show_action(run, data)


def show_action(run: Run, data: Mapping[str, Any]) -> None:
    """Print an action and who signed it."""
    if run.as_json:
        run.json(data)
        return
    shown = {name: data[name] for name in ("id", "kind", "state", "reason", "deadline")}
    shown["last_error"] = data["last_error"]
    needed, roles = data["quorum"], " or ".join(data["roles"])
    by = f"{needed} officers who are {roles}" if needed > 1 else f"one officer who is {roles}"
    shown["to be signed by"] = by
    shown["signed by officers"] = ", ".join(map(str, data["officers"])) or "nobody yet"
    run.record(shown | {"what_it_does": data["args"]})
    if data["state"] == "collecting":
        run.note(f"to sign elsewhere: relief action typed-data {data['id'][:12]}")


@app.command("typed-data")
def typed_data(ctx: typer.Context, action: ActionId, *, as_json: Json = False) -> None:
    """Print the EIP-712 JSON that an officer's wallet signs (always JSON)."""
    from service.approvals.actions import action_typed_data

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        found = find_action(session, action)
        document = action_typed_data(session, found.id, run.app.signing_domain)
    run.json(document)


@app.command("sign")
def sign(
    ctx: typer.Context,
    action: ActionId,
    *,
    keystore: Keystores = None,
    signature: Signatures = None,
    assertion: AssertionFile = None,
    signer_type: SignerTypeOption = ACCOUNT,
    signer: SignerOption = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Add officers' signatures; with enough of them the worker sends the action."""
    from service.application.approvals import action_status_view, record_action_signature

    run = start(ctx, as_json)
    if not keystore and not signature and not assertion:
        raise InvalidInput("give a --keystore, a --signature or an --assertion")
    signatures, signed_with = read_signatures(
        run.app, signature, assertion, signer_type=signer_type, signer=signer
    )
    with run.app.transaction() as session:
        found = find_action(session, action)
        sign_with(run, session, found, keystore, passphrase_file)
        for text in signatures:
            record_action_signature(
                run.app, session, found.id, text, actor=run.actor, signed_with=signed_with
            )
        data = action_status_view(run.app, session, found)
    show_once_done(run, data, wait)


def show_once_done(run: Run, data: dict[str, Any], wait_s: float) -> None:
    """Print an action once it is done or the time is over.

    Raises
    ------
    ChainRefused
        When its deadline passed meanwhile.
    """
    (data,) = wait_for_actions(run, [data], wait_s)
    show_action(run, data)
    end_actions(run, [data], wait_s)


def wait_for_actions(
    run: Run, actions: Sequence[dict[str, Any]], wait_s: float
) -> list[dict[str, Any]]:
    """Return the actions as they are once all signed ones are done, or the time is over."""
    from service.application.approvals import action_status_view
    from service.application.reading import reading
    from service.approvals.actions import get_action

    end = time.monotonic() + wait_s
    shown = list(actions)
    while any(item["state"] in _UNDER_WAY for item in shown) and time.monotonic() < end:
        time.sleep(POLL_S)
        with reading(run.app) as session:
            shown = [
                action_status_view(run.app, session, get_action(session, item["id"]))
                for item in shown
            ]
    return shown


def end_actions(run: Run, actions: Sequence[Mapping[str, Any]], wait_s: float) -> None:
    """End a command whose actions were printed: exit code 4 where ``--wait`` left one open.

    Raises
    ------
    ChainRefused
        When the deadline of one passed.
    """
    for action in actions:
        if action["state"] == "expired":
            raise ChainRefused(action["last_error"] or f"action {action['id']} expired")
    still = [
        f"action {action['id'][:12]} is {action['state']}, "
        f"signed by {len(action['officers'])} of {action['quorum']}"
        for action in actions
        if action["state"] != "done"
    ]
    hint = "once enough officers signed it, `relief worker run` sends it"
    end_open(run, still, wait_s, hint=hint)


def find_action(session: Session, text: str) -> QuorumAction:
    """Return an action by its id or so much of its beginning as names no other.

    Raises
    ------
    NotFound, Conflict
        When none, or several, begin so.
    """
    from sqlalchemy import select

    from service.approvals.models import QuorumAction

    prefix = text.lower()
    if re.fullmatch(r"0x[0-9a-f]{4,64}", prefix) is None:
        raise InvalidInput(f"{text!r} is no action id: 0x and at least four hexadecimal digits")
    wanted = select(QuorumAction).where(QuorumAction.id.startswith(prefix)).limit(2)
    found = list(session.scalars(wanted))
    if not found:
        raise NotFound(f"there is no action {text}")
    if len(found) > 1:
        raise Conflict(f"several actions begin with {text}: give more of the id")
    return found[0]


def sign_with(
    run: Run,
    session: Session,
    action: QuorumAction,
    keystores: Sequence[str] | None,
    passphrase_file: Path | None,
) -> None:
    """Sign an action with keystores here."""
    from service.application.approvals import sign_action

    for name in keystores or ():
        signer = run.app.signer(name, passphrase_file=passphrase_file)
        sign_action(run.app, session, action.id, signer, actor=run.actor)


def propose_and_sign(
    run: Run,
    session: Session,
    kind: ActionKind,
    message: Mapping[str, Any],
    *,
    deadline: str,
    reason: str,
    keystores: Sequence[str] | None,
    passphrase_file: Path | None,
) -> dict[str, Any]:
    """Propose an action, sign it with the keystores given, and return it."""
    from service.application.approvals import action_status_view, propose

    until = read_time(deadline, now=run.app.chain_clock.now())
    action = propose(
        run.app,
        session,
        kind,
        message,
        deadline_unix_s=int(until.timestamp()),
        actor=run.actor,
        reason=reason,
    )
    sign_with(run, session, action, keystores, passphrase_file)
    return action_status_view(run.app, session, action)


def propose_and_show(
    run: Run,
    kind: ActionKind,
    message: Mapping[str, Any],
    *,
    deadline: str,
    reason: str,
    keystore: Sequence[str] | None,
    passphrase_file: Path | None,
    wait_s: float,
) -> None:
    """Propose an action, sign it with the keystores given, and print it once it is done.

    Raises
    ------
    ChainRefused
        When its deadline passed meanwhile.
    """
    with run.app.transaction() as session:
        data = propose_and_sign(
            run,
            session,
            kind,
            message,
            deadline=deadline,
            reason=reason,
            keystores=keystore,
            passphrase_file=passphrase_file,
        )
    show_once_done(run, data, wait_s)
