"""Every row of the database that states a fact about money, held against the rebuilt state.

The comparison is made at the block the database says it has read, whatever came after. What waits
for its chunk is compared with the entries officers signed, as soon as the chunks in the database
give the signed root.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.audit.arithmetic import chunk_leaf, chunks_root, unpack, vested
from service.audit.blocks import Progress
from service.audit.database import Row, Snapshot, unix, whole
from service.audit.decode import Event, address_text, hex_text
from service.audit.deployment import Deployment
from service.audit.event_rows import NOT_KEPT, EventRows
from service.audit.findings import NOWHERE, Code, Findings, Place
from service.audit.ledger import compare_ledger
from service.audit.manifests import Line
from service.audit.rpc import Node
from service.audit.signature_rows import SignatureRows
from service.audit.state import Batch, Payout, PayoutStatus, State
from service.audit.transaction_rows import TransactionRows

SKIP_REASONS = {1: "zero_address", 2: "token", 3: "vault", 4: "frozen"}
NOT_ON_CHAIN_BATCH = {"draft", "approved", "released", "cancelled"}
NOT_ON_CHAIN_PAYOUT = {"draft", "approved", "queued", "held", "cancelled"}
KINDS = ("one_off", "stream")
PAYOUTS_OF_BATCH = {
    "draft": {"draft", "held"},
    "approved": {"approved", "held"},
    "released": {"queued", "held"},
    "cancelled": {"held", "cancelled"},
}
"""States of the payouts of a batch that is not on chain."""

MANIFEST, PLANNED = "in the signed manifest", "by the batch's own rows"
"""What a row is compared with, where that is not the chain."""


class OneOf(frozenset[Any]):
    """Several values of which a column may hold any."""

    __slots__ = ()

    def __str__(self) -> str:
        return " or ".join(sorted(str(value) for value in self))


@dataclass
class DatabaseCheck:
    """Compares a database with the state at the block it has read.

    Attributes
    ----------
    rows
        Rows compared.
    """

    snapshot: Snapshot
    node: Node
    deployment: Deployment
    _findings: Findings
    rows: int = 0
    _read_to: int | None = None
    _final_to: int = -1
    _ledger_to: int | None = None
    _done: bool = False
    _state: State = field(default_factory=State)
    _time: int = 0
    _blocks: dict[int, Event] = field(default_factory=dict)

    # ---- when ------------------------------------------------------------------------------------

    def attach(self, last: int) -> None:
        """Learn how far the database has read, and whether it read this chain.

        Raises
        ------
        ChainUnavailable, NodeRefused
            When the node does not answer.
        ConfigurationError
            When the database cannot be read.
        """
        # All of them at once: a second reading would be later than the first.
        cursors = list(self.snapshot.rows("cursors", ("name",)))
        for row in cursors:
            if row["chain_id"] != self.deployment.chain_id:
                self._findings.error(
                    Code.DATABASE_OTHER_CHAIN,
                    f"the database follows chain {row['chain_id']}",
                    expected=self.deployment.chain_id,
                    found=row["chain_id"],
                )
        own = {row["name"]: row for row in cursors if row["chain_id"] == self.deployment.chain_id}
        for row in own.values():
            self._check_fork(row, last)
        numbers = {name: row["block_number"] for name, row in own.items()}
        self._read_to = numbers.get("events")
        self._final_to = numbers.get("final", -1)
        self._ledger_to = numbers.get("ledger")
        self._check_order()
        self._events = EventRows(self.snapshot, self._findings, self._read_to, self._final_to)

    def _check_fork(self, row: Row, last: int) -> None:
        number = row["block_number"]
        if number > last:
            self._findings.error(
                Code.DATABASE_AHEAD,
                f"the database has read to block {number}, the replay ends at {last}: not compared",
                Place(block=last),
            )
            self._done = True
            return
        (header,) = self.node.headers(number, number)
        if header is None or header["hash"] != row["block_hash"]:
            self._findings.error(
                Code.DATABASE_OTHER_CHAIN,
                f"the database read another block {number} than this chain has",
                Place(block=number),
                expected=None if header is None else header["hash"],
                found=row["block_hash"],
            )

    def _check_order(self) -> None:
        """What is posted must be final, what is final must have been read."""
        read, posted = self._read_to, self._ledger_to
        if self._final_to > (-1 if read is None else read) or (posted or -1) > self._final_to:
            self._findings.error(
                Code.DATABASE_MISMATCH,
                f"the database read to block {read}, calls {self._final_to} final and posted to "
                f"{posted}",
            )
        elif (-1 if posted is None else posted) < self._final_to:
            self._findings.warning(
                Code.DATABASE_BEHIND,
                f"the ledger is posted to block {posted}, block {self._final_to} is final",
            )

    def see(self, event: Event) -> None:
        """Compare the rows of one event; events must come in order."""
        if self._done:
            return
        self._events.check(event)
        if event.name not in NOT_KEPT:
            self._blocks[event.block] = event

    def due(self, next_block: int | None) -> bool:
        """Whether to compare now: the next block with events is one the database has not read.

        Parameters
        ----------
        next_block
            Number of that block, or None at the end.
        """
        if self._done:
            return False
        if next_block is None:
            return True
        if self._read_to is None or next_block <= self._read_to:
            return False
        self._findings.warning(
            Code.DATABASE_BEHIND,
            f"the database has read to block {self._read_to} and was compared there; events of "
            f"block {next_block} and later are not in it yet",
            Place(block=next_block),
        )
        return True

    # ---- what ------------------------------------------------------------------------------------

    def compare(self, state: State, time: int, progress: Progress) -> None:
        """Compare every row.

        Parameters
        ----------
        time
            Unix time of the block, or a little later.

        Raises
        ------
        ConfigurationError
            When the database cannot be read.
        """
        self._done, self._state, self._time = True, state, time
        self._programmes()
        self._officers()
        total = len(state.batches)
        unseen = dict(state.batches)
        for done, row in enumerate(list(self.snapshot.rows("batches", ("id",))), 1):
            batch = unseen.pop(_bytes(row["id"]), None)
            if batch is None:
                self._unknown_batch(row)
            else:
                self._batch(batch, row)
            progress("database", done, max(total, done))
        for batch in unseen.values():
            self._missing(
                f"batch {hex_text(batch.id)} is on chain and not in the database", batch.place()
            )
        self._orphans()
        self._block_rows()
        self.rows += self._events.finish(state)
        addresses = self.deployment.addresses
        self.rows += SignatureRows(
            self.snapshot, state, self._findings, self.deployment.domains(), addresses
        ).run()
        self.rows += TransactionRows(
            self.snapshot,
            self.node,
            state,
            self._findings,
            self.deployment.chain_id,
            self._final_to,
        ).run()
        self.rows += compare_ledger(
            self.snapshot, state, self._findings, self._ledger_to, self._read_to
        )

    def _block_rows(self) -> None:
        """Compare the blocks that hold events; the others are not ours to keep."""
        unseen = dict(self._blocks)
        for row in self.snapshot.rows("blocks", ("number",)):
            event = unseen.pop(row["number"], None)
            if event is not None:
                facts = {"hash": hex_text(event.block_hash), "timestamp_unix_s": event.timestamp}
                place = Place(block=event.block)
                self._compare(f"block {event.block}", place, row, facts)
            elif self._read_to is not None and row["number"] > self._read_to:
                self._extra(f"block {row['number']} was not read yet", Place(row["number"]))
        for number in unseen:
            self._missing(f"block {number} has events and is not in the database", Place(number))

    def compare_lines(self, manifests: Mapping[bytes, Sequence[Line]]) -> None:
        """Compare the payouts with the lines of the manifests that officers signed."""
        for batch_id, lines in manifests.items():
            batch = self._state.batches.get(batch_id)
            if batch is None:
                continue
            for row in self.snapshot.rows("payouts", ("index",), batch_id=hex_text(batch_id)):
                index = row["index"]
                if not 0 <= index < len(lines):
                    continue
                line = lines[index]
                expected = {
                    "commitment": line.commitment,
                    "payee": address_text(line.payee),
                    "amount_base_units": line.amount,
                }
                name = _payout_name(batch.first_number + index, batch_id, index)
                self._compare(name, batch.place(None, index), row, expected, MANIFEST)

    # ---- programmes and officers -----------------------------------------------------------------

    def _programmes(self) -> None:
        unseen = dict(self._state.programmes)
        for row in self.snapshot.rows("programmes", ("id",)):
            programme = unseen.pop(row["id"], None)
            name = f"programme {row['id']}"
            if programme is None:
                self._compare(name, NOWHERE, row, {"state": "proposed"})
                continue
            tiers = row["tiers"]
            tiers = json.loads(tiers) if isinstance(tiers, str) else tiers
            row["tiers"] = [
                (int(t["up_to_base_units"]), t["reviewers"], t["challenge_delay_s"]) for t in tiers
            ]
            row["active_from"] = unix(row["active_from"])
            expected = {
                "state": "onchain",
                "region_code": programme.region[0],
                "region_digits": programme.region[1],
                "budget_base_units": programme.budget,
                "payout_cap_base_units": programme.payout_cap,
                "tiers": [tuple(tier.values()) for tier in programme.tiers],
                "metadata_hash": hex_text(programme.metadata_hash),
                "version": programme.version,
                "active_from": programme.active_from,
            }
            self._compare(name, NOWHERE, row, expected)
        for number in unseen:
            self._missing(f"programme {number} is on chain and not in the database", NOWHERE)

    def _officers(self) -> None:
        registry = self._state.registry
        officers = dict(registry.officers)
        for row in self.snapshot.rows("officers", ("officer_id",)):
            officer = officers.pop(row["officer_id"], None)
            name = f"officer {row['officer_id']}"
            if officer is None:
                self._extra(f"{name} is in the database and not on chain", NOWHERE)
                continue
            row["active_from"] = unix(row["active_from"])
            row["removed"] = bool(row["removed"])
            expected = {
                "roles": officer.roles,
                "region_code": officer.region[0],
                "region_digits": officer.region[1],
                "active_from": officer.active_from,
                "removed": officer.removed,
            }
            self._compare(name, NOWHERE, row, expected)
        for number in officers:
            self._missing(f"officer {number} is on chain and not in the database", NOWHERE)
        signers = dict(registry.signers)
        for row in self.snapshot.rows("officer_signers", ("signer",)):
            signer = signers.pop((row["signer_type"], _bytes(row["signer"])), None)
            name = f"signer {row['signer']}"
            if signer is None:
                self._extra(f"{name} is in the database and not on chain", NOWHERE)
                continue
            row["active_from"] = unix(row["active_from"])
            row["removed"] = bool(row["removed"])
            self._compare(name, NOWHERE, row, vars(signer))
        for _, address in signers:
            self._missing(f"signer {hex_text(address)} is on chain, not in the database", NOWHERE)

    # ---- batches ---------------------------------------------------------------------------------

    def _batch(self, batch: Batch, row: Row) -> None:
        signed = batch.approval
        states = {"onchain"}
        if batch.complete:
            states = {"done", "cancelled"} if batch.cancelled else {"done"}
        elif batch.cancelled:
            states = {"cancelled"}
        expected: dict[str, Any] = {
            "programme_id": batch.programme,
            "programme_version": signed["programmeVersion"],
            "kind": KINDS[signed["kind"]] if signed["kind"] < len(KINDS) else None,
            "region_code": signed["regionCode"],
            "region_digits": signed["regionDigits"],
            "maker_officer_id": signed["maker"],
            "chunk_size": signed["chunkSize"],
            "chunks_root": hex_text(signed["chunksRoot"]),
            "manifest_hash": hex_text(signed["manifestHash"]),
            "count": signed["count"],
            "total_base_units": signed["total"],
            "start_unix_s": signed["start"],
            "cliff_s": signed["cliff"],
            "duration_s": signed["duration"],
            "cadence_s": signed["cadence"],
            "execute_before_unix_s": signed["executeBefore"],
            "expires_at_unix_s": signed["expiresAt"],
            "state": OneOf(states),
            "first_number": batch.first_number,
            "approved_block_number": batch.block,
            "approved_block_hash": hex_text(batch.block_hash),
            "execute_from_unix_s": batch.execute_from,
        }
        self._compare(f"batch {hex_text(batch.id)}", batch.place(), row, expected)
        stored = list(self.snapshot.rows("chunks", ("chunk_index",), batch_id=row["id"]))
        waiting = self._chunks(batch, stored)
        chunk_states = {chunk["chunk_index"]: chunk["state"] for chunk in stored}
        self._payouts(batch, row, chunk_states, waiting)
        self._streams(batch, row["id"])

    def _chunks(self, batch: Batch, stored: list[Row]) -> dict[int, bytes]:
        """Compare the chunks; return the entries kept of those not run."""
        leaves, entries = {}, {}
        for row in stored:
            index = row["chunk_index"]
            name = f"chunk {index} of batch {hex_text(batch.id)}"
            place = batch.place(None, batch.first_index(index))
            if index >= batch.chunk_count:
                self._extra(f"{name} is in the database and not in the signed batch", place)
                continue
            entries[index] = bytes(row["entries"])
            leaves[index] = chunk_leaf(batch.id, index, entries[index])
            self._compare(name, place, row, self._chunk_facts(batch, index, entries[index]))
        for index in set(range(batch.chunk_count)) - set(entries):
            self._missing(
                f"chunk {index} of batch {hex_text(batch.id)} is not in the database",
                batch.place(None, batch.first_index(index)),
            )
        if chunks_root(leaves) != batch.approval["chunksRoot"]:
            self._findings.error(
                Code.DATABASE_MISMATCH,
                f"the chunks of batch {hex_text(batch.id)} in the database are not those officers "
                "signed",
                batch.place(),
                expected=batch.approval["chunksRoot"],
                found=chunks_root(leaves),
            )
        # Where the root differs too: payouts that differ from their chunk are named one by one.
        return {index: found for index, found in entries.items() if index not in batch.chunks}

    def _chunk_facts(self, batch: Batch, index: int, entries: bytes) -> dict[str, Any]:
        chunk = batch.chunks.get(index)
        content = chunk.entries if chunk else entries
        facts: dict[str, Any] = {
            "entries": content,
            "leaf_hash": hex_text(chunk_leaf(batch.id, index, content)),
            "count": len(content) // 28,
            "total_base_units": sum(amount for _, amount in unpack(content)),
        }
        if chunk is None:
            return facts | {
                "state": OneOf({"waiting", "sent"}),
                "executed_block_number": None,
                "executed_block_hash": None,
                "tx_hash": None,
            }
        return facts | {
            "state": "final" if chunk.block <= self._final_to else "included",
            "executed_block_number": chunk.block,
            "executed_block_hash": hex_text(chunk.block_hash),
            "tx_hash": hex_text(chunk.tx),
        }

    # ---- payouts ---------------------------------------------------------------------------------

    def _payouts(
        self,
        batch: Batch,
        kept: Row,
        chunk_states: Mapping[int, str],
        waiting: Mapping[int, bytes],
    ) -> None:
        stored = self.snapshot.rows("payouts", ("index",), batch_id=kept["id"])
        size = batch.approval["chunkSize"]
        signed = {
            index * size + position: entry
            for index, entries in waiting.items()
            for position, entry in enumerate(unpack(entries))
        }
        for index, payout, row in _side_by_side(self._state.payouts(batch), stored):
            name = _payout_name(batch.first_number + index, batch.id, index)
            place = batch.place(None, index)
            if payout is None:
                self._extra(f"{name} is in the database and not in the signed batch", place)
            elif row is None:
                self._missing(f"{name} is not in the database", place)
            else:
                facts = self._payout_facts(payout, size)
                if payout.status is PayoutStatus.APPROVED:
                    chunk_state = chunk_states.get(index // size)
                    facts["state"] = OneOf(self._waiting_states(batch, kept, chunk_state))
                if payout.payee is None and index in signed:
                    payee, amount = signed[index]
                    facts |= {"payee": address_text(payee), "amount_base_units": amount}
                self._compare(name, place, row, facts)

    def _payout_facts(self, payout: Payout, size: int) -> dict[str, Any]:
        batch = payout.batch
        facts: dict[str, Any] = {
            "chunk_index": payout.index // size,
            "programme_id": batch.programme,
            "kind": KINDS[int(batch.is_stream)],
            "number": payout.number,
            "state": OneOf(self._payout_states(payout)),
        }
        if payout.payee is None:
            return facts | {
                "skip_reason": None,
                "included_block_number": None,
                "included_block_hash": None,
                "tx_hash": None,
            }
        included = payout.status in (PayoutStatus.PAID, PayoutStatus.OPENED)
        return facts | {
            "payee": address_text(payout.payee),
            "amount_base_units": payout.amount,
            "skip_reason": SKIP_REASONS.get(payout.skip_reason or 0),
            "included_block_number": payout.block if included else None,
            "included_block_hash": hex_text(payout.block_hash or b"") if included else None,
            "tx_hash": hex_text(payout.tx or b""),
        }

    def _payout_states(self, payout: Payout) -> set[str]:
        if payout.status in (PayoutStatus.PAID, PayoutStatus.OPENED):
            return {"paid" if (payout.block or 0) <= self._final_to else "included"}
        if payout.status is PayoutStatus.CANCELLED:
            return {"cancelled"}
        expired = self._time >= payout.batch.approval["expiresAt"]
        return {"skipped", "expired"} if expired else {"skipped"}

    def _waiting_states(self, batch: Batch, kept: Row, chunk_state: str | None) -> set[str]:
        """States of a payout whose chunk was not run, which only the service's own rows tell."""
        states = {"held" if kept["paused"] else "queued"}
        if chunk_state == "sent":
            states.add("sent")
        if self._time >= batch.approval["executeBefore"]:
            states.add("expired")
        return states

    def _streams(self, batch: Batch, stored_id: str) -> None:
        stored = self.snapshot.rows("streams", ("index",), batch_id=stored_id)
        opened = (
            payout for payout in self._state.payouts(batch) if payout.status is PayoutStatus.OPENED
        )
        size = batch.approval["chunkSize"]
        for index, payout, row in _side_by_side(opened, stored):
            name = f"stream of {_payout_name(batch.first_number + index, batch.id, index)}"
            place = batch.place(None, index)
            if payout is None:
                self._extra(f"{name} is in the database and was never opened on chain", place)
            elif row is None:
                self._missing(f"{name} is not in the database", place)
            else:
                self._compare(name, place, row, _stream_facts(payout, size, row))

    # ---- what the chain does not know ------------------------------------------------------------

    def _unknown_batch(self, row: Row) -> None:
        """A batch that is not on chain: a plan, which must agree with itself and claim no more."""
        batch_id, size = row["id"], max(1, row["chunk_size"])
        name, place = f"batch {batch_id}", Place(batch=batch_id)
        entries: dict[int, list[tuple[bytes, int]]] = {}
        leaves = {}
        for chunk in self.snapshot.rows("chunks", ("chunk_index",), batch_id=batch_id):
            index, content = chunk["chunk_index"], bytes(chunk["entries"])
            entries[index] = list(unpack(content))
            leaves[index] = chunk_leaf(_bytes(batch_id), index, content)
            facts: dict[str, Any] = {
                "leaf_hash": hex_text(leaves[index]),
                "count": len(entries[index]),
                "total_base_units": sum(amount for _, amount in entries[index]),
                "state": OneOf({"waiting", "sent"}),
                "executed_block_number": None,
                "executed_block_hash": None,
                "tx_hash": None,
            }
            self._compare(f"chunk {index} of {name}", place, chunk, facts, PLANNED)
        facts = {
            "state": OneOf(NOT_ON_CHAIN_BATCH),
            "first_number": None,
            "approved_block_number": None,
            "chunks_root": hex_text(chunks_root(leaves)),
            "count": sum(map(len, entries.values())),
            "total_base_units": sum(amount for each in entries.values() for _, amount in each),
        }
        self._compare(name, place, row, facts, PLANNED)
        planned = {
            index * size + position: entry
            for index, chunk_entries in entries.items()
            for position, entry in enumerate(chunk_entries)
        }
        states = OneOf(PAYOUTS_OF_BATCH.get(row["state"], NOT_ON_CHAIN_PAYOUT))
        for payout in self.snapshot.rows("payouts", ("index",), batch_id=batch_id):
            index = payout["index"]
            where = Place(batch=batch_id, index=index)
            about = f"payout {index} of {name}"
            entry = planned.pop(index, None)
            if entry is None:
                self._extra(f"{about} is in no chunk of it", where)
                continue
            facts = {
                "state": states,
                "number": None,
                "chunk_index": index // size,
                "programme_id": row["programme_id"],
                "kind": row["kind"],
                "payee": address_text(entry[0]),
                "amount_base_units": entry[1],
                "included_block_number": None,
                "tx_hash": None,
            }
            self._compare(about, where, payout, facts, PLANNED)
        for index in planned:
            where = Place(batch=batch_id, index=index)
            self._missing(f"payout {index} of {name} is in its chunks and not among payouts", where)
        for stream in self.snapshot.rows("streams", ("index",), batch_id=batch_id):
            where = Place(batch=batch_id, index=stream["index"])
            self._extra(f"stream {stream['index']} of {name}, which is not on chain", where)

    def _orphans(self) -> None:
        """Rows whose batch has none."""
        for name in ("chunks", "payouts", "streams", "approval_signatures"):
            for row in self.snapshot.rows_without_batch(name):
                index = row.get("index")
                self._extra(
                    f"a row of {name} belongs to no batch: {row['batch_id']}, {index}",
                    Place(batch=row["batch_id"], index=index),
                )

    # ---- comparing -------------------------------------------------------------------------------

    def _compare(
        self,
        name: str,
        place: Place,
        row: Mapping[str, Any],
        expected: Mapping[str, Any],
        source: str = "on chain",
    ) -> None:
        self.rows += 1
        for key, value in expected.items():
            found = _like(value, row[key])
            if found in value if isinstance(value, OneOf) else found == _like(value, value):
                continue
            self._findings.error(
                Code.DATABASE_MISMATCH,
                f"{name}: {key} is {_shown(row[key])} in the database, {_shown(value)} {source}",
                place,
                expected=value,
                found=_shown(row[key]),
            )

    def _missing(self, message: str, place: Place) -> None:
        self._findings.error(Code.DATABASE_ROW_MISSING, message, place)

    def _extra(self, message: str, place: Place) -> None:
        self._findings.error(Code.DATABASE_ROW_EXTRA, message, place)


def _side_by_side(
    payouts: Iterable[Payout], rows: Iterable[Row]
) -> Iterator[tuple[int, Payout | None, Row | None]]:
    """Pair payouts and rows by index; both ascend."""
    left, right = iter(payouts), iter(rows)
    payout, row = next(left, None), next(right, None)
    while payout is not None or row is not None:
        if row is None or (payout is not None and payout.index < row["index"]):
            assert payout is not None
            yield payout.index, payout, None
            payout = next(left, None)
        elif payout is None or row["index"] < payout.index:
            yield row["index"], None, row
            row = next(right, None)
        else:
            yield payout.index, payout, row
            payout, row = next(left, None), next(right, None)


def _stream_facts(payout: Payout, size: int, row: Row) -> dict[str, Any]:
    amount = payout.amount or 0
    duration = payout.batch.terms.duration
    through = payout.paid_through
    stored = whole(row["paid_through_s"]) or 0
    # Two marks between which nothing accrued are the same payment.
    if vested(amount, stored, duration) == vested(amount, through, duration) and amount < duration:
        through = stored
    return {
        "chunk_index": payout.index // size,
        "payee": address_text(payout.payee or b""),
        "total_base_units": amount,
        "opened_block": payout.block,
        "paid_through_s": through,
        "withdrawn_base_units": payout.withdrawn,
        "cancelled_cut_s": payout.cut,
        "returned_base_units": payout.returned,
    }


def _payout_name(number: int, batch_id: bytes, index: int) -> str:
    return f"payout {number} (index {index} of batch {hex_text(batch_id)})"


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return text.encode()


def _like(pattern: Any, value: Any) -> Any:
    """Bring a stored value into the form of the expected one."""
    if isinstance(pattern, bool) or value is None:
        return value
    if isinstance(pattern, int):
        return whole(value)
    if isinstance(pattern, bytes):
        return bytes(value)
    if isinstance(value, str) and value.startswith("0x"):
        return value.lower()
    return value


def _shown(value: Any) -> str:
    if isinstance(value, (bytes, memoryview)):
        return f"{len(value)} bytes"
    if isinstance(value, str) and value.isdigit():
        return str(int(value))
    return "empty" if value is None else str(value)
