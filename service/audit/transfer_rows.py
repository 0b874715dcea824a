"""Every transfer of the token as rows, so many in memory and the rest in Parquet files.

A programme of years has more transfers than memory; what must be known of them all, who holds what
and whether anybody spent more than that, is a question in SQL (:mod:`service.audit.balances`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from service.audit.arithmetic import ADDRESS_BYTES, ENTRY_BYTES
from service.audit.decode import LogPlace
from service.audit.scratch import scratch_folder

ROWS_A_FILE = 100_000
"""In memory at most, some 12 MB, and in one file."""

TRANSFERS = pa.schema(
    [
        ("block_number", pa.int64()),
        ("transaction_index", pa.int32()),
        ("log_index", pa.int64()),
        ("transaction_hash", pa.binary()),
        ("source", pa.binary()),
        ("target", pa.binary()),
        ("value", pa.uint64()),
    ]
)
"""Columns of a transfer; hash and addresses are 32 and 20 bytes, the value base units. One of more
than 64 bits is several rows of one place."""

LARGEST = 2**64 - 1
ROWS_A_BATCH = 50_000
HASH_BYTES = 32
COMPRESSION = "zstd"


@dataclass
class TransferRows:
    """Takes transfers in the chain's order.

    Parameters
    ----------
    folder
        Where files are written; a folder that goes with this object where it is None.
    rows_a_file
        In memory at most, and in one file.

    Attributes
    ----------
    files
        Written so far.
    count
        Rows taken.
    last_block
        Of the last row.
    moved
        Whether any of them was of somebody's own tokens: not all are mints.
    """

    folder: Path | None = None
    rows_a_file: int = ROWS_A_FILE
    files: list[Path] = field(default_factory=list)
    count: int = 0
    last_block: int = -1
    moved: bool = False
    _places: list[tuple[LogPlace, int]] = field(default_factory=list)
    _sources: list[bytes] = field(default_factory=list)
    _entries: list[bytes] = field(default_factory=list)
    _waiting: int = 0

    def add(self, place: LogPlace, sources: bytes, entries: bytes) -> None:
        """Take transfers that stand behind each other in one transaction.

        Parameters
        ----------
        place
            Of the first.
        sources
            20 bytes each.
        entries
            Target and value of each, packed as a chunk's entries are.
        """
        rows = len(entries) // ENTRY_BYTES
        self._places.append((place, rows))
        self._sources.append(sources)
        self._entries.append(entries)
        self._waiting += rows
        self.count += rows
        self.last_block = place.block
        self.moved = self.moved or is_of_others(sources)
        if self._waiting >= self.rows_a_file:
            self.flush()

    def add_one(self, place: LogPlace, source: bytes, target: bytes, value: int) -> None:
        """Take one transfer; of more than 64 bits as rows of the same place."""
        while True:
            part = min(value, LARGEST)
            self.add(place, source, target + part.to_bytes(8, "big"))
            value -= part
            if not value:
                return

    def flush(self) -> None:
        """Write what is in memory to a file."""
        if not self._waiting:
            return
        if self.folder is None:
            self.folder = scratch_folder(self)
        path = self.folder / f"transfers-{len(self.files):06d}.parquet"
        pq.write_table(self.waiting(), path, compression=COMPRESSION)
        self.files.append(path)
        self._places, self._sources, self._entries, self._waiting = [], [], [], 0

    def reads(self) -> list[Callable[[], Iterator[pa.RecordBatch]]]:
        """Return what reads all rows, in streams that are each in the order of the chain."""
        return [self._written, lambda: iter(self.waiting().to_batches(ROWS_A_BATCH))]

    def _written(self) -> Iterator[pa.RecordBatch]:
        for path in self.files:
            yield from _batches(path)

    def waiting(self) -> pa.Table:
        """Return what is in memory."""
        lengths = np.array([rows for _, rows in self._places], np.int64)
        places = [place for place, _ in self._places]
        begins = np.cumsum(lengths) - lengths
        behind = np.arange(self._waiting) - np.repeat(begins, lengths)
        first = np.array([place.log_index for place in places], np.int64)
        entries = np.frombuffer(b"".join(self._entries), np.uint8).reshape(-1, ENTRY_BYTES)
        hashes = np.frombuffer(b"".join([place.tx for place in places]), np.uint8)
        hashes = np.repeat(hashes.reshape(-1, HASH_BYTES), lengths, axis=0)
        columns = [
            np.repeat(np.array([place.block for place in places], np.int64), lengths),
            np.repeat(np.array([place.tx_index for place in places], np.int32), lengths),
            np.repeat(first, lengths) + behind,
            binary(hashes.tobytes(), HASH_BYTES),
            binary(b"".join(self._sources), ADDRESS_BYTES),
            binary(entries[:, :ADDRESS_BYTES].tobytes(), ADDRESS_BYTES),
            np.frombuffer(entries[:, ADDRESS_BYTES:].tobytes(), ">u8").astype(np.uint64),
        ]
        return pa.table(columns, schema=TRANSFERS)


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(ROWS_A_BATCH)


def is_of_others(sources: bytes) -> bool:
    """Whether any of these packed addresses is not the zero address, from which tokens come."""
    return sources != bytes(len(sources))


def binary(packed: bytes, size: int) -> pa.Array:
    """Return values of one size that stand behind each other as a column."""
    count = len(packed) // size
    offsets = np.arange(count + 1, dtype=np.int32) * size
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(packed)]
    return pa.Array.from_buffers(pa.binary(), count, buffers)


def packed(column: pa.Array, size: int) -> bytes:
    """Return a column of values of one size packed, one behind the other.

    Raises
    ------
    ValueError
        When one is missing or of another size.
    """
    if not len(column):
        return b""
    _, offsets, values = column.buffers()
    at = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    if column.null_count or (np.diff(at) != size).any():
        raise ValueError(f"a value of another size than {size} bytes")
    return bytes(values[int(at[0]) : int(at[-1])])
