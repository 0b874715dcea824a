"""One part of an archive: its files read, and what happened in its blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from service.audit.abi import Contract
from service.audit.archive.schemas import (
    BLOCKS,
    BLOCKS_FILE,
    LOGS,
    LOGS_FILE,
    TRANSFERS_FILE,
)
from service.audit.arithmetic import ADDRESS_BYTES, ENTRY_BYTES
from service.audit.decode import Event, LogPlace, MalformedLog, decode_args, event_type
from service.audit.transfer_rows import HASH_BYTES, TRANSFERS, packed
from service.audit.transfers import Happened, TransferRun
from service.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Runs:
    """The transfers of a part, those that stand behind each other together.

    Attributes
    ----------
    places
        Of the first of each run: block, position and hash of the transaction, position of the log.
    ends
        Where each run ends among all transfers.
    sources, entries
        20 and 28 bytes each, packed; no sources where all are mints.
    """

    places: list[tuple[int, int, bytes, int]]
    ends: list[int]
    sources: bytes
    entries: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """What a part holds.

    Attributes
    ----------
    blocks, logs
        Rows as their schemas have them.
    runs
        Its transfers.
    """

    name: str
    blocks: list[tuple[Any, ...]]
    logs: list[tuple[Any, ...]]
    runs: Runs


def read_part(folder: Path) -> Part:
    """Read a part's files.

    Raises
    ------
    InvalidInput
        When one is missing, is no Parquet file or has other columns, naming it.
    """
    blocks = read_blocks(folder)
    path = folder / LOGS_FILE
    with _named(path):
        logs = _rows(path, LOGS)
    path = folder / TRANSFERS_FILE
    with _named(path):
        runs = _runs(_table(path, TRANSFERS)) if path.exists() else Runs([], [], b"", b"")
    return Part(folder.name, blocks, logs, runs)


def read_blocks(folder: Path) -> list[tuple[Any, ...]]:
    """Read a part's blocks alone, rows as their schema has them.

    Raises
    ------
    InvalidInput
        As :func:`read_part`.
    """
    path = folder / BLOCKS_FILE
    with _named(path):
        return _rows(path, BLOCKS)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say of which file it is that it cannot be read."""
    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InvalidInput(f"{path}: {error}") from None


def require_columns(path: Path, schema: pa.Schema) -> None:
    """Make sure that a file has these columns of these types, and no other.

    Raises
    ------
    InvalidInput
        When it has not, or is no Parquet file.
    """
    with _named(path):
        found = pq.read_schema(path)
    if not found.equals(schema):
        told = [(field.name, str(field.type)) for field in found]
        raise InvalidInput(f"{path}: its columns are {told}")


def _table(path: Path, schema: pa.Schema) -> pa.Table:
    require_columns(path, schema)
    return pq.read_table(path, read_dictionary=["source", "transaction_hash"], partitioning=None)


def _rows(path: Path, schema: pa.Schema) -> list[tuple[Any, ...]]:
    table = _table(path, schema).cast(schema)
    for name in schema.names:
        if table[name].null_count and name not in OPTIONAL:
            raise ValueError(f"a {name} is missing")
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _runs(table: pa.Table) -> Runs:
    """Put transfers that stand behind each other together."""
    if not len(table):
        return Runs([], [], b"", b"")
    table = table.combine_chunks()
    number = {name: _numbers(table[name]) for name in TRANSFERS.names if name not in BYTES_COLUMNS}
    block, tx_index, log_index = (
        number[name] for name in ("block_number", "transaction_index", "log_index")
    )
    if min(int(block.min()), int(tx_index.min()), int(log_index.min())) < 0:
        raise ValueError("a place is less than nothing")
    hashes = _one_chunk(table["transaction_hash"])
    same_block = np.diff(block) == 0
    same_tx = same_block & (np.diff(tx_index) == 0)
    forward = (np.diff(block) >= 0) & (~same_block | (np.diff(log_index) > 0))
    if not (forward & (~same_block | (np.diff(tx_index) >= 0))).all():
        raise ValueError("its transfers are not in the order of the chain")
    if (same_tx & (np.diff(hashes.indices.to_numpy()) != 0)).any():
        raise ValueError("a transaction has two hashes")
    starts = np.flatnonzero(np.r_[True, ~same_tx | (np.diff(log_index) != 1)])
    names = [value.as_py() for value in hashes.dictionary]
    if any(len(name) != HASH_BYTES for name in names):
        raise ValueError("a transaction's hash is none")
    of_start = hashes.indices.to_numpy()[starts].tolist()
    entries = np.empty((len(table), ENTRY_BYTES), np.uint8)
    targets = packed(_one_chunk(table["target"]), ADDRESS_BYTES)
    entries[:, :ADDRESS_BYTES] = np.frombuffer(targets, np.uint8).reshape(-1, ADDRESS_BYTES)
    values = number["value"].astype(">u8").view(np.uint8)
    entries[:, ADDRESS_BYTES:] = values.reshape(-1, ENTRY_BYTES - ADDRESS_BYTES)
    sources = _one_chunk(table["source"])
    from_nobody = all(value.as_py() == bytes(ADDRESS_BYTES) for value in sources.dictionary)
    return Runs(
        list(
            zip(
                block[starts].tolist(),
                tx_index[starts].tolist(),
                [names[at] for at in of_start],
                log_index[starts].tolist(),
                strict=True,
            )
        ),
        [*starts[1:].tolist(), len(table)],
        b"" if from_nobody else packed(sources.cast(pa.binary()), ADDRESS_BYTES),
        entries.tobytes(),
    )


OPTIONAL = frozenset({"header", "topic0", "topic1", "topic2", "topic3"})
BYTES_COLUMNS = frozenset({"transaction_hash", "source", "target"})


def _one_chunk(column: pa.ChunkedArray) -> Any:
    if column.null_count:
        raise ValueError("a value is missing")
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _numbers(column: pa.ChunkedArray) -> Any:
    return _one_chunk(column).to_numpy()


def happened(
    part: Part, contracts: Mapping[bytes, Contract], blocks: Mapping[int, tuple[int, bytes]]
) -> Iterator[list[Happened]]:
    """Yield the events of each block that has some, in order.

    Parameters
    ----------
    contracts
        Which contract an address is.
    blocks
        Timestamp and hash by number.

    Raises
    ------
    InvalidInput
        When a row is of no block, contract or event.
    """
    items = sorted([*_transfers(part, blocks), *_events(part, contracts, blocks)], key=_KEY)
    for (block, position, each), (next_block, next_position, _) in pairwise(items):
        length = len(each) if isinstance(each, TransferRun) else 1
        if (block, position + length) > (next_block, next_position):
            raise InvalidInput(f"{part.name}: two logs of block {block} stand at one place")
    for _, some in groupby(items, key=itemgetter(0)):
        yield [each for _, _, each in some]


_KEY = itemgetter(0, 1)


def _transfers(
    part: Part, blocks: Mapping[int, tuple[int, bytes]]
) -> Iterator[tuple[int, int, Happened]]:
    runs, start = part.runs, 0
    for (block, tx_index, tx, log_index), end in zip(runs.places, runs.ends, strict=True):
        place = _place(part, blocks, (block, tx_index, log_index, tx))
        size = ADDRESS_BYTES
        sources = runs.sources[start * size : end * size] or bytes((end - start) * size)
        entries = runs.entries[start * ENTRY_BYTES : end * ENTRY_BYTES]
        yield block, log_index, TransferRun(place, sources, entries)
        start = end


def _events(
    part: Part, contracts: Mapping[bytes, Contract], blocks: Mapping[int, tuple[int, bytes]]
) -> Iterator[tuple[int, int, Happened]]:
    before = (-1, -1)
    for block, tx_index, log_index, tx, address, *topics, data in part.logs:
        if (block, log_index) <= before:
            raise InvalidInput(f"{part.name}: its logs are not in the order of the chain")
        before = block, log_index
        place = _place(part, blocks, (block, tx_index, log_index, tx))
        try:
            contract = contracts[address]
            present = [topic for topic in topics if topic is not None]
            kind = event_type(contract, present)
            args = decode_args(kind, present, data)
        except (KeyError, MalformedLog) as error:
            raise InvalidInput(
                f"{part.name}: log {log_index} of block {block} is no event of ours: {error}"
            ) from None
        yield block, log_index, Event(contract, kind.name, args, *place.as_tuple())


def _place(
    part: Part, blocks: Mapping[int, tuple[int, bytes]], where: tuple[int, int, int, bytes]
) -> LogPlace:
    block, tx_index, log_index, tx = where
    if block not in blocks:
        raise InvalidInput(f"{part.name}: it has a log of block {block} and no such block")
    if len(tx) != HASH_BYTES:
        raise InvalidInput(f"{part.name}: a transaction's hash is none")
    timestamp, block_hash = blocks[block]
    return LogPlace(block, timestamp, block_hash, tx, tx_index, log_index)
