"""The contracts' arithmetic, written down a second time: vesting, rolling sums, trees, regions.

Each function names the library it mirrors. Nothing here knows of events or of a chain.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

ADDRESS_BYTES = 20
ENTRY_BYTES = 28
"""payee (20) | amount (8), big-endian (contracts/libraries/Entries.sol)."""

ALONE = 1 << 31
"""Bit of a stream's own lane: a range withdrawal passed it by (Vesting.sol)."""

MAX_DURATION_S = 2**31 - 2
TREE_DEPTH = 8
MAX_CHUNKS = 256
DAY_S = 86_400
BUCKET_S = 6 * DAY_S
BUCKETS = 6
BASE_UNITS_PER_TOKEN = 10**6

CHUNK_TYPEHASH = keccak(b"Chunk(bytes32 batchId,uint256 chunkIndex,bytes32 entriesHash)")
NODE_TYPEHASH = keccak(b"Node(bytes32 left,bytes32 right)")

_ENTRY = struct.Struct(">20sQ")

# ---- Entries.sol ---------------------------------------------------------------------------------


def entry_at(entries: bytes, position: int) -> tuple[bytes, int]:
    """Return payee and amount of one entry."""
    at = position * ENTRY_BYTES
    return entries[at : at + 20], int.from_bytes(entries[at + 20 : at + ENTRY_BYTES], "big")


def unpack(entries: bytes) -> Iterator[tuple[bytes, int]]:
    """Iterate over payee and amount of each whole entry."""
    return _ENTRY.iter_unpack(entries[: len(entries) // ENTRY_BYTES * ENTRY_BYTES])


def pack(payee: bytes, amount: int) -> bytes:
    """Return the word of one entry.

    Raises
    ------
    OverflowError
        When the amount does not fit 8 bytes.
    """
    return payee + amount.to_bytes(8, "big")


def bits(low: int, high: int = 0) -> Iterator[int]:
    """Yield the positions set in the two words of a mask, ascending."""
    mask = low | high << 256
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


# ---- ChunkTree.sol -------------------------------------------------------------------------------


def chunk_leaf(batch_id: bytes, chunk_index: int, entries: bytes) -> bytes:
    """Return the leaf of a chunk."""
    return keccak(CHUNK_TYPEHASH + batch_id + chunk_index.to_bytes(32, "big") + keccak(entries))


def chunks_root(leaves: Mapping[int, bytes]) -> bytes:
    """Return the root over leaves by position; those missing are zero."""
    *_, (top, empty) = _levels(leaves)
    return top.get(0, empty)


def chunk_siblings(leaves: Mapping[int, bytes], chunk_index: int) -> list[bytes]:
    """Return the siblings of a chunk's leaf, lowest first, from all of a batch's leaves."""
    levels = zip(range(TREE_DEPTH), _levels(leaves), strict=False)
    return [level.get(chunk_index >> height ^ 1, empty) for height, (level, empty) in levels]


def _levels(leaves: Mapping[int, bytes]) -> Iterator[tuple[dict[int, bytes], bytes]]:
    """Yield the nodes of each height by position, and what a missing one is there."""
    level, empty = dict(leaves), bytes(32)
    yield level, empty
    for _ in range(TREE_DEPTH):
        level = {
            parent: keccak(
                NODE_TYPEHASH + level.get(2 * parent, empty) + level.get(2 * parent + 1, empty)
            )
            for parent in {position // 2 for position in level}
        }
        empty = keccak(NODE_TYPEHASH + empty + empty)
        yield level, empty


def proven_root(leaf: bytes, chunk_index: int, siblings: Sequence[bytes]) -> bytes:
    """Return the root that a leaf has with its siblings, lowest first."""
    node = leaf
    for height, sibling in enumerate(siblings):
        right = chunk_index >> height & 1
        node = keccak(NODE_TYPEHASH + (sibling + node if right else node + sibling))
    return node


# ---- Vesting.sol ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of a batch of streams, seconds."""

    start: int
    cliff: int
    duration: int
    cadence: int

    def elapsed(self, time: int) -> int:
        """Seconds of accrual at a Unix time, at most the duration."""
        return min(max(0, time - self.start), self.duration)

    def step(self, time: int) -> int:
        """Second through which a withdrawal pays: whole steps, none before the cliff."""
        elapsed = self.elapsed(time)
        if elapsed >= self.duration:
            return self.duration
        if elapsed < self.cliff:
            return 0
        return elapsed - elapsed % self.cadence


def vested(total: int, elapsed: int, duration: int) -> int:
    """Return floor(total · elapsed / duration)."""
    return total * elapsed // duration


def paid_through(watermark: int, own_lane: int) -> int:
    """Second through which a stream is paid, from the chunk's watermark and its own lane."""
    own = own_lane & (ALONE - 1)
    return own if own_lane & ALONE else max(own, watermark)


def due_through(step: int, cancel_lane: int) -> int:
    """Second through which a stream is due at a step: where it was cut, once it is."""
    return cancel_lane - 1 if cancel_lane else step


def cut_off(time: int, cancel_lane: int) -> int:
    """`time`, or where the stream was cut (one less than the lane) if that came earlier."""
    return min(time, cancel_lane - 1) if cancel_lane else time


# ---- RollingSum.sol ------------------------------------------------------------------------------


@dataclass(slots=True)
class RollingSum:
    """Six buckets of six days in whole tokens rounded up, the newest first."""

    bucket: int = 0
    sums: tuple[int, ...] = (0,) * BUCKETS

    def add(self, amount: int, time: int) -> int:
        """Add base units at a Unix time and return the window's sum, base units."""
        self.sums = self._aged(time // BUCKET_S)
        self.bucket = time // BUCKET_S
        whole = -(-amount // BASE_UNITS_PER_TOKEN)
        self.sums = (self.sums[0] + whole, *self.sums[1:])
        return sum(self.sums) * BASE_UNITS_PER_TOKEN

    def at(self, time: int) -> int:
        """Return the window's sum at a Unix time, base units."""
        return sum(self._aged(time // BUCKET_S)) * BASE_UNITS_PER_TOKEN

    def _aged(self, bucket: int) -> tuple[int, ...]:
        age = max(0, bucket - self.bucket)
        return ((0,) * min(age, BUCKETS) + self.sums)[:BUCKETS]


# ---- Regions.sol ---------------------------------------------------------------------------------


def region_valid(code: int, digits: int) -> bool:
    """Whether a code has exactly its digits and no leading zero; (0, 0) is the whole country."""
    if digits == 0:
        return code == 0
    return digits in (2, 4, 6) and 10 ** (digits - 1) <= code < 10**digits


def region_covers(outer: tuple[int, int], inner: tuple[int, int]) -> bool:
    """Whether a region (code, digits) is another or stands above it."""
    (outer_code, outer_digits), (code, digits) = outer, inner
    return outer_digits <= digits and outer_code == code // 10 ** (digits - outer_digits)


def midnight_at_or_after(time: int) -> int:
    """Return the first midnight UTC at or after a Unix time."""
    return -(-time // DAY_S) * DAY_S


def ancestors(code: int, digits: int) -> Iterator[tuple[int, int]]:
    """Yield a region and those above it, down to the province's two digits."""
    for to in range(digits, 1, -2):
        yield code // 10 ** (digits - to), to
