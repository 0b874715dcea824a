"""Typed data is what the contracts take, to the last member, or it is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service.approvals.typed_data import digest_of
from service.audit.digests.document import MalformedTypedData, read_typed_data
from tests.audit.digests.documents import APPROVAL, MESSAGES, PAYEE, document

Document = dict[str, Any]


def read(given: Document) -> Any:
    return read_typed_data(json.dumps(given).encode())


@pytest.mark.parametrize("primary_type", MESSAGES)
def test_the_digest_is_the_one_the_service_has_signed(primary_type: str) -> None:
    given = document(primary_type)
    reading = read(given)
    assert reading.differences == []
    assert reading.data.digest == digest_of(given)


def changed(kind: str, value: Any) -> Any:
    """Another value of the same type."""
    if kind.startswith("uint"):
        other = int(value) ^ 1
        return str(other) if isinstance(value, str) else other
    if kind == "address":
        return PAYEE.lower() if value.lower() != PAYEE.lower() else "0x" + "11" * 20
    return "0x" + (bytes([int(value[2:4], 16) ^ 1]).hex() + value[4:])


@pytest.mark.parametrize("primary_type", MESSAGES)
def test_every_member_changes_the_digest(primary_type: str) -> None:
    given = document(primary_type)
    digests = {read(given).data.digest}
    members = given["types"][primary_type]
    for member in members:
        other = copy.deepcopy(given)
        name = member["name"]
        other["message"][name] = changed(member["type"], other["message"][name])
        digests.add(read(other).data.digest)
    for name, value in (("chainId", 1), ("verifyingContract", "0x" + "11" * 20)):
        other = copy.deepcopy(given)
        other["domain"][name] = value
        digests.add(read(other).data.digest)
    assert len(digests) == 1 + len(members) + 2


Members = list[dict[str, str]]
EXTRA = {"name": "extra", "type": "uint8"}


def renamed(members: Members, at: int) -> None:
    members[at]["name"] += "x"


def retyped(members: Members, at: int) -> None:
    members[at]["type"] = "uint16" if members[at]["type"] == "uint8" else "uint8"


def left_out(members: Members, at: int) -> None:
    del members[at]


def inserted(members: Members, at: int) -> None:
    members.insert(at, EXTRA)


def swapped(members: Members, at: int) -> None:
    members.insert(max(at - 1, 0), members.pop(at))


def with_other_types(primary_type: str) -> Iterator[tuple[str, Document]]:
    """Each way in which one member of the types can be another."""
    for name in ("EIP712Domain", primary_type):
        count = len(document(primary_type)["types"][name])
        for at in range(count):
            for change in (renamed, retyped, left_out, inserted, swapped):
                given = document(primary_type)
                change(given["types"][name], at)
                if change is not swapped or at:
                    yield f"types.{name}[{at - (change is swapped)}]", given
        given = document(primary_type)
        inserted(given["types"][name], count)
        yield f"types.{name}[{count}]", given
        given = document(primary_type)
        del given["types"][name]
        yield f"types.{name}", given


CHANGES: list[tuple[str, Callable[[Document], object]]] = [
    ("types.Other", lambda d: d["types"].update(Other=[])),
    ("primaryType", lambda d: d.update(primaryType="Permit")),
    ("primaryType", lambda d: d.update(primaryType=d["primaryType"] + " ")),
    ("domain.name", lambda d: d["domain"].update(name="Relief")),
    ("domain.version", lambda d: d["domain"].update(version="2")),
    ("domain.version", lambda d: d["domain"].update(version=1)),
    ("domain.salt", lambda d: d["domain"].update(salt="0x00")),
    ("message.extra", lambda d: d["message"].update(extra=1)),
    ("note", lambda d: d.update(note="sign me")),
]


def spoilt(primary_type: str) -> Iterator[tuple[str, Document]]:
    """Each way in which the types, domain or members of a document can be others."""
    yield from with_other_types(primary_type)
    for where, change in CHANGES:
        given = document(primary_type)
        change(given)
        yield where, given
    for part in ("domain", "message"):
        for member in document(primary_type)[part]:
            given = document(primary_type)
            del given[part][member]
            yield f"{part}.{member}", given


@pytest.mark.parametrize("primary_type", MESSAGES)
def test_another_type_domain_or_member_is_refused_and_named(primary_type: str) -> None:
    seen = 0
    for where, given in spoilt(primary_type):
        reading = read(given)
        assert reading.data is None, where
        assert where in {difference.where for difference in reading.differences}
        seen += 1
    assert seen > 40


def test_another_contracts_domain_is_refused() -> None:
    given = document("Unpause")
    given["domain"] = document("UnpauseTransfers")["domain"]
    (difference,) = read(given).differences
    assert (difference.where, difference.expected, difference.found) == (
        "domain.name",
        "Relief AllowanceVault",
        "Relief Benefit Token",
    )


def test_the_first_member_that_differs_is_named_with_what_it_is() -> None:
    given = document("EmergencyGrant")
    given["types"]["EmergencyGrant"][3] = {"name": "amount", "type": "uint256"}
    (difference,) = read(given).differences
    assert difference.as_dict() == {
        "where": "types.EmergencyGrant[3]",
        "expected": "uint64 amount",
        "found": "uint256 amount",
    }


BAD_VALUES: dict[str, tuple[str, Any, str]] = {
    "too large": ("maker", 2**32, "message.maker is no uint32"),
    "negative": ("maker", -1, "message.maker is no uint32"),
    "a boolean": ("kind", True, "message.kind is no number"),
    "hexadecimal": ("total", "0x10", "message.total is no number"),
    "with a plus": ("total", "+1", "message.total is no number"),
    "with a blank": ("total", " 1", "message.total is no number"),
    "with a zero in front": ("total", "01", "message.total is no number"),
    "other digits": ("total", "١", "message.total is no number"),
    "rounded by wallets": ("total", 2**53, "message.total is a number that wallets round"),
    "endless": ("total", "9" * 5000, "message.total is no uint80"),
    "nothing": ("total", None, "message.total is no number"),
    "bytes short": ("batchId", "0x" + "11" * 31, "message.batchId is no bytes32: 31 bytes"),
    "bytes long": ("batchId", "0x" + "11" * 33, "message.batchId is no bytes32: 33 bytes"),
    "bytes odd": ("batchId", "0x" + "1" * 63, "message.batchId is no bytes32"),
    "bytes without 0x": ("batchId", "11" * 32, "message.batchId is no bytes32"),
    "bytes a number": ("batchId", 5, "message.batchId is no bytes32"),
}


@pytest.mark.parametrize("what", BAD_VALUES)
def test_a_value_that_does_not_fit_its_type_is_malformed(what: str) -> None:
    member, value, words = BAD_VALUES[what]
    given = document("BatchApproval")
    given["message"][member] = value
    with pytest.raises(MalformedTypedData, match=words):
        read(given)


def test_a_mistyped_address_is_malformed() -> None:
    given = document("MinterRemoval")
    right = given["message"]["minter"]
    given["message"]["minter"] = right.replace("fB", "Fb")
    with pytest.raises(MalformedTypedData, match="is mistyped"):
        read(given)
    for spelled in (right.lower(), "0x" + right[2:].upper(), right):
        given["message"]["minter"] = spelled
        assert read(given).data.values["minter"] == bytes.fromhex(right[2:])


def test_a_chain_of_number_0_is_malformed() -> None:
    given = document("Sunset")
    given["domain"]["chainId"] = 0
    with pytest.raises(MalformedTypedData, match="chainId is 0"):
        read(given)


BAD_TEXTS: dict[str, tuple[str, str]] = {
    "nothing": ("", "not JSON"),
    "text": ("sign this", "not JSON"),
    "a list": ("[]", "not a JSON object"),
    "no types": ('{"primaryType": "Sunset", "domain": {}, "message": {}}', "without types"),
    "types a list": (
        '{"types": [], "primaryType": "Sunset", "domain": {}, "message": {}}',
        "types is no JSON object",
    ),
    "a type a number": (
        (
            '{"types": {"Sunset": 1, "EIP712Domain": []}, "primaryType": "Sunset", "domain": {}, '
            '"message": {}}'
        ),
        "types.Sunset is no list",
    ),
    "a member a number": (
        (
            '{"types": {"Sunset": [1], "EIP712Domain": []}, "primaryType": "Sunset", "domain": {}, '
            '"message": {}}'
        ),
        r"types.Sunset\[0\] is no name and type",
    ),
    "primaryType a number": (
        '{"types": {}, "primaryType": 1, "domain": {}, "message": {}}',
        "primaryType is no text",
    ),
    "a fraction": ('{"types": 1.5}', "1.5 is no whole number"),
    "deep": ("[" * 100_000, "not JSON"),
    "deep, and closed": ('{"types": ' + "[" * 1000 + "]" * 1000 + "}", "too deep"),
    "a deep name": (
        '{"types": {}, "primaryType": "Sunset", "message": {}, "domain": {"name": '
        + "[" * 980
        + "]" * 980
        + "}}",
        "too deep",
    ),
}


@pytest.mark.parametrize("what", BAD_TEXTS)
def test_what_is_no_document_is_malformed(what: str) -> None:
    text, words = BAD_TEXTS[what]
    with pytest.raises(MalformedTypedData, match=words):
        read_typed_data(text.encode())


def test_a_member_given_twice_is_malformed() -> None:
    text = json.dumps(document("BatchApproval"))
    total = f'"total": "{APPROVAL["total"]}"'
    assert total in text
    twice = text.replace(total, f'"total": "1", {total}')
    with pytest.raises(MalformedTypedData, match="total twice"):
        read_typed_data(twice.encode())


def test_what_would_move_the_cursor_is_shown_escaped() -> None:
    given = document("Sunset")
    given["primaryType"] = "\x1b[2JSunset\u202e" + "x" * 1000
    (difference,) = read(given).differences
    assert difference.found.startswith(r"\x1b[2JSunset\u202exxx")
    assert len(difference.found) < 350
