"""What a replay has rebuilt, as JSON and back, whole: only our own classes are ever made of it.

None, truth values, numbers and texts are themselves. All else is a list that begins with what it
is: ``b`` bytes as hex, ``t`` tuple, ``l`` list, ``s`` set, ``d`` dict (keys and values in turn),
``e`` enum (class, value), ``c`` an object (class, its fields in order), ``r`` an object that came
before, by its place among all objects that can change: what two names shared they share again,
``w`` the balances of all wallets and ``a`` the authorizations, packed, ``p`` postings, ``f`` the
entries of a chunk, as hex.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import chain
from typing import Any

from service.audit.abi import Contract
from service.audit.arithmetic import RollingSum
from service.audit.authorizations import Authorizations
from service.audit.balances import Balances
from service.audit.blocks import Evidence
from service.audit.entry_store import EntryStore, Stored
from service.audit.findings import Code, Finding, Place, Severity
from service.audit.lane_state import Grant, GrantState, Lane
from service.audit.postings import Posting, Postings
from service.audit.powers import Access, Delay, Operation, Powers
from service.audit.state import (
    Batch,
    Chunk,
    Minter,
    Officer,
    Programme,
    Registry,
    Signer,
    State,
    Token,
    Verifier,
)

OBJECTS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(Access, Batch, Chunk, Delay, Evidence, Finding, Grant, Lane, Minter, Officer, Operation),
        *(Place, Posting, Powers, Programme, Registry, RollingSum, Signer, State, Token, Verifier),
    )
}
ENUMS: dict[str, type[Enum]] = {
    kind.__name__: kind for kind in (Code, Contract, GrantState, Severity)
}
PLAIN = (bool, int, str, type(None))
TAGS = (
    (Enum, "e"),
    (bytes, "b"),
    (dict, "d"),
    (tuple, "t"),
    (list, "l"),
    (set, "s"),
    (Balances, "w"),
    (Authorizations, "a"),
    (Postings, "p"),
    (Stored, "f"),
)


class NotOurs(ValueError):
    """What is read is not what :func:`encoded` writes."""


def encoded(value: Any) -> Any:
    """Return a value as JSON has it.

    Raises
    ------
    TypeError
        When it holds an object of a class that is not kept.
    """
    return _Encoder().encode(value)


def decoded(value: Any) -> Any:
    """Return what :func:`encoded` was given.

    Raises
    ------
    NotOurs
        When it cannot have come from there.
    """
    try:
        return _Decoder().decode(value)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise NotOurs(f"{error!r}") from error


class _Encoder:
    def __init__(self) -> None:
        self._places: dict[int, int] = {}

    def encode(self, value: Any) -> Any:
        if isinstance(value, PLAIN) and not isinstance(value, Enum):
            return value
        for kind, tag in TAGS:
            if isinstance(value, kind):
                return [tag, *self._members(value)]
        return self._object(value)

    def _members(self, value: Any) -> Iterable[Any]:
        if isinstance(value, Enum):
            name = type(value).__name__
            if ENUMS.get(name) is not type(value):
                raise TypeError(f"{name} is not kept")
            return name, value.value
        if isinstance(value, bytes | Stored):
            return (bytes(value).hex(),)
        if isinstance(value, Balances):
            return b"".join(value.packed(empty=True)).hex(), value.checked
        if isinstance(value, Authorizations):
            return b"".join(value.packed()).hex(), value.checked
        if isinstance(value, dict):
            value = chain.from_iterable(value.items())
        elif isinstance(value, set):
            value = sorted(value)
        return map(self.encode, value)

    def _object(self, value: Any) -> Any:
        kind = type(value)
        if not is_dataclass(value) or OBJECTS.get(kind.__name__) is not kind:
            raise TypeError(f"{kind.__name__} is not kept")
        place = self._places.get(id(value))
        if place is not None:
            return ["r", place]
        members = [self.encode(getattr(value, each.name)) for each in fields(value)]
        if not kind.__dataclass_params__.frozen:
            self._places[id(value)] = len(self._places)
        return ["c", kind.__name__, *members]


NAMED: dict[str, Callable[..., Any]] = {
    "b": bytes.fromhex,
    "e": lambda name, value: ENUMS[name](value),
    "a": lambda packed, checked: Authorizations.kept(bytes.fromhex(packed), checked),
    "w": lambda packed, checked: Balances(bytes.fromhex(packed), checked=checked),
}
MADE: dict[str, Callable[[list[Any]], Any]] = {
    "d": lambda parts: dict(zip(parts[::2], parts[1::2], strict=True)),
    "t": tuple,
    "l": list,
    "s": set,
    "p": Postings.of,
}


class _Decoder:
    def __init__(self) -> None:
        self._made: list[Any] = []
        self._entries = EntryStore()

    def decode(self, value: Any) -> Any:
        if isinstance(value, PLAIN):
            return value
        tag, *members = value
        if tag == "c":
            return self._object(*members)
        if tag == "f":
            return self._entries.keep(bytes.fromhex(*members))
        if tag in NAMED:
            return NAMED[tag](*members)
        if tag == "r":
            return self._made[members[0]]
        return MADE[tag]([self.decode(member) for member in members])

    def _object(self, name: str, *members: Any) -> Any:
        kind = OBJECTS[name]
        values = [self.decode(member) for member in members]
        named = dict(zip((each.name for each in fields(kind)), values, strict=True))
        made = kind(**named)
        if not kind.__dataclass_params__.frozen:
            self._made.append(made)
        return made
