"""The database's copy of the events and of the token's transfers, row by row, in the chain's order.

Both tables are read beside the replay, one row at a time, so that neither side is ever held whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from typing import Any

from service.audit.abi import Contract
from service.audit.arithmetic import ENTRY_BYTES, unpack
from service.audit.database import Row, Snapshot, whole
from service.audit.decode import Event, hex_text
from service.audit.findings import Code, Findings, Place
from service.audit.state import PayoutStatus, State

NOT_KEPT = frozenset({"Approval", "AuthorityUpdated", "EIP712DomainChanged"})
"""Events that say nothing about money, officers or what may be paid."""

EVENTS, TRANSFERS = "events", "transfers"
PLACE = ("block_number", "log_index")
_WORD_BITS = 256
_WORD_DIGITS = 78
_MOST_CHUNKS = 2**31
"""What a database's column can hold; a batch has 256 at most."""


@dataclass(frozen=True, slots=True)
class _Difference:
    """One that waits for the rest of its transaction to say which payout it is about."""

    event: Event
    code: Code
    message: str
    expected: str | None = None
    found: str | None = None


class EventRows:
    """Compares the two tables with the events of the replay, which must come in order.

    Parameters
    ----------
    read_to
        Newest block the database has read; None is no limit.
    final_to
        Newest block it calls final.
    """

    def __init__(
        self, snapshot: Snapshot, findings: Findings, read_to: int | None, final_to: int
    ) -> None:
        self._findings = findings
        self._read_to = read_to
        self._final_to = final_to
        self._rows: Iterator[tuple[str, Row]] = merge(
            ((EVENTS, row) for row in snapshot.rows(EVENTS, PLACE)),
            ((TRANSFERS, row) for row in snapshot.rows(TRANSFERS, PLACE)),
            ((TRANSFERS, row) for row in _mints(snapshot)),
            key=_place_of,
        )
        self._next = next(self._rows, None)
        self._differences: list[_Difference] = []
        self.compared = 0

    def check(self, event: Event) -> None:
        """Compare the rows up to an event, and the event's own."""
        if event.name in NOT_KEPT or (self._read_to is not None and event.block > self._read_to):
            return
        table = (
            TRANSFERS if (event.contract, event.name) == (Contract.TOKEN, "Transfer") else EVENTS
        )
        here = (event.block, event.log_index, table)
        while self._next is not None and _place_of(self._next) < here:
            self._extra()
        if self._next is None or _place_of(self._next) != here:
            message = f"{event.name} of block {event.block} is on chain and not in {table}"
            self._differences.append(_Difference(event, Code.DATABASE_ROW_MISSING, message))
            return
        self._compare(event, table, self._next[1])
        self._advance()

    def finish(self, state: State) -> int:
        """Name the rows left over and the differences found; return how many were compared.

        Parameters
        ----------
        state
            As rebuilt so far, to name the payouts concerned.
        """
        while self._next is not None:
            self._extra()
        for each in self._differences:
            place = _payout_of(each.event, each.found, state)
            about = ""
            if place.index is not None:
                about = f" (payout {place.index} of batch {place.batch})"
            message = each.message + about
            self._findings.error(
                each.code, message, place, expected=each.expected, found=each.found
            )
        self._differences.clear()
        return self.compared

    def _advance(self) -> None:
        self._next = next(self._rows, None)
        self.compared += 1

    def _extra(self) -> None:
        assert self._next is not None
        table, row = self._next
        self._findings.error(
            Code.DATABASE_ROW_EXTRA,
            f"row {row['log_index']} of block {row['block_number']} in {table} is no event of the "
            "chain",
            Place(block=row["block_number"], tx=row["tx_hash"], batch=row.get("batch_id")),
        )
        self._advance()

    def _compare(self, event: Event, table: str, row: Row) -> None:
        expected, found = _of_event(event, table), _of_row(row)
        if table == EVENTS:
            expected["final"] = str(event.block <= self._final_to)
        for name in sorted({*expected, *found}):
            if expected.get(name) == found.get(name):
                continue
            self._differences.append(
                _Difference(
                    event,
                    Code.DATABASE_MISMATCH,
                    f"{name} of {event.name} in block {event.block} is another in {table} than on "
                    "chain",
                    expected.get(name),
                    found.get(name),
                )
            )


def _mints(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the mints that only the rows of chunks say, as rows of ``transfers``.

    A chunk says them by its entries and the log index of the first, its ``ChunkPaid`` which of them
    it skipped.
    """
    for event in snapshot.rows(EVENTS, PLACE, name="ChunkPaid"):
        args = _args(event)
        index = args.get("chunkIndex")
        if not isinstance(index, int) or not 0 <= index < _MOST_CHUNKS:
            continue
        which = {"batch_id": event["batch_id"], "chunk_index": index}
        for chunk in snapshot.rows("chunks", ("chunk_index",), **which):
            kept = chunk["mints_log_index"] is not None
            if kept and chunk["executed_block_number"] is not None:
                yield from _minted_rows(chunk, args)


def _minted_rows(chunk: Row, args: Row) -> Iterator[Row]:
    skipped = _mask(args.get("skippedLow")) | _mask(args.get("skippedHigh")) << _WORD_BITS
    log_index = chunk["mints_log_index"]
    for position, (payee, amount) in enumerate(unpack(bytes(chunk["entries"]))):
        if skipped >> position & 1:
            continue
        yield {
            "block_number": chunk["executed_block_number"],
            "log_index": log_index,
            "block_hash": chunk["executed_block_hash"],
            "tx_hash": chunk["tx_hash"],
            "from_address": hex_text(bytes(20)),
            "to_address": hex_text(payee),
            "value": amount,
        }
        log_index += 1


def _mask(value: Any) -> int:
    """Read half of a mask; what somebody wrote there that is none is compared elsewhere."""
    text = str(value)
    return int(text) if text.isdecimal() and len(text) <= _WORD_DIGITS else 0


def _place_of(item: tuple[str, Row]) -> tuple[int, int, str]:
    table, row = item
    return row["block_number"], row["log_index"], table


def _of_event(event: Event, table: str) -> dict[str, str]:
    facts: dict[str, Any] = {
        "block_hash": event.block_hash,
        "tx_hash": event.tx,
        "block_number": event.block,
        "log_index": event.log_index,
    }
    args = dict(event.args)
    if table == TRANSFERS:
        facts |= {
            "from_address": args["from"],
            "to_address": args["to"],
            "value": args["value"],
        }
        return _flat(facts)
    facts |= {
        "contract": event.contract.value,
        "name": event.name,
        "seq": args.pop("seq", None),
        "batch_id": args.get("batchId"),
        "programme": args.get("programme"),
        "args": args,
    }
    return _flat(facts)


def _of_row(row: Row) -> dict[str, str]:
    if "value" in row:
        return _flat({**row, "value": whole(row["value"])})
    return _flat({**row, "args": _args(row), "final": bool(row["final"])})


def _args(row: Row) -> Row:
    args = row["args"]
    decoded = json.loads(args) if isinstance(args, str) else args
    return decoded if isinstance(decoded, dict) else {"": decoded}


def _flat(facts: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return a text for each leaf: numbers in decimal, bytes and addresses in lower-case hex."""
    flat: dict[str, str] = {}
    for name, value in facts.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            flat |= _flat({str(at): member for at, member in enumerate(value)}, f"{prefix}{name}.")
        elif isinstance(value, bytes):
            flat[prefix + name] = hex_text(value)
        else:
            text = str(value)
            flat[prefix + name] = text.lower() if text.startswith("0x") else text
    return flat


# ---- naming the payout ---------------------------------------------------------------------------


def _payout_of(event: Event, found: str | None, state: State) -> Place:
    """Name the payout an event is about, as closely as the event does."""
    at = Place(block=event.block, tx=hex_text(event.tx))
    batch = state.batches.get(event.args.get("batchId", b""))
    if batch is None:
        return _minted(event, state) or at
    if "index" in event.args:
        return batch.place(event, event.args["index"])
    if "chunkIndex" not in event.args:
        return batch.place(event)
    first = batch.first_index(event.args["chunkIndex"])
    return batch.place(event, first + _differing(event.args.get("entries", b""), found))


def _differing(entries: bytes, found: str | None) -> int:
    """Position of the first entry that differs from those of a row; 0 when none does."""
    try:
        stored = bytes.fromhex((found or "").removeprefix("0x"))
    except ValueError:
        return 0
    if not stored or len(stored) != len(entries):
        return 0
    pairs = enumerate(zip(entries, stored, strict=True))
    return next((at // ENTRY_BYTES for at, (signed, kept) in pairs if signed != kept), 0)


def _minted(event: Event, state: State) -> Place | None:
    """Name the one-off payout that a mint paid."""
    if event.name != "Transfer" or any(event.args["from"]):
        return None
    wanted = (PayoutStatus.PAID, event.args["to"], event.args["value"], event.tx)
    for batch in state.batches.values():
        for payout in state.payouts(batch):
            if (payout.status, payout.payee, payout.amount, payout.tx) == wanted:
                return batch.place(event, payout.index)
    return None
