"""The service's own transactions, held against what the node has under their hashes.

The chain does not say whose a transaction was meant to be, so a row that was deleted is not missed:
what it did is in the events all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eth_hash.auto import keccak

from service.audit.database import Row, Snapshot
from service.audit.decode import hex_text
from service.audit.findings import Code, Findings, Place
from service.audit.rpc import Node
from service.audit.signatures import members_of
from service.audit.state import State

ROWS_A_TIME = 500

APPROVAL_TYPE = f"({','.join(kind for kind, _ in members_of('BatchApproval'))})"
SELECTORS = {
    "execute_chunk": keccak(b"executeChunk(bytes32,uint256,bytes,bytes32[8])")[:4],
    "approve_batch": keccak(f"approveBatch({APPROVAL_TYPE},bytes)".encode())[:4],
}
"""What a transaction of a kind that concerns a batch must call."""

BATCH_AT = {"execute_chunk": 4, "approve_batch": 4 + 2 * 32}
"""Byte of the call at which the batch id stands."""

PURPOSES = {"call", "fill"}
FAILED = {"reverted"}
ENDED = {"superseded", "closed"}
"""Mined without effect, or never mined."""
WAITING = {"built", "signed", "sent", "replaced", "reorged"}


@dataclass(frozen=True, slots=True)
class _Mined:
    """What the node has under a hash, and which of our attempts it is."""

    sent: dict[str, Any]
    receipt: dict[str, Any]
    purpose: str | None


@dataclass
class TransactionRows:
    """Compares ``transactions`` and ``transaction_attempts``.

    Attributes
    ----------
    final_to
        Newest block the database calls final.
    """

    snapshot: Snapshot
    node: Node
    state: State
    findings: Findings
    chain_id: int
    final_to: int
    compared: int = 0
    _attempts: dict[int, list[Row]] = field(default_factory=dict)

    def run(self) -> int:
        """Compare every row; return how many there were.

        Raises
        ------
        ChainUnavailable, NodeRefused
            When the node does not answer.
        ConfigurationError
            When the database cannot be read.
        """
        for row in self.snapshot.rows("transaction_attempts", ("transaction_id", "n")):
            self._attempts.setdefault(row["transaction_id"], []).append(row)
        part: list[Row] = []
        for row in self.snapshot.rows("transactions", ("id",)):
            part.append(row)
            if len(part) == ROWS_A_TIME:
                self._part(part)
                part = []
        self._part(part)
        for number in self._attempts:
            self._wrong(NO_PLACE, f"attempts of transaction {number} belong to no transaction")
        return self.compared

    def _part(self, rows: list[Row]) -> None:
        hashes = [[row["mined_tx_hash"]] for row in rows if row["mined_tx_hash"]]
        sent = _by_hash(self.node.batch("eth_getTransactionByHash", hashes), "hash")
        receipts = _by_hash(self.node.batch("eth_getTransactionReceipt", hashes), "transactionHash")
        for row in rows:
            self.compared += 1
            mined = str(row["mined_tx_hash"]).lower()
            self._row(row, sent.get(mined), receipts.get(mined))

    def _row(self, row: Row, sent: dict[str, Any] | None, receipt: dict[str, Any] | None) -> None:
        name, place = f"transaction {row['id']} ({row['kind']})", self._place(row)
        if row["chain_id"] != self.chain_id:
            self._wrong(place, f"{name} is for chain {row['chain_id']}", found=row["chain_id"])
        attempts = self._attempts.pop(row["id"], [])
        for count, attempt in enumerate(attempts):
            if attempt["n"] != count or attempt["purpose"] not in PURPOSES:
                self._wrong(place, f"attempts of {name} are not counted up, or of no purpose")
            if hex_text(keccak(bytes(attempt["raw"]))) != attempt["tx_hash"].lower():
                self._wrong(place, f"attempt {attempt['n']} of {name} has another hash than bytes")
        self._check_call(row, name, place)
        if row["mined_tx_hash"] is None:
            self._check_unmined(row, name, place)
        elif sent is None or receipt is None:
            self._wrong(
                place, f"{name} was never mined under the hash given", found=row["mined_tx_hash"]
            )
        else:
            purposes = {each["tx_hash"].lower(): each["purpose"] for each in attempts}
            purpose = purposes.get(row["mined_tx_hash"].lower())
            if purpose is None:
                self._wrong(place, f"{name} was mined by an attempt that is not there")
            self._check_mined(row, name, place, _Mined(sent, receipt, purpose))

    def _check_call(self, row: Row, name: str, place: Place) -> None:
        """Compare what a row says it does with the call it makes."""
        selector = SELECTORS.get(row["kind"])
        if selector is None:
            return
        call = bytes(row["calldata"])
        at = BATCH_AT[row["kind"]]
        facts = {"kind": selector, "batch_id": str(row["batch_id"]).lower()}
        found: dict[str, Any] = {"kind": call[:4], "batch_id": hex_text(call[at : at + 32])}
        if row["kind"] == "execute_chunk":
            facts["chunk_index"] = row["chunk_index"]
            found["chunk_index"] = int.from_bytes(call[36:68], "big")
        for key, value in facts.items():
            if value != found[key]:
                self._wrong(place, f"{key} of {name} is not what it calls", found[key], value)

    def _check_unmined(self, row: Row, name: str, place: Place) -> None:
        if row["state"] not in WAITING | ENDED or row["block_number"] is not None:
            self._wrong(
                place,
                f"{name} is {row['state']} without a transaction on chain",
                None,
                row["state"],
            )

    def _check_mined(self, row: Row, name: str, place: Place, mined: _Mined) -> None:
        sent, receipt, purpose = mined.sent, mined.receipt, mined.purpose
        facts = {
            "sender": sent["from"],
            "nonce": int(sent["nonce"], 16),
            "block_number": int(receipt["blockNumber"], 16),
            "block_hash": receipt["blockHash"],
        }
        if purpose == "call":
            facts |= {"target": sent["to"], "calldata": sent["input"]}
        for key, value in facts.items():
            stored = row[key]
            stored = hex_text(bytes(stored)) if key == "calldata" else stored
            if str(stored).lower() != str(value).lower():
                self._wrong(
                    place, f"{name}: {key} is another in the database than on chain", value, stored
                )
        states = ENDED | FAILED
        if purpose == "fill" and row["kind"] != "fill":
            states = ENDED
        elif int(receipt["status"], 16):
            final = facts["block_number"] <= self.final_to
            states = {"final"} if final else {"included"}
        if row["state"] not in states:
            self._wrong(
                place, f"{name} is {row['state']}", " or ".join(sorted(states)), row["state"]
            )

    def _place(self, row: Row) -> Place:
        """Name the first payout of the chunk that the call, not the row, says it runs."""
        call, at = bytes(row["calldata"]), BATCH_AT.get(row["kind"])
        batch = None if at is None else self.state.batches.get(call[at : at + 32])
        if batch is None:
            return Place(tx=row["mined_tx_hash"], batch=row["batch_id"])
        if row["kind"] != "execute_chunk":
            return batch.place()
        return batch.place(None, batch.first_index(int.from_bytes(call[36:68], "big")))

    def _wrong(
        self, place: Place, message: str, expected: object = None, found: object = None
    ) -> None:
        self.findings.error(Code.DATABASE_MISMATCH, message, place, expected=expected, found=found)


NO_PLACE = Place()


def _by_hash(answers: Iterable[Any], key: str) -> Mapping[str, dict[str, Any]]:
    return {answer[key].lower(): answer for answer in answers if isinstance(answer, dict)}
