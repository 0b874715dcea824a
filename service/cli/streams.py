"""``relief stream``: allowances that accrue by the second."""

from __future__ import annotations

from typing import Annotated

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
from service.cli.run import Cursor, Json, Limit, start
from service.cli.values import read_address
from service.cli.waiting import Wait, show_requests
from service.errors import ChainUnavailable, ConfigurationError, InvalidInput

app = typer.Typer(no_args_is_help=True, help="Streams: list, show, withdraw, cancel.")

Stream = Annotated[str, typer.Argument(metavar="BATCH:INDEX", help="The stream.")]


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
    payee: Annotated[str | None, typer.Option(help="Only to this address.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List open streams, with what they have accrued by now.

    Where no node answers, that is by the machine's clock; each stream says which.
    """
    from service.application.batches import find_batch
    from service.application.payouts import stream_view
    from service.application.programmes import find_programme
    from service.payouts.service import list_streams

    run = start(ctx, as_json)
    clock = run.app.chain_clock
    with run.app.transaction() as session:
        page = list_streams(
            session,
            batch_id=find_batch(session, batch).id if batch is not None else None,
            programme_id=find_programme(session, programme).id if programme is not None else None,
            payee=read_address(payee) if payee is not None else None,
            limit=limit,
            cursor=cursor,
            clock=clock,
        )
        items = [stream_view(view, clock.source) for view in page.items]
    run.page(
        items,
        {
            "batch_id": "batch",
            "index": "index",
            "payee": "payee",
            "total": "total",
            "accrued": "accrued",
            "withdrawn": "withdrawn",
            "withdrawable": "withdrawable",
            "cancelled": "cancelled",
            "accrued_by": "accrued by the clock of the",
        },
        page.next_cursor,
    )


@app.command("show")
def show(ctx: typer.Context, stream: Stream, *, as_json: Json = False) -> None:
    """Show one stream: by its events, and beside that by the vault's own view."""
    from service.application.payouts import parse_name, stream_view
    from service.application.reading import reading
    from service.application.wallet import stream_on_chain
    from service.payouts.service import get_stream

    run = start(ctx, as_json)
    clock = run.app.chain_clock
    with reading(run.app) as session:
        batch_id, index = parse_name(session, stream)
        view = get_stream(session, batch_id, index, clock=clock)
        data = stream_view(view, clock.source)
        data["chain"] = None
        try:
            data["chain"] = stream_on_chain(run.app, session, view.stream)
        except (ChainUnavailable, ConfigurationError) as error:
            run.note(f"without the chain's own view: {error.detail}")
    if run.as_json:
        run.json(data)
        return
    names = ("id", "payee", "total", "accrued", "withdrawn", "withdrawable", "cancelled")
    run.record({name: data[name] for name in (*names, "accrued_by")})
    if data["chain"] is not None:
        run.record({name: data["chain"][name] for name in names[2:]}, title="on chain")


@app.command("withdraw")
def withdraw(
    ctx: typer.Context,
    stream: Annotated[
        str, typer.Argument(metavar="BATCH[:INDEX]", help="A stream; with --all its batch.")
    ],
    *,
    all_streams: Annotated[
        bool, typer.Option("--all", help="Every stream of the batch, or of one --chunk of it.")
    ] = False,
    chunk: Annotated[
        int | None, typer.Option(min=0, help="With --all: only this chunk, counted from 0.")
    ] = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Ask that streams be paid what they have accrued, to their recorded payees."""
    from service.application.batches import find_batch
    from service.application.payouts import parse_name
    from service.payouts.service import request_withdraw, request_withdraw_all

    run = start(ctx, as_json)
    if chunk is not None and not all_streams:
        raise InvalidInput("--chunk goes with --all")
    clock = run.app.chain_clock
    with run.app.transaction() as session:
        if all_streams:
            batch = find_batch(session, stream)
            asked = request_withdraw_all(
                session, batch.id, actor=run.actor, chunk_index=chunk, clock=clock
            )
        else:
            batch_id, index = parse_name(session, stream)
            asked = [request_withdraw(session, batch_id, index, actor=run.actor, clock=clock)]
        requests = [request.id for request in asked]
    show_requests(run, requests, wait)


@app.command("cancel")
def cancel(
    ctx: typer.Context,
    streams: Annotated[
        list[str],
        typer.Argument(metavar="BATCH:INDEX...", help="Streams of one batch."),
    ],
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Propose to cut streams, by a quorum of reviewers: one action for each chunk concerned.

    What has accrued, to the second, stays theirs; the rest returns to the budget.
    """
    from service.application.payouts import parse_name
    from service.approvals.models import ActionKind
    from service.payouts.service import cancellation_masks

    run = start(ctx, as_json)
    actions = []
    with run.app.transaction() as session:
        named = [parse_name(session, stream) for stream in streams]
        batch_id = named[0][0]
        if any(other != batch_id for other, _ in named):
            raise InvalidInput("the streams are of several batches: cancel batch by batch")
        masks = cancellation_masks(session, batch_id, [index for _, index in named])
        for chunk_index, (low, high) in masks.items():
            message = {
                "batchId": batch_id,
                "chunkIndex": chunk_index,
                "maskLow": low,
                "maskHigh": high,
            }
            actions.append(
                propose_and_sign(
                    run,
                    session,
                    ActionKind.STREAM_CANCELLATION,
                    message,
                    deadline=deadline,
                    reason=reason,
                    keystores=keystore,
                    passphrase_file=passphrase_file,
                )
            )
    actions = wait_for_actions(run, actions, wait)
    if run.as_json:
        run.json({"items": actions})
    else:
        for action in actions:
            show_action(run, action)
    end_actions(run, actions, wait)
