"""Who spent more than they held: one way through all transfers, in the chain's order.

Only who ever pays can have spent too much, so only these wallets' balances are kept, and of so many
at a time: what that takes grows with the wallets, never with the transfers of one of them.
"""

from __future__ import annotations

import heapq
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa

from service.audit.arithmetic import ADDRESS_BYTES
from service.audit.transfer_rows import packed

PAYERS_AT_A_TIME = 300_000
"""Balances in memory, some 150 bytes each."""

ZERO = bytes(ADDRESS_BYTES)

Moved = tuple[int, int, bytes, bytes, int, bytes]
"""Block, position of the log, source, target, value, hash of the transaction."""

Read = Callable[[], Iterable[pa.RecordBatch]]
"""Reads transfers from the first to the last, as often as it is called."""


@dataclass(frozen=True, slots=True)
class Overdraft:
    """A wallet spent more than it held."""

    account: bytes
    block: int
    tx: bytes
    held: int
    spent: int


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts wallets among so many passes; by keys that nobody can know who makes addresses."""

    count: int
    keys: tuple[int, ...]

    @classmethod
    def of(cls, payers: int) -> Shares:
        """Return as many shares as hold so many payers."""
        keys = tuple(secrets.randbits(64) | 1 for _ in range(3))
        return cls(max(1, -(-payers // PAYERS_AT_A_TIME)), keys)

    def share(self, accounts: np.ndarray) -> np.ndarray:
        """Return the number of the share of each account, rows of 20 bytes."""
        words = np.zeros((len(accounts), 24), np.uint8)
        words[:, :ADDRESS_BYTES] = accounts
        mixed = (words.view(np.uint64) * np.array(self.keys, np.uint64)).sum(
            axis=1, dtype=np.uint64
        )
        found: np.ndarray = (mixed >> np.uint64(32)) % np.uint64(self.count)
        return found


def overdrafts(
    reads: Iterable[Read], opening: Callable[[], Iterable[tuple[bytes, int]]], payers: int
) -> Iterator[Overdraft]:
    """Yield each payment of more than was there; of one share of the wallets after the other.

    Parameters
    ----------
    reads
        Streams of transfers, each in the chain's order.
    opening
        Returns what wallets held before; called for each share.
    payers
        About how many wallets ever pay.
    """
    shares, reads = Shares.of(payers), list(reads)
    for number in range(shares.count):
        held = dict.fromkeys(_payers(reads, shares, number), 0)
        for account, amount in opening():
            if account in held:
                held[account] = amount
        streams = [_moved(read, shares, number) for read in reads]
        yield from _spent(heapq.merge(*streams) if len(streams) > 1 else streams[0], held)


def _spent(moved: Iterable[Moved], held: dict[bytes, int]) -> Iterator[Overdraft]:
    # One of more than 64 bits is several rows of one place.
    for (block, _, source, target, tx), rows in groupby(moved, key=itemgetter(0, 1, 2, 3, 5)):
        value = sum(row[4] for row in rows)
        if source in held:
            if held[source] < value:
                yield Overdraft(source, block, tx, held[source], value)
            held[source] -= value
        if target in held:
            held[target] += value


def _payers(reads: Iterable[Read], shares: Shares, number: int) -> set[bytes]:
    found: set[bytes] = set()
    for read in reads:
        for batch in read():
            sources = _accounts(batch, "source")
            wanted = sources.any(axis=1) & (shares.share(sources) == number)
            found.update(_texts(sources[wanted]))
    return found


def _moved(read: Read, shares: Shares, number: int) -> Iterator[Moved]:
    """Yield the transfers that a share's wallets may be part of."""
    for batch in read():
        sources, targets = _accounts(batch, "source"), _accounts(batch, "target")
        wanted = (shares.share(sources) == number) | (shares.share(targets) == number)
        at = np.flatnonzero(wanted)
        some = batch.take(pa.array(at))
        yield from zip(
            some["block_number"].to_pylist(),
            some["log_index"].to_pylist(),
            _texts(sources[at]),
            _texts(targets[at]),
            some["value"].to_pylist(),
            some["transaction_hash"].to_pylist(),
            strict=True,
        )


def _accounts(batch: pa.RecordBatch, name: str) -> np.ndarray:
    flat = np.frombuffer(packed(batch[name], ADDRESS_BYTES), np.uint8)
    rows: np.ndarray = flat.reshape(-1, ADDRESS_BYTES)
    return rows


def _texts(accounts: np.ndarray) -> list[bytes]:
    size = ADDRESS_BYTES
    flat = accounts.tobytes()
    return [flat[at : at + size] for at in range(0, len(flat), size)]
