"""Notes of what the state does not keep, made while the chain is replayed.

Rows go to files as they come, so that memory does not grow with them: an audit of millions of
payouts has tens of millions of rows of events. The files have no names and vanish by themselves.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

from service.audit.abi import Contract
from service.audit.decode import Event, address_text, hex_text
from service.audit.exports.event_tables import (
    EVENT_TABLES,
    WHERE,
    EventKey,
    EventTable,
    recorded_table,
    signed_by,
    where,
)
from service.audit.exports.table import BY_BLOCK, Row, Table, amount, integer, text
from service.audit.state import Batch, State
from service.errors import InvalidInput

ROWS_A_TIME = 500
NAMED_BY = {
    "ProgrammeCreated": ("programme",),
    "OfficerAdded": ("officerId",),
    "OfficerRemoved": ("officerId",),
    "SignerAdded": ("signerType", "signer"),
    "SignerRemoved": ("signerType", "signer"),
    "VerifierAdded": ("verifier",),
    "VerifierRemoved": ("verifier",),
}
"""Events with which something came or went, and the members that name it."""

LARGEST_TIME = 2**63 - 1

WITHDRAWALS = recorded_table(
    "withdrawals",
    "A payment of a stream: what had accrued since the last one, recomputed from the batch's "
    "terms. A finding names each that the chain paid otherwise.",
    (
        WHERE[0],
        text("batch_id", "The batch, 0x-hex."),
        integer("payout_index", "Index of the stream in the batch."),
        *WHERE[1:],
        integer("programme", "Its programme."),
        integer("number", "Its number in the programme."),
        text("payee", "Who was paid, address."),
        amount("amount", "How much."),
        integer("paid_through_s", "Second of accrual through which the stream is paid then."),
        integer("alone", "1 where the stream was withdrawn by itself, 0 with its chunk."),
    ),
    key=3,
    partition=BY_BLOCK,
    indexes=(("batch_id", "payout_index"), ("payee",)),
)

RECORDED_TABLES: tuple[Table, ...] = (WITHDRAWALS, *(each.table for each in EVENT_TABLES))


class Spool:
    """Rows in a file without a name: written once, then read any number of times.

    Parameters
    ----------
    folder
        On whose disk.
    """

    def __init__(self, folder: Path) -> None:
        self._file = TemporaryFile("w+", dir=folder, encoding="ascii", newline="\n")  # noqa: SIM115
        self._waiting: list[Row] = []

    def add(self, row: Row) -> None:
        """Append a row."""
        self._waiting.append(row)
        if len(self._waiting) == ROWS_A_TIME:
            self._flush()

    def _flush(self) -> None:
        self._file.writelines(
            json.dumps(row, separators=(",", ":")) + "\n" for row in self._waiting
        )
        self._waiting.clear()

    def rows(self) -> Iterator[Row]:
        """Yield the rows in their order."""
        self._flush()
        self._file.seek(0)
        for line in self._file:
            yield tuple(json.loads(line))

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


class Recorder:
    """Listens to a replay and keeps the rows of :data:`RECORDED_TABLES`.

    Parameters
    ----------
    folder
        On whose disk rows are kept until they are written.

    Attributes
    ----------
    approvers
        Officers who signed each batch, in their order.
    told_base_units
        Sum of every number that the token's events told: none of its amounts is larger.
    """

    def __init__(self, folder: Path) -> None:
        self._spools = {table.name: Spool(folder) for table in RECORDED_TABLES}
        self._blocks = array("q")
        self._times = array("q")
        self._number = 0
        self._of_all = [each for each in EVENT_TABLES if each.events is None]
        self._of_event: dict[EventKey, list[EventTable]] = {}
        for each in EVENT_TABLES:
            for key in each.events or ():
                self._of_event.setdefault(key, []).append(each)
        self._changed: dict[tuple[object, ...], int] = {}
        self.approvers: dict[bytes, list[int]] = {}
        self.told_base_units = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for spool in self._spools.values():
            spool.close()

    # ---- while it is replayed --------------------------------------------------------------------

    def saw(self, event: Event, _state: State) -> None:
        """Note an event.

        Raises
        ------
        InvalidInput
            When the node gives its block a time that no clock shows.
        """
        self._number += 1
        self._note_time(event)
        if event.contract is Contract.TOKEN and event.name != "Approval":
            self.told_base_units += sum(v for v in event.args.values() if isinstance(v, int))
        if event.name == "BatchApproved":
            officers = [record.officer_id for record in signed_by(event)]
            self.approvers[event.args["batchId"]] = officers
        if event.name in NAMED_BY:
            named = (event.args[member] for member in NAMED_BY[event.name])
            self._changed[event.name, *named] = event.block
        key = (event.contract, event.name)
        for each in (*self._of_event.get(key, ()), *self._of_all):
            spool = self._spools[each.table.name]
            for row in each.rows(self._number, event):
                spool.add(row)

    def _note_time(self, event: Event) -> None:
        if self._blocks and self._blocks[-1] == event.block:
            return
        if event.timestamp > LARGEST_TIME:
            raise InvalidInput(f"block {event.block} has the time {event.timestamp}: there is none")
        self._blocks.append(event.block)
        self._times.append(event.timestamp)

    def withdrew(
        self, event: Event, batch: Batch, payments: Sequence[tuple[int, bytes, int]]
    ) -> None:
        """Note what a withdrawal paid."""
        number, *place = where(self._number, event)
        spool, batch_id = self._spools[WITHDRAWALS.name], hex_text(batch.id)
        alone = int(event.name == "StreamWithdrawn")
        for index, payee, paid in payments:
            chunk, position = batch.locate(index)
            through = None if chunk is None else chunk.paid_through(position)
            stream = batch.programme, batch.first_number + index, address_text(payee)
            spool.add((number, batch_id, index, *place, *stream, paid, through, alone))

    # ---- once it is replayed ---------------------------------------------------------------------

    def rows(self, table: str) -> Iterator[Row]:
        """Yield the rows of a table in their order."""
        return self._spools[table].rows()

    def time_of(self, block: int | None) -> int | None:
        """Unix time of a block that has an event, else None."""
        if block is None:
            return None
        at = bisect_left(self._blocks, block)
        found = at < len(self._blocks) and self._blocks[at] == block
        return self._times[at] if found else None

    def block_of(self, name: str, *named: object) -> int | None:
        """Block of the last event of :data:`NAMED_BY` about a thing, else None."""
        return self._changed.get((name, *named))
