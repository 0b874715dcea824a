"""What should be on chain and is not: rows of earlier stages turned into ``built`` transactions.

Planning is idempotent: each effect has a dedupe key, unique among live transactions, so planning
again, or by two workers at once, makes nothing new.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from sqlalchemy import ColumnElement, String, exists, func, or_, select, text
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.approvals.actions import packed_action
from service.approvals.models import QuorumAction
from service.approvals.service import packed_approval
from service.approvals.states import ActionState, move_actions
from service.chain.contracts import Contracts
from service.errors import ReliefError
from service.payouts.chunk_tree import chunk_proofs
from service.payouts.models import Batch, ChainRequest, Chunk, Programme, RequestKind
from service.payouts.states import BatchState, ChunkState, RequestState
from service.payouts.states import move_all as move_payout_stages
from service.transactions import calls, owners, trail
from service.transactions.context import LAST_RETRY_MS, values_of
from service.transactions.dbclock import has_come, read_now_ms
from service.transactions.models import LIVE_STATES_SQL, Lane, Transaction
from service.transactions.states import IN_FLIGHT, LIVE, Kind, State, move_all

log = logging.getLogger(__name__)

MAX_CHUNKS_A_ROUND = 64
"""Chunks planned at once: their calldata, 15 kB each, is what planning holds in memory."""

FIRST_CHUNKS = 16
"""Planned for each lane while none is on its way: the node has nothing to do until they are."""

ENOUGH_CHUNKS = 24
"""While so many are built and not signed, no more are planned."""

MAX_REVERTS = 3
"""After so many reverts on chain the same effect is not tried again by itself."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block that was read; contracts compare its time, so planning does too."""

    number: int
    timestamp_unix_s: int

    @property
    def time(self) -> datetime:
        """Its time, UTC."""
        return datetime.fromtimestamp(self.timestamp_unix_s, UTC)


_NOT_PAUSED = (
    Batch.paused.is_(False),
    Batch.programme_id.not_in(select(Programme.id).where(Programme.paused.is_(True))),
)
_AWAITS_APPROVAL = (Batch.state == BatchState.RELEASED, *_NOT_PAUSED)
_AWAITS_EXECUTION = (
    Chunk.state.in_([ChunkState.WAITING, ChunkState.SENT]),
    Batch.state == BatchState.ONCHAIN,
    *_NOT_PAUSED,
)
_ACTION_OPEN = QuorumAction.state.in_([ActionState.READY, ActionState.SUBMITTED])


@dataclass(frozen=True, slots=True)
class _Planned:
    kind: Kind
    dedupe_key: str
    call: Callable[[], calls.Call]
    batch_id: str | None = None
    chunk_index: int | None = None
    action_id: str | None = None
    request_id: str | None = None
    asked_by: str | None = None


class Planner:
    """Plans transactions for the lanes of one worker.

    Parameters
    ----------
    contracts
        The contracts called.
    senders
        All this worker has keys of. Those that hold no role relay what anybody may send, and take
        turns.
    """

    def __init__(self, contracts: Contracts, senders: Sequence[str]) -> None:
        self._contracts = contracts
        self._chain_id = contracts.deployment.chain_id
        self._keys = tuple(senders)
        self._turn = 0

    def plan(
        self,
        session: Session,
        head: Head,
        senders: Sequence[str],
        *,
        with_approvals: bool = True,
        holders: Mapping[str, Collection[str]] | None = None,
    ) -> int:
        """Build what is due; returns how many transactions are new.

        Parameters
        ----------
        head
            Newest block read.
        senders
            Lanes this worker holds; what needs another sender waits.
        with_approvals
            Whether released batches may go on chain.
        holders
            Accounts by the role they hold now; those of the deployment where None or empty.
        """
        holders = holders or self._contracts.deployment.roles
        of_roles = {account for held in holders.values() for account in held}
        self._expire_actions(session, head)
        planned = 0
        relayers = self._able(
            session, [s for s in self._keys if s in senders and s not in of_roles]
        )
        if relayers:
            if with_approvals:
                planned += self._add(session, self._approvals(session, head), relayers)
            planned += self._add(session, self._chunks(session, head, relayers), relayers)
            planned += self._add(session, self._actions(session, head), relayers)
        return planned + self._requests(session, senders, relayers, holders)

    def _able(self, session: Session, relayers: Sequence[str]) -> Sequence[str]:
        """Those with gas money; all of them where none has any.

        What was built for the others and has no nonce yet is let go, to be planned for these.
        """
        broke = session.scalars(
            select(Lane.sender).where(
                Lane.chain_id == self._chain_id, Lane.out_of_funds, Lane.sender.in_(relayers)
            )
        ).all()
        able = [sender for sender in relayers if sender not in broke]
        if broke and able:
            stuck = (Transaction.chain_id == self._chain_id, Transaction.sender.in_(broke))
            move_all(session, State.CLOSED, *stuck, Transaction.state == State.BUILT)
        return able or relayers

    # ---- sources -------------------------------------------------------------------------------

    def _approvals(self, session: Session, head: Head) -> Iterator[_Planned]:
        batches = session.scalars(
            select(Batch)
            .where(*_AWAITS_APPROVAL)
            .where(Batch.execute_before_unix_s > head.timestamp_unix_s)
            .where(*_wanted(Kind.APPROVE_BATCH, Transaction.batch_id == Batch.id))
            .order_by(Batch.released_at, Batch.id)
        ).all()
        for batch in batches:

            def call(batch: Batch = batch) -> calls.Call:
                signatures = packed_approval(session, batch.id, head.time)
                return calls.approve_batch(self._contracts, batch, signatures)

            yield _Planned(
                Kind.APPROVE_BATCH,
                f"approve:{batch.id}",
                call,
                batch_id=batch.id,
                asked_by=batch.asked_by_request,
            )

    def _chunks(self, session: Session, head: Head, relayers: Sequence[str]) -> Iterator[_Planned]:
        # Of lanes that can send, and not refused: what waits for something else fills no lane.
        is_built = Transaction.state == State.BUILT
        built, on_their_way = session.execute(
            select(
                func.count().filter(is_built, Transaction.failures == 0),
                func.count().filter(~is_built),
            )
            .select_from(Transaction)
            .where(
                Transaction.chain_id == self._chain_id,
                Transaction.sender.in_(relayers),
                Transaction.state.in_(values_of((State.BUILT, *IN_FLIGHT))),
                Transaction.kind == Kind.EXECUTE_CHUNK,
            )
        ).one()
        if built >= ENOUGH_CHUNKS:
            return  # to look for more costs a look at each chunk that waits
        at_once = MAX_CHUNKS_A_ROUND
        if not built and not on_their_way:
            at_once = min(at_once, FIRST_CHUNKS * len(relayers))
        due = session.execute(
            select(Chunk.batch_id, Chunk.chunk_index, Chunk.entries, Batch.asked_by_request)
            .join(Batch, Batch.id == Chunk.batch_id)
            .where(*_AWAITS_EXECUTION)
            .where(Batch.execute_from_unix_s <= head.timestamp_unix_s)
            .where(Batch.execute_before_unix_s > head.timestamp_unix_s)
            .where(
                *_wanted(
                    Kind.EXECUTE_CHUNK,
                    Transaction.batch_id == Chunk.batch_id,
                    Transaction.chunk_index == Chunk.chunk_index,
                )
            )
            .order_by(Batch.released_at, Chunk.batch_id, Chunk.chunk_index)
            .limit(at_once)
        ).all()
        proofs: dict[str, list[list[bytes]]] = {}
        for batch_id, chunk_index, entries, asked_by in due:

            def call(
                batch_id: str = batch_id, chunk_index: int = chunk_index, entries: bytes = entries
            ) -> calls.Call:
                if batch_id not in proofs:
                    proofs.clear()
                    proofs[batch_id] = _proofs(session, batch_id)
                proof = proofs[batch_id][chunk_index]
                return calls.execute_chunk(self._contracts, batch_id, chunk_index, entries, proof)

            yield _Planned(
                Kind.EXECUTE_CHUNK,
                f"chunk:{batch_id}:{chunk_index}",
                call,
                batch_id=batch_id,
                chunk_index=chunk_index,
                asked_by=asked_by,
            )

    def _actions(self, session: Session, head: Head) -> Iterator[_Planned]:
        actions = session.scalars(
            select(QuorumAction)
            .where(_ACTION_OPEN)
            .where(*_wanted(Kind.QUORUM_ACTION, Transaction.action_id == QuorumAction.id))
            .order_by(QuorumAction.created_at, QuorumAction.id)
        ).all()
        for action in actions:

            def call(action: QuorumAction = action) -> calls.Call:
                signatures = packed_action(session, action.id, head.time)
                return calls.quorum_action(self._contracts, action, signatures)

            yield _Planned(
                Kind.QUORUM_ACTION,
                f"action:{action.id}",
                call,
                action_id=action.id,
                asked_by=action.asked_by_request,
            )

    def _expire_actions(self, session: Session, head: Head) -> None:
        """Give up actions whose deadline passed on chain and that no transaction carries."""
        move_actions(
            session,
            ActionState.EXPIRED,
            _ACTION_OPEN,
            QuorumAction.deadline_unix_s < head.timestamp_unix_s,
            ~_live(Kind.QUORUM_ACTION, Transaction.action_id == QuorumAction.id),
        )

    def _requests(
        self,
        session: Session,
        senders: Sequence[str],
        relayers: Sequence[str],
        holders: Mapping[str, Collection[str]],
    ) -> int:
        planned = 0
        requests = session.scalars(
            select(ChainRequest)
            .where(ChainRequest.state.in_([RequestState.REQUESTED, RequestState.PLANNED]))
            .where(
                ~_live(Kind.REQUEST, Transaction.request_id == _as_text(ChainRequest.id)),
                ~_mined_in_vain(Transaction.request_id == _as_text(ChainRequest.id)),
            )
            .order_by(ChainRequest.id)
        ).all()
        for row in requests:
            this = ChainRequest.id == row.id
            sender = self._sender_of(row, senders, relayers, holders)
            if sender is None:
                continue
            call = partial(calls.request, self._contracts, row)
            item = _Planned(
                Kind.REQUEST,
                f"request:{row.id}",
                call,
                request_id=str(row.id),
                asked_by=row.asked_by_request,
            )
            try:
                planned += self._insert(session, [self._row(item, sender)])
            except calls.BrokenRows as error:
                failed, why = RequestState.FAILED, error.detail
                move_payout_stages(session, ChainRequest, failed, this, last_error=why)
                continue
            move_payout_stages(session, ChainRequest, RequestState.PLANNED, this)
        return planned

    def _sender_of(
        self,
        row: ChainRequest,
        senders: Sequence[str],
        relayers: Sequence[str],
        holders: Mapping[str, Collection[str]],
    ) -> str | None:
        role = calls.REQUEST_ROLES.get(RequestKind(row.kind))
        if role is None:
            self._turn += 1
            return relayers[self._turn % len(relayers)] if relayers else None
        for holder in sorted(holders.get(role, ())):
            if holder in senders:
                return holder
        row.last_error = f"this worker has no key of a {role.replace('_', ' ')}"
        return None

    # ---- writing -------------------------------------------------------------------------------

    def _add(self, session: Session, items: Iterable[_Planned], relayers: Sequence[str]) -> int:
        """Add transactions; rows that make no call are told to whom they are for, no more."""
        rows = []
        for item in items:
            self._turn += 1
            try:
                rows.append(self._row(item, relayers[self._turn % len(relayers)]))
            except (ReliefError, ValueError, LookupError) as error:
                owners.tell(session, str(error), batch_id=item.batch_id, action_id=item.action_id)
        return self._insert(session, rows)

    def _row(self, item: _Planned, sender: str) -> dict[str, Any]:
        """Return a transaction's row.

        Raises
        ------
        ReliefError, ValueError, LookupError
            If no call can be made of the rows.
        """
        call = item.call()
        return {
            "chain_id": self._chain_id,
            "sender": sender,
            "kind": item.kind.value,
            "target": self._contracts.address(call.contract),
            "calldata": call.calldata,
            "dedupe_key": item.dedupe_key,
            "batch_id": item.batch_id,
            "chunk_index": item.chunk_index,
            "action_id": item.action_id,
            "request_id": item.request_id,
            "asked_by_request": item.asked_by,
            "state": State.BUILT.value,
            "failures": 0,
            "retry_at_unix_ms": 0,
        }

    def _insert(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
        """Add those with whose dedupe key none lives; returns how many are work."""
        if not rows:
            return 0
        dialect = session.get_bind().dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        now_ms = read_now_ms(session)
        statement = cast(Any, insert)(Transaction)
        # A refused one that is due again takes the rows as they are now.
        statement = statement.on_conflict_do_update(
            index_elements=["chain_id", "dedupe_key"],
            index_where=text(LIVE_STATES_SQL),
            set_={"calldata": statement.excluded.calldata},
            where=(Transaction.state == State.BUILT) & (Transaction.failures > 0),
        )
        built = session.execute(
            statement.returning(*trail.FACTS), [{**row, "created_unix_ms": now_ms} for row in rows]
        ).all()
        for row in sorted(built, key=lambda each: each.id):
            trail.came_to(session, row, "planned")
        return len(built)


def drop_unwanted(session: Session, head: Head, *, with_approvals: bool = True) -> int:
    """Close what is ``built`` and no longer wanted; returns how many.

    Its batch was paused, held or cancelled, its time is over, or events said that somebody else has
    done it. Without `with_approvals`, as :meth:`Planner.plan` has it, approvals go too.
    """
    wanted = {
        Kind.APPROVE_BATCH: exists().where(Batch.id == Transaction.batch_id, *_AWAITS_APPROVAL),
        Kind.EXECUTE_CHUNK: exists().where(
            Chunk.batch_id == Transaction.batch_id,
            Chunk.chunk_index == Transaction.chunk_index,
            Batch.id == Chunk.batch_id,
            Batch.execute_from_unix_s <= head.timestamp_unix_s,
            Batch.execute_before_unix_s > head.timestamp_unix_s,
            *_AWAITS_EXECUTION,
        ),
        Kind.QUORUM_ACTION: exists().where(QuorumAction.id == Transaction.action_id, _ACTION_OPEN),
        Kind.REQUEST: exists().where(
            _as_text(ChainRequest.id) == Transaction.request_id,
            ChainRequest.state.in_([RequestState.REQUESTED, RequestState.PLANNED]),
        ),
    }
    unwanted = or_(*((Transaction.kind == kind) & ~condition for kind, condition in wanted.items()))
    if not with_approvals:
        unwanted |= Transaction.kind == Kind.APPROVE_BATCH
    return move_all(session, State.CLOSED, Transaction.state == State.BUILT, unwanted)


def _proofs(session: Session, batch_id: str) -> list[list[bytes]]:
    leaves = session.scalars(
        select(Chunk.leaf_hash).where(Chunk.batch_id == batch_id).order_by(Chunk.chunk_index)
    ).all()
    return chunk_proofs([bytes.fromhex(leaf[2:]) for leaf in leaves])


def _as_text(column: Any) -> ColumnElement[str]:
    return sql_cast(column, String)


def _wanted(kind: Kind, *refers: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    """Nothing live does it, and it has not reverted too often."""
    reverts = (
        select(func.count())
        .select_from(Transaction)
        .where(Transaction.kind == kind, Transaction.state == State.REVERTED, *refers)
        .scalar_subquery()
    )
    return ~_live(kind, *refers), reverts < MAX_REVERTS


def _live(kind: Kind, *refers: ColumnElement[bool]) -> ColumnElement[bool]:
    due_again = (
        (Transaction.state == State.BUILT)
        & (Transaction.failures > 0)
        & has_come(Transaction.retry_at_unix_ms, longest_ms=LAST_RETRY_MS)
    )
    return exists(
        select(Transaction.id).where(
            Transaction.kind == kind,
            Transaction.state.in_([state.value for state in LIVE]),
            ~due_again,
            *refers,
        )
    )


def _mined_in_vain(*refers: ColumnElement[bool]) -> ColumnElement[bool]:
    """A request is tried once: whoever asked decides whether to ask again."""
    return exists(
        select(Transaction.id).where(
            Transaction.kind == Kind.REQUEST,
            Transaction.state.in_([State.REVERTED, State.SUPERSEDED]),
            *refers,
        )
    )
