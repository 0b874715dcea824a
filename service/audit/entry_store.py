"""The entries of all chunks that were run: beyond so much in a file, since they are most of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from service.audit.scratch import scratch_file

IN_MEMORY_BYTES = 16 << 20


@dataclass
class EntryStore:
    """Keeps bytes until it goes.

    Parameters
    ----------
    in_memory
        Bytes of it that stay in memory.
    """

    in_memory: int = IN_MEMORY_BYTES
    _head: bytearray = field(default_factory=bytearray)
    _file: int | None = None
    _end: int = 0

    def keep(self, content: bytes) -> Stored:
        """Take some bytes."""
        stored = Stored(self, self._end, len(content))
        if self._file is None and self._end + len(content) <= self.in_memory:
            self._head += content
        else:
            if self._file is None:
                self._file = scratch_file(self)
            written = 0
            while written < len(content):  # a disk nearly full takes a part
                written += os.pwrite(self._file, content[written:], self._end + written)
        self._end += len(content)
        return stored

    def read(self, at: int, length: int) -> bytes:
        """Return bytes that were taken at once."""
        if at + length <= len(self._head):
            return bytes(self._head[at : at + length])
        if self._file is None:
            return b""
        return os.pread(self._file, length, at)


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Bytes that a store keeps; equal to others of the same content."""

    store: EntryStore
    at: int
    length: int

    def __len__(self) -> int:
        return self.length

    def __bytes__(self) -> bytes:
        return self.store.read(self.at, self.length)

    def part(self, at: int, length: int) -> bytes:
        """Return some of them."""
        return self.store.read(self.at + at, min(length, max(0, self.length - at)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stored) and bytes(self) == bytes(other)

    def __hash__(self) -> int:
        return hash(bytes(self))
