"""What limits the token: its cap, and who may commit money to payouts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.application.context import Application
from service.application.requests import ask_once
from service.confirmations.models import Event
from service.confirmations.wallets import ZERO_ADDRESS
from service.errors import Conflict, InvalidInput, NotFound
from service.payouts.models import ChainRequest, RequestKind
from service.units import amounts, format_amount, format_unix_s

_MINTER_EVENTS = ("MinterScheduled", "MinterActivated", "MinterRemoved")


# ---- The cap -----------------------------------------------------------------------------------


def cap_view(app: Application) -> dict[str, Any]:
    """Return the cap on supply and commitments, and a higher one that is planned, for JSON.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    contracts, rpc = app.contracts, app.rpc
    block = rpc.block_number()

    def read(function: str) -> Any:
        return contracts.read(rpc, "token", function, block=block)

    pending, applies_from = read("pendingCap")
    cap, supply, committed = read("cap"), read("totalSupply"), read("committed")
    return {
        "block_number": block,
        **amounts(
            cap=cap,
            supply=supply,
            committed=committed,
            left=max(cap - supply - committed, 0),
            pending_cap=pending,
        ),
        "pending_from": format_unix_s(applies_from) if applies_from else None,
    }


def cap_raise(app: Application, cap_base_units: int) -> dict[str, Any]:
    """Return the message of a higher cap, which governors sign.

    Raises
    ------
    InvalidInput
        When it is not higher than the one in force.
    ChainUnavailable
        When the node does not answer.
    """
    in_force = app.contracts.read(app.rpc, "token", "cap")
    if cap_base_units <= in_force:
        raise InvalidInput(f"the cap is {format_amount(in_force)}: a higher one is raised to")
    return {"cap": cap_base_units}


def lower_cap(
    app: Application, session: Session, cap_base_units: int, *, actor: str, reason: str
) -> ChainRequest:
    """Ask for a lower cap at once, sent by the treasurer's keystore where the worker has it.

    Raises
    ------
    InvalidInput
        When it is zero or not lower than the one in force.
    AlreadyExists
        When another lower cap waits to be sent.
    ChainUnavailable
        When the node does not answer.
    """
    in_force = app.contracts.read(app.rpc, "token", "cap")
    if not 0 < cap_base_units < in_force:
        raise InvalidInput(f"the cap is {format_amount(in_force)}: a lower one is above zero")
    return ask_once(
        session,
        RequestKind.LOWER_CAP,
        {"newCap": str(cap_base_units)},
        dedupe_key=RequestKind.LOWER_CAP.value,
        actor=actor,
        reason=reason,
    )


def apply_cap(app: Application, session: Session, *, actor: str) -> ChainRequest:
    """Ask that the planned higher cap come into force.

    Raises
    ------
    Conflict
        When none is planned, or its two days are not over.
    ChainUnavailable
        When the node does not answer.
    """
    _, applies_from = app.contracts.read(app.rpc, "token", "pendingCap")
    _require_due(app, "a higher cap", applies_from)
    key = RequestKind.APPLY_CAP.value
    return ask_once(session, RequestKind.APPLY_CAP, {}, dedupe_key=key, actor=actor)


# ---- Minters -----------------------------------------------------------------------------------


def minters_view(app: Application, session: Session) -> list[dict[str, Any]]:
    """Return each minter that the events read name, as the token has it now, for JSON.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    events = session.scalars(
        select(Event)
        .where(Event.contract == "token", Event.name.in_(_MINTER_EVENTS))
        .order_by(Event.block_number, Event.log_index)
    )
    block = app.rpc.block_number()
    addresses = dict.fromkeys(str(event.args["minter"]) for event in events)
    return [_minter_view(app, address, block) for address in addresses]


def minter_view(app: Application, address: str) -> dict[str, Any]:
    """Return one minter as the token has it now, for JSON.

    Raises
    ------
    NotFound
        When the address is none, nor planned as one.
    ChainUnavailable
        When the node does not answer.
    """
    shown = _minter_view(app, address, app.rpc.block_number())
    if not shown["active"] and shown["cap_base_units"] == "0" and shown["pending_from"] is None:
        raise NotFound(f"{address} is no minter, nor planned as one")
    return shown


def _minter_view(app: Application, address: str, block: int) -> dict[str, Any]:
    known = app.contracts.read(app.rpc, "token", "minter", address, block=block)
    cap, active_from = app.contracts.read(app.rpc, "token", "pendingMinter", address, block=block)
    ours = {contract.address: key for key, contract in app.deployment.contracts.items()}
    return {
        "address": address,
        "contract": ours.get(address),
        "active": known["active"],
        **amounts(
            cap=known["cap"],
            committed=known["committed"],
            minted=known["minted"],
            pending_cap=cap,
        ),
        "pending_from": format_unix_s(active_from) if active_from else None,
    }


def minter_addition(app: Application, address: str, cap_base_units: int) -> dict[str, Any]:
    """Return the message that plans a minter, or a higher cap of one, which governors sign.

    Raises
    ------
    InvalidInput
        When it is the zero address, or the cap is not higher than the minter's.
    Conflict
        When the minter was removed: none comes back.
    ChainUnavailable
        When the node does not answer.
    """
    if address == ZERO_ADDRESS:
        raise InvalidInput("the zero address is no minter")
    known = app.contracts.read(app.rpc, "token", "minter", address)
    if known["cap"] and not known["active"]:
        raise Conflict(f"{address} was a minter and was removed: it never comes back")
    if cap_base_units <= known["cap"]:
        raise InvalidInput(f"the cap of {address} is {format_amount(known['cap'])} already")
    return {"minter": address, "cap": cap_base_units}


def minter_removal(app: Application, address: str) -> dict[str, Any]:
    """Return the message that stops a minter for good, which governors sign.

    Raises
    ------
    NotFound
        As :func:`minter_view`.
    Conflict
        When it was removed before.
    """
    shown = minter_view(app, address)
    if not shown["active"] and shown["pending_from"] is None:
        raise Conflict(f"{address} was removed before")
    return {"minter": address}


def activate_minter(
    app: Application, session: Session, address: str, *, actor: str
) -> ChainRequest:
    """Ask that a planned minter, or its higher cap, come into force.

    Raises
    ------
    NotFound
        As :func:`minter_view`.
    Conflict
        When nothing of it is planned, or its 14 days are not over.
    ChainUnavailable
        When the node does not answer.
    """
    minter_view(app, address)
    _, active_from = app.contracts.read(app.rpc, "token", "pendingMinter", address)
    _require_due(app, f"the minter {address}, or a higher cap of it,", active_from)
    return ask_once(
        session,
        RequestKind.ACTIVATE_MINTER,
        {"account": address},
        dedupe_key=f"{RequestKind.ACTIVATE_MINTER.value}:{address}",
        actor=actor,
    )


def _require_due(app: Application, what: str, due_unix_s: int) -> None:
    if not due_unix_s:
        raise Conflict(f"{what} is not planned")
    if app.chain_clock.now().timestamp() < due_unix_s:
        raise Conflict(f"{what} is due from {format_unix_s(due_unix_s)} on")
