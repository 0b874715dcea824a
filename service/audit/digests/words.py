"""How numbers, times, regions and people are put to an officer: in full, and none rounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from service.audit.arithmetic import ADDRESS_BYTES, region_valid
from service.audit.decode import address_text, hex_text
from service.audit.signers import SIGNER_ACCOUNT, SIGNER_EOA, SIGNER_KEY, well_formed
from service.units import format_amount, format_duration, format_unix_s

LAST_SECOND = 253_402_300_799
"""9999-12-31T23:59:59Z: later ones have no date in writing."""

LEVELS = {0: "the whole country", 2: "province", 4: "city", 6: "county"}
OFFICER_ROLES = {1: "maker", 2: "reviewer", 4: "emergency officer", 8: "governor"}
OPERATIONS = {1: "approvals", 2: "execution", 4: "withdrawals"}
ALL_OPERATIONS = 7
ALL_ROLES = 15


@dataclass
class Words:
    """What a document says and does.

    Attributes
    ----------
    title
        What is signed, in one line.
    facts
        Name and value of each, in the order in which they are read.
    consequences
        What happens once enough officers signed it.
    refusals
        Why the contracts would not take it, or nobody can tell what it does: not to be signed.
    """

    title: str
    facts: dict[str, str] = field(default_factory=dict)
    consequences: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


def amount(base_units: int) -> str:
    """Write an amount in tokens, and in base units behind."""
    return f"{format_amount(base_units)} tokens ({base_units} base units)"


def moment(unix_s: int) -> str:
    """Write Unix seconds as a date and time in UTC."""
    if unix_s > LAST_SECOND:
        return f"Unix second {unix_s}, after the year 9999"
    return format_unix_s(unix_s)


def duration(seconds: int) -> str:
    """Write a duration in words, and in seconds behind."""
    return f"{format_duration(seconds)} ({seconds} s)"


def region(code: int, digits: int) -> str:
    """Write a region's level and code."""
    if not region_valid(code, digits):
        return f"no region: code {code} of {digits} digits"
    return LEVELS[digits] if digits == 0 else f"{LEVELS[digits]} {code}"


def named_bits(bits: int, names: dict[int, str]) -> str:
    """Write which of some bits are set, and those that have no name."""
    known = [name for bit, name in names.items() if bits & bit]
    unknown = bits & ~sum(names)
    return ", ".join([*known, *([f"unknown bits {unknown}"] if unknown else [])]) or "none"


def address(value: bytes) -> str:
    """Write an address with its checksum."""
    return address_text(value)


def signer(signer_type: int, value: bytes) -> str:
    """Write what an officer signs with."""
    if not well_formed(signer_type, value):
        return f"no signer of type {signer_type}: {hex_text(value)}"
    if signer_type == SIGNER_EOA:
        return f"the account {address_text(value)}"
    if signer_type == SIGNER_ACCOUNT:
        return f"the contract account {address_text(value)} (ERC-1271)"
    assert signer_type == SIGNER_KEY  # no other is well formed
    verifier, point = value[:ADDRESS_BYTES], value[ADDRESS_BYTES:]
    return f"the P-256 key {hex_text(point)}, checked by the contract {address_text(verifier)}"


def counted(number: int, one: str, many: str) -> str:
    """Write a number and its noun."""
    return f"{number:,} {one if number == 1 else many}"


def spans(numbers: Iterator[int]) -> str:
    """Write ascending numbers as ranges: ``0 to 4, 7``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(f"{a} to {b}" if a != b else str(a) for a, b in parts)
