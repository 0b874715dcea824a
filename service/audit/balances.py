"""What every wallet holds, asked of all transfers at once.

In SQL, in words that DuckDB and Spark both read. Who spent more than they held is found in another
way (:mod:`service.audit.overdrafts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

import numpy as np
import pyarrow as pa

from service.audit.arithmetic import ADDRESS_BYTES
from service.audit.decode import Event, LogPlace
from service.audit.engines.duck import Duck
from service.audit.overdrafts import Overdraft, overdrafts
from service.audit.transfer_rows import TransferRows, binary, packed
from service.audit.transfers import TransferRun

AMOUNT_BYTES = 16
RECORD_BYTES = ADDRESS_BYTES + AMOUNT_BYTES
"""A wallet and what it holds, signed: more may have been spent than was there."""

ZERO = f"unhex('{'00' * ADDRESS_BYTES}')"
NUMBER = "DECIMAL(38, 0)"

CREDITS = f"""
    SELECT target AS account, CAST(sum(value) AS {NUMBER}) AS amount FROM transfers
    WHERE (target <> {ZERO} OR source = {ZERO}) AND block_number <= {{until}} GROUP BY target
"""
DEBITS = f"""
    SELECT source AS account, -CAST(sum(value) AS {NUMBER}) AS amount FROM transfers
    WHERE source <> {ZERO} AND block_number <= {{until}} GROUP BY source
"""
BEFORE = "SELECT account, amount FROM opening"
"""Tokens are minted from the zero address and burned to it, which holds none."""

PAYERS = f"SELECT approx_count_distinct(source) AS payers FROM transfers WHERE source <> {ZERO}"


class Engine(Protocol):
    """Answers questions about all transfers."""

    def answer(
        self, sql: str, rows: TransferRows, opening: pa.Table, *, keep_as: object = None
    ) -> Iterator[pa.RecordBatch]:
        """Ask, with the relations ``transfers`` and ``opening``; batches in their order.

        Parameters
        ----------
        keep_as
            What the answer is kept as: asked for the same again, it need not be computed again.
        """

    def begin(self, sql: str, rows: TransferRows, opening: pa.Table, *, keep_as: object) -> None:
        """Answer while others work, where it can, what will be asked for later."""


@dataclass
class Balances:
    """What every wallet holds.

    Attributes
    ----------
    opening
        Wallets and what they held before the first row, packed, by account: 20 and 16 bytes each.
    rows
        Transfers since.
    checked
        Last block whose payments were held against what was there.
    engine
        Who sums up.
    """

    opening: bytes = b""
    rows: TransferRows = field(default_factory=TransferRows)
    checked: int = -1
    engine: Engine = field(default_factory=Duck)
    _summed: tuple[int, tuple[int, int]] | None = None

    def add_run(self, run: TransferRun) -> None:
        """Take transfers that stand behind each other."""
        self.rows.add(run.place, run.sources, run.entries)

    def add(self, event: Event) -> None:
        """Take one transfer."""
        place = LogPlace(
            event.block,
            event.timestamp,
            event.block_hash,
            event.tx,
            event.tx_index,
            event.log_index,
        )
        args = event.args
        self.rows.add_one(place, args["from"], args["to"], args["value"])

    def overdrafts(self) -> Iterator[Overdraft]:
        """Yield payments of more than was there, of blocks not looked at before.

        Only when the last of these blocks is over.
        """
        after, self.checked = self.checked, max(self.checked, self.rows.last_block)
        if not self.rows.moved:
            return
        (counted,) = self._ask(PAYERS)
        payers = int(counted.column(0)[0].as_py())
        for found in overdrafts(self.rows.reads(), self._opening_items, payers):
            if found.block > after:
                yield found

    def _opening_items(self) -> Iterator[tuple[bytes, int]]:
        for at in range(0, len(self.opening), RECORD_BYTES):
            amount = self.opening[at + ADDRESS_BYTES : at + RECORD_BYTES]
            account = self.opening[at : at + ADDRESS_BYTES]
            yield account, int.from_bytes(amount, "big", signed=True)

    def items(self) -> Iterator[tuple[bytes, int]]:
        """Yield each wallet that ever had tokens, and what it holds, by account."""
        for batch in self._all():
            amounts = batch.column(1).to_pylist()
            for account, amount in zip(batch.column(0).to_pylist(), amounts, strict=True):
                yield account, int(amount)

    def with_others(self, others: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
        """Yield each wallet as :meth:`items` does, and others too, which hold none, by account."""
        left = iter(sorted(others))
        other = next(left, None)
        for account, amount in self.items():
            while other is not None and other <= account:
                if other != account:
                    yield other, 0
                other = next(left, None)
            yield account, amount
        if other is not None:
            yield from ((each, 0) for each in chain([other], left))

    def of(self, account: bytes) -> int:
        """Return what one wallet holds."""
        return next((amount for each, amount in self.items() if each == account), 0)

    def summed(self) -> tuple[int, int]:
        """Return what all hold together, and how many hold something."""
        if self._summed is None or self._summed[0] != self.rows.count:
            total = holders = 0
            for batch in self._all():
                amounts = _bytes_of(batch.column(1))
                holders += int(_are_some(amounts).sum())
                total += _sum(amounts)
            self._summed = self.rows.count, (total, holders)
        return self._summed[1]

    def packed(self, *, empty: bool = False) -> Iterator[bytes]:
        """Yield wallets and what they hold, by account, 20 and 16 bytes each.

        Parameters
        ----------
        empty
            Those too that ever had tokens and hold none.
        """
        for batch in self._all():
            amounts = _bytes_of(batch.column(1))
            accounts = np.frombuffer(packed(batch.column(0), ADDRESS_BYTES), np.uint8)
            records = np.hstack([accounts.reshape(-1, ADDRESS_BYTES), amounts[:, ::-1]])
            yield (records if empty else records[_are_some(amounts)]).tobytes()

    def _all(self) -> Iterator[pa.RecordBatch]:
        """Yield every wallet and what it holds, by account."""
        return self._ask(self._sums(), keep_as=self.rows.count)

    def _sums(self) -> str:
        """Return the question what every wallet holds."""
        parts = [CREDITS]
        if self.rows.moved:
            parts.append(DEBITS)
        if self.opening:
            parts.append(BEFORE)
        return every_wallet(*parts, until=self.rows.last_block)

    def _ask(self, sql: str, *, keep_as: object = None) -> Iterator[pa.RecordBatch]:
        return self.engine.answer(sql, self.rows, opened(self.opening), keep_as=keep_as)


def every_wallet(*changes: str, until: int) -> str:
    """Return the question what every wallet holds after some changes up to a block, by account."""
    changes = tuple(each.format(until=until) for each in changes)
    if len(changes) == 1:
        return f"{changes[0]} ORDER BY account"
    union = " UNION ALL ".join(f"SELECT * FROM ({each}) AS part" for each in changes)
    return f"""
        SELECT account, CAST(sum(amount) AS {NUMBER}) AS amount
        FROM ({union}) AS changes GROUP BY account ORDER BY account
    """


def opened(records: bytes) -> pa.Table:
    """Return packed records as a table."""
    columns = np.frombuffer(records, np.uint8).reshape(-1, RECORD_BYTES)
    accounts = binary(columns[:, :ADDRESS_BYTES].tobytes(), ADDRESS_BYTES)
    amounts = columns[:, ADDRESS_BYTES:][:, ::-1].tobytes()
    kind = pa.decimal128(38, 0)
    numbers = pa.Array.from_buffers(kind, len(columns), [None, pa.py_buffer(amounts)])
    return pa.table([accounts, numbers], names=["account", "amount"])


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
    """Sum numbers of 16 bytes up, which may be less than zero."""
    digits = np.ascontiguousarray(amounts).view("<u4")
    total = sum(
        int(column) << 32 * at for at, column in enumerate(digits.sum(axis=0, dtype=np.uint64))
    )
    below_zero = int((amounts[:, -1] >> 7).sum())
    return total - (below_zero << 8 * AMOUNT_BYTES)
