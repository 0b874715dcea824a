"""What can never be paid and is due to return to its programme's budget: finding it, asking for it.

Anybody may send these calls and they decide nothing, so the worker asks once for each by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from service.clock import SYSTEM_CLOCK, Clock
from service.confirmations.holds import held_until
from service.confirmations.models import Event
from service.payouts.models import (
    Batch,
    ChainRequest,
    Chunk,
    Payout,
    RequestKind,
    Stream,
    in_state,
)
from service.payouts.requests import ask
from service.payouts.states import EXECUTED, BatchState, PayoutState, RequestState

WORKER = "worker"
"""Who asked, in the journal, where nobody did."""


@dataclass(frozen=True, slots=True)
class Due:
    """Something that may return to the budget now.

    Attributes
    ----------
    kind
        ``EXPIRE_BATCH``: what no chunk of a batch paid in its time; ``EXPIRE_PAYOUT``: one skipped
        payout; ``EXPIRE_STREAMS``: the streams of one chunk. The last two can never be paid.
    number
        Index of the payout, or of the chunk; None for a batch.
    since_unix_s
        Since when it may.
    """

    kind: RequestKind
    batch_id: str
    number: int | None
    amount_base_units: int
    since_unix_s: int

    @property
    def dedupe_key(self) -> str:
        """Names the effect."""
        place = "" if self.number is None else f":{self.number}"
        return f"{self.kind.value}:{self.batch_id}{place}"

    @property
    def args(self) -> dict[str, str | int]:
        """Arguments of the vault's function."""
        if self.number is None:
            return {"batchId": self.batch_id}
        name = "index" if self.kind is RequestKind.EXPIRE_PAYOUT else "chunkIndex"
        return {"batchId": self.batch_id, name: self.number}


def find_due(
    session: Session, now_unix_s: int, unpayable: Collection[str], *, batch_id: str | None = None
) -> list[Due]:
    """Return what is due by a time of the chain, by the events read.

    Parameters
    ----------
    unpayable
        Addresses that can never be paid: zero, token, vault. A frozen wallet is none of them.
    batch_id
        Only of this batch.
    """
    one = () if batch_id is None else (Batch.id == batch_id,)
    return [
        *_unexecuted(session, now_unix_s, *one),
        *_payouts(session, now_unix_s, unpayable, *one),
        *_streams(session, now_unix_s, unpayable, *one),
    ]


def ask_to_expire(
    session: Session, due: Due, *, actor: str, reason: str | None, clock: Clock = SYSTEM_CLOCK
) -> ChainRequest:
    """Ask for the transaction that returns it, or return the open request for it."""
    return ask(
        session,
        due.kind,
        due.args,
        dedupe_key=due.dedupe_key,
        actor=actor,
        reason=reason,
        clock=clock,
    )


def ask_for_all_due(session: Session, now_unix_s: int, unpayable: Collection[str]) -> int:
    """Ask for what is due and nobody asked for yet; returns for how many.

    What was refused once is left to people; done and due all the same is what a re-org took back.
    """
    asked = 0
    for due in find_due(session, now_unix_s, unpayable):
        before = exists().where(
            ChainRequest.dedupe_key == due.dedupe_key, ChainRequest.state != RequestState.DONE
        )
        if not session.scalar(select(before)):
            ask_to_expire(session, due, actor=WORKER, reason="its time is over")
            asked += 1
    return asked


def _unexecuted(session: Session, now_unix_s: int, *one: ColumnElement[bool]) -> Iterator[Due]:
    returned = exists().where(Event.name == "UnexecutedExpired", Event.batch_id == Batch.id)
    rows = session.execute(
        select(Batch.id, Batch.execute_before_unix_s, func.sum(Chunk.total_base_units))
        .join(Chunk, Chunk.batch_id == Batch.id)
        .where(
            *one,
            Batch.state == BatchState.ONCHAIN,
            Batch.execute_before_unix_s <= now_unix_s,
            Chunk.state.not_in(EXECUTED),
            ~returned,
        )
        .group_by(Batch.id, Batch.execute_before_unix_s)
        .order_by(Batch.execute_before_unix_s, Batch.id)
    )
    for batch_id, since, amount in rows:
        yield Due(RequestKind.EXPIRE_BATCH, batch_id, None, int(amount), since)


def _payouts(
    session: Session, now_unix_s: int, unpayable: Collection[str], *one: ColumnElement[bool]
) -> Iterator[Due]:
    rows = session.execute(
        select(Payout, Batch.expires_at_unix_s)
        .join(Batch, Batch.id == Payout.batch_id)
        .where(
            *one,
            Batch.expires_at_unix_s <= now_unix_s,
            in_state(PayoutState.SKIPPED),
            Payout.payee.in_(unpayable),
        )
        .order_by(Payout.batch_id, Payout.index)
    ).all()
    for payout, expires_at in rows:
        since = max(expires_at, held_until(session, payout.batch_id, payout.index))
        if since <= now_unix_s:
            kind = RequestKind.EXPIRE_PAYOUT
            yield Due(kind, payout.batch_id, payout.index, payout.amount_base_units, since)


def _streams(
    session: Session, now_unix_s: int, unpayable: Collection[str], *one: ColumnElement[bool]
) -> Iterator[Due]:
    rows = session.execute(
        select(Stream, Batch.expires_at_unix_s)
        .join(Batch, Batch.id == Stream.batch_id)
        .where(*one, Batch.expires_at_unix_s <= now_unix_s, Stream.payee.in_(unpayable))
        .order_by(Stream.batch_id, Stream.index)
    ).all()
    left: dict[tuple[str, int], tuple[int, int]] = {}
    for stream, expires_at in rows:
        amount = stream.total_base_units - stream.withdrawn_base_units - stream.returned_base_units
        since = max(expires_at, held_until(session, stream.batch_id, stream.index))
        if amount and since <= now_unix_s:
            chunk = (stream.batch_id, stream.chunk_index)
            sum_before, since_before = left.get(chunk, (0, since))
            left[chunk] = (sum_before + amount, min(since_before, since))
    for (batch_id, chunk_index), (amount, since) in left.items():
        yield Due(RequestKind.EXPIRE_STREAMS, batch_id, chunk_index, amount, since)
