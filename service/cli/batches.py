"""``relief batch``: from approved cases to money on its way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
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
from service.cli.run import Cursor, Json, Limit, Run, start
from service.cli.signers import (
    ACCOUNT,
    AssertionFile,
    Signatures,
    SignerOption,
    SignerTypeOption,
    read_signatures,
)
from service.cli.values import MAX_OFFICER_NUMBER, read_duration, read_kind, read_region, read_time
from service.cli.waiting import Wait, show_requests
from service.errors import Conflict, InvalidInput
from service.units import format_duration

app = typer.Typer(
    no_args_is_help=True,
    help="Batches: build, list, show, manifest, typed-data, approve, release, pause, resume, hold, "
    "cancel, due, expire, restore.",
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
    maker: Annotated[
        int,
        typer.Option(
            min=1, max=MAX_OFFICER_NUMBER, help="Number of the officer who makes the batch."
        ),
    ],
    region: Annotated[
        str | None,
        typer.Option(help="Cases of this region and those inside it; default: the programme's."),
    ] = None,
    execute_before: Annotated[
        str, typer.Option(help="Chunks run only before this time (ISO 8601, or from now: +30d).")
    ] = "+30d",
    expires_at: Annotated[
        str | None,
        typer.Option(
            help="What can never be paid may return to the budget then; default: the earliest."
        ),
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
    from service.application.batches import build as build_drafts
    from service.application.programmes import find_programme
    from service.cases import get_import

    run = start(ctx, as_json)
    now = run.app.chain_clock.now()
    with run.progress("building"), run.app.transaction() as session:
        data = build_drafts(
            run.app,
            session,
            find_programme(session, programme),
            kind=read_kind(kind),
            region=read_region(region) if region is not None else None,
            maker_officer_id=maker,
            execute_before=read_time(execute_before, now=now),
            expires_at=read_time(expires_at, now=now) if expires_at is not None else None,
            chunk_size=chunk_size,
            cliff_s=read_duration(cliff),
            cadence_s=read_duration(cadence) if cadence is not None else None,
            import_id=get_import(session, import_id).id if import_id is not None else None,
            actor=run.actor,
        )
    run.rows(_readable(data["batches"]), COLUMNS, data=data)
    if not run.as_json:
        budget = data["budget"]
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
    "paused": "paused",
    "kind": "kind",
    "region": "region",
    "count": "payouts",
    "total": "total",
    "duration": "lasts",
}


def _readable(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        item | {"duration": format_duration(item["duration_s"]) if item["duration_s"] else None}
        for item in items
    ]


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
    run.page(items, COLUMNS, page.next_cursor, shown=_readable(items))


@app.command("status", hidden=True)
@app.command("show")
def show(ctx: typer.Context, batch: BatchId, *, as_json: Json = False) -> None:
    """Show a batch: what is paid, sent, skipped or stuck, and why (also: relief batch status)."""
    from service.application.batches import batch_names, find_batch, status_view

    run = start(ctx, as_json)
    clock = run.app.chain_clock
    with run.app.transaction() as session:
        found = find_batch(session, batch)
        data = status_view(session, found, clock=clock)
        names = batch_names(session, found)
    if run.as_json:
        run.json(data)
        return
    head = {name: data[name] for name in ("id", "state", "paused", "kind")} | names
    for name in ("count", "total", "start_at", "execute_from", "execute_before", "expires_at"):
        head[name] = data[name]
    run.record(head)
    columns = {"state": "payouts", "count": "count", "amount": "amount"}
    run.rows(data["payouts"], columns)
    chunks = [{"state": state, "count": count} for state, count in data["chunks"].items()]
    run.rows(chunks, {"state": "chunks", "count": "count"})
    if data["signatures"]:
        columns = {"officer_id": "officer", "signer": "signed with", "created_at": "at"}
        run.rows(data["signatures"], columns)
    if data["stuck"]:
        columns = {"message": "stuck because", "count": "payouts or chunks"}
        run.rows(data["stuck"], columns)
    columns = {"at": "at", "actor": "who", "action": "did", "reason": "why"}
    run.rows(data["journal"], columns)


@app.command("manifest")
def manifest(
    ctx: typer.Context,
    batch: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BATCH]...", help="Ids, or their beginnings: 0x and 4+ digits."),
    ] = None,
    *,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder, made where there is none; each becomes <batch id>.jsonl, the name that "
            "relief-audit replay --manifests wants."
        ),
    ],
    every: Annotated[
        bool, typer.Option("--all", help="Those of every batch that officers may have signed.")
    ] = False,
    programme: Annotated[
        str | None, typer.Option("--programme", "-p", help="With --all: only of this programme.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Hand out batches' signed lists of payouts (manifests), to auditors or to who will sign.

    Byte for byte as they are kept, each held against the hash that officers sign first: where one
    is missing or was changed, nothing is written. No file is written over; the same one that is
    there is left. They hold no personal data.
    """
    from service.application.batches import batches_signed, find_batch, hand_out_manifests
    from service.application.programmes import find_programme

    run = start(ctx, as_json)
    if bool(batch) == every:
        raise InvalidInput("name batches, or give --all")
    if programme is not None and not every:
        raise InvalidInput("--programme goes with --all")
    with run.app.transaction() as session:
        if every:
            found = batches_signed(
                session, find_programme(session, programme).id if programme is not None else None
            )
        else:
            found = list(dict.fromkeys(find_batch(session, text) for text in batch or ()))
    with run.progress("manifests", total=len(found)) as step:
        items = hand_out_manifests(run.app, found, out, step)
    columns = {"batch_id": "batch", "count": "payouts", "file": "file", "written": "written"}
    run.rows(items, columns)


@app.command("typed-data")
def typed_data(ctx: typer.Context, batch: BatchId, *, as_json: Json = False) -> None:
    """Print the EIP-712 JSON that an officer's wallet signs to approve the batch (always JSON).

    From now on the batch counts as possibly signed: cancelling it frees its cases only later.
    """
    from service.application.batches import find_batch
    from service.approvals.service import typed_data as batch_typed_data

    run = start(ctx, as_json)
    clock = run.app.chain_clock
    with run.app.transaction() as session:
        document = batch_typed_data(
            session,
            find_batch(session, batch).id,
            run.app.signing_domain,
            manifests_dir=run.app.settings.resolved_manifests_dir,
            clock=clock,
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
    signature: Signatures = None,
    assertion: AssertionFile = None,
    signer_type: SignerTypeOption = ACCOUNT,
    signer: SignerOption = None,
    officer: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_OFFICER_NUMBER,
            help="Number of the officer who is said to have signed.",
        ),
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
    from service.application.batches import batch_names, find_batch

    run = start(ctx, as_json)
    if not keystore and not signature and not assertion:
        raise InvalidInput("give a --keystore, a --signature or an --assertion")
    signatures, signed_with = read_signatures(
        run.app, signature, assertion, signer_type=signer_type, signer=signer
    )
    if signatures and len(batch) > 1:
        raise InvalidInput("a signature is over one batch: name one")
    keystores = [run.app.signer(name, passphrase_file=passphrase_file) for name in keystore or ()]
    items, shown = [], []
    clock = run.app.chain_clock
    with run.progress("signing", total=len(batch)) as step, run.app.transaction() as session:
        for done, text in enumerate(batch, start=1):
            found = find_batch(session, text)
            statuses = [
                sign_batch(run.app, session, found, each, actor=run.actor, clock=clock)
                for each in keystores
            ] + [
                record_batch_signature(
                    run.app,
                    session,
                    found,
                    given,
                    actor=run.actor,
                    clock=clock,
                    signed_with=signed_with,
                    officer_id=officer,
                )
                for given in signatures
            ]
            view = approval_view(statuses[-1])
            items.append(view)
            signed = [view["maker_officer_id"]] if view["maker_signed"] else []
            signed += view["reviewers"]
            shown.append(
                view | batch_names(session, found) | {"signed": ", ".join(map(str, sorted(signed)))}
            )
            step(done)
    columns = {
        "batch_id": "batch",
        "state": "state",
        "programme": "programme",
        "region": "region",
        "count": "payouts",
        "total": "total",
        "maker": "maker",
        "signed": "signed by",
        "required_reviewers": "reviewers needed",
    }
    run.rows(shown, columns, data={"items": items})


@app.command("release")
def release(ctx: typer.Context, batch: BatchId, *, as_json: Json = False) -> None:
    """Hand an approved batch to the worker, which pays it."""
    from service.application.batches import batch_view, find_batch
    from service.payouts.service import release as release_batch

    run = start(ctx, as_json)
    clock = run.app.chain_clock
    with run.app.transaction() as session:
        found = find_batch(session, batch)
        released = release_batch(session, found.id, actor=run.actor, clock=clock)
        data = batch_view(released)
    _show_step(run, data)


@app.command("pause")
def pause(ctx: typer.Context, batch: BatchId, *, reason: Reason, as_json: Json = False) -> None:
    """Stop sending for a batch; what is queued is held.

    The service's own brake: the chain knows nothing of it, and anybody may still run an approved
    chunk. To stop the chain, a guardian pauses the vault. What went out before may still be mined,
    and is counted.
    """
    from service.application.batches import batch_step_view, find_batch
    from service.payouts.service import pause as pause_batch

    run = start(ctx, as_json)
    clock = run.app.chain_clock
    with run.app.transaction() as session:
        found = find_batch(session, batch)
        paused = pause_batch(session, found.id, actor=run.actor, reason=reason, clock=clock)
        data = batch_step_view(session, paused)
    _show_step(run, data)
    note_in_flight(run, data)


@app.command("resume")
def resume(ctx: typer.Context, batch: BatchId, *, reason: Reason, as_json: Json = False) -> None:
    """Go on with a paused batch."""
    from service.application.batches import batch_view, find_batch
    from service.payouts.service import resume as resume_batch

    run = start(ctx, as_json)
    clock = run.app.chain_clock
    with run.app.transaction() as session:
        found = find_batch(session, batch)
        resumed = resume_batch(session, found.id, actor=run.actor, reason=reason, clock=clock)
        data = batch_view(resumed)
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
    clock = run.app.chain_clock
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
            cancelled = cancel_draft(session, found.id, actor=run.actor, reason=reason, clock=clock)
            data = batch_view(cancelled)
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


@app.command("hold")
def hold(
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
    """Delay a batch on chain by up to 72 hours, by one reviewer: time for a quorum to cancel it.

    Each reviewer once; it ends by itself, a day before the time to run the batch's chunks is over.
    """
    from service.application.batches import find_batch
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        message = {"batchId": find_batch(session, batch).id}
    propose_and_show(
        run,
        ActionKind.BATCH_HOLD,
        message,
        deadline=deadline,
        reason=reason,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


@app.command("due")
def due(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List what can never be paid and may return to its programme's budget now."""
    from service.application.corrections import due_to_expire, due_view

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        items = [due_view(item) for item in due_to_expire(run.app, session)]
    columns = {
        "what": "what",
        "batch_id": "batch",
        "index": "payout",
        "chunk_index": "chunk",
        "amount": "amount",
        "since": "since",
    }
    run.rows(items, columns)


@app.command("expire")
def expire(
    ctx: typer.Context,
    batch: Annotated[
        str | None, typer.Argument(metavar="[BATCH]", help="Its id, or the beginning of it.")
    ] = None,
    *,
    all_due: Annotated[
        bool, typer.Option("--all-due", help="Everything that `relief batch due` lists.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why, for the journal.")] = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Return what can never be paid to the budget: chunks not run in time, wallets that are none.

    A running worker asks for it by itself, once; this asks again where that was refused. A frozen
    wallet's payout never expires.
    """
    from service.application.batches import find_batch
    from service.application.corrections import expire as ask_to_expire

    run = start(ctx, as_json)
    if (batch is None) != all_due:
        raise InvalidInput("name a batch, or give --all-due")
    with run.app.transaction() as session:
        batch_id = find_batch(session, batch).id if batch is not None else None
        asked = ask_to_expire(run.app, session, batch_id, actor=run.actor, reason=reason)
        requests = [request.id for request in asked]
    show_requests(run, requests, wait)


@app.command("restore")
def restore(
    ctx: typer.Context,
    manifest: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[MANIFEST]...",
            help="Manifests of lost batches; default: of every one, from RELIEF_MANIFESTS_DIR.",
        ),
    ] = None,
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Restore batches that are on chain and not in the database, after an old backup came back.

    A manifest is believed where its hash and terms are those that officers signed on chain; what
    became of the batch since follows from its events. While a batch is missing none goes on chain.
    """
    from service.application.batches import restore_batches

    run = start(ctx, as_json)
    restored, problems = restore_batches(run.app, manifest or (), actor=run.actor, reason=reason)
    run.rows(_readable(restored), COLUMNS, data={"items": restored})
    if problems:
        raise Conflict(
            f"{len(problems)} not restored, and while a batch on chain is missing here none goes "
            "on chain: " + "; ".join(problem.message for problem in problems),
            problems=problems,
        )


def note_in_flight(run: Run, data: dict[str, Any]) -> None:
    """Say what went out before somebody stopped it."""
    from service.transactions.in_flight import InFlight

    words = InFlight(**data["in_flight"]).words
    if words:
        run.note(words)


def _show_step(run: Run, data: dict[str, Any]) -> None:
    names = ("id", "state", "paused", "kind", "count", "total")
    run.record(data if run.as_json else {name: data[name] for name in names})
