"""A batch that is not on chain: a plan, which must agree with itself and claim no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from service.audit.arithmetic import chunk_leaf, chunks_root, unpack
from service.audit.comparing import Comparison, OneOf, as_bytes
from service.audit.database import Row, Snapshot
from service.audit.decode import hex_text
from service.audit.findings import Place

Entries = dict[int, list[tuple[bytes, int]]]
"""Chunk → payee and amount of each payout in it."""

PAYOUTS_OF_BATCH = {
    "draft": {"draft", "held"},
    "approved": {"approved", "held"},
    "released": {"queued", "held"},
    "cancelled": {"held", "cancelled"},
}
"""States of a batch that is not on chain, and of its payouts."""

PLANNED = "by the batch's own rows"


@dataclass
class PlannedRows:
    """Compares the rows of batches that are not on chain with each other."""

    snapshot: Snapshot
    comparison: Comparison

    def run(self, row: Row) -> None:
        """Compare a batch's row and all that belongs to it.

        Raises
        ------
        ConfigurationError
            When the database cannot be read.
        """
        entries = self._chunks(row)
        payouts = {
            chunk * row["chunk_size"] + position: entry
            for chunk, members in entries.items()
            for position, entry in enumerate(members)
        }
        facts = {
            "state": OneOf(PAYOUTS_OF_BATCH),
            "first_number": None,
            "approved_block_number": None,
            "count": len(payouts),
            "total_base_units": sum(amount for _, amount in payouts.values()),
        }
        self.comparison.compare(_name(row), Place(batch=row["id"]), row, facts, PLANNED)
        self._payouts(row, payouts)
        for stream in self.snapshot.rows("streams", ("index",), batch_id=row["id"]):
            self.comparison.unexpected(
                f"stream {stream['index']} of {_name(row)}, which is not on chain",
                Place(batch=row["id"], index=stream["index"]),
            )

    def _chunks(self, row: Row) -> Entries:
        """Compare the chunks and their root; return what they are to pay."""
        entries: Entries = {}
        leaves = {}
        place = Place(batch=row["id"])
        for chunk in self.snapshot.rows("chunks", ("chunk_index",), batch_id=row["id"]):
            index, content = chunk["chunk_index"], bytes(chunk["entries"])
            entries[index] = list(unpack(content))
            leaves[index] = chunk_leaf(as_bytes(row["id"]), index, content)
            facts: dict[str, Any] = {
                "leaf_hash": hex_text(leaves[index]),
                "count": len(entries[index]),
                "total_base_units": sum(amount for _, amount in entries[index]),
                "state": OneOf({"waiting", "sent"}),
                "executed_block_number": None,
                "executed_block_hash": None,
                "tx_hash": None,
                "mints_log_index": None,
            }
            self.comparison.compare(f"chunk {index} of {_name(row)}", place, chunk, facts, PLANNED)
        root = {"chunks_root": hex_text(chunks_root(leaves))}
        self.comparison.compare(_name(row), place, row, root, PLANNED)
        return entries

    def _payouts(self, row: Row, planned: dict[int, tuple[bytes, int]]) -> None:
        states = OneOf(PAYOUTS_OF_BATCH.get(row["state"], ()))
        unseen = dict(planned)
        for payout in self.snapshot.rows("payouts", ("index",), batch_id=row["id"]):
            index = payout["index"]
            name, place = f"payout {index} of {_name(row)}", Place(batch=row["id"], index=index)
            if index not in unseen:
                self.comparison.unexpected(f"{name} is in no chunk of it", place)
                continue
            payee, amount = unseen.pop(index)
            facts: dict[str, Any] = {
                "state": states,
                "chunk_index": index // row["chunk_size"],
                "programme_id": row["programme_id"],
                "kind": row["kind"],
                "payee": hex_text(payee),
                "amount_base_units": amount,
                "skip_reason": None,
                "included_block_number": None,
                "included_block_hash": None,
                "tx_hash": None,
            }
            self.comparison.compare(name, place, payout, facts, PLANNED)
        for index in unseen:
            self.comparison.missing(
                f"payout {index} of {_name(row)} is in its chunks and has no row",
                Place(batch=row["id"], index=index),
            )


def _name(row: Row) -> str:
    return f"batch {row['id']}"
