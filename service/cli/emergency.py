"""``relief emergency``: grants paid on one officer's signature, and the limits they have."""

from __future__ import annotations

import time
from collections.abc import Mapping
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
    show_once_done,
    wait_for_actions,
)
from service.cli.keys import PassphraseFile
from service.cli.run import Cursor, Json, Limit, Run, start
from service.cli.values import (
    read_address,
    read_duration,
    read_region,
    read_time,
    read_total,
    show_region,
)
from service.cli.waiting import POLL_S, Wait, end_open, end_open_requests, refuse_failed, settled
from service.cli.waiting import show_request as show_asked
from service.errors import ChainRefused, InvalidInput
from service.units import format_duration

app = typer.Typer(
    no_args_is_help=True,
    help="Emergency grants: grant, list, show, countersign, write off; the lane's limits.",
)

GrantId = Annotated[
    str, typer.Argument(metavar="GRANT", help="Its id, or the beginning of it: 0x and 4+ digits.")
]
Region = Annotated[str, typer.Argument(help="GB/T 2260 code of a province, city or county.")]
Keystore = Annotated[
    str | None, typer.Option("--keystore", "-k", help="Sign with this officer's keystore here.")
]
Amount = Annotated[str | None, typer.Option(help="New limit, such as 1000 or 1234.50.")]
Apply = Annotated[
    bool, typer.Option("--apply", help="Apply the higher ones planned, two days later.")
]


@app.command("grant")
def grant(
    ctx: typer.Context,
    *,
    case: Annotated[
        str | None, typer.Option(help="Reference or id of an approved case that is in no batch.")
    ] = None,
    payee: Annotated[
        str | None, typer.Option(help="Without a case: EIP-55 address that is paid.")
    ] = None,
    amount: Annotated[str | None, typer.Option(help="Without a case: how much.")] = None,
    region: Annotated[str | None, typer.Option(help="Without a case: GB/T 2260 code.")] = None,
    reason: Reason,
    officer: Annotated[
        int | None,
        typer.Option(min=1, help="Number of the officer who grants; default: the keystore's."),
    ] = None,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
    valid_until: Annotated[
        str, typer.Option(help="The contract refuses it afterwards (ISO 8601, or from now: +1d).")
    ] = "+1d",
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Grant relief at once on one emergency officer's signature; a reviewer countersigns later.

    With --case the case is paid its amount and is in no batch any more. Without one, give --payee,
    --amount and --region; the reason is what the grant commits to. Without --keystore it waits for
    its officer: relief action typed-data, sign.
    """
    from service.application.approvals import sign_action
    from service.application.emergency import grant as propose
    from service.application.emergency import grant_terms, grant_view, officer_of

    run = start(ctx, as_json)
    if keystore is None and officer is None:
        raise InvalidInput("say which --officer is to sign, or give a --keystore")
    signer = run.app.signer(keystore, passphrase_file=passphrase_file) if keystore else None
    clock = run.app.chain_clock
    with run.app.transaction() as session:
        terms = grant_terms(
            session,
            case=case,
            payee=None if payee is None else read_address(payee),
            amount_base_units=None if amount is None else read_total(amount),
            region=None if region is None else read_region(region),
            reason=reason,
        )
        row = propose(
            run.app,
            session,
            terms,
            officer_id=officer or officer_of(session, signer.address if signer else ""),
            valid_until=read_time(valid_until, now=clock.now()),
            actor=run.actor,
            reason=reason,
        )
        if signer is not None:
            sign_action(run.app, session, row.id, signer, actor=run.actor)
        data = grant_view(session, row, clock=clock)
    data = _wait_for_grant(run, data, wait)
    _show(run, data)
    if data["state"] == "expired":
        raise ChainRefused(data["last_error"] or f"grant {data['id']} expired")
    if data["state"] == "proposed":
        if data["signed"] and not wait:
            run.note("signed; `relief worker run` sends it")
        why = f": {data['last_error']}" if data["last_error"] else ""
        still = [f"grant {data['id'][:12]} is not on chain{why}"]
        end_open(run, still, wait, hint="once signed, `relief worker run` sends it")


def _wait_for_grant(run: Run, data: dict[str, Any], wait_s: float) -> dict[str, Any]:
    from service.application.emergency import grant_view
    from service.approvals.grants import get_grant

    end = time.monotonic() + wait_s
    while data["state"] == "proposed" and time.monotonic() < end:
        time.sleep(POLL_S)
        clock = run.app.chain_clock
        with run.app.transaction() as session:
            row = get_grant(session, data["id"])
            data = grant_view(session, row, clock=clock)
    return data


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    state: Annotated[
        str | None,
        typer.Option(
            help="Only proposed, outstanding, overdue, countersigned, written_off or expired ones."
        ),
    ] = None,
    officer: Annotated[int | None, typer.Option(help="Only grants of this officer.")] = None,
    region: Annotated[
        str | None, typer.Option(help="Only grants of this region and those inside it.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List emergency grants, with until when each must be countersigned."""
    from service.application.emergency import grant_view
    from service.approvals.grants import list_grants

    run = start(ctx, as_json)
    clock = run.app.chain_clock
    with run.app.transaction() as session:
        page = list_grants(
            session,
            state=state,
            officer_id=officer,
            region=read_region(region) if region else None,
            limit=limit,
            cursor=cursor,
            clock=clock,
        )
        items = [grant_view(session, row, clock=clock) for row in page.items]
    columns = {
        "id": "grant",
        "state": "state",
        "amount": "amount",
        "region": "region",
        "officer_id": "officer",
        "payee": "payee",
        "overdue_from": "overdue from",
    }
    run.page(items, columns, page.next_cursor)


@app.command("show")
def show(ctx: typer.Context, grant: GrantId, *, as_json: Json = False) -> None:
    """Show a grant: where it stands, until when it must be countersigned, and by whom."""
    from service.application.emergency import find_grant, grant_view

    run = start(ctx, as_json)
    clock = run.app.chain_clock
    with run.app.transaction() as session:
        row = find_grant(session, grant)
        data = grant_view(session, row, clock=clock)
    _show(run, data)


def _show(run: Run, data: dict[str, Any]) -> None:
    if run.as_json:
        run.json(data)
        return
    shown = {**data, "region": show_region(data["region"])}
    waiting, cases = shown.pop("may_countersign"), shown.pop("waiting_cases")
    for name in ("commitment_salt", "case_id"):
        del shown[name]
    if data["state"] in ("outstanding", "overdue"):
        shown["may be countersigned by officers"] = ", ".join(map(str, waiting)) or "nobody"
    run.record(shown)
    if cases:
        run.note(f"a batch may still pay this wallet, for {', '.join(cases)}: the same need?")
    if data["state"] == "proposed" and not data["signed"]:
        run.note(f"to sign it: relief action typed-data {data['id'][:12]}, then relief action sign")


@app.command("countersign")
def countersign(
    ctx: typer.Context,
    grant: GrantId,
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Countersign a grant: a reviewer of its region, another person than who granted.

    Without --keystore it waits for a reviewer: relief action typed-data, sign.
    """
    from service.application.emergency import countersignature_message
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    _end(
        run,
        grant,
        ActionKind.GRANT_COUNTERSIGNATURE,
        countersignature_message,
        deadline=deadline,
        reason=reason,
        keystores=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


@app.command("write-off")
def write_off(
    ctx: typer.Context,
    grant: GrantId,
    *,
    reason: Reason,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Write a grant off that nobody will countersign, by a quorum of governors; it stays paid."""
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    _end(
        run,
        grant,
        ActionKind.GRANT_WRITE_OFF,
        lambda row: {"grantId": row.id},
        deadline=deadline,
        reason=reason,
        keystores=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


def _end(run: Run, grant: str, kind: Any, message: Any, *, wait_s: float, **how: Any) -> None:
    from service.application.emergency import find_grant

    with run.app.transaction() as session:
        row = find_grant(session, grant)
        action = propose_and_sign(run, session, kind, message(row), **how)
    show_once_done(run, action, wait_s)


# ---- Limits ------------------------------------------------------------------------------------


@app.command("limits")
def limits(
    ctx: typer.Context,
    *,
    region: Annotated[
        str | None, typer.Option(help="Also what this region and those above it have left.")
    ] = None,
    officer: Annotated[
        int | None, typer.Option(min=1, help="Also what this officer has left.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the emergency lane's limits, by the chain, and what is left of each now."""
    from service.application.lane import lane_view

    run = start(ctx, as_json)
    data = lane_view(run.app, region=read_region(region) if region else None, officer_id=officer)
    run.record(data if run.as_json else _readable(data))


def _readable(data: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(data)
    for name in ("limits", "planned_limits"):
        if shown[name] is not None:
            shown[name] = dict(shown[name])
            window = shown[name].pop("countersign_window_s")
            shown[name]["countersign_within"] = format_duration(window)
    shown["regions"] = [
        {
            **item,
            "region": show_region(item["region"]),
            "planned_cap": (item["planned"] or {}).get("cap"),
            "from": (item["planned"] or {}).get("applies_from"),
        }
        for item in data["regions"]
    ]
    return shown


@app.command("change-limits")
def change_limits(
    ctx: typer.Context,
    *,
    per_grant: Amount = None,
    per_officer: Amount = None,
    outstanding: Amount = None,
    countersign_within: Annotated[
        str | None, typer.Option(help="Time for countersigning, 1d to 14d.")
    ] = None,
    per_county: Amount = None,
    per_city: Amount = None,
    per_province: Amount = None,
    country: Amount = None,
    county_overdue: Amount = None,
    city_overdue: Amount = None,
    province_overdue: Amount = None,
    apply: Apply = False,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for the journal.")] = None,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Lower the lane's limits at once, plan higher ones, or apply those planned.

    Lower ones alone are sent by the treasurer's keystore where the worker has it, and drop what was
    planned. As soon as one is higher a quorum of governors signs all of it, and two days later
    anybody applies it.
    """
    from service.application.emergency import (
        ask_to_apply_limits,
        ask_to_lower_limits,
        changed_limits,
    )
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    given = {
        "perGrant": per_grant,
        "perOfficer": per_officer,
        "outstanding": outstanding,
        "perCounty": per_county,
        "perCity": per_city,
        "perProvince": per_province,
        "country": country,
        "countyOverdue": county_overdue,
        "cityOverdue": city_overdue,
        "provinceOverdue": province_overdue,
    }
    changes = {name: read_total(text) for name, text in given.items() if text is not None}
    if countersign_within is not None:
        changes["countersignWindow"] = read_duration(countersign_within)
    if bool(changes) == apply:
        raise InvalidInput("give either a limit to change or --apply")
    if apply:
        with run.app.transaction() as session:
            request_id = ask_to_apply_limits(run.app, session, actor=run.actor).id
        show_asked(run, request_id, wait)
        return
    message, raising = changed_limits(run.app, changes)
    _change(
        run,
        ActionKind.LIMITS_RAISE if raising else None,
        message,
        lambda session: ask_to_lower_limits(session, message, actor=run.actor, reason=reason or ""),
        deadline=deadline,
        reason=reason or "",
        keystores=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


@app.command("region-cap")
def region_cap(
    ctx: typer.Context,
    region: Region,
    cap: Annotated[
        str | None, typer.Argument(help="Its own cap, such as 50000; a higher one waits two days.")
    ] = None,
    *,
    apply: Apply = False,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for the journal.")] = None,
    deadline: Deadline = DEFAULT_DEADLINE,
    keystore: Keystores = None,
    passphrase_file: PassphraseFile = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Give one region a cap of its own: a lower one at once, a higher one by governors.

    It stands in the place of its level's cap, and never lifts the caps of the regions above it.
    """
    from service.application.emergency import (
        ask_to_apply_region_cap,
        ask_to_lower_region_cap,
        raises_region_cap,
        region_cap_message,
    )
    from service.approvals.models import ActionKind

    run = start(ctx, as_json)
    if (cap is None) != apply:
        raise InvalidInput("give either the new cap or --apply")
    place = read_region(region)
    if apply:
        with run.app.transaction() as session:
            request_id = ask_to_apply_region_cap(run.app, session, place, actor=run.actor).id
        show_asked(run, request_id, wait)
        return
    amount = read_total(cap or "")
    raising = raises_region_cap(run.app, place, amount)
    _change(
        run,
        ActionKind.REGION_CAP_RAISE if raising else None,
        region_cap_message(place, amount),
        lambda session: ask_to_lower_region_cap(
            session, place, amount, actor=run.actor, reason=reason or ""
        ),
        deadline=deadline,
        reason=reason or "",
        keystores=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
    )


def _change(
    run: Run, kind: Any, message: Mapping[str, Any], ask: Any, *, wait_s: float, **how: Any
) -> None:
    """Propose what governors sign, or ask for what the treasurer sends, and show which it was."""
    from service.application.requests import request_view

    action = request = None
    with run.app.transaction() as session:
        if kind is not None:
            action = propose_and_sign(run, session, kind, message, **how)
        else:
            request = request_view(ask(session))
    if action is not None:
        (action,) = wait_for_actions(run, [action], wait_s)
    if request is not None:
        (request,) = settled(run, [request["id"]], wait_s)
        refuse_failed(request)
    if run.as_json:
        run.json({"action": action, "request": request})
    elif action is not None:
        show_action(run, action)
    elif request is not None:
        run.record(request)
    if action is not None:
        end_actions(run, [action], wait_s)
    if request is not None:
        end_open_requests(run, [request], wait_s)
