"""Tables of what was approved and paid: batches, chunks, payouts, grants, balances, postings."""

from __future__ import annotations

from collections.abc import Iterator

from service.audit.arithmetic import cut_off, vested
from service.audit.decode import address_text, hex_text
from service.audit.exports.table import (
    BY_BLOCK,
    BY_PROGRAMME,
    Row,
    Source,
    Table,
    amount,
    integer,
    text,
)
from service.audit.manifest_file import Line
from service.audit.state import Batch, Chunk, Payout, PayoutStatus

KINDS = ("one_off", "stream")
_WHEN = (
    integer("block", "Where: block."),
    integer("time_unix_s", "Where: time of the block."),
    text("tx", "Where: hash of the transaction."),
)


def _when(source: Source, block: int | None, tx: bytes | None) -> Row:
    return block, source.recorded.time_of(block), None if tx is None else hex_text(tx)


def _in_order(source: Source) -> list[Batch]:
    """Return the batches by programme, then in the order of their payouts' numbers."""
    batches = source.report.state.batches.values()
    return sorted(batches, key=lambda batch: (batch.programme, batch.first_number, batch.id))


# ---- batches -------------------------------------------------------------------------------------


def _state_of(batch: Batch) -> str:
    if batch.expired_block:
        return "expired"
    if batch.cancelled:
        return "cancelled"
    if batch.complete:
        return "executed"
    return "executing" if batch.chunks else "approved"


def _batches(source: Source) -> Iterator[Row]:
    for batch in _in_order(source):
        signed = batch.approval
        officers = source.recorded.approvers.get(batch.id, ())
        yield (
            hex_text(batch.id),
            batch.programme,
            signed["programmeVersion"],
            _state_of(batch),
            " ".join(map(str, officers)) or None,
            signed["maker"],
            KINDS[batch.is_stream],
            *batch.region,
            signed["chunkSize"],
            hex_text(signed["chunksRoot"]),
            hex_text(signed["manifestHash"]),
            signed["count"],
            signed["total"],
            signed["start"] or None,
            signed["cliff"] if batch.is_stream else None,
            signed["duration"] or None,
            signed["cadence"] or None,
            signed["executeBefore"],
            signed["expiresAt"],
            batch.first_number,
            batch.execute_from,
            batch.unexecuted,
            " ".join(map(str, sorted(batch.holders))) or None,
            batch.cancelled_block or None,
            batch.expired_block or None,
            *_when(source, batch.block, batch.tx),
        )


BATCHES = Table(
    "batches",
    "An approved batch: every term that officers signed, and what became of it.",
    (
        text("batch_id", "Batch id, 0x-hex. Signed."),
        integer("programme", "Programme that pays. Signed."),
        integer("programme_version", "Its version. Signed."),
        text(
            "state",
            "approved: no chunk ran; executing: some did; executed: all did; cancelled; expired: "
            "what had not run in time returned to the budget.",
        ),
        text("approved_by", "Officers who signed, with spaces between (see `batch_approvers`)."),
        integer("maker_officer_id", "The officer who made it. Signed."),
        text("kind", "one_off or stream. Signed."),
        integer("region_code", "Region, GB/T 2260; 0 is the whole country. Signed."),
        integer("region_digits", "Digits of the region's code. Signed."),
        integer("chunk_size", "Payouts of a chunk; the last may have fewer. Signed."),
        text("chunks_root", "Root over the chunks, 0x-hex. Signed."),
        text("manifest_hash", "Keccak-256 of the manifest, 0x-hex. Signed."),
        integer("count", "Payouts. Signed."),
        amount("total", "Their sum. Signed."),
        integer("start_unix_s", "Of streams: when accrual begins. Signed."),
        integer("cliff_s", "Of streams: seconds before the first withdrawal. Signed."),
        integer("duration_s", "Of streams: seconds of accrual. Signed."),
        integer("cadence_s", "Of streams: seconds of a step. Signed."),
        integer("execute_before_unix_s", "When chunks may run no more. Signed."),
        integer("expires_at_unix_s", "When what cannot be paid returns to the budget. Signed."),
        integer("first_number", "Number of its first payout in the programme."),
        integer("execute_from_unix_s", "When chunks may run: the challenge delay, and holds."),
        amount("unexecuted", "What has not run, and can still."),
        text("held_by", "Officers who held it, with spaces between."),
        integer("cancelled_block", "Where it was cancelled."),
        integer("expired_block", "Where what had not run returned to the budget."),
        *_WHEN,
    ),
    _batches,
    indexes=(("programme", "first_number"),),
)


def _chunks(source: Source) -> Iterator[Row]:
    for batch in _in_order(source):
        for index, chunk in sorted(batch.chunks.items()):
            amounts = [chunk.entry(position)[1] for position in range(chunk.count)]
            yield (
                hex_text(batch.id),
                index,
                batch.programme,
                chunk.count,
                sum(amounts),
                hex_text(chunk.leaf),
                len(chunk.skipped),
                len(chunk.retried),
                len(chunk.expired),
                address_text(chunk.pointer) if chunk.pointer else None,
                chunk.watermark if batch.is_stream else None,
                *_when(source, chunk.block, chunk.tx),
            )


CHUNKS = Table(
    "chunks",
    "A chunk that ran.",
    (
        text("batch_id", "Its batch, 0x-hex."),
        integer("chunk_index", "Index in the batch, from 0."),
        integer("programme", "Programme that pays."),
        integer("payouts", "Payouts in it."),
        amount("total", "Their sum, those skipped too."),
        text("leaf", "Its leaf in the tree whose root officers signed, 0x-hex."),
        integer("skipped", "Payouts that could not be paid when it ran."),
        integer("retried", "Of these, how many were paid since."),
        integer("expired", "Of these, how many returned to the budget for good."),
        text("pointer", "Of streams: contract that holds the entries, address."),
        integer("watermark_s", "Of streams: second of accrual of the last withdrawal of all."),
        *_WHEN,
    ),
    _chunks,
    key=2,
    partition=BY_PROGRAMME,
)

# ---- payouts -------------------------------------------------------------------------------------


def _paid(payout: Payout) -> int:
    if payout.status is PayoutStatus.PAID:
        return payout.amount or 0
    return payout.withdrawn


def _returned(payout: Payout, signed_amount: int | None) -> int | None:
    """What went back to the budget; None where it did and nobody says how much it was."""
    if payout.status in (PayoutStatus.CANCELLED, PayoutStatus.EXPIRED):
        return signed_amount
    return payout.returned


def _accrued(payout: Payout, chunk: Chunk | None, position: int, time: int) -> int | None:
    """What of a stream had accrued at a Unix time, None of other payouts."""
    if chunk is None or payout.amount is None or not payout.batch.is_stream:
        return None
    terms = payout.batch.terms
    elapsed = cut_off(terms.elapsed(time), chunk.cancelled.get(position, 0))
    return vested(payout.amount, elapsed, terms.duration)


def _stream_cells(payout: Payout, accrued: int | None) -> Row:
    if accrued is None:
        return None, None, None
    return payout.paid_through, payout.cut, accrued


def _payout(source: Source, payout: Payout, line: Line | None) -> Row:
    batch = payout.batch
    chunk, position = batch.locate(payout.index)
    signed_payee, signed_amount = payout.signed_payee, payout.amount
    if chunk is None and line is not None:
        signed_payee, signed_amount = line.payee, line.amount
    accrued = _accrued(payout, chunk, position, source.report.timestamp)
    return (
        hex_text(batch.id),
        payout.index,
        batch.programme,
        payout.number,
        payout.index // batch.approval["chunkSize"],
        KINDS[batch.is_stream],
        payout.status.value,
        None if payout.payee is None else address_text(payout.payee),
        None if signed_payee is None else address_text(signed_payee),
        signed_amount,
        None if line is None else line.commitment,
        _paid(payout),
        *_stream_cells(payout, accrued),
        _returned(payout, signed_amount),
        None if chunk is None else chunk.skipped.get(position),
        0 if chunk is None else int(position in chunk.retried),
        None if chunk is None else chunk.held.get(position),
        (batch.expired_block or None) if chunk is None else chunk.expired.get(position),
        *_when(source, payout.block, payout.tx),
    )


def _payouts(source: Source) -> Iterator[Row]:
    for batch in _in_order(source):
        lists = source.report.manifest_lists
        lines = None if lists is None else lists.of(batch.id)
        for payout in source.report.state.payouts(batch):
            yield _payout(source, payout, lines[payout.index] if lines else None)


PAYOUTS = Table(
    "payouts",
    "Every payout that was approved, with where it stands at the end.",
    (
        text("batch_id", "Its batch, 0x-hex."),
        integer("payout_index", "Index in the batch, from 0."),
        integer("programme", "Programme that pays."),
        integer("number", "Number in the programme, from 1."),
        integer("chunk_index", "Its chunk."),
        text("kind", "one_off or stream."),
        text(
            "status",
            "approved: its chunk did not run; paid; opened: a stream; skipped: could not be paid, "
            "waits for a retry; cancelled; expired.",
        ),
        text("payee", "Who is paid, address; nothing while its chunk did not run."),
        text(
            "signed_payee",
            "Whom officers signed, address: another where the wallet was changed since. Before its "
            "chunk ran, by the manifest.",
        ),
        amount("amount", "What officers signed. Before its chunk ran, by the manifest."),
        text("commitment", "Commitment of its case, hex, by the signed manifest."),
        amount("paid", "What reached the payee; of a stream all withdrawals."),
        integer("paid_through_s", "Of a stream: second of accrual through which it is paid."),
        integer("cut_s", "Of a stream that was cut: second of accrual at which."),
        amount("accrued", "Of a stream: accrued at the last block's time, withdrawn or not."),
        amount("returned", "What went back to the budget."),
        integer(
            "skip_reason",
            "Why its chunk skipped it: 1 no address, 2 the token, 3 the vault, 4 frozen; 0 for no "
            "reason, which is a finding.",
        ),
        integer("retried", "1 where it was paid by a retry."),
        integer("held_until_unix_s", "A reviewer held it until then."),
        integer("expired_block", "Where it returned to the budget for good."),
        integer("block", "Where it was paid, opened or skipped: block."),
        integer("time_unix_s", "Where: time of the block."),
        text("tx", "Where: hash of the transaction."),
    ),
    _payouts,
    key=2,
    partition=BY_PROGRAMME,
    indexes=(("programme", "number"), ("payee",), ("commitment",), ("status",)),
)

# ---- grants, balances, postings ------------------------------------------------------------------


def _grants(source: Source) -> Iterator[Row]:
    grants = source.report.state.lane.grants.values()
    for grant in sorted(grants, key=lambda grant: (grant.block, grant.id)):
        yield (
            hex_text(grant.id),
            grant.state(source.report.timestamp).value,
            grant.officer,
            grant.countersigned_by,
            address_text(grant.given["payee"]),
            grant.amount,
            *grant.region,
            grant.given["caseCommitment"].hex(),
            grant.given["validUntil"],
            grant.overdue_from,
            grant.ended_block or None,
            *_when(source, grant.block, grant.tx),
        )


GRANTS = Table(
    "grants",
    "An emergency grant.",
    (
        text("grant_id", "Grant id, 0x-hex."),
        text("state", "outstanding, overdue, countersigned or written_off."),
        integer("officer_id", "Who granted it."),
        integer("countersigned_by_officer_id", "Who countersigned it."),
        text("payee", "Who was paid, address."),
        amount("amount", "How much."),
        integer("region_code", "Region, GB/T 2260."),
        integer("region_digits", "Digits of the region's code."),
        text("commitment", "Commitment of its case, hex."),
        integer("valid_until_unix_s", "Until when the signature could be used."),
        integer("overdue_from_unix_s", "Midnight UTC from which it is overdue."),
        integer("ended_block", "Where it was countersigned or written off."),
        *_WHEN,
    ),
    _grants,
    indexes=(("officer_id",), ("commitment",)),
)


def _balances(source: Source) -> Iterator[Row]:
    token = source.report.state.token
    for account, balance in token.balances.with_others(token.frozen):
        if balance or account in token.frozen:
            yield address_text(account), balance, int(account in token.frozen)


BALANCES = Table(
    "balances",
    "A wallet that holds tokens, or is frozen, at the end.",
    (
        text("account", "The wallet, address."),
        amount("balance", "What it holds."),
        integer("frozen", "1 where it is frozen."),
    ),
    _balances,
)


def _postings(source: Source) -> Iterator[Row]:
    for number, posting in enumerate(source.report.state.postings, 1):
        yield (
            number,
            *_when(source, posting.block, posting.tx),
            posting.log_index,
            posting.event,
            posting.source,
            posting.target,
            posting.amount,
            None if posting.batch is None else hex_text(posting.batch),
            posting.first_index,
            posting.payouts or None,
        )


POSTINGS = Table(
    "postings",
    "Double entry: money leaves one account for another. The accounts are funding, "
    "budget:<programme>, committed:<programme>, emergency, circulating and redeemed.",
    (
        integer("posting_number", "Counted from 1, in the order of the chain."),
        *_WHEN,
        integer("log_index", "Position of the event among the block's logs."),
        text("event", "Name of the event."),
        text("source", "Account that it leaves."),
        text("target", "Account that it reaches."),
        amount("amount", "How much."),
        text("batch_id", "The batch concerned, 0x-hex."),
        integer("first_index", "Index of the first payout concerned."),
        integer("payouts", "How many payouts from there on."),
    ),
    _postings,
    partition=BY_BLOCK,
    indexes=(("source",), ("target",)),
)
