"""``relief payout``: single payouts, and what officers do to what is unpaid of them."""

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
from service.cli.run import Cursor, Json, Limit, start
from service.cli.values import read_address, read_kind
from service.cli.waiting import Wait, show_requests
from service.errors import InvalidInput
from service.units import format_amount

app = typer.Typer(no_args_is_help=True, help="Payouts: list, show, retry, hold, change-wallet.")

PayoutName = Annotated[str, typer.Argument(help="BATCH:INDEX, or PROGRAMME#NUMBER.")]

MAX_RETRIES_AT_ONCE = 500


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    batch: Annotated[
        str | None, typer.Option("--batch", "-b", help="Only of this batch (beginning of its id).")
    ] = None,
    programme: Annotated[
        str | None, typer.Option("--programme", "-p", help="Only of this programme.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(help="Only those queued, sent, included, paid, held, skipped, …"),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Only one_off or stream.")] = None,
    payee: Annotated[str | None, typer.Option(help="Only to this address.")] = None,
    case: Annotated[str | None, typer.Option(help="Only of this case (reference or id).")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List payouts by batch and index."""
    from service.application.batches import find_batch
    from service.application.payouts import payout_view
    from service.application.programmes import find_programme
    from service.cases import get_case
    from service.payouts.service import PayoutFilter, list_payouts
    from service.payouts.states import PayoutState

    run = start(ctx, as_json)
    if state is not None and state not in set(PayoutState):
        raise InvalidInput(f"{state!r} is not one of {', '.join(PayoutState)}")
    with run.app.transaction() as session:
        wanted = PayoutFilter(
            batch_id=find_batch(session, batch).id if batch is not None else None,
            programme_id=find_programme(session, programme).id if programme is not None else None,
            state=PayoutState(state) if state else None,
            kind=read_kind(kind) if kind is not None else None,
            payee=read_address(payee) if payee is not None else None,
            case_id=get_case(session, case).id if case is not None else None,
        )
        page = list_payouts(session, wanted, limit=limit, cursor=cursor)
        items = [payout_view(payout) for payout in page.items]
    run.page(
        items,
        {
            "batch_id": "batch",
            "index": "index",
            "state": "state",
            "kind": "kind",
            "amount": "amount",
            "payee": "payee",
            "skip_reason": "skipped because",
        },
        page.next_cursor,
    )


@app.command("show")
def show(
    ctx: typer.Context,
    payout: PayoutName,
    *,
    as_json: Json = False,
) -> None:
    """Show one payout: also what of it is unpaid, and whether a reviewer holds it."""
    from service.application.corrections import payout_status_view
    from service.application.payouts import find_payout

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        data = payout_status_view(run.app, session, find_payout(session, payout))
    run.record(data)


@app.command("retry")
def retry(
    ctx: typer.Context,
    payouts: Annotated[
        list[str] | None, typer.Argument(help="Each BATCH:INDEX or PROGRAMME#NUMBER.")
    ] = None,
    *,
    skipped_of: Annotated[
        str | None, typer.Option("--skipped-of", help="Every skipped payout of this batch.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the journal.")] = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Ask that skipped payouts be tried again, once their wallets can be paid."""
    from service.application.batches import find_batch
    from service.application.payouts import find_payout
    from service.payouts.service import PayoutFilter, list_payouts, request_retry
    from service.payouts.states import PayoutState

    run = start(ctx, as_json)
    if bool(payouts) == (skipped_of is not None):
        raise InvalidInput("name payouts, or a batch with --skipped-of")
    clock = run.app.chain_clock
    with run.app.transaction() as session:
        if skipped_of is not None:
            wanted = PayoutFilter(
                batch_id=find_batch(session, skipped_of).id, state=PayoutState.SKIPPED
            )
            found = list(list_payouts(session, wanted, limit=MAX_RETRIES_AT_ONCE).items)
        else:
            found = [find_payout(session, payout) for payout in payouts or []]
        requests = [
            request_retry(
                session,
                payout.batch_id,
                payout.index,
                actor=run.actor,
                reason=reason,
                clock=clock,
            ).id
            for payout in found
        ]
    show_requests(run, requests, wait)


@app.command("hold")
def hold(
    ctx: typer.Context,
    payout: PayoutName,
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Delay what is unpaid of a skipped payout or a stream by 72 hours, by one reviewer.

    Time for a quorum to change a wallet that was lost or stolen. Each reviewer once a payout.
    """
    from service.application.payouts import find_payout
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        found = find_payout(session, payout)
        message = {"batchId": found.batch_id, "index": found.index}
    propose_and_show(
        run,
        ActionKind.ENTRY_HOLD,
        message,
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


@app.command("change-wallet")
def change_wallet(
    ctx: typer.Context,
    payout: PayoutName,
    to: Annotated[str, typer.Argument(help="EIP-55 address of the new wallet.")],
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose to pay what is unpaid of a skipped payout or a stream to another wallet.

    By a quorum of reviewers. A hold of it ends; a skipped payout is then paid by `payout retry`.
    """
    from service.application.corrections import wallet_change
    from service.application.payouts import find_payout
    from service.approvals.corrections import unpaid_of
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        found = find_payout(session, payout)
        message = wallet_change(run.app, session, found.batch_id, found.index, read_address(to))
        unpaid = unpaid_of(session, found.batch_id, found.index)
    run.note(
        f"{format_amount(unpaid.amount_base_units)} of it are unpaid and go to {unpaid.payee} now"
    )
    propose_and_show(
        run,
        ActionKind.WALLET_CHANGE,
        message,
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )
