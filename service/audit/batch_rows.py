"""A batch on chain, its chunks, payouts and streams: each row against the rebuilt state.

What waits for its chunk is compared with the entries officers signed: the chunks in the database
must give the signed root, and the payouts must be their entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.audit.arithmetic import chunk_leaf, chunks_root, unpack, vested
from service.audit.comparing import Comparison, OneOf, payout_name
from service.audit.database import Row, Snapshot, whole
from service.audit.decode import hex_text
from service.audit.findings import Code
from service.audit.state import Batch, Payout, PayoutStatus, State

SKIP_REASONS = {1: "zero_address", 2: "token", 3: "vault", 4: "frozen"}
KINDS = ("one_off", "stream")


@dataclass
class BatchRows:
    """Compares ``batches``, ``chunks``, ``payouts`` and ``streams`` of batches on chain.

    Attributes
    ----------
    final_to
        Newest block the database calls final.
    time
        Unix time of the block compared at.
    """

    snapshot: Snapshot
    state: State
    comparison: Comparison
    final_to: int
    time: int

    def run(self, batch: Batch, row: Row) -> None:
        """Compare a batch's row and all that belongs to it.

        Raises
        ------
        ConfigurationError
            When the database cannot be read.
        """
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
        self.comparison.compare(f"batch {hex_text(batch.id)}", batch.place(), row, expected)
        stored = list(self.snapshot.rows("chunks", ("chunk_index",), batch_id=row["id"]))
        waiting = self._chunks(batch, stored)
        chunks = {chunk["chunk_index"]: chunk for chunk in stored}
        self._payouts(batch, row, chunks, waiting)
        self._streams(batch, row["id"])

    def _chunks(self, batch: Batch, stored: list[Row]) -> dict[int, bytes]:
        """Compare the chunks; return the entries kept of those not run."""
        leaves, entries = {}, {}
        for row in stored:
            index = row["chunk_index"]
            name = f"chunk {index} of batch {hex_text(batch.id)}"
            place = batch.place(None, batch.first_index(index))
            if index >= batch.chunk_count:
                self.comparison.unexpected(
                    f"{name} is in the database and not in the signed batch", place
                )
                continue
            entries[index] = bytes(row["entries"])
            leaves[index] = chunk_leaf(batch.id, index, entries[index])
            self.comparison.compare(
                name, place, row, self._chunk_facts(batch, index, entries[index])
            )
        for index in set(range(batch.chunk_count)) - set(entries):
            self.comparison.missing(
                f"chunk {index} of batch {hex_text(batch.id)} is not in the database",
                batch.place(None, batch.first_index(index)),
            )
        if chunks_root(leaves) != batch.approval["chunksRoot"]:
            self.comparison.findings.error(
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
        if chunk is None or batch.is_stream:  # else its mints are compared
            facts["mints_log_index"] = None
        if chunk is None:
            return facts | {
                "state": OneOf({"waiting", "sent"}),
                "executed_block_number": None,
                "executed_block_hash": None,
                "tx_hash": None,
            }
        return facts | {
            "state": "final" if chunk.block <= self.final_to else "included",
            "executed_block_number": chunk.block,
            "executed_block_hash": hex_text(chunk.block_hash),
            "tx_hash": hex_text(chunk.tx),
        }

    def _payouts(
        self,
        batch: Batch,
        kept: Row,
        chunks: Mapping[int, Row],
        waiting: Mapping[int, bytes],
    ) -> None:
        stored = self.snapshot.rows("payouts", ("index",), batch_id=kept["id"])
        size = batch.approval["chunkSize"]
        signed = {
            index * size + position: entry
            for index, entries in waiting.items()
            for position, entry in enumerate(unpack(entries))
        }
        for index, payout, row in _side_by_side(self.state.payouts(batch), stored):
            name = payout_name(batch.first_number + index, batch.id, index)
            place = batch.place(None, index)
            if payout is None:
                self.comparison.unexpected(
                    f"{name} is in the database and not in the signed batch", place
                )
            elif row is None:
                self.comparison.missing(f"{name} is not in the database", place)
            else:
                facts = self._payout_facts(payout, size)
                chunk = chunks.get(row["chunk_index"])
                if payout.status is PayoutStatus.APPROVED:
                    facts["state"] = OneOf(_waiting_states(kept, chunk))
                if payout.payee is None and index in signed:
                    payee, amount = signed[index]
                    facts |= {"payee": hex_text(payee), "amount_base_units": amount}
                shown = _as_shown(row, chunk, by_chunk=_is_paid_by_chunk(payout, size))
                self.comparison.compare(name, place, shown, facts)

    def _payout_facts(self, payout: Payout, size: int) -> dict[str, Any]:
        batch = payout.batch
        facts: dict[str, Any] = {
            "chunk_index": payout.index // size,
            "programme_id": batch.programme,
            "kind": KINDS[int(batch.is_stream)],
            "state": OneOf(self._payout_states(payout, size)),
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
            "payee": hex_text(payout.payee),
            "amount_base_units": payout.amount,
            "skip_reason": SKIP_REASONS.get(payout.skip_reason or 0),
            "included_block_number": payout.block if included else None,
            "included_block_hash": hex_text(payout.block_hash or b"") if included else None,
            "tx_hash": hex_text(payout.tx or b""),
        }

    def _payout_states(self, payout: Payout, size: int) -> set[str]:
        if payout.status in (PayoutStatus.PAID, PayoutStatus.OPENED):
            return {"paid" if (payout.block or 0) <= self.final_to else "included"}
        if payout.status is PayoutStatus.CANCELLED:
            final = payout.batch.cancelled_block <= self.final_to
            return {"cancelled"} if final else {"held", "cancelled"}
        if payout.status is PayoutStatus.EXPIRED:
            return self._expired_states(payout, size)
        return {"skipped"}

    def _expired_states(self, payout: Payout, size: int) -> set[str]:
        """What waits for its chunk is held until the expiry is final, a skipped one stays so."""
        batch = payout.batch
        chunk = batch.chunks.get(payout.index // size)
        block = chunk.expired[payout.index % size] if chunk else batch.expired_block
        if block <= self.final_to:
            return {"expired"}
        return {"skipped" if chunk else "held", "expired"}

    def _streams(self, batch: Batch, stored_id: str) -> None:
        stored = self.snapshot.rows("streams", ("index",), batch_id=stored_id)
        opened = (
            payout for payout in self.state.payouts(batch) if payout.status is PayoutStatus.OPENED
        )
        size = batch.approval["chunkSize"]
        for index, payout, row in _side_by_side(opened, stored):
            name = f"stream of {payout_name(batch.first_number + index, batch.id, index)}"
            place = batch.place(None, index)
            if payout is None:
                self.comparison.unexpected(
                    f"{name} is in the database and was never opened on chain", place
                )
            elif row is None:
                self.comparison.missing(f"{name} is not in the database", place)
            else:
                self.comparison.compare(name, place, row, _stream_facts(payout, size, row))


_BY_CHUNK = {"waiting": "queued", "sent": "sent", "included": "included", "final": "paid"}


def _waiting_states(batch: Row, chunk: Row | None) -> set[str]:
    """States of a payout whose chunk was not run, which only the service's own rows tell."""
    sent = {"sent"} if chunk is not None and chunk["state"] == "sent" else set()
    return ({"held"} if batch["paused"] else {"queued"}) | sent


def _is_paid_by_chunk(payout: Payout, size: int) -> bool:
    """Whether its chunk paid or opened it, not a retry."""
    chunk_index, position = divmod(payout.index, size)
    chunk = payout.batch.chunks.get(chunk_index)
    return chunk is not None and position not in chunk.skipped


def _as_shown(payout: Row, chunk: Row | None, *, by_chunk: bool) -> Row:
    """Return a payout's row with what the service takes from its chunk's.

    That is for a queued one, which has no place of its own; where one stands there, or should, it
    is left.

    Parameters
    ----------
    by_chunk
        Whether its chunk paid it: then no word of its own may say so, for its mint is the chunk's.
    """
    own = payout["state"]
    if own == "sent" or (by_chunk and own in ("included", "paid")):
        return payout | {"state": f"{own}, by itself"}
    placed = (payout[name] for name in ("included_block_number", "included_block_hash", "tx_hash"))
    if chunk is None or own in ("included", "paid") or any(each is not None for each in placed):
        return payout
    return payout | {
        "state": _BY_CHUNK.get(chunk["state"], "queued") if own == "queued" else own,
        "included_block_number": chunk["executed_block_number"],
        "included_block_hash": chunk["executed_block_hash"],
        "tx_hash": chunk["tx_hash"],
    }


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
        "payee": hex_text(payout.payee or b""),
        "total_base_units": amount,
        "opened_block": payout.block,
        "paid_through_s": through,
        "withdrawn_base_units": payout.withdrawn,
        "cancelled_cut_s": payout.cut,
        "returned_base_units": payout.returned,
    }
