"""Streams: what each withdrawal must have paid, recomputed from the vesting arithmetic.

The lanes are kept as the contract keeps them (contracts/libraries/Vesting.sol): a watermark a
chunk, own lanes and cancel lanes for the exceptions. A stream that a range withdrawal had to skip
stands ALONE: its own mark counts, although the watermark passed it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.audit.abi import Contract
from service.audit.arithmetic import (
    ALONE,
    bits,
    due_through,
    paid_through,
    unpack,
    vested,
)
from service.audit.decode import Event, hex_text
from service.audit.findings import Code, Findings
from service.audit.listening import Listener
from service.audit.officers import REVIEWER, Claim
from service.audit.state import STREAM, Batch, Chunk
from service.audit.vault import WITHDRAWALS, VaultReplay

HAS_OWN, HAS_CANCELLED, HAS_OVERRIDE = 1, 2, 4


@dataclass
class StreamReplay:
    """Replays streams on top of the vault's batches.

    Attributes
    ----------
    listeners
        Told what each withdrawal paid.
    """

    vault: VaultReplay
    findings: Findings
    listeners: Sequence[Listener] = ()

    @property
    def handlers(self) -> dict[str, Callable[[Event], None]]:
        """What to do with each event."""
        return {
            "StreamsOpened": self._opened,
            "StreamWithdrawn": self._withdrawn_alone,
            "StreamsWithdrawn": self._withdrawn_range,
            "StreamsCancelled": self._cancelled,
        }

    def _opened(self, event: Event) -> None:
        batch = self.vault.batch_of(event)
        if batch is None:
            return
        chunk = self.vault.run_chunk(event, batch, STREAM)
        chunk.pointer = event.args["pointer"]
        total = chunk.total
        if total != event.args["total"]:
            self.findings.error(
                Code.TOTAL_MISMATCH,
                f"the streams of chunk {chunk.index} sum to another total",
                batch.place(event, batch.first_index(chunk.index)),
                expected=total,
                found=event.args["total"],
            )

    def _withdrawn_alone(self, event: Event) -> None:
        batch = self.vault.batch_of(event)
        args = event.args
        index = args["index"]
        chunk, position = batch.locate(index) if batch else (None, 0)
        if batch is None or chunk is None or not batch.is_stream or position >= chunk.count:
            self._unknown(event, batch, index)
            return
        place = batch.place(event, index)
        self.vault.require_running(event, WITHDRAWALS, place)
        payee, total = chunk.entry(position)
        cancel = chunk.cancelled.get(position, 0)
        through = due_through(batch.terms.step(event.timestamp), cancel)
        duration = batch.terms.duration
        paid = vested(total, chunk.paid_through(position), duration)
        due = vested(total, through, duration) - paid
        said = (args["payee"], args["amount"], args["paidThrough"])
        if said != (payee, due, through) or due <= 0:
            self.findings.error(
                Code.STREAM_MISMATCH,
                f"stream {index} of batch {hex_text(batch.id)} was paid otherwise than it accrued",
                place,
                expected=f"{due} through second {through}",
                found=f"{args['amount']} through second {args['paidThrough']}",
            )
        self.vault.require_payable(payee, place)
        self.vault.require_not_held(event, chunk, position, place)
        self.vault.state.stream_payments += 1
        chunk.own[position] = through
        chunk.flags |= HAS_OWN
        self.vault.state.withdrawals += 1
        owed = [(index, payee, due)] if due > 0 else []
        self.vault.explain_mints(event, batch, owed)
        self.vault.post_payment(event, batch, args["amount"], index, 1)
        for listener in self.listeners:
            listener.withdrew(event, batch, owed)

    def _withdrawn_range(self, event: Event) -> None:
        batch = self.vault.batch_of(event)
        args = event.args
        chunk = batch.chunks.get(args["chunkIndex"]) if batch else None
        if batch is None or chunk is None or not batch.is_stream:
            self._unknown(event, batch, None)
            return
        first = batch.first_index(chunk.index)
        place = batch.place(event, first)
        self.vault.require_running(event, WITHDRAWALS, place)
        step = batch.terms.step(event.timestamp)
        skipped = set(bits(args["skippedLow"], args["skippedHigh"]))
        dues = self._dues(batch, chunk, step)
        owed, unpayable = [], set()
        for position, ((payee, _), due) in enumerate(zip(chunk.paid_now(), dues, strict=True)):
            if not due:
                continue
            reason = self.vault.token.unpayable_reason(
                payee, self.vault.token_address, self.vault.address
            )
            if reason or chunk.is_held(position, event.timestamp):
                unpayable.add(position)
            if position not in skipped:
                owed.append((first + position, payee, due))
        for position in sorted(skipped ^ unpayable):
            self.findings.error(
                Code.SKIP_MISMATCH,
                f"stream {first + position} was "
                f"{'skipped though it could be paid' if position in skipped else 'not skipped'}",
                batch.place(event, first + position),
            )
        paid = sum(due for _, _, due in owed)
        moved = bool(paid) or (bool(skipped) and step > chunk.watermark)
        if paid != args["paid"] or step != args["watermark"] or not moved:
            self.findings.error(
                Code.STREAM_MISMATCH,
                f"the streams of chunk {chunk.index} were paid otherwise than they accrued",
                place,
                expected=f"{paid} through second {step}",
                found=f"{args['paid']} through second {args['watermark']}",
            )
        self.vault.state.stream_payments += len(owed)
        self._mark(chunk, step, skipped)
        self.vault.state.withdrawals += len(owed)
        self.vault.explain_mints(event, batch, owed)
        self.vault.post_payment(event, batch, args["paid"], first, chunk.count)
        for listener in self.listeners:
            listener.withdrew(event, batch, owed)

    @staticmethod
    def _dues(batch: Batch, chunk: Chunk, step: int) -> list[int]:
        """Return what each stream of a chunk is due, base units."""
        duration = batch.terms.duration
        dues = []
        for position, (_, total) in enumerate(unpack(chunk.entries)):
            start = chunk.paid_through(position)
            end = due_through(step, chunk.cancelled.get(position, 0))
            dues.append(vested(total, end, duration) - vested(total, start, duration))
        return dues

    @staticmethod
    def _mark(chunk: Chunk, step: int, skipped: set[int]) -> None:
        """Move the watermark, the lanes and the flag as ``_markLanes`` does."""
        before, chunk.watermark = chunk.watermark, step
        for position in {*chunk.own, *chunk.cancelled, *skipped}:
            own = chunk.own.get(position, 0)
            through = due_through(step, chunk.cancelled.get(position, 0))
            if position in skipped:
                chunk.own[position] = paid_through(before, own) | ALONE
            elif own & ALONE or through > step:
                chunk.own[position] = through
        if any(own > step for own in chunk.own.values()):  # ALONE is above every time
            chunk.flags |= HAS_OWN
        else:
            chunk.flags &= ~HAS_OWN

    def _cancelled(self, event: Event) -> None:
        batch = self.vault.batch_of(event)
        args = event.args
        chunk = batch.chunks.get(args["chunkIndex"]) if batch else None
        if batch is None or chunk is None or not batch.is_stream:
            self._unknown(event, batch, None)
            return
        first = batch.first_index(chunk.index)
        positions = list(bits(args["maskLow"], args["maskHigh"]))
        place = batch.place(event, first + positions[0] if positions else first)
        facts = (batch.id, args["chunkIndex"], args["maskLow"], args["maskHigh"])
        claim = Claim(Contract.VAULT, "StreamCancellation", facts, REVIEWER, batch.region, place)
        self.vault.officers.prove_action(event, claim)
        duration = batch.terms.duration
        elapsed = batch.terms.elapsed(event.timestamp)
        returned = 0
        for position in positions:
            if position >= chunk.count or position in chunk.cancelled:
                self.findings.error(
                    Code.CANCEL_MISMATCH,
                    f"stream {first + position} was cut twice, or is none of the chunk",
                    batch.place(event, first + position),
                )
                continue
            _, total = chunk.signed(position)
            returned += total - vested(total, elapsed, duration)
            chunk.cancelled[position] = elapsed + 1
        chunk.flags |= HAS_CANCELLED
        if (returned, elapsed) != (args["returned"], args["cut"]) or not returned:
            self.findings.error(
                Code.CANCEL_MISMATCH,
                f"streams of chunk {chunk.index} were cut otherwise than they accrued",
                place,
                expected=f"{returned} returned at second {elapsed}",
                found=f"{args['returned']} returned at second {args['cut']}",
            )
        self.vault.return_to_budget(event, batch, args["returned"], place)

    def _unknown(self, event: Event, batch: Batch | None, index: int | None) -> None:
        self.vault.token.take_mints()
        if batch is not None:
            self.findings.error(
                Code.STREAM_UNKNOWN,
                f"{event.name} of a stream that was never opened",
                batch.place(event, index),
            )
