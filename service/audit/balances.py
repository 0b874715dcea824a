"""What every wallet holds, asked of all transfers at once.

In SQL, in words that DuckDB and Spark both read, and in no order: sorted they are here, in half the
time (:mod:`service.audit.wallets`). Who spent more than they held is found in another
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
from service.audit.transfer_rows import TransferRows, binary
from service.audit.transfers import TransferRun
from service.audit.wallets import RECORD_BYTES, Wallets

ZERO = f"unhex('{'00' * ADDRESS_BYTES}')"
NUMBER = "DECIMAL(38, 0)"

CREDITS = f"""
    SELECT target AS account, CAST(value AS {NUMBER}) AS amount FROM transfers
    WHERE (target <> {ZERO} OR source = {ZERO}) AND block_number <= {{until}}
"""
DEBITS = f"""
    SELECT source AS account, -CAST(value AS {NUMBER}) AS amount FROM transfers
    WHERE source <> {ZERO} AND block_number <= {{until}}
"""
BEFORE = "SELECT account, amount FROM opening"
"""Tokens are minted from the zero address and burned to it, which holds none."""

PAYERS = f"SELECT approx_count_distinct(source) AS payers FROM transfers WHERE source <> {ZERO}"


class Engine(Protocol):
    """Answers questions about all transfers.

    Attributes
    ----------
    beside
        Whether it answers while an archive's parts are read, and does not keep its readers from it.
    """

    @property
    def beside(self) -> bool:
        """As above."""

    def answer(self, sql: str, rows: TransferRows, opening: pa.Table) -> Iterator[pa.RecordBatch]:
        """Ask, with the relations ``transfers`` and ``opening``; rows in any order."""


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
    _wallets: tuple[int, Wallets] | None = None

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
        for found in overdrafts(self.rows.reads(), lambda: _items(self.opening), payers):
            if found.block > after:
                yield found

    def items(self) -> Iterator[tuple[bytes, int]]:
        """Yield each wallet that ever had tokens, and what it holds, by account."""
        for records in self.packed(empty=True):
            yield from _items(records)

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

    def packed(self, *, empty: bool = False) -> Iterator[bytes]:
        """Yield wallets and what they hold, by account, 20 and 16 bytes each.

        Parameters
        ----------
        empty
            Those too that ever had tokens and hold none.
        """
        return self.wallets().packed(empty=empty)

    def wallets(self) -> Wallets:
        """Return every wallet and what it holds after the last row."""
        if self._wallets is None or self._wallets[0] != self.rows.count:
            self._wallets = None  # two would be in memory
            self._wallets = self.rows.count, Wallets.of(self._ask(self._sums()))
        return self._wallets[1]

    def _sums(self) -> str:
        """Return the question what every wallet holds."""
        parts = [CREDITS]
        if self.rows.moved:
            parts.append(DEBITS)
        if self.opening:
            parts.append(BEFORE)
        return every_wallet(*parts, until=self.rows.last_block)

    def _ask(self, sql: str) -> Iterator[pa.RecordBatch]:
        return self.engine.answer(sql, self.rows, opened(self.opening))


def _items(records: bytes) -> Iterator[tuple[bytes, int]]:
    for at in range(0, len(records), RECORD_BYTES):
        amount = records[at + ADDRESS_BYTES : at + RECORD_BYTES]
        yield records[at : at + ADDRESS_BYTES], int.from_bytes(amount, "big", signed=True)


def every_wallet(*changes: str, until: int) -> str:
    """Return the question what every wallet holds after some changes up to a block."""
    union = " UNION ALL ".join(each.format(until=until) for each in changes)
    return f"""
        SELECT account, CAST(sum(amount) AS {NUMBER}) AS amount
        FROM ({union}) AS changes GROUP BY account
    """


def opened(records: bytes) -> pa.Table:
    """Return packed records as a table."""
    columns = np.frombuffer(records, np.uint8).reshape(-1, RECORD_BYTES)
    accounts = binary(columns[:, :ADDRESS_BYTES].tobytes(), ADDRESS_BYTES)
    amounts = columns[:, ADDRESS_BYTES:][:, ::-1].tobytes()
    kind = pa.decimal128(38, 0)
    numbers = pa.Array.from_buffers(kind, len(columns), [None, pa.py_buffer(amounts)])
    return pa.table([accounts, numbers], names=["account", "amount"])
