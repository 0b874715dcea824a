"""The database against the rebuilt state: when to compare, and every table in its turn.

The comparison is made at the block the database says it has read, whatever came after.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from service.audit.batch_rows import BatchRows
from service.audit.blocks import Progress
from service.audit.comparing import Comparison, as_bytes, payout_name
from service.audit.database import Row, Snapshot
from service.audit.decode import Event, hex_text
from service.audit.deployment import Deployment
from service.audit.event_rows import NOT_KEPT, EventRows
from service.audit.findings import Code, Findings, Place
from service.audit.grant_rows import GrantRows
from service.audit.ledger import compare_ledger
from service.audit.manifests import SignedLists
from service.audit.planned_rows import PlannedRows
from service.audit.registry_rows import RegistryRows
from service.audit.rpc import Node
from service.audit.signature_rows import SignatureRows
from service.audit.state import State
from service.audit.transaction_rows import TransactionRows

MANIFEST = "in the signed manifest"


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
    findings: Findings
    rows: int = 0
    _read_to: int | None = None
    _final_to: int = -1
    _ledger_to: int | None = None
    _done: bool = False
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
                self.findings.error(
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
        self._events = EventRows(self.snapshot, self.findings, self._read_to, self._final_to)

    def _check_fork(self, row: Row, last: int) -> None:
        number = row["block_number"]
        if number > last:
            self.findings.error(
                Code.DATABASE_AHEAD,
                f"the database has read to block {number}, the replay ends at {last}: not compared",
                Place(block=last),
            )
            self._done = True
            return
        (header,) = self.node.headers(number, number)
        if header is None or header["hash"] != row["block_hash"]:
            self.findings.error(
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
            self.findings.error(
                Code.DATABASE_MISMATCH,
                f"the database read to block {read}, calls {self._final_to} final and posted to "
                f"{posted}",
            )
        elif (-1 if posted is None else posted) < self._final_to:
            self.findings.warning(
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
        self.findings.warning(
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
        self._done = True
        comparison = Comparison(self.findings)
        RegistryRows(self.snapshot, state, comparison).run()
        GrantRows(self.snapshot, state, comparison).run()
        self._batches(state, time, comparison, progress)
        self._orphans(comparison)
        self._block_rows(comparison)
        deployment, domains = self.deployment, self.deployment.domains()
        signatures = SignatureRows(
            self.snapshot, state, self.findings, domains, deployment.addresses
        )
        transactions = TransactionRows(
            self.snapshot, self.node, state, self.findings, deployment.chain_id, self._final_to
        )
        self.rows += self._events.finish(state) + signatures.run() + transactions.run()
        self.rows += comparison.rows + compare_ledger(
            self.snapshot, state, self.findings, self._ledger_to, self._read_to
        )

    def _batches(self, state: State, time: int, comparison: Comparison, progress: Progress) -> None:
        on_chain = BatchRows(self.snapshot, state, comparison, self._final_to, time)
        planned = PlannedRows(self.snapshot, comparison)
        unseen = dict(state.batches)
        for done, row in enumerate(list(self.snapshot.rows("batches", ("id",))), 1):
            batch = unseen.pop(as_bytes(row["id"]), None)
            if batch is None:
                planned.run(row)
            else:
                on_chain.run(batch, row)
            progress("database", done, max(len(state.batches), done))
        for batch in unseen.values():
            comparison.missing(
                f"batch {hex_text(batch.id)} is on chain and not in the database", batch.place()
            )

    def _block_rows(self, comparison: Comparison) -> None:
        """Compare the blocks that hold events; the others are not ours to keep."""
        unseen = dict(self._blocks)
        for row in self.snapshot.rows("blocks", ("number",)):
            event = unseen.pop(row["number"], None)
            if event is not None:
                facts = {"hash": hex_text(event.block_hash), "timestamp_unix_s": event.timestamp}
                place = Place(block=event.block)
                comparison.compare(f"block {event.block}", place, row, facts)
            elif self._read_to is not None and row["number"] > self._read_to:
                comparison.unexpected(
                    f"block {row['number']} was not read yet", Place(row["number"])
                )
        for number in unseen:
            comparison.missing(
                f"block {number} has events and is not in the database", Place(number)
            )

    def compare_lines(self, state: State, signed: SignedLists) -> None:
        """Compare the payouts with the lines of the manifests that officers signed."""
        comparison = Comparison(self.findings)
        for batch_id in signed.hashes:
            lines = signed.of(batch_id) or []
            batch = state.batches[batch_id]
            for row in self.snapshot.rows("payouts", ("index",), batch_id=hex_text(batch_id)):
                index = row["index"]
                if not 0 <= index < len(lines):
                    continue
                line = lines[index]
                chunk, position = batch.locate(index)
                payee = chunk.payees.get(position, line.payee) if chunk else line.payee
                expected = {
                    "commitment": line.commitment,
                    "payee": hex_text(payee),
                    "amount_base_units": line.amount,
                }
                name = payout_name(batch.first_number + index, batch_id, index)
                comparison.compare(name, batch.place(None, index), row, expected, MANIFEST)
        self.rows += comparison.rows

    def _orphans(self, comparison: Comparison) -> None:
        """Rows whose batch has none."""
        for name in ("chunks", "payouts", "streams", "approval_signatures"):
            for row in self.snapshot.rows_without_batch(name):
                index = row.get("index")
                comparison.unexpected(
                    f"a row of {name} belongs to no batch: {row['batch_id']}, {index}",
                    Place(batch=row["batch_id"], index=index),
                )
