"""Wallets and what they hold, by account: beyond so many in a file, put in order share by share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa

from service.audit.ahead import ahead
from service.audit.arithmetic import ADDRESS_BYTES
from service.audit.scratch import scratch_file, write_at
from service.audit.transfer_rows import packed

AMOUNT_BYTES = 16
RECORD_BYTES = ADDRESS_BYTES + AMOUNT_BYTES
"""A wallet and what it holds, big-endian and signed: more may have been spent than was there."""

IN_MEMORY = 400_000
"""Records, some 14 MB."""

SHARES = 256
"""By an account's first byte. Whoever has tokens sent to millions of accounts that begin with the
same byte makes one share of them, of 36 bytes each."""

SHARES_AHEAD = 2

_RECORD = np.dtype(f"V{RECORD_BYTES}")


@dataclass
class Wallets:
    """What was taken, in order.

    Parameters
    ----------
    in_memory
        Records that wait in memory at most.

    Attributes
    ----------
    total
        What all hold together, base units.
    holders
        How many hold something.
    """

    in_memory: int = IN_MEMORY
    total: int = 0
    holders: int = 0
    _waiting: list[np.ndarray] = field(default_factory=list)
    _file: int | None = None
    _end: int = 0
    _places: list[list[tuple[int, int]]] = field(
        default_factory=lambda: [[] for _ in range(SHARES)]
    )

    @classmethod
    def of(cls, batches: Iterable[pa.RecordBatch], in_memory: int = IN_MEMORY) -> Self:
        """Take batches of accounts, each once, and amounts, of 128 bits, in any order."""
        taken = cls(in_memory)
        waiting = 0
        for batch in batches:
            amounts = _bytes_of(batch.column(1))
            taken.holders += int(_are_some(amounts).sum())
            taken.total += _sum(amounts)
            accounts = np.frombuffer(packed(batch.column(0), ADDRESS_BYTES), np.uint8)
            taken._waiting.append(
                np.hstack([accounts.reshape(-1, ADDRESS_BYTES), amounts[:, ::-1]])
            )
            waiting += len(amounts)
            if waiting > in_memory:
                taken._write()
                waiting = 0
        if taken._file is not None and waiting:
            taken._write()
        return taken

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield records by account, rows of 36 bytes, some at a time."""
        if self._file is None:
            if self._waiting:
                yield _sorted(np.concatenate(self._waiting))
            return
        with closing(ahead(self._places, self._share, SHARES_AHEAD)) as shares:
            for _, records in shares:
                if len(records):
                    yield records

    def _share(self, places: Sequence[tuple[int, int]]) -> np.ndarray:
        """Read one share, in order."""
        file = self._file
        share = b"".join(os.pread(file, length, at) for at, length in places) if file else b""
        return _sorted(np.frombuffer(share, np.uint8).reshape(-1, RECORD_BYTES))

    def packed(self, *, empty: bool) -> Iterator[bytes]:
        """Yield records packed, those that hold nothing too or not."""
        for records in self:
            some = records if empty else records[_are_some(records[:, ADDRESS_BYTES:])]
            yield some.tobytes()

    def _write(self) -> None:
        """Write what waits, share by share."""
        if self._file is None:
            self._file = scratch_file(self)
        records = np.concatenate(self._waiting)
        self._waiting.clear()
        shares = records[:, 0]
        write_at(self._file, _taken(records, np.argsort(shares, kind="stable")).data, self._end)
        for share, count in enumerate(np.bincount(shares, minlength=SHARES).tolist()):
            if count:
                self._places[share].append((self._end, count * RECORD_BYTES))
                self._end += count * RECORD_BYTES


def _sorted(records: np.ndarray) -> np.ndarray:
    """Return records by account."""
    first = np.ascontiguousarray(records[:, :8]).view(">u8").ravel().astype(np.uint64)
    order = np.argsort(first)
    first = first[order]
    if (first[1:] == first[:-1]).any():  # made to be alike: nobody meets with that by chance
        order = np.argsort(np.ascontiguousarray(records[:, :ADDRESS_BYTES]).view("S20").ravel())
    return _taken(records, order)


def _taken(records: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return records in an order."""
    taken: np.ndarray = np.ascontiguousarray(records).view(_RECORD).ravel()[order]
    return taken.view(np.uint8).reshape(-1, RECORD_BYTES)


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
