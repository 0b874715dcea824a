"""Which chunks are sent without being tried out first (decision 0082).

To try a chunk by ``eth_call`` costs the node as much as to mine it: a batch would take twice as
long. A trial keeps a nonce and some gas from being spent on a refusal, no more: what may be paid is
the contract's to say. So the first chunk of a batch is tried, and each one where something went
wrong; the others go as that one did.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.chain.contracts import Contracts
from service.payouts.chunk_tree import chunk_leaf, root_from_proof
from service.payouts.models import Batch
from service.transactions.models import Transaction
from service.transactions.states import Kind, State

_WENT_THROUGH = (State.INCLUDED.value, State.FINAL.value)
_WENT_WRONG = (State.REVERTED.value, State.SUPERSEDED.value)


@dataclass(frozen=True, slots=True)
class Trials:
    """Which rows are to be tried.

    Attributes
    ----------
    first
        Those that are tried.
    like_first
        Chunks that are tried only if the one that stands for them was refused.
    stands_for
        The row that stands for its batch's others, by the batch's id.
    """

    first: list[Transaction]
    like_first: list[Transaction]
    stands_for: dict[str | None, int]


def plan_trials(session: Session, contracts: Contracts, rows: Sequence[Transaction]) -> Trials:
    """Say which rows are tried; chunks that are in neither list need no trial.

    They are chunks that nobody refused yet, of a batch of which a chunk of ours went through and
    none failed, and their calldata leads to the root that the officers signed.
    """
    chunks = [r for r in rows if r.kind == Kind.EXECUTE_CHUNK and not r.failures and r.batch_id]
    batches = {row.batch_id for row in chunks}
    went_through, went_wrong = _seen(session, batches) if batches else (set(), set())
    found = session.execute(select(Batch.id, Batch.chunks_root).where(Batch.id.in_(batches)))
    roots: dict[str | None, str] = {batch_id: root for batch_id, root in found}  # noqa: C416 - rows are no tuples
    alike = {
        row.id
        for row in chunks
        if row.batch_id not in went_wrong and _root_of(contracts, row) == roots[row.batch_id]
    }
    trials = Trials([], [], {})
    for row in rows:
        if row.id not in alike:
            trials.first.append(row)
        elif row.batch_id in trials.stands_for:
            trials.like_first.append(row)
        elif row.batch_id not in went_through:
            trials.stands_for[row.batch_id] = row.id
            trials.first.append(row)
    return trials


def _seen(
    session: Session, batches: Collection[str | None]
) -> tuple[set[str | None], set[str | None]]:
    """Batches of which a chunk of ours went through, and those of which one failed."""
    states = (*_WENT_THROUGH, *_WENT_WRONG)
    seen = session.execute(
        select(Transaction.batch_id, Transaction.state)
        .where(
            Transaction.batch_id.in_(batches),
            Transaction.kind == Kind.EXECUTE_CHUNK,
            Transaction.state.in_(states),
        )
        .distinct()
    ).all()
    return (
        {batch for batch, state in seen if state in _WENT_THROUGH},
        {batch for batch, state in seen if state in _WENT_WRONG},
    )


def _root_of(contracts: Contracts, row: Transaction) -> str | None:
    """Root that a chunk's calldata proves itself under, 0x-hex; None if it is no such call."""
    call = contracts.decode_call("vault", row.calldata)
    if call is None or call[0] != "executeChunk":
        return None
    args = call[1]
    leaf = chunk_leaf(args["batchId"], args["chunkIndex"], args["entries"])
    return "0x" + root_from_proof(leaf, args["chunkIndex"], args["proof"]).hex()
