"""Every row of the database that states a fact about money, held against the rebuilt state.

The comparison is made at the block the database says it has read, whatever came after. What waits
for its chunk is compared with the entries officers signed, as soon as the chunks in the database
give the signed root.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.audit.arithmetic import chunk_leaf, chunks_root, unpack, vested
from service.audit.blocks import Progress
from service.audit.database import Row, Snapshot, unix, whole
from service.audit.decode import address_text, hex_text
from service.audit.findings import NOWHERE, Code, Findings, Place
from service.audit.ledger import compare_ledger
from service.audit.rpc import Node
from service.audit.state import Batch, Payout, PayoutStatus, State

SKIP_REASONS = {1: "zero_address", 2: "token", 3: "vault", 4: "frozen"}
NOT_ON_CHAIN_BATCH = {"draft", "approved", "released", "cancelled"}
NOT_ON_CHAIN_PAYOUT = {"draft", "approved", "queued", "held", "cancelled"}
KINDS = ("one_off", "stream")


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
    rows: int = 0
    _findings: Findings = field(default_factory=Findings)
    _read_to: int | None = None
    _final_to: int = -1
    _ledger_to: int | None = None
    _done: bool = False
    _state: State = field(default_factory=State)
    _time: int = 0

    @classmethod
    def open(cls, url: str) -> DatabaseCheck:
        """Open a database and take its snapshot.

        Raises
        ------
        ConfigurationError
            When it cannot be read.
        """
        return cls(Snapshot(url))

    def close(self) -> None:
        """Let the snapshot go."""
        self.snapshot.close()

    # ---- when ------------------------------------------------------------------------------------

    def attach(self, node: Node, chain_id: int, last: int, findings: Findings) -> None:
        """Learn how far the database has read, and whether it read this chain.

        Raises
        ------
        ChainUnavailable, NodeRefused
            When the node does not answer.
        ConfigurationError
            When the database cannot be read.
        """
        self._findings = findings
        # All of them at once: a second reading would be later than the first.
        for row in self.snapshot.rows("cursors", ("name",)):
            if row["chain_id"] != chain_id:
                self._findings.error(
                    Code.DATABASE_OTHER_CHAIN,
                    f"the database follows chain {row['chain_id']}",
                    expected=chain_id,
                    found=row["chain_id"],
                )
            elif row["name"] == "events":
                self._read_to = row["block_number"]
                self._check_fork(node, row, last)
            elif row["name"] == "final":
                self._final_to = row["block_number"]
            elif row["name"] == "ledger":
                self._ledger_to = row["block_number"]

    def _check_fork(self, node: Node, row: Row, last: int) -> None:
        number = row["block_number"]
        if number > last:
            self._findings.error(
                Code.DATABASE_AHEAD,
                f"the database has read to block {number}, the replay ends at {last}: not compared",
                Place(block=last),
            )
            self._done = True
            return
        (header,) = node.headers(number, number)
        if header is None or header["hash"] != row["block_hash"]:
            self._findings.error(
                Code.DATABASE_OTHER_CHAIN,
                f"the database read another block {number} than this chain has",
                Place(block=number),
                expected=None if header is None else header["hash"],
                found=row["block_hash"],
            )

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
        self.rows += compare_ledger(
            self.snapshot, state, self._findings, self._ledger_to, self._read_to
        )

    def compare_commitments(self, commitments: Mapping[bytes, Mapping[int, str]]) -> None:
        """Compare the case commitment of each payout with the signed manifests."""
        for batch_id, lines in commitments.items():
            for row in self.snapshot.rows("payouts", ("index",), batch_id=hex_text(batch_id)):
                batch = self._state.batches.get(batch_id)
                expected = lines.get(row["index"])
                if batch is not None and expected is not None:
                    self._compare(
                        _payout_name(batch.first_number + row["index"], batch_id, row["index"]),
                        batch.place(None, row["index"]),
                        row,
                        {"commitment": expected},
                    )

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
        self._payouts(batch, row["id"], waiting)
        self._streams(batch, row["id"])

    def _chunks(self, batch: Batch, stored: list[Row]) -> dict[int, bytes]:
        """Compare the chunks; return the entries of those not run that officers did sign."""
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
        if chunks_root(leaves) == batch.approval["chunksRoot"]:
            return {index: found for index, found in entries.items() if index not in batch.chunks}
        self._findings.error(
            Code.DATABASE_MISMATCH,
            f"the chunks of batch {hex_text(batch.id)} in the database are not those officers "
            "signed",
            batch.place(),
            expected=batch.approval["chunksRoot"],
            found=chunks_root(leaves),
        )
        return {}

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

    def _payouts(self, batch: Batch, stored_id: str, waiting: Mapping[int, bytes]) -> None:
        stored = self.snapshot.rows("payouts", ("index",), batch_id=stored_id)
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
            return facts
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
        signed = payout.batch.approval
        if payout.status in (PayoutStatus.PAID, PayoutStatus.OPENED):
            return {"paid" if (payout.block or 0) <= self._final_to else "included"}
        if payout.status is PayoutStatus.CANCELLED:
            return {"cancelled"}
        if payout.status is PayoutStatus.SKIPPED:
            expired = {"expired"} if self._time >= signed["expiresAt"] else set()
            return {"skipped"} | expired
        expired = {"expired"} if self._time >= signed["executeBefore"] else set()
        return {"queued", "sent", "held"} | expired

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
        """A batch that is not on chain: a plan, which must not claim to be more."""
        batch_id = row["id"]
        place = Place(batch=batch_id)
        expected: dict[str, Any] = {"state": OneOf(NOT_ON_CHAIN_BATCH), "first_number": None}
        self._compare(f"batch {batch_id}", place, row, expected)
        entries: dict[int, list[tuple[bytes, int]]] = {}
        leaves = {}
        for chunk in self.snapshot.rows("chunks", ("chunk_index",), batch_id=batch_id):
            content = bytes(chunk["entries"])
            index = chunk["chunk_index"]
            entries[index] = list(unpack(content))
            leaves[index] = chunk_leaf(_bytes(batch_id), index, content)
            name = f"chunk {index} of batch {batch_id}"
            states = OneOf({"waiting", "sent"})
            self._compare(name, place, chunk, {"state": states, "executed_block_number": None})
        self._compare(
            f"batch {batch_id}", place, {"chunks_root": hex_text(chunks_root(leaves))}, row
        )
        for payout in self.snapshot.rows("payouts", ("index",), batch_id=batch_id):
            index = payout["index"]
            facts: dict[str, Any] = {"state": OneOf(NOT_ON_CHAIN_PAYOUT), "number": None}
            position = index % row["chunk_size"]
            chunk_entries = entries.get(index // row["chunk_size"], [])
            if position < len(chunk_entries):
                payee, amount = chunk_entries[position]
                facts |= {"payee": address_text(payee), "amount_base_units": amount}
            name = f"payout {index} of batch {batch_id}"
            self._compare(name, Place(batch=batch_id, index=index), payout, facts)

    def _orphans(self) -> None:
        """Payouts, chunks and streams whose batch has no row."""
        known = {row["id"] for row in self.snapshot.rows("batches", ("id",))}
        for name, order in (
            ("chunks", ("batch_id", "chunk_index")),
            ("payouts", ("batch_id", "index")),
            ("streams", ("batch_id", "index")),
        ):
            for row in self.snapshot.rows(name, order):
                if row["batch_id"] not in known:
                    index = row.get("index")
                    self._extra(
                        f"a row of {name} belongs to no batch: {row['batch_id']}, {index}",
                        Place(batch=row["batch_id"], index=index),
                    )

    # ---- comparing -------------------------------------------------------------------------------

    def _compare(
        self, name: str, place: Place, row: Mapping[str, Any], expected: Mapping[str, Any]
    ) -> None:
        self.rows += 1
        for key, value in expected.items():
            if key not in row:
                continue
            found = _like(value, row[key])
            if found in value if isinstance(value, OneOf) else found == _like(value, value):
                continue
            self._findings.error(
                Code.DATABASE_MISMATCH,
                f"{name}: {key} is {_shown(row[key])} in the database, {_shown(value)} on chain",
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
