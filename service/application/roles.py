"""Housekeeping roles: who holds them by the chain, and granting them by a quorum of governors."""

from __future__ import annotations

from typing import Any

from eth_abi.abi import decode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from service.application.context import Application
from service.chain.refusals import explain
from service.chain.rpc import RpcError
from service.confirmations.roles import ROLE_NUMBERS
from service.confirmations.wallets import ZERO_ADDRESS
from service.errors import ChainRefused, Conflict, InvalidInput, NotFound

_NAMES = {number: name for name, number in ROLE_NUMBERS.items()}
_SELECTOR_BYTES = 4
_GRANT = keccak(text="grantRole(uint64,address,uint32)")[:_SELECTOR_BYTES]
_REVOKE = keccak(text="revokeRole(uint64,address)")[:_SELECTOR_BYTES]


def role_holders(app: Application) -> dict[int, set[str]]:
    """Return who holds each role, from the manager's events alone.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    manager = app.deployment.manager
    logs: list[dict[str, Any]] = app.rpc.call(
        "eth_getLogs",
        {
            "address": manager,
            "fromBlock": hex(app.deployment.deployment_block),
            "toBlock": "latest",
        },
    )
    holders: dict[int, set[str]] = {}
    for log in logs:
        event = app.contracts.decode_log(log)
        if event is None:
            continue
        if event.name == "RoleGranted":
            holders.setdefault(event.args["roleId"], set()).add(event.args["account"])
        elif event.name == "RoleRevoked":
            holders.setdefault(event.args["roleId"], set()).discard(event.args["account"])
    return holders


def roles_view(app: Application) -> list[dict[str, Any]]:
    """Return the housekeeping roles and who holds each by the chain now, for JSON."""
    holders = role_holders(app)
    return [
        {"role": name, "number": number, "holders": sorted(holders.get(number, ()))}
        for name, number in ROLE_NUMBERS.items()
    ]


def role_change(app: Application, role: str, account: str, *, grant: bool) -> dict[str, Any]:
    """Return the message that grants a role to an account or takes it away; governors sign it.

    Parameters
    ----------
    role
        A name of :data:`ROLE_NUMBERS`.
    account
        EIP-55 address.

    Raises
    ------
    NotFound
        When there is no such role.
    InvalidInput
        When the account is the zero address.
    Conflict
        When the account holds the role already, or does not hold it.
    ChainRefused
        When the manager would refuse.
    ChainUnavailable
        When the node does not answer.
    """
    number = ROLE_NUMBERS.get(role)
    if number is None:
        raise NotFound(f"there is no role {role!r}: {', '.join(ROLE_NUMBERS)}")
    if account == ZERO_ADDRESS:
        raise InvalidInput("the zero address holds no role")
    holds, _ = app.contracts.read(app.rpc, "manager", "hasRole", number, account)
    if holds == grant:
        raise Conflict(f"{account} {'is' if grant else 'is no'} {role} {'already' * grant}".strip())
    function, *more = ("grantRole", 0) if grant else ("revokeRole",)
    data = app.contracts.encode_call("manager", str(function), number, account, *more)
    call = {
        "from": app.deployment.registry,
        "to": app.deployment.manager,
        "data": "0x" + data.hex(),
    }
    try:
        app.rpc.call("eth_call", call, "latest")
    except RpcError as error:
        refusal = app.contracts.refusal(error)
        words = refusal.words if refusal else error.message
        raise ChainRefused(explain(words) or words) from None
    return {"data": "0x" + data.hex()}


def meaning_of_call(data: str) -> str:
    """Return in words what a call of the role manager does.

    Parameters
    ----------
    data
        Calldata, 0x-hex.
    """
    raw = bytes.fromhex(data.removeprefix("0x"))
    selector, arguments = raw[:_SELECTOR_BYTES], raw[_SELECTOR_BYTES:]
    try:
        if selector == _GRANT:
            number, account, delay = decode(["uint64", "address", "uint32"], arguments, strict=True)
            after = f", its calls planned {delay} s ahead" if delay else ""
            return f"make {to_checksum_address(account)} {_role(number)}{after}"
        if selector == _REVOKE:
            number, account = decode(["uint64", "address"], arguments, strict=True)
            return f"{to_checksum_address(account)} is no longer {_role(number)}"
    except ValueError:  # what does not decode is not explained
        pass
    return f"another call of the role manager, 0x{selector.hex()}: let somebody read it first"


def _role(number: int) -> str:
    return _NAMES.get(number, "administrator of all roles" if number == 0 else f"role {number}")
