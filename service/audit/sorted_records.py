"""Records of one size in the order of their keys: beyond so many in a file, sorted by shares."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from service.audit.ahead import ahead
from service.audit.scratch import scratch_file, write_at

IN_MEMORY_BYTES = 14 << 20

SHARES = 256
"""By a key's first byte. Whoever makes millions of accounts that begin with the same byte makes one
share of them, which is sorted in memory."""

SHARES_AHEAD = 2
WORD = 8


@dataclass
class SortedRecords:
    """Takes records in any order; those of one key stay in the order in which they came.

    Parameters
    ----------
    size
        Bytes of a record.
    key
        Bytes of it that are its key; it begins with them, eight at least.
    in_memory
        Bytes that wait in memory at most.
    """

    size: int
    key: int
    in_memory: int = IN_MEMORY_BYTES
    _waiting: list[np.ndarray] = field(default_factory=list)
    _waiting_bytes: int = 0
    _file: int | None = None
    _end: int = 0
    _places: list[list[tuple[int, int]]] = field(
        default_factory=lambda: [[] for _ in range(SHARES)]
    )

    def add(self, records: np.ndarray) -> None:
        """Take records, rows of bytes."""
        self._waiting.append(records)
        self._waiting_bytes += records.size
        if self._waiting_bytes > self.in_memory:
            self._write()

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield records by key, rows of bytes, some at a time."""
        if self._file is None:
            if self._waiting_bytes:
                yield self._sorted(np.concatenate(self._waiting))
            return
        self._write()
        with closing(ahead(self._places, self._share, SHARES_AHEAD)) as shares:
            for _, records in shares:
                if len(records):
                    yield records

    def _share(self, places: Sequence[tuple[int, int]]) -> np.ndarray:
        """Read one share, in order."""
        assert self._file is not None
        share = b"".join([os.pread(self._file, length, at) for at, length in places])
        return self._sorted(np.frombuffer(share, np.uint8).reshape(-1, self.size))

    def _write(self) -> None:
        """Write what waits, share by share."""
        if not self._waiting_bytes:
            return
        if self._file is None:
            self._file = scratch_file(self)
        records = np.concatenate(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        shares = records[:, 0]
        content = self._taken(records, np.argsort(shares, kind="stable"))
        write_at(self._file, content.tobytes(), self._end)
        for share, count in enumerate(np.bincount(shares, minlength=SHARES).tolist()):
            if count:
                self._places[share].append((self._end, count * self.size))
                self._end += count * self.size

    def _sorted(self, records: np.ndarray) -> np.ndarray:
        """Return records by key."""
        first = np.ascontiguousarray(records[:, :WORD]).view(">u8").ravel().astype(np.uint64)
        order = np.argsort(first)
        first = first[order]
        if (first[1:] == first[:-1]).any():
            keys = np.ascontiguousarray(records[:, : self.key]).view(f"S{self.key}").ravel()
            order = np.argsort(keys, kind="stable")
        return self._taken(records, order)

    def _taken(self, records: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Return records in an order."""
        whole = np.ascontiguousarray(records).view(f"V{self.size}").ravel()
        taken: np.ndarray = whole[order].view(np.uint8).reshape(-1, self.size)
        return taken
