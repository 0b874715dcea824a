"""Wallets and what they hold, by account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

from service.audit.arithmetic import ADDRESS_BYTES
from service.audit.sorted_records import IN_MEMORY_BYTES, SortedRecords
from service.audit.transfer_rows import packed

AMOUNT_BYTES = 16
RECORD_BYTES = ADDRESS_BYTES + AMOUNT_BYTES
"""A wallet and what it holds, big-endian and signed: more may have been spent than was there."""


@dataclass
class Wallets:
    """Every wallet that ever had tokens.

    Attributes
    ----------
    records
        36 bytes each.
    total
        What all hold together, base units.
    holders
        How many hold something.
    """

    records: SortedRecords
    total: int = 0
    holders: int = 0

    @classmethod
    def of(cls, batches: Iterable[pa.RecordBatch], in_memory: int = IN_MEMORY_BYTES) -> Self:
        """Take batches of accounts, each once, and amounts, of 128 bits, in any order."""
        taken = cls(SortedRecords(RECORD_BYTES, ADDRESS_BYTES, in_memory))
        for batch in batches:
            amounts = _bytes_of(batch.column(1))
            taken.holders += int(_are_some(amounts).sum())
            taken.total += _sum(amounts)
            accounts = np.frombuffer(packed(batch.column(0), ADDRESS_BYTES), np.uint8)
            accounts = accounts.reshape(-1, ADDRESS_BYTES)
            taken.records.add(np.hstack([accounts, amounts[:, ::-1]]))
        return taken

    def packed(self, *, empty: bool) -> Iterator[bytes]:
        """Yield records packed, by account, those that hold nothing too or not."""
        for records in self.records:
            some = records if empty else records[_are_some(records[:, ADDRESS_BYTES:])]
            yield some.tobytes()


def _bytes_of(column: pa.Array) -> np.ndarray:
    """Return the 16 bytes of each number, the least first."""
    _, values = column.buffers()
    rows = np.frombuffer(values, np.uint8).reshape(-1, AMOUNT_BYTES)
    return rows[column.offset : column.offset + len(column)]


def _are_some(amounts: np.ndarray) -> np.ndarray:
    """Tell which numbers are not nothing."""
    halves = np.ascontiguousarray(amounts).view(np.int64)
    some: np.ndarray = (halves[:, 0] | halves[:, 1]) != 0
    return some


def _sum(amounts: np.ndarray) -> int:
    """Sum numbers of 16 bytes up, the least first, which may be less than zero."""
    digits = np.ascontiguousarray(amounts).view("<u4")
    total = sum(
        int(column) << 32 * at for at, column in enumerate(digits.sum(axis=0, dtype=np.uint64))
    )
    below_zero = int((amounts[:, -1] >> 7).sum())
    return total - (below_zero << 8 * AMOUNT_BYTES)
