"""In words: calls of the role manager (OpenZeppelin's AccessManager), decoded from their bytes.

Only a call that decodes to the last bit is put in words: no argument shortened, no byte left over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_hash.auto import keccak

from service.audit.decode import address_text, hex_text
from service.units import format_duration

SELECTOR_BYTES = 4
WORD = 32
EVERYBODY = 2**64 - 1
"""``PUBLIC_ROLE`` of AccessManager: every account has it."""

ROLES = {
    0: "administrator of all roles, who may change every other",
    1: "guardian, who pauses",
    2: "freezer, who freezes and unfreezes wallets",
    3: "attestor, who says what the reserve holds",
    4: "treasurer, who lowers caps and limits",
    5: "programme manager, who makes programmes and plans budgets",
    EVERYBODY: "everybody",
}
"""Housekeeping roles by number (docs/contracts.md)."""


def meaning_of(call: bytes) -> str | None:
    """Return in words what a call of the role manager does, or None where nobody can tell.

    Parameters
    ----------
    call
        Calldata: selector and arguments.
    """
    known = CALLS.get(call[:SELECTOR_BYTES])
    if known is None:
        return None
    kinds, say = known
    arguments = _decoded(kinds, call[SELECTOR_BYTES:])
    return None if arguments is None else say(*arguments)


def _decoded(kinds: list[str], data: bytes) -> list[Any] | None:
    """Decode arguments; None unless every byte is as an encoder writes it."""
    head = len(kinds) * WORD
    tail = head
    values: list[Any] = []
    for position, kind in enumerate(kinds):
        given = data[position * WORD : (position + 1) * WORD]
        if len(given) != WORD:
            return None
        if kind == "bytes4[]":
            if int.from_bytes(given, "big") != tail:
                return None
            selectors, tail = _selectors(data, tail)
            if selectors is None:
                return None
            values.append(selectors)
            continue
        value = int.from_bytes(given, "big")
        if value >> _bits(kind):
            return None
        values.append(given[12:] if kind == "address" else value)
    return values if len(data) == tail else None


def _selectors(data: bytes, at: int) -> tuple[list[bytes] | None, int]:
    count = int.from_bytes(data[at : at + WORD], "big")
    end = at + WORD * (1 + count)
    if len(data) < end:
        return None, at
    words = [data[start : start + WORD] for start in range(at + WORD, end, WORD)]
    if any(any(word[SELECTOR_BYTES:]) for word in words):
        return None, at
    return [word[:SELECTOR_BYTES] for word in words], end


def _bits(kind: str) -> int:
    return {"address": 160, "bool": 1}.get(kind) or int(kind.removeprefix("uint"))


def _role(number: int) -> str:
    return ROLES.get(number, f"role {number}, which has no name here")


def _grant(role: int, account: bytes, delay: int) -> str:
    after = f"; what it does it must plan {format_duration(delay)} ahead" if delay else ""
    return f"makes {address_text(account)} {_role(role)}{after}"


def _set_function_role(target: bytes, selectors: list[bytes], role: int) -> str:
    names = ", ".join(hex_text(selector) for selector in selectors) or "none"
    return f"lets {_role(role)} call the functions {names} of {address_text(target)}"


def _set_closed(target: bytes, closed: int) -> str:
    does = "stops" if closed else "allows again"
    return f"{does} every housekeeping call of {address_text(target)}, by whoever"


SIGNATURES: dict[str, Callable[..., str]] = {
    "grantRole(uint64,address,uint32)": _grant,
    "revokeRole(uint64,address)": lambda role, account: (
        f"{address_text(account)} is no longer {_role(role)}"
    ),
    "setRoleAdmin(uint64,uint64)": lambda role, admin: (
        f"who is {_role(admin)} decides from now on who is {_role(role)}"
    ),
    "setRoleGuardian(uint64,uint64)": lambda role, guardian: (
        f"who is {_role(guardian)} may cancel what {_role(role)} planned"
    ),
    "setGrantDelay(uint64,uint32)": lambda role, delay: (
        f"whoever is made {_role(role)} is so only after {format_duration(delay)}"
    ),
    "setTargetAdminDelay(address,uint32)": lambda target, delay: (
        f"changes of who may call {address_text(target)} must be planned "
        f"{format_duration(delay)} ahead"
    ),
    "setTargetFunctionRole(address,bytes4[],uint64)": _set_function_role,
    "setTargetClosed(address,bool)": _set_closed,
    "updateAuthority(address,address)": lambda target, authority: (
        f"hands {address_text(target)} over to {address_text(authority)}, which decides from now "
        "on who may call it"
    ),
}

CALLS = {
    keccak(signature.encode())[:SELECTOR_BYTES]: (
        signature[signature.index("(") + 1 : -1].split(","),
        say,
    )
    for signature, say in SIGNATURES.items()
}
"""Selector → types of the arguments, and how to say it."""
