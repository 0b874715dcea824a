"""A batch's manifest as a file: its lines, its hash, and the root its payouts give.

The format is docs/manifest.md. What is read here is only read; who compares it says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from eth_hash.auto import keccak

from service.audit.arithmetic import ADDRESS_BYTES, chunk_leaf, chunks_root, pack
from service.audit.decode import hex_text
from service.audit.state import ONE_OFF
from service.errors import InvalidInput

HEADER_MEMBERS = {
    "cadence_s": "cadence",
    "chunk_size": "chunkSize",
    "cliff_s": "cliff",
    "count": "count",
    "duration_s": "duration",
    "execute_before_unix_s": "executeBefore",
    "expires_at_unix_s": "expiresAt",
    "maker_officer_id": "maker",
    "programme_id": "programme",
    "programme_version": "programmeVersion",
    "region_code": "regionCode",
    "region_digits": "regionDigits",
    "start_unix_s": "start",
}
"""Header key → member of the signed approval, plain numbers."""

COMMITMENT_DIGITS = 64
LARGEST_AMOUNT = 2**64 - 1
FIRST_PAYOUT_LINE = 2
"""Line of the payout with index 0: line 1 is the header."""
READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """One payout of a manifest; the amount in base units."""

    index: int
    commitment: str
    payee: bytes
    amount: int


class MalformedManifest(InvalidInput):
    """A file that is no manifest; names the line."""

    title = "Not a manifest"


def hash_of(path: Path) -> bytes:
    """Return Keccak-256 of a whole file: what officers sign as ``manifestHash``.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    hasher = keccak.new(b"")
    with path.open("rb") as file:
        while part := file.read(READ_BYTES):
            hasher.update(part)
    digest: bytes = hasher.digest()
    return digest


def read_manifest(path: Path) -> tuple[dict[str, Any], list[Line]]:
    """Read header and payouts, in the order in which they stand.

    Raises
    ------
    MalformedManifest
        When a line cannot be read as what it should be.
    OSError
        When the file cannot be read.
    """
    with path.open("rb") as file:
        header = _object(file.readline(), 1)
        return header, list(_lines(file))


def _object(row: bytes, number: int) -> dict[str, Any]:
    try:
        read = orjson.loads(row)
        orjson.dumps(read)  # which goes less deep than reading does
    except (ValueError, orjson.JSONEncodeError) as error:
        raise MalformedManifest(f"line {number} is not JSON, or too deep: {error}") from None
    if not isinstance(read, dict):
        raise MalformedManifest(f"line {number} is not a JSON object")
    return read


def _lines(rows: Iterable[bytes]) -> Iterator[Line]:
    for number, row in enumerate(rows, FIRST_PAYOUT_LINE):
        line = _object(row, number)
        try:
            commitment, payee = line["commitment"], line["payee"]
            address = bytes.fromhex(payee.removeprefix("0x"))
            index, amount = int(line["index"]), int(line["amount_base_units"])
            if len(bytes.fromhex(commitment)) * 2 != COMMITMENT_DIGITS:
                raise MalformedManifest(f"line {number} has no commitment: {commitment}")
        except KeyError as error:
            raise MalformedManifest(f"line {number} has no {error.args[0]}") from None
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            raise MalformedManifest(f"line {number} is not a payout: {error}") from None
        if len(address) != ADDRESS_BYTES:
            raise MalformedManifest(f"line {number} has no address: {payee}")
        if not 0 <= amount <= LARGEST_AMOUNT:
            raise MalformedManifest(f"line {number} has an impossible amount: {amount}")
        yield Line(index, commitment.lower(), address, amount)


def root_of(lines: Sequence[Line], batch_id: bytes, chunk_size: int) -> bytes:
    """Return the root of the chunk tree that payouts give, at most 256 chunks.

    Parameters
    ----------
    chunk_size
        Payouts a chunk, positive.
    """
    packed = [pack(line.payee, line.amount) for line in lines]
    starts = range(0, len(packed), chunk_size)
    return chunks_root(
        {
            chunk: chunk_leaf(batch_id, chunk, b"".join(packed[start : start + chunk_size]))
            for chunk, start in enumerate(starts)
        }
    )


def first_out_of_place(indexes: Sequence[int], count: int) -> int | None:
    """Return the first position at which the indexes are not 0 to `count` - 1, or None."""
    for position, index in enumerate(indexes):
        if index != position or position == count:
            return position
    return len(indexes) if len(indexes) < count else None


def header_differences(
    header: Mapping[str, Any], approval: Mapping[str, Any]
) -> list[tuple[str, Any, Any]]:
    """Return key, signed value and found value of each member that is not the signed one.

    Parameters
    ----------
    approval
        Members of ``BatchApproval`` by name; bytes as bytes.
    """
    expected: dict[str, Any] = {key: approval[member] for key, member in HEADER_MEMBERS.items()}
    expected |= {
        "batch_id": hex_text(approval["batchId"]),
        "chunks_root": hex_text(approval["chunksRoot"]),
        "kind": "one_off" if approval["kind"] == ONE_OFF else "stream",
        "total_base_units": str(approval["total"]),
    }
    return [
        (key, value, header.get(key)) for key, value in expected.items() if header.get(key) != value
    ]
