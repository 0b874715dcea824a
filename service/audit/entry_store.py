"""The entries of all chunks that were run: beyond so much in a file, since they are most of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from service.audit.scratch import scratch_file, write_at

IN_MEMORY_BYTES = 16 << 20
BYTES_A_WRITE = 1 << 20


@dataclass
class EntryStore:
    """Keeps bytes until it goes.

    Parameters
    ----------
    in_memory
        Bytes of it that stay in memory.
    a_write
        Bytes that are written at once.
    """

    in_memory: int = IN_MEMORY_BYTES
    a_write: int = BYTES_A_WRITE
    _head: bytearray = field(default_factory=bytearray)
    _tail: bytearray = field(default_factory=bytearray)
    _file: int | None = None
    _written: int = 0
    _end: int = 0

    def keep(self, content: bytes) -> Stored:
        """Take some bytes."""
        stored = Stored(self, self._end, len(content))
        if not self._in_file and self._end + len(content) <= self.in_memory:
            self._head += content
        else:
            self._tail += content
        self._end += len(content)
        if len(self._tail) >= self.a_write:
            self._write()
        return stored

    @property
    def _in_file(self) -> int:
        """Bytes of it that are, or will be, in the file."""
        return self._end - len(self._head)

    def _write(self) -> None:
        if self._file is None:
            self._file = scratch_file(self)
        write_at(self._file, self._tail, self._written)
        self._written += len(self._tail)
        self._tail.clear()

    def read(self, at: int, length: int) -> bytes:
        """Return bytes that were taken at once."""
        if at + length <= len(self._head):
            return bytes(self._head[at : at + length])
        at -= len(self._head)
        if at >= self._written:
            at -= self._written
            return bytes(self._tail[at : at + length])
        return b"" if self._file is None else os.pread(self._file, length, at)


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
