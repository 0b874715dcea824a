"""Typed data as the service hands it out, read without trusting a word of it.

EIP-712 lets a document bring its own types: one whose types differ from the contracts' is shown by
a wallet as asked, and signs something else, or nothing. So every member of the types, the domain
and the message is compared with what the contracts take, and a spelling that two wallets could read
differently (a member twice, a number that JavaScript rounds) is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NoReturn

import orjson

from service.audit.abi import Contract
from service.audit.arithmetic import ADDRESS_BYTES
from service.audit.decode import address_text
from service.audit.signatures import (
    DOMAIN_NAMES,
    DOMAIN_VERSION,
    TYPES_OF,
    Domain,
    domain,
    members_of,
)
from service.errors import InvalidInput

DOMAIN = "EIP712Domain"
DOMAIN_MEMBERS = [
    ("string", "name"),
    ("string", "version"),
    ("uint256", "chainId"),
    ("address", "verifyingContract"),
]
DOCUMENT = ("types", "primaryType", "domain", "message")

EXACT_IN_JAVASCRIPT = 2**53 - 1
"""Largest integer that every reader of JSON numbers keeps as it is (RFC 8259, 6)."""

WORD_BITS = 256

LONGEST_SHOWN = 300
"""Characters of a document's own text that are repeated."""

NUMBER = re.compile(r"0|[1-9][0-9]*")
HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")

Value = int | bytes


class MalformedTypedData(InvalidInput):
    """No typed data, or a value in it that does not fit its type; says where."""

    title = "Not the typed data of anything"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as the contracts, the list or the chain have it.

    Attributes
    ----------
    where
        Member of the document, or what was compared.
    expected, found
        In words.
    """

    where: str
    expected: str
    found: str

    def as_dict(self) -> dict[str, str]:
        """Return it for JSON."""
        return {"where": self.where, "expected": self.expected, "found": self.found}


@dataclass(frozen=True, slots=True)
class TypedData:
    """A document whose types are exactly a contract's.

    Attributes
    ----------
    contract
        Whose type it is.
    verifying_contract
        Address of that contract, as the document says.
    values
        Members of the message: numbers, bytes and addresses (20 bytes).
    """

    contract: Contract
    primary_type: str
    chain_id: int
    verifying_contract: bytes
    values: dict[str, Value]

    @property
    def domain(self) -> Domain:
        """The domain that is signed for."""
        return domain(self.contract, self.chain_id, self.verifying_contract)

    @property
    def digest(self) -> bytes:
        """What is signed: keccak256(0x1901 ‖ domain separator ‖ struct hash), 32 bytes."""
        return self.domain.digest_of(self.primary_type, self.values)

    def number(self, name: str) -> int:
        """Return a member that is a number."""
        value = self.values[name]
        assert isinstance(value, int)  # the types were compared
        return value

    def bytes_of(self, name: str) -> bytes:
        """Return a member that is bytes or an address."""
        value = self.values[name]
        assert isinstance(value, bytes)  # the types were compared
        return value


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: typed data of a contract, or why it is none.

    Attributes
    ----------
    data
        None where the types are not a contract's: then there is no digest worth a word.
    """

    data: TypedData | None
    differences: list[Difference]


def read_typed_data(text: bytes) -> Reading:
    """Read typed data and compare types, domain and members with the contracts'.

    Raises
    ------
    MalformedTypedData
        When the text is no EIP-712 document, has a member twice, or a value does not fit its type.
    """
    document = _parsed(text)
    differences = [
        Difference(name, "no such member of a document", "one")
        for name in _more(document, DOCUMENT)
    ]
    missing = [name for name in DOCUMENT if name not in document]
    if missing:
        raise MalformedTypedData(f"a document without {', '.join(missing)}")
    types, domain_given = _object(document, "types"), _object(document, "domain")
    message, primary_type = _object(document, "message"), document["primaryType"]
    if not isinstance(primary_type, str):
        raise MalformedTypedData("primaryType is no text")
    contract = next((c for c, names in TYPES_OF.items() if primary_type in names), None)
    if contract is None:
        known = "a type that officers sign"
        return Reading(
            None, [*differences, Difference("primaryType", known, printable(primary_type))]
        )
    differences += _type_differences(types, primary_type)
    differences += _domain_differences(domain_given, contract)
    names = [name for _, name in members_of(primary_type)]
    differences += _member_differences("message", message, names)
    if differences:
        return Reading(None, differences)
    chain_id = _number("domain.chainId", WORD_BITS, domain_given["chainId"])
    if not chain_id:
        raise MalformedTypedData("domain.chainId is 0: no chain")
    address = _raw("domain.verifyingContract", "address", domain_given["verifyingContract"])
    values = {
        name: _value(f"message.{name}", kind, message[name])
        for kind, name in members_of(primary_type)
    }
    data = TypedData(contract, primary_type, chain_id, address, values)
    return Reading(data, [])


def printable(text: str) -> str:
    """Return a document's own text so that it cannot move the cursor, or hide what stands behind.

    Escaped is what does not print (controls, directions of writing); what is long is cut.
    """
    shown = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in shown
    )


# ---- JSON ----------------------------------------------------------------------------------------


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        orjson.dumps(orjson.loads(text))  # bounds the depth, which json does not everywhere
        document = json.loads(
            text,
            object_pairs_hook=_once,
            parse_float=_no_fraction,
            parse_constant=_no_fraction,
        )
    except (ValueError, orjson.JSONEncodeError) as error:
        raise MalformedTypedData(f"not JSON, or too deep: {error}") from None
    if not isinstance(document, dict):
        raise MalformedTypedData("not a JSON object")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise MalformedTypedData(
            f"{printable(', '.join(twice))} twice: wallets differ in which one they take"
        )
    return read


def _no_fraction(text: str) -> NoReturn:
    raise MalformedTypedData(f"{printable(text)} is no whole number")


def _object(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = document[name]
    if not isinstance(value, dict):
        raise MalformedTypedData(f"{name} is no JSON object")
    return value


def _more(given: Mapping[str, Any], known: tuple[str, ...] | list[str]) -> list[str]:
    return [name for name in given if name not in known]


# ---- against the contracts -----------------------------------------------------------------------


def _type_differences(types: Mapping[str, Any], primary_type: str) -> list[Difference]:
    expected = {DOMAIN: DOMAIN_MEMBERS, primary_type: members_of(primary_type)}
    differences = [
        Difference(f"types.{printable(name)}", "no such type", "one")
        for name in _more(types, [*expected])
    ]
    for name, members in expected.items():
        if name not in types:
            differences.append(Difference(f"types.{name}", _spelled(members), "missing"))
            continue
        given = _members(types[name], f"types.{name}")
        pairs = zip_longest(members, given)
        position = next((i for i, (one, other) in enumerate(pairs) if one != other), None)
        if position is not None:
            differences.append(
                Difference(
                    f"types.{name}[{position}]",
                    _spelled(members[position : position + 1]) or "no more members",
                    _spelled(given[position : position + 1]) or "no more members",
                )
            )
    return differences


def _members(given: Any, where: str) -> list[tuple[str, str]]:
    if not isinstance(given, list):
        raise MalformedTypedData(f"{where} is no list of members")
    members = []
    for position, member in enumerate(given):
        if not isinstance(member, dict) or set(member) != {"name", "type"}:
            raise MalformedTypedData(f"{where}[{position}] is no name and type")
        members.append((str(member["type"]), str(member["name"])))
    return members


def _spelled(members: list[tuple[str, str]]) -> str:
    return printable(", ".join(f"{kind} {name}" for kind, name in members))


def _domain_differences(given: Mapping[str, Any], contract: Contract) -> list[Difference]:
    names = [name for _, name in DOMAIN_MEMBERS]
    differences = _member_differences("domain", given, names)
    for name, expected in (("name", DOMAIN_NAMES[contract]), ("version", DOMAIN_VERSION)):
        if name in given and given[name] != expected:
            found = given[name] if isinstance(given[name], str) else f"{given[name]!r}, no text"
            differences.append(Difference(f"domain.{name}", expected, printable(found)))
    return differences


def _member_differences(where: str, given: Mapping[str, Any], names: list[str]) -> list[Difference]:
    missing = [
        Difference(f"{where}.{name}", "a value", "none") for name in names if name not in given
    ]
    more = [
        Difference(f"{where}.{printable(name)}", "no such member", "one that nobody signs")
        for name in _more(given, names)
    ]
    return missing + more


# ---- values --------------------------------------------------------------------------------------


def _value(where: str, kind: str, given: Any) -> Value:
    """Read one member by its type."""
    if kind.startswith("uint"):
        return _number(where, int(kind.removeprefix("uint")), given)
    return _raw(where, kind, given)


def _number(where: str, bits: int, given: Any) -> int:
    if isinstance(given, str) and NUMBER.fullmatch(given):
        number = int(given) if len(given) <= WORD_BITS else 1 << WORD_BITS
    elif isinstance(given, int) and not isinstance(given, bool):
        number = given
        if number > EXACT_IN_JAVASCRIPT:
            raise MalformedTypedData(
                f"{where} is a number that wallets round: it must be a decimal string"
            )
    else:
        raise MalformedTypedData(f"{where} is no number: {printable(repr(given))}")
    if not 0 <= number < 1 << bits:
        raise MalformedTypedData(f"{where} is no uint{bits}: {printable(str(given))}")
    return number


def _raw(where: str, kind: str, given: Any) -> bytes:
    if not isinstance(given, str) or not HEX.fullmatch(given):
        raise MalformedTypedData(f"{where} is no {kind}: 0x and pairs of hexadecimal digits")
    value = bytes.fromhex(given[2:])
    if kind == "bytes":
        return value
    size = ADDRESS_BYTES if kind == "address" else int(kind.removeprefix("bytes"))
    if len(value) != size:
        raise MalformedTypedData(f"{where} is no {kind}: {len(value)} bytes")
    digits = given[2:]
    mixed = digits not in (digits.lower(), digits.upper())
    if kind == "address" and mixed and given != address_text(value):
        raise MalformedTypedData(
            f"{where} is mistyped: its checksum (EIP-55) is not that address's"
        )
    return value
