"""What a transaction did: the events it emitted, or the typed error that refused it."""

from typing import Any

from brownie import reverts
from eth_abi import encode
from eth_utils import keccak

ZERO_ADDRESS = "0x" + "00" * 20


def refused(error: str, *arguments: Any) -> Any:
    """Expect the transaction inside to revert with exactly this typed error and these arguments."""
    return reverts(f"{error}: {', '.join(_as_brownie_shows(value) for value in arguments)}")


def refused_as(error: str) -> Any:
    """Expect this typed error with whatever arguments, where they follow from a random recovery."""
    return reverts(revert_pattern=f"{error}: .*")


def unauthorized(caller: Any) -> Any:
    """Expect the access manager's refusal of a caller without the role."""
    return refused("AccessManagedUnauthorized", caller)


def encoded_error(signature: str, *arguments: Any) -> bytes:
    """A typed error as revert data, for a contract that wraps another one's."""
    types = signature[signature.index("(") + 1 : -1].split(",")
    return keccak(text=signature)[:4] + encode(types, arguments)


def _as_brownie_shows(value: Any) -> str:
    address = getattr(value, "address", value)
    return address.lower() if isinstance(address, str) else str(address)


def emitted(transaction: Any, name: str) -> list[dict[str, Any]]:
    """All events of that name, in order, each with every member as plain Python values."""
    if name not in transaction.events:
        return []
    return [
        {member: _plain(value) for member, value in event.items()}
        for event in transaction.events[name]
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (tuple, list)):
        return tuple(_plain(item) for item in value)
    return value
