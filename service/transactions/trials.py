"""Which chunks are sent without being tried out first (decision 0082).

To try a chunk by ``eth_call`` costs the node as much as to mine it: a batch would take twice as
long. A trial keeps a nonce and some gas from being spent on a refusal, no more: what may be paid is
the contract's to say. So the first chunk of a batch is tried, and each one where something went
wrong; the others go as that one did.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.chain.contracts import Contracts
from service.payouts.chunk_tree import chunk_leaf, root_from_proof
from service.payouts.models import Batch
from service.transactions.models import Transaction
from service.transactions.states import Kind, State

_WENT_THROUGH = (State.INCLUDED.value, State.FINAL.value)
_WENT_WRONG = (State.REVERTED.value, State.SUPERSEDED.value)


def sent_untried(session: Session, contracts: Contracts, rows: Sequence[Transaction]) -> set[int]:
    """Ids of the rows that need no trial.

    They are chunks that nobody refused yet, of a batch of which a chunk of ours went through and
    none failed, and their calldata leads to the root that the officers signed.
    """
    chunks = [r for r in rows if r.kind == Kind.EXECUTE_CHUNK and not r.failures and r.batch_id]
    if not chunks:
        return set()
    seen = session.execute(
        select(Transaction.batch_id, Transaction.state)
        .where(
            Transaction.batch_id.in_({row.batch_id for row in chunks}),
            Transaction.kind == Kind.EXECUTE_CHUNK,
            Transaction.state.in_((*_WENT_THROUGH, *_WENT_WRONG)),
        )
        .distinct()
    ).all()
    proven = {batch for batch, state in seen if state in _WENT_THROUGH}
    proven -= {batch for batch, state in seen if state in _WENT_WRONG}
    if not proven:
        return set()
    found = session.execute(select(Batch.id, Batch.chunks_root).where(Batch.id.in_(proven)))
    roots: dict[str | None, str] = {batch_id: root for batch_id, root in found}  # noqa: C416 - rows are no tuples
    return {
        row.id
        for row in chunks
        if row.batch_id in proven and _root_of(contracts, row) == roots[row.batch_id]
    }


def _root_of(contracts: Contracts, row: Transaction) -> str | None:
    """Root that a chunk's calldata proves itself under, 0x-hex; None if it is no such call."""
    call = contracts.decode_call("vault", row.calldata)
    if call is None or call[0] != "executeChunk":
        return None
    args = call[1]
    leaf = chunk_leaf(args["batchId"], args["chunkIndex"], args["entries"])
    return "0x" + root_from_proof(leaf, args["chunkIndex"], args["proof"]).hex()
