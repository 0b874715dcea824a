"""What is paused, and the vault's sunset: by the chain, and what officers sign to change it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.application.context import Application
from service.application.role_calls import SentCall, role_holder_keystore, send_role_call
from service.approvals.models import ActionKind
from service.confirmations.models import Event
from service.errors import Conflict, InvalidInput
from service.payouts import journal
from service.units import format_unix_s

VAULT_OPERATIONS = {"approvals": 1, "execution": 2, "withdrawals": 4}
"""Bits of ``AllowanceVault.pausedOperations``."""

TRANSFERS = "transfers"
"""What the token pauses: transfers between wallets, and redeeming."""

GRANTS = "grants"
"""What the emergency lane pauses: granting; countersigning goes on."""

OPERATIONS = (*VAULT_OPERATIONS, TRANSFERS, GRANTS)


def pauses_view(app: Application, session: Session) -> dict[str, Any]:
    """Return what is paused by the chain now, and whether the vault is in its sunset, for JSON.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    contracts, rpc = app.contracts, app.rpc
    block = rpc.block_number()
    bits = contracts.read(rpc, "vault", "pausedOperations", block=block)
    withdrawals = bool(bits & VAULT_OPERATIONS["withdrawals"])
    return {
        "block_number": block,
        **{name: bool(bits & bit) for name, bit in VAULT_OPERATIONS.items()},
        "withdrawals_until": _withdrawals_until(session) if withdrawals else None,
        TRANSFERS: contracts.read(rpc, "token", "transfersPaused", block=block),
        GRANTS: contracts.read(rpc, "lane", "paused", block=block),
        "sunset": contracts.read(rpc, "vault", "inSunset", block=block),
    }


def _withdrawals_until(session: Session) -> str | None:
    """When the newest pause of withdrawals ends by itself, by the events read."""
    paused = session.scalars(
        select(Event)
        .where(Event.contract == "vault", Event.name == "Paused")
        .order_by(Event.block_number.desc(), Event.log_index.desc())
    )
    until = next((event.args["until"] for event in paused if event.args["until"]), None)
    return format_unix_s(int(until)) if until else None


def read_operations(names: Sequence[str]) -> int:
    """Return the vault's bits of the operations named.

    Raises
    ------
    InvalidInput
        When a name is none, or none is given.
    """
    unknown = sorted(set(names) - set(OPERATIONS))
    if unknown or not names:
        wrong = ", ".join(repr(name) for name in unknown) or "nothing"
        raise InvalidInput(f"{wrong} can be paused: name some of {', '.join(OPERATIONS)}")
    return sum(bit for name, bit in VAULT_OPERATIONS.items() if name in names)


def pause(
    app: Application,
    names: Sequence[str],
    *,
    keystore: str | None,
    passphrase_file: Path | None,
    actor: str,
    reason: str,
    wait_s: float = 0,
) -> list[tuple[tuple[str, ...], SentCall]]:
    """Pause operations with a guardian's keystore here: one transaction a contract, and why.

    Parameters
    ----------
    keystore
        Its name; None takes the one here that holds the role.
    wait_s
        Seconds to wait for each receipt at most.

    Returns
    -------
    list
        The operations of each transaction, and the transaction.

    Raises
    ------
    InvalidInput
        As :func:`read_operations`, or when there is no reason.
    PermissionDenied
        When no keystore here is a guardian's.
    ChainRefused
        When the contract refuses: withdrawals rest after a pause.
    ChainUnavailable
        When the node does not answer.
    """
    why = journal.required_reason(reason)
    bits = read_operations(names)
    signer = app.signer(
        keystore or role_holder_keystore(app, "guardian"), passphrase_file=passphrase_file
    )
    sent: list[tuple[tuple[str, ...], SentCall]] = []
    if bits:
        operations = tuple(name for name, bit in VAULT_OPERATIONS.items() if bits & bit)
        call = send_role_call(app, signer, "vault", "pause", bits, wait_s=wait_s)
        _record(app, call, operations, actor, why)
        sent.append((operations, call))
    for name, contract, function in _PAUSED_WHOLE:
        if name in names:
            call = send_role_call(app, signer, contract, function, wait_s=wait_s)
            _record(app, call, (name,), actor, why)
            sent.append(((name,), call))
    return sent


_PAUSED_WHOLE = ((TRANSFERS, "token", "pauseTransfers"), (GRANTS, "lane", "pause"))


def _record(
    app: Application, call: SentCall, operations: Sequence[str], actor: str, reason: str
) -> None:
    now = app.chain_clock.now()
    with app.transaction() as session:
        journal.record(
            session,
            at=now,
            actor=actor,
            action="pause",
            object_type="contracts",
            object_id=",".join(operations),
            reason=f"{reason} (transaction {call.tx_hash})",
        )


def lifting(
    app: Application, session: Session, names: Sequence[str]
) -> list[tuple[ActionKind, dict[str, Any]]]:
    """Return the actions, with their messages, that lift the pauses named: one a contract.

    Raises
    ------
    InvalidInput
        As :func:`read_operations`.
    Conflict
        When something named is not paused.
    ChainUnavailable
        When the node does not answer.
    """
    bits = read_operations(names)
    paused = pauses_view(app, session)
    idle = [name for name in OPERATIONS if name in names and not paused[name]]
    if idle:
        raise Conflict(f"not paused: {', '.join(idle)}")
    actions: list[tuple[ActionKind, dict[str, Any]]] = []
    if bits:
        actions.append((ActionKind.VAULT_UNPAUSE, {"operations": bits}))
    if TRANSFERS in names:
        actions.append((ActionKind.TOKEN_UNPAUSE, {}))
    if GRANTS in names:
        actions.append((ActionKind.GRANTS_UNPAUSE, {}))
    return actions


def refuse_second_sunset(app: Application) -> None:
    """Refuse to propose a sunset that has begun.

    Raises
    ------
    Conflict
        When it has.
    ChainUnavailable
        When the node does not answer.
    """
    if app.contracts.read(app.rpc, "vault", "inSunset"):
        raise Conflict("the vault is in its sunset already")
