"""``relief programme``: plan programmes and their budgets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.actions import (
    DEFAULT_DEADLINE,
    Deadline,
    Keystores,
    Reason,
    end_actions,
    sign_with,
    wait_for_actions,
)
from service.cli.batches import note_in_flight
from service.cli.keys import PassphraseFile
from service.cli.run import Json, Run, start
from service.cli.values import (
    read_duration,
    read_hash,
    read_region,
    read_time,
    read_total,
    show_region,
)
from service.cli.waiting import Wait, end_open_requests, refuse_failed, settled, show_request
from service.errors import ChainUnavailable, ConfigurationError, InvalidInput
from service.units import format_duration

if TYPE_CHECKING:
    from service.payouts.programmes import Tier

app = typer.Typer(
    no_args_is_help=True,
    help="Programmes: create, list, show, pause, resume, cancel, budget, commitment-key.",
)

Programme = Annotated[str, typer.Argument(help="Code or number of the programme.")]


@app.command("create")
def create(
    ctx: typer.Context,
    code: Annotated[str, typer.Argument(help="Short name that import files use: flood-2026.")],
    *,
    name: Annotated[str, typer.Option(help="Its name for people.")],
    budget: Annotated[str, typer.Option(help="Most that may be approved in all: 5000000.")],
    payout_cap: Annotated[str, typer.Option(help="Most one payout may be: 20000.")],
    tier: Annotated[
        list[str],
        typer.Option(
            help="UPTO:REVIEWERS[:DELAY], up to 4 ascending: 1000000:1, then 5000000:2:24h. A "
            "batch needs so many reviewers while the rolling sum is at most UPTO."
        ),
    ],
    region: Annotated[
        str, typer.Option(help="GB/T 2260 code of where it may pay; 0 for the whole country.")
    ] = "0",
    number: Annotated[
        int | None, typer.Option(min=1, help="Its number on chain; default: the next one.")
    ] = None,
    metadata_hash: Annotated[
        str | None, typer.Option(help="Hash of its public description, 0x and 64 digits.")
    ] = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Plan a programme: the worker with the programme manager's keystore sends it.

    It comes into force two days after its block; the contract shortens that for nobody.
    """
    from service.application.programmes import programme_view
    from service.payouts.programmes import ask_to_create, create_programme, get_programme

    run = start(ctx, as_json)
    code_and_digits = (0, 0)
    if region != "0":
        parsed = read_region(region)
        code_and_digits = (parsed.code, parsed.digits)
    with run.app.transaction() as session:
        programme = create_programme(
            session,
            code=code,
            name=name,
            region_code=code_and_digits[0],
            region_digits=code_and_digits[1],
            budget_base_units=read_total(budget),
            payout_cap_base_units=read_total(payout_cap),
            tiers=[read_tier(text) for text in tier],
            actor=run.actor,
            programme_id=number,
            metadata_hash=read_hash(metadata_hash) if metadata_hash else None,
        )
        request_id = ask_to_create(session, programme, actor=run.actor).id  # the one just asked
        number = programme.id
    (request,) = settled(run, [request_id], wait)
    refuse_failed(request)
    with run.app.transaction() as session:
        data = programme_view(get_programme(session, number))
    run.record(data | {"request": request} if run.as_json else _readable(data | {"chain": None}))
    if request["state"] == "done":
        run.note("on chain; it is in force two days after its block")
    end_open_requests(run, [request], wait)


def read_tier(text: str) -> Tier:
    """Read ``UPTO:REVIEWERS[:DELAY]``.

    Raises
    ------
    InvalidInput
        When it has another form.
    """
    from service.payouts.programmes import Tier

    up_to, _, rest = text.partition(":")
    reviewers, _, delay = rest.partition(":")
    if not (reviewers.isascii() and reviewers.isdigit()):
        raise InvalidInput(f"{text!r} is no tier: write 1000000:1 or 5000000:2:24h")
    return Tier(read_total(up_to), int(reviewers), read_duration(delay) if delay else 0)


@app.command("list")
def list_(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List the programmes."""
    from service.application.programmes import programme_view
    from service.payouts.programmes import list_programmes

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        items = [programme_view(programme) for programme in list_programmes(session)]
    run.rows(
        items,
        {
            "number": "number",
            "code": "code",
            "name": "name",
            "state": "state",
            "region": "region",
            "budget": "budget",
            "payout_cap": "payout cap",
            "active_from": "in force from",
            "paused": "paused",
        },
    )


@app.command("show")
def show(ctx: typer.Context, programme: Programme, *, as_json: Json = False) -> None:
    """Show a programme, with its budget as the vault counts it."""
    from service.application.programmes import (
        find_programme,
        programme_journal,
        programme_on_chain,
        programme_step_view,
    )

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        row = find_programme(session, programme)
        data = programme_step_view(session, row) | {"journal": programme_journal(session, row)}
        number, on_chain = row.id, row.state == "onchain"
    data["chain"] = None
    if on_chain:
        try:
            data["chain"] = programme_on_chain(run.app, number)
        except (ChainUnavailable, ConfigurationError) as error:
            run.note(f"without the chain's own view: {error.detail}")
    run.record(data if run.as_json else _readable(data))


def _readable(data: dict[str, Any]) -> dict[str, Any]:
    tiers = [
        {
            "up_to": tier["up_to"],
            "reviewers": tier["reviewers"],
            "challenge_delay": format_duration(tier["challenge_delay_s"]),
        }
        for tier in data["tiers"]
    ]
    return data | {"region": show_region(data["region"]), "tiers": tiers}


@app.command("pause")
def pause(
    ctx: typer.Context, programme: Programme, *, reason: Reason, as_json: Json = False
) -> None:
    """Stop sending for every batch of a programme, those built later too.

    The service's own brake: the chain knows nothing of it, and anybody may still run an approved
    chunk. To stop the chain, a guardian pauses the vault. What went out before may still be mined,
    and is counted.
    """
    from service.payouts.programmes import pause_programme

    _step(start(ctx, as_json), programme, reason, pause_programme)


@app.command("resume")
def resume(
    ctx: typer.Context, programme: Programme, *, reason: Reason, as_json: Json = False
) -> None:
    """Go on with a paused programme; batches that were paused themselves stay so."""
    from service.payouts.programmes import resume_programme

    _step(start(ctx, as_json), programme, reason, resume_programme)


def _step(run: Run, programme: str, reason: str, step: Callable[..., object]) -> None:
    from service.application.programmes import find_programme, programme_step_view

    clock = run.app.chain_clock
    with run.app.transaction() as session:
        row = find_programme(session, programme)
        step(session, row, actor=run.actor, reason=reason, clock=clock)
        data = programme_step_view(session, row)
    names = ("number", "code", "name", "state", "paused", "pause_reason")
    run.record(data if run.as_json else {name: data[name] for name in names})
    note_in_flight(run, data)


@app.command("cancel")
def cancel(
    ctx: typer.Context,
    programme: Programme,
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Pause a programme and cancel each batch of which something is left, as far as it can be.

    What was not released is cancelled here at once; for what is on chain an action is proposed, a
    batch each, which a quorum of reviewers signs. Giving it again proposes nothing twice.
    """
    from service.application.approvals import action_status_view
    from service.application.programmes import (
        cancel_batches,
        find_programme,
        outcome_view,
        programme_step_view,
    )

    run = start(ctx, as_json)
    until = read_time(deadline, now=run.app.chain_clock.now())
    with run.app.transaction() as session:
        row = find_programme(session, programme)
        outcomes = cancel_batches(
            run.app,
            session,
            row,
            deadline_unix_s=int(until.timestamp()),
            actor=run.actor,
            reason=reason,
        )
        proposed = [outcome.action for outcome in outcomes if outcome.action is not None]
        for action in proposed:
            sign_with(run, session, action, keystore, passphrase_file)
        actions = [action_status_view(run.app, session, action) for action in proposed]
        items = [outcome_view(outcome) for outcome in outcomes]
        data = programme_step_view(session, row)
    actions = wait_for_actions(run, actions, wait)
    columns = {"batch_id": "batch", "outcome": "outcome", "action_id": "action", "message": "why"}
    run.rows(items, columns, data={"programme": data, "batches": items, "actions": actions})
    note_in_flight(run, data)
    end_actions(run, actions, wait)


@app.command("budget")
def budget(
    ctx: typer.Context,
    programme: Programme,
    amount: Annotated[
        str | None, typer.Argument(help="The new budget in all; a higher one waits two days.")
    ] = None,
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="Apply the higher budget whose two days are over.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why, for the journal.")] = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Lower a programme's budget at once, plan a higher one, or apply a planned one."""
    from service.application.programmes import find_programme
    from service.payouts.programmes import request_budget_application, request_budget_change

    run = start(ctx, as_json)
    if (amount is None) != apply:
        raise InvalidInput("give either the new budget or --apply")
    with run.app.transaction() as session:
        row = find_programme(session, programme)
        if apply:
            request = request_budget_application(session, row, actor=run.actor)
        else:
            request = request_budget_change(
                session, row, read_total(amount or ""), actor=run.actor, reason=reason
            )
        request_id = request.id
    show_request(run, request_id, wait)


@app.command("commitment-key")
def commitment_key(
    ctx: typer.Context,
    programme: Programme,
    *,
    out: Annotated[
        Path, typer.Option(help="Where to write the key, mode 0600; nothing may be there.")
    ],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Write the key of a programme's case commitments to a file, for an auditor's check.

    Whoever has it can try every identity number against every case of the programme, for ever: use
    it in a sealed room alone (docs/audit.md, Openings). The journal records who wrote it and why.
    The key itself is never printed.
    """
    from service.application.openings import commitment_key as key_of
    from service.audit.new_file import OWNERS, require_new, write_new

    run = start(ctx, as_json)
    require_new(out)
    keyring = run.app.keyring
    with run.app.transaction() as session:
        number, key = key_of(
            session, keyring, programme, actor=run.actor, reason=reason, reason_field="--reason"
        )
    # After the record is kept: a key that left no file is recorded, never the other way round.
    write_new(out, f"{key.hex()}\n".encode(), mode=OWNERS)
    run.record({"programme": number, "path": str(out)})
    run.warn(
        f"whoever has {out} can try every identity number against every case of programme "
        f"{number}, for ever, and it cannot be changed: keep it on this machine, delete it when "
        "the auditor has checked"
    )
