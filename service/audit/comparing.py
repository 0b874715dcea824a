"""One row against what its columns must hold, and how a difference is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.audit.arithmetic import ADDRESS_BYTES
from service.audit.database import whole
from service.audit.decode import address_text, hex_text
from service.audit.findings import Code, Findings, Place

ADDRESS_DIGITS = 42


class OneOf(frozenset[Any]):
    """Several values of which a column may hold any."""

    __slots__ = ()

    def __str__(self) -> str:
        return " or ".join(sorted(str(value) for value in self))


@dataclass
class Comparison:
    """Compares rows and names the differences.

    Attributes
    ----------
    rows
        Rows compared.
    """

    findings: Findings
    rows: int = 0

    def compare(
        self,
        name: str,
        place: Place,
        row: Mapping[str, Any],
        expected: Mapping[str, Any],
        source: str = "on chain",
    ) -> None:
        """Compare the columns of a row with what they must hold.

        Parameters
        ----------
        name
            What the row is about, for messages.
        source
            Where `expected` comes from, for messages.
        """
        self.rows += 1
        for key, value in expected.items():
            found = like(value, row[key])
            if found in value if isinstance(value, OneOf) else found == like(value, value):
                continue
            self.findings.error(
                Code.DATABASE_MISMATCH,
                f"{name}: {key} is {shown(row[key])} in the database, {shown(value)} {source}",
                place,
                expected=value,
                found=shown(row[key]),
            )

    def missing(self, message: str, place: Place) -> None:
        """Name a row that is not there."""
        self.findings.error(Code.DATABASE_ROW_MISSING, message, place)

    def unexpected(self, message: str, place: Place) -> None:
        """Name a row that should not be there."""
        self.findings.error(Code.DATABASE_ROW_EXTRA, message, place)


def payout_name(number: int, batch_id: bytes, index: int) -> str:
    """Name a payout for messages."""
    return f"payout {number} (index {index} of batch {hex_text(batch_id)})"


def as_bytes(text: str) -> bytes:
    """Read 0x-hex; whatever else was put there is its own characters, equal to nothing."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return text.encode()


def like(pattern: Any, value: Any) -> Any:
    """Bring a stored value into the form of the expected one."""
    if isinstance(pattern, bool) or value is None:
        return value
    if isinstance(pattern, int):
        return whole(value)
    if isinstance(pattern, bytes):
        return bytes(value)
    if isinstance(value, str) and value.startswith("0x"):
        return value.lower()
    return value


def shown(value: Any) -> str:
    """Write a value for people."""
    if isinstance(value, (bytes, memoryview)):
        return f"{len(value)} bytes"
    if isinstance(value, str) and value.isdigit():
        return str(int(value))
    if isinstance(value, str) and value.startswith("0x") and len(value) == ADDRESS_DIGITS:
        address = as_bytes(value)
        return address_text(address) if len(address) == ADDRESS_BYTES else value
    return "empty" if value is None else str(value)
