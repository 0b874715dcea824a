"""``relief batch``: from approved cases to money on its way."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from service.cli.actions import (
    DEFAULT_DEADLINE,
    Deadline,
    Keystores,
    Reason,
    end_actions,
    propose_and_sign,
    show_action,
    wait_for_actions,
)
from service.cli.keys import PassphraseFile
from service.cli.run import Cursor, Json, Limit, Run, start
from service.cli.values import read_duration, read_kind, read_region, read_time, show_time
from service.cli.waiting import Wait
from service.errors import InvalidInput

app = typer.Typer(
    no_args_is_help=True,
    help="Batches: build, list, show, typed-data, approve, release, pause, resume, cancel.",
)

BatchId = Annotated[
    str, typer.Argument(metavar="BATCH", help="Its id, or the beginning of it: 0x and 4+ digits.")
]


@app.command("build")
def build(
    ctx: typer.Context,
    programme: Annotated[str, typer.Argument(help="Code or number of the programme.")],
    *,
    kind: Annotated[str, typer.Option(help="one_off or stream.")],
    maker: Annotated[int, typer.Option(min=1, help="Number of the officer who makes the batch.")],
    region: Annotated[
        str | None,
        typer.Option(help="Cases of this region and those inside it; default: the programme's."),
    ] = None,
    execute_before: Annotated[
        str, typer.Option(help="Chunks run only before this time (ISO 8601, or from now: +30d).")
    ] = "+30d",
    expires_at: Annotated[
        str | None,
        typer.Option(help="What is unpaid then may return to the budget; default: the earliest."),
    ] = None,
    chunk_size: Annotated[
        int, typer.Option(min=1, max=500, help="Payouts one transaction pays.")
    ] = 500,
    cliff: Annotated[
        str, typer.Option(help="Streams: nothing can be withdrawn before: 0, 7d.")
    ] = "0",
    cadence: Annotated[
        str | None, typer.Option(help="Streams: withdrawals go in steps of, default: 1d.")
    ] = None,
    import_id: Annotated[
        str | None, typer.Option("--import", help="Only cases of this import (id).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Put the approved cases that are in no batch yet into draft batches.

    Prints the totals and what is left of the budget. Streams make one batch for each start and
    duration. The manifests are written before anybody is asked to sign.
    """
    from service.application.batches import batch_view, budget_view, refuse_unknown_batches
    from service.application.programmes import find_programme
    from service.cases import CaseFilter, get_import
    from service.payouts.directory import region_of
    from service.payouts.service import build_batches
    from service.units import format_amount

    run = start(ctx, as_json)
    clock = run.app.chain_clock
    now = clock.now()
    with run.progress("building"), run.app.transaction() as session:
        row = find_programme(session, programme)
        if region is None and row.region_digits == 0:
            raise InvalidInput("the programme is for the whole country: say which --region")
        refuse_unknown_batches(session)
        batches = build_batches(
            session,
            programme=row,
            kind=read_kind(kind),
            region=read_region(region)
            if region is not None
            else region_of(row.region_code, row.region_digits),
            maker_officer_id=maker,
            execute_before_unix_s=int(read_time(execute_before, now=now).timestamp()),
            actor=run.actor,
            expires_at_unix_s=int(read_time(expires_at, now=now).timestamp())
            if expires_at is not None
            else None,
            chunk_size=chunk_size,
            cliff_s=read_duration(cliff),
            cadence_s=read_duration(cadence) if cadence is not None else None,
            case_filter=CaseFilter(
                import_id=get_import(session, import_id).id if import_id is not None else None
            ),
            manifests_dir=run.app.settings.resolved_manifests_dir,
            clock=clock,
        )
        items = [batch_view(batch) for batch in batches]
        total = sum(batch.total_base_units for batch in batches)
        budget = budget_view(session, row)
    data = {
        "batches": items,
        "count": sum(item["count"] for item in items),
        "total": format_amount(total),
        "total_base_units": str(total),
        "budget": budget,
    }
    run.rows(items, COLUMNS, data=data)
    if not run.as_json:
        run.record(
            {
                "payouts": data["count"],
                "total": data["total"],
                "budget": budget["budget"],
                "held by batches": budget["allocated"],
                "budget left": budget["left"],
            }
        )


COLUMNS = {
    "id": "batch",
    "state": "state",
    "kind": "kind",
    "region_code": "region",
    "count": "payouts",
    "total": "total\u00a0",
    "duration_s": "seconds",
}


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    programme: Annotated[
        str | None, typer.Option("--programme", "-p", help="Only of this programme.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(help="Only draft, approved, released, onchain, done or cancelled ones."),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List batches, oldest first."""
    from service.application.batches import batch_view
    from service.application.programmes import find_programme
    from service.payouts.service import list_batches
    from service.payouts.states import BatchState

    run = start(ctx, as_json)
    if state is not None and state not in set(BatchState):
        raise InvalidInput(f"{state!r} is not one of {', '.join(BatchState)}")
    with run.app.transaction() as session:
        page = list_batches(
            session,
            programme_id=find_programme(session, programme).id if programme is not None else None,
            state=BatchState(state) if state else None,
            limit=limit,
            cursor=cursor,
        )
        items = [batch_view(batch) for batch in page.items]
    run.page(items, COLUMNS, page.next_cursor)


@app.command("status", hidden=True)
@app.command("show")
def show(ctx: typer.Context, batch: BatchId, *, as_json: Json = False) -> None:
    """Show a batch: what is paid, sent, skipped or stuck, and why (also: relief batch status)."""
    from service.application.batches import find_batch, status_view

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        data = status_view(session, find_batch(session, batch), clock=run.app.chain_clock)
    show_status(run, data)


def show_status(run: Run, data: dict[str, Any]) -> None:
    """Print a batch's status."""
    if run.as_json:
        run.json(data)
        return
    batch = data["batch"]
    shown = {name: batch[name] for name in ("id", "state", "paused", "kind", "count", "total")}
    for name in ("start", "execute_from", "execute_before", "expires_at"):
        shown[name] = show_time(batch[f"{name}_unix_s"])
    run.record(shown)
    columns = {"state": "payouts", "count": "count", "amount": "amount\u00a0"}
    run.rows(data["payouts"], columns)
    chunks = [{"state": state, "count": count} for state, count in data["chunks"].items()]
    run.rows(chunks, {"state": "chunks", "count": "count"})
    if data["stuck"]:
        columns = {"message": "stuck because", "count": "payouts or chunks"}
        run.rows(data["stuck"], columns)
    columns = {"at": "at", "actor": "who", "action": "did", "reason": "why"}
    run.rows(data["journal"], columns)


@app.command("typed-data")
def typed_data(ctx: typer.Context, batch: BatchId, *, as_json: Json = False) -> None:
    """Print the EIP-712 JSON that an officer's wallet signs to approve the batch (always JSON).

    From now on the batch counts as possibly signed: cancelling it frees its cases only later.
    """
    from service.application.batches import find_batch
    from service.approvals.service import typed_data as batch_typed_data

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        document = batch_typed_data(
            session,
            find_batch(session, batch).id,
            run.app.signing_domain,
            manifests_dir=run.app.settings.resolved_manifests_dir,
            clock=run.app.chain_clock,
        )
    run.json(document)


@app.command("approve")
def approve(
    ctx: typer.Context,
    batch: Annotated[
        list[str],
        typer.Argument(metavar="BATCH...", help="Ids, or their beginnings: 0x and 4+ digits."),
    ],
    *,
    keystore: Keystores = None,
    signature: Annotated[
        list[str] | None,
        typer.Option(help="A signature from an officer's wallet, 65 bytes hex; repeatable."),
    ] = None,
    officer: Annotated[
        int | None, typer.Option(min=1, help="Number of the officer who is said to have signed.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Add officers' signatures to batches: the maker's and the reviewers'.

    With enough of them a batch is approved and can be released. The contract checks all of it
    again.
    """
    from service.application.approvals import (
        approval_view,
        record_batch_signature,
        sign_batch,
    )
    from service.application.batches import find_batch

    run = start(ctx, as_json)
    if not keystore and not signature:
        raise InvalidInput("give a --keystore or a --signature")
    if signature and len(batch) > 1:
        raise InvalidInput("a --signature is over one batch: name one")
    signers = [run.app.signer(name, passphrase_file=passphrase_file) for name in keystore or ()]
    items = []
    with run.progress("signing", total=len(batch)) as step, run.app.transaction() as session:
        for done, text in enumerate(batch, start=1):
            found = find_batch(session, text)
            statuses = [
                sign_batch(run.app, session, found, signer, actor=run.actor) for signer in signers
            ] + [
                record_batch_signature(
                    run.app, session, found, given, actor=run.actor, officer_id=officer
                )
                for given in signature or ()
            ]
            items.append(approval_view(statuses[-1]))
            step(done)
    shown = [item | {"reviewers": ", ".join(map(str, item["reviewers"]))} for item in items]
    columns = {
        "batch_id": "batch",
        "state": "state",
        "maker_signed": "maker signed",
        "reviewers": "reviewers",
        "required_reviewers": "reviewers needed",
    }
    run.rows(shown, columns, data={"items": items})


@app.command("release")
def release(ctx: typer.Context, batch: BatchId, *, as_json: Json = False) -> None:
    """Hand an approved batch to the worker, which pays it."""
    from service.application.batches import batch_view, find_batch
    from service.payouts.service import release as release_batch

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        found = find_batch(session, batch)
        released = release_batch(session, found.id, actor=run.actor, clock=run.app.chain_clock)
        data = batch_view(released)
    _show_step(run, data)


@app.command("pause")
def pause(ctx: typer.Context, batch: BatchId, *, reason: Reason, as_json: Json = False) -> None:
    """Stop sending for a batch; what is queued is held.

    The service's own brake: the chain knows nothing of it, and anybody may still run an approved
    chunk. To stop the chain, a guardian pauses the vault.
    """
    from service.application.batches import batch_view, find_batch
    from service.payouts.service import pause as pause_batch

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        found = find_batch(session, batch)
        data = batch_view(pause_batch(session, found.id, actor=run.actor, reason=reason))
    _show_step(run, data)


@app.command("resume")
def resume(ctx: typer.Context, batch: BatchId, *, reason: Reason, as_json: Json = False) -> None:
    """Go on with a paused batch."""
    from service.application.batches import batch_view, find_batch
    from service.payouts.service import resume as resume_batch

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        found = find_batch(session, batch)
        data = batch_view(resume_batch(session, found.id, actor=run.actor, reason=reason))
    _show_step(run, data)


@app.command("cancel")
def cancel(
    ctx: typer.Context,
    batch: BatchId,
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Cancel a batch: a draft here at once; one on chain by a quorum of reviewers.

    On chain the part not run yet returns to the budget; what was skipped stays payable, what was
    opened as a stream goes on. One of which nothing is left to run is refused.
    """
    from service.application.batches import batch_view, find_batch
    from service.approvals.models import ActionKind
    from service.payouts.service import cancel_draft, cancelled_by_quorum

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        found = find_batch(session, batch)
        if cancelled_by_quorum(session, found):
            data = batch_view(found)
            action = propose_and_sign(
                run,
                session,
                ActionKind.BATCH_CANCELLATION,
                {"batchId": found.id},
                deadline=deadline,
                reason=reason,
                keystores=keystore,
                passphrase_file=passphrase_file,
            )
        else:
            data = batch_view(cancel_draft(session, found.id, actor=run.actor, reason=reason))
            action = None
    if action is not None:
        (action,) = wait_for_actions(run, [action], wait)
    if run.as_json:
        run.json({"batch": data, "action": action})
    elif action is not None:
        show_action(run, action)
    else:
        _show_step(run, data)
    if action is not None:
        end_actions(run, [action], wait)


def _show_step(run: Run, data: dict[str, Any]) -> None:
    names = ("id", "state", "paused", "kind", "count", "total")
    run.record(data if run.as_json else {name: data[name] for name in names})
