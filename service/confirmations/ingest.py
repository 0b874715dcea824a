"""Reads the chain block by block into rows, and takes back what a re-org took back.

A block is accepted only when it names the last one as its parent, and its logs are asked for by the
block's *hash*, so a node that changes its mind in between cannot mix two chains. The vault and
the registry count their events: a count left out stops the reading.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session, sessionmaker

from service.chain.contracts import Contracts, DecodedEvent
from service.chain.rpc import Rpc, RpcError
from service.confirmations import projections
from service.confirmations.alarms import AlarmKind, raise_alarm, refuse_while_alarmed
from service.confirmations.finality import (
    EVENTS_CURSOR,
    FINAL_CURSOR,
    FinalityResult,
    finalise,
    lock_cursors,
)
from service.confirmations.models import Block, Cursor, Event, Transfer
from service.confirmations.own_chunks import Header, OwnChunks
from service.confirmations.transfers import Log, Transfers, keep_by_chunk
from service.db import one_at_a_time, transaction
from service.errors import ChainUnavailable, IntegrityError
from service.payouts.entries import MAX_CHUNK_ENTRIES
from service.telemetry.logs import after_commit, note, note_after_commit
from service.telemetry.metrics import REORGS, count_read
from service.transactions import reorgs
from service.transactions.models import Transaction

log = logging.getLogger(__name__)

BLOCKS_A_STEP = 200
BLOCKS_AT_ONCE = 8
"""At most so many that may follow are asked for together with the newest, while blocks come."""

BLOCKS_A_REQUEST = 16
"""Of so many blocks the logs are asked for at once."""

LOGS_A_STEP = 10_000
"""Once so many logs were read, what follows waits for the next step: they are held in memory."""

BEHIND_ALARM_S = 60.0
"""A node that is behind for so long needs a person."""

LAG_PATIENCE_S = 20.0
"""So long a node below our cursor, with no other block there, counts as one that lags."""

COUNTED = ("vault", "registry")
"""Contracts whose events carry ``seq``."""

CHUNKS_RUN = frozenset({"ChunkPaid", "StreamsOpened"})
"""Events that say that a chunk was run, and change nothing of what may be done next."""

NOT_KEPT = frozenset({"Approval", "AuthorityUpdated"})
"""Events that say nothing about money, officers or what may be paid."""


class ReorgPastFinality(IntegrityError):
    """A block that was final is not on the chain any more; a person must look."""

    code, title = "reorg_past_finality", "A final block left the chain"


class NodeBehind(ChainUnavailable):
    """The node's newest block is one that we read before: it lags, or was set back."""

    code, title = "node_behind", "The chain node is behind"


class SequenceGap(IntegrityError):
    """A contract's count of its events has a gap: the node left a log out."""

    code, title = "sequence_gap", "An event is missing"


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What one step did.

    Attributes
    ----------
    blocks, events
        How many were read.
    rewound
        How many blocks were taken back.
    head
        Newest block read.
    timestamp_unix_s
        Its time.
    caught_up
        Whether it was the node's newest.
    final
        Newest final block, or an older one where another worker has gone on meanwhile.
    settled, posted
        Rows that became final with it, and postings of the ledger that followed.
    """

    blocks: int
    events: int
    rewound: int
    head: int
    timestamp_unix_s: int
    caught_up: bool
    final: int = 0
    settled: int = 0
    posted: int = 0


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the node said follows a cursor, not written yet.

    Attributes
    ----------
    cursor
        Where the reading began; nothing is stored once another worker has moved it.
    final
        Newest final block at that moment.
    newest
        The node's newest block, without its transactions; None where blocks were taken back.
    headers, events, moves
        Blocks, their events, and their transfers as the node gives them.
    first_mints
        Of transactions whose mints were not asked for, since ``ChunkPaid`` tells them: the log
        index of the first.
    ours
        Whether every transaction in them that left a log runs a chunk of ours, and is one of ours.
    caught_up
        Whether the last block was the node's newest.
    rewound
        How many blocks were taken back, before anything was asked for.
    """

    cursor: Cursor
    final: int
    newest: Header | None = None
    headers: Sequence[Header] = ()
    events: Sequence[DecodedEvent] = ()
    moves: Sequence[Log] = ()
    first_mints: Mapping[str, int | None] = field(default_factory=dict)
    ours: bool = False
    caught_up: bool = False
    rewound: int = 0

    @property
    def last(self) -> int:
        """Number of the newest block read, these included."""
        return int(self.headers[-1]["number"], 16) if self.headers else self.cursor.block_number

    @property
    def chunks_only(self) -> bool:
        """Whether nothing happened in them but that chunks were run."""
        return not self.rewound and all(event.name in CHUNKS_RUN for event in self.events)

    @property
    def hashes(self) -> dict[int, str]:
        """Hashes of these blocks by their number."""
        return {int(header["number"], 16): header["hash"] for header in self.headers}


@dataclass(slots=True)
class _Logs:
    """Logs of some blocks; what they are is said at :class:`Fetched`."""

    events: list[DecodedEvent] = field(default_factory=list)
    moves: list[Log] = field(default_factory=list)
    first_mints: dict[str, int | None] = field(default_factory=dict)
    ours: bool = True

    @property
    def size(self) -> int:
        """How many, where a chunk whose mints were not asked for counts as all of them would."""
        return len(self.events) + len(self.moves) + len(self.first_mints) * MAX_CHUNK_ENTRIES

    def add(self, more: _Logs, first_mints: Mapping[str, int | None] | None = None) -> None:
        """Add the logs of one block more."""
        self.events += more.events
        self.moves += more.moves
        self.first_mints |= first_mints or {}


class Ingestor:
    """Reads blocks and events of one deployment.

    Parameters
    ----------
    sessions
        Factory of database sessions.
    rpc, contracts
        The chain.
    post
        What a later stage does with the events that are final by now; returns how many it took.
    patience_s
        How long a node that lags is waited for before its chain counts as a shorter one.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        rpc: Rpc,
        contracts: Contracts,
        *,
        post: Callable[[Session, int], int] = lambda _session, _chain_id: 0,
        patience_s: float = LAG_PATIENCE_S,
    ) -> None:
        self._sessions = sessions
        self._rpc = rpc
        self._contracts = contracts
        self._chain_id = contracts.deployment.chain_id
        self._patience_s = patience_s
        self._behind_since_s: float | None = None
        self._depth = contracts.deployment.finality_depth_blocks
        self._post = post
        self._transfers = Transfers(contracts)
        self._own_chunks = OwnChunks(sessions, contracts)
        self._blocks_expected = 0

    def step(self) -> IngestResult:
        """Read the next blocks, or take back those that left the chain.

        Raises
        ------
        ChainUnavailable, ReorgPastFinality
            As :meth:`fetch`.
        SequenceGap
            As :meth:`store`.
        """
        return self.store(self.fetch())

    def fetch(self) -> Fetched:
        """Ask the node for the next blocks and write nothing; take back those that left the chain.

        Raises
        ------
        IntegrityError
            While an alarm is open that stops the reading.
        ChainUnavailable
            If the node does not answer, or its blocks do not link up (it is switching chains).
        NodeBehind
            If its newest block is one that was read before, and not yet for long.
        ReorgPastFinality
            If a final block left the chain; an alarm is written.
        """
        cursor, final = self._position()
        first = cursor.block_number + 1
        numbers = range(cursor.block_number, first + self._blocks_expected)
        self._blocks_expected = 0
        wanted = ["latest", *map(hex, numbers)]
        head, at_cursor, *expected = self._rpc.batch(
            [("eth_getBlockByNumber", (block, False)) for block in wanted]
        )
        if isinstance(head, RpcError) or head is None:
            raise ChainUnavailable("the node has no newest block")
        head_number = int(head["number"], 16)
        if isinstance(at_cursor, RpcError):
            raise ChainUnavailable(f"no block {cursor.block_number}: {at_cursor.message}")
        if at_cursor is None and head_number >= cursor.block_number:
            raise ChainUnavailable(f"the node has block {head_number} and no {cursor.block_number}")
        if at_cursor is None:
            self._wait_for_lagging(cursor, head_number, head["hash"])
        if at_cursor is None or at_cursor["hash"] != cursor.block_hash:
            self._behind_since_s = None
            rewound = self._rewind(cursor, head_number)
            return Fetched(*self._position(), rewound=rewound, caught_up=False)
        self._behind_since_s = None
        last = min(head_number, cursor.block_number + BLOCKS_A_STEP)
        if last < first:
            return Fetched(cursor, final, head, ours=True, caught_up=True)
        headers = self._headers(cursor, expected[: last - first + 1], last)
        read, logs = self._logs(headers)
        last = int(read[-1]["number"], 16)
        self._blocks_expected = min(len(headers), BLOCKS_AT_ONCE)
        return Fetched(
            cursor,
            final,
            head,
            read,
            logs.events,
            logs.moves,
            logs.first_mints,
            ours=logs.ours,
            caught_up=last == head_number,
        )

    def store(self, fetched: Fetched) -> IngestResult:
        """Write blocks, events and what follows from them, in one database transaction.

        What is final on arrival settles, and is posted, in the same transaction.

        Raises
        ------
        SequenceGap
            If an event is missing in a contract's count; an alarm is written.
        """
        cursor, headers = fetched.cursor, fetched.headers
        if not headers:
            return self._result(fetched, caught_up=fetched.caught_up)
        final: FinalityResult | None = None
        posted = 0
        try:
            with transaction(self._sessions) as session:
                stored = self._still_at(session, cursor)
                if stored:
                    final, posted = self._store(session, fetched)
        except SequenceGap as error:
            with transaction(self._sessions) as session:
                first = cursor.block_number + 1
                raise_alarm(session, "sequence_gap", error.detail, first)
            raise
        if not stored:
            return self._result(fetched, caught_up=False)
        return IngestResult(
            blocks=len(headers),
            events=len(fetched.events) + len(fetched.moves),
            rewound=0,
            head=int(headers[-1]["number"], 16),
            timestamp_unix_s=int(headers[-1]["timestamp"], 16),
            caught_up=fetched.caught_up,
            final=fetched.final if final is None else final.block_number,
            settled=0 if final is None else final.rows,
            posted=posted,
        )

    # ---- reading -------------------------------------------------------------------------------

    def _headers(self, cursor: Cursor, known: Sequence[Any], last: int) -> Sequence[dict[str, Any]]:
        """Return the blocks after the cursor's up to `last`; of these the first ones are known."""
        missing = range(cursor.block_number + 1 + len(known), last + 1)
        asked = [("eth_getBlockByNumber", (hex(number), False)) for number in missing]
        headers = [*known, *self._rpc.batch(asked)]
        parent = cursor.block_hash
        for header in headers:
            if not isinstance(header, dict) or header["parentHash"] != parent:
                raise ChainUnavailable("the node's blocks do not link up: it is switching chains")
            parent = header["hash"]
        return headers

    def _logs(self, headers: Sequence[Header]) -> tuple[Sequence[Header], _Logs]:
        """Read the events and transfers of blocks, and say of which: the first ones of them."""
        read = _Logs()
        for start in range(0, len(headers), BLOCKS_A_REQUEST):
            if read.size >= LOGS_A_STEP:
                return headers[:start], read
            part = [
                header
                for header in headers[start : start + BLOCKS_A_REQUEST]
                if int(header["logsBloom"], 16) != 0
            ]
            own = self._own_chunks.blocks(part)
            read.ours &= len(own) == len(part)
            blocks = list(zip(part, self._asked(part, own), strict=True))
            first_mints = self._own_chunks.first_mints(
                [event for header, logs in blocks if header["hash"] in own for event in logs.events]
            )
            for header, logs in blocks:
                paid = [event.tx_hash for event in logs.events if event.name == "ChunkPaid"]
                if header["hash"] not in own:
                    read.add(logs)
                elif first_mints.keys() >= set(paid):
                    read.add(logs, {tx_hash: first_mints[tx_hash] for tx_hash in paid})
                else:
                    (in_full,) = self._asked([header], ())
                    read.add(in_full)
        return headers, read

    def _asked(self, headers: Sequence[Header], without_token: Collection[str]) -> list[_Logs]:
        """Ask for the logs of blocks; of some, by their hashes, for all but the token's."""
        own, everything = self._own_chunks.addresses, self._contracts.addresses
        answers = self._rpc.batch(
            [
                (
                    "eth_getLogs",
                    (
                        {
                            "blockHash": header["hash"],
                            "address": own if header["hash"] in without_token else everything,
                        },
                    ),
                )
                for header in headers
            ]
        )
        return [self._decoded(h, logs) for h, logs in zip(headers, answers, strict=True)]

    def _decoded(self, header: Header, logs: Any) -> _Logs:
        if isinstance(logs, RpcError):
            raise ChainUnavailable(f"no logs of block {header['hash']}: {logs.message}")
        read = _Logs()
        for entry in logs:
            if entry["blockHash"] != header["hash"]:
                raise ChainUnavailable("the node answered with another block's logs")
            if self._transfers.is_one(entry):
                read.moves.append(entry)
                continue
            event = self._contracts.decode_log(entry)
            if event is not None and event.name not in NOT_KEPT:
                read.events.append(event)
        return read

    # ---- storing -------------------------------------------------------------------------------

    def _store(
        self,
        session: Session,
        fetched: Fetched,
    ) -> tuple[FinalityResult | None, int]:
        headers = fetched.headers
        session.execute(
            insert(Block),
            [
                {
                    "number": int(header["number"], 16),
                    "hash": header["hash"],
                    "parent_hash": header["parentHash"],
                    "timestamp_unix_s": int(header["timestamp"], 16),
                }
                for header in headers
            ],
        )
        last = int(headers[-1]["number"], 16)
        final_to = last - self._depth
        rows = [_event_row(event) for event in fetched.events]
        for row in rows:
            row.final_on_arrival = row.block_number <= final_to
            if row.name == "ChunkPaid":
                row.mints_log_index = fetched.first_mints.get(row.tx_hash)
        self._transfers.store(session, keep_by_chunk(session, fetched.moves, rows))
        self._check_counts(session, rows)
        session.add_all(rows)
        session.flush()
        projections.project(session, rows)
        _tell(session, headers, rows)
        cursor = lock_cursors(session, self._chain_id)[EVENTS_CURSOR]
        cursor.block_number, cursor.block_hash = last, headers[-1]["hash"]
        final = finalise(session, self._chain_id, self._depth)
        return final, self._post(session, self._chain_id)

    def _check_counts(self, session: Session, rows: Sequence[Event]) -> None:
        for contract in COUNTED:
            counted = [row for row in rows if row.contract == contract and row.seq is not None]
            if not counted:
                continue
            expected = session.scalars(
                select(func.max(Event.seq)).where(Event.contract == contract)
            ).one_or_none()
            for row in counted:
                expected = (expected or 0) + 1
                if row.seq != expected:
                    raise SequenceGap(
                        f"the {contract}'s event {expected} is missing before {row.seq}"
                    )

    # ---- re-orgs -------------------------------------------------------------------------------

    def _wait_for_lagging(self, cursor: Cursor, head: int, head_hash: str) -> None:
        """Refuse to take the node's word while it may only lag: no block of ours has another hash.

        Below finality a chain that stays shorter for long is followed, for what is taken back goes
        out again with the same bytes; a final block is never taken back for want of blocks.

        Raises
        ------
        NodeBehind
            While it may only lag.
        """
        with transaction(self._sessions) as session:
            ours = session.get(Block, head)
            final = session.get(Cursor, (self._chain_id, FINAL_CURSOR))
        if ours is not None and ours.hash != head_hash:
            return
        below_final = final is not None and head < final.block_number
        now_s = time.monotonic()
        self._behind_since_s = since_s = self._behind_since_s or now_s
        if not below_final and ours is not None and now_s - since_s >= self._patience_s:
            return
        if now_s - since_s >= BEHIND_ALARM_S:
            detail = f"a node was behind block {cursor.block_number} for a minute"
            with transaction(self._sessions) as session:
                raise_alarm(session, AlarmKind.NODE_BEHIND, detail, cursor.block_number)
        raise NodeBehind(f"the node is at block {head}, {cursor.block_number} was read before")

    def _rewind(self, cursor: Cursor, head: int) -> int:
        """Take back every block that is not on the node's chain; returns how many."""
        with transaction(self._sessions) as session:
            if not self._still_at(session, cursor):
                return 0  # another worker has rewound meanwhile, and what was read may be final
            final = session.get(Cursor, (self._chain_id, FINAL_CURSOR))
            floor = final.block_number if final else self._contracts.deployment.deployment_block - 1
            kept = session.execute(
                select(Block.number, Block.hash)
                .where(Block.number >= floor, Block.number < cursor.block_number)
                .order_by(Block.number.desc())
            ).all()
        ancestor = None
        for number, block_hash in kept:
            if number > head:
                continue
            header = self._rpc.header(number)
            if header is None:
                raise ChainUnavailable(f"the node has block {head} and no {number}")
            if header["hash"] == block_hash:
                ancestor = (number, block_hash)
                break
        if ancestor is None:
            detail = f"block {floor}, which was final, is not on the node's chain any more"
            with transaction(self._sessions) as session:
                raise_alarm(session, "reorg_past_finality", detail, floor)
            raise ReorgPastFinality(detail)
        number, block_hash = ancestor
        with transaction(self._sessions) as session:
            if not self._still_at(session, cursor):
                return 0
            gone = list(session.scalars(select(Event).where(Event.block_number > number)).all())
            for model in (Event, Transfer):
                session.execute(delete(model).where(model.block_number > number))
            session.execute(delete(Block).where(Block.number > number))
            for event in gone:
                session.expunge(event)
            projections.take_back(session, gone)
            reorgs.take_back(
                session, Transaction.chain_id == self._chain_id, Transaction.block_number > number
            )
            row = session.get_one(Cursor, (self._chain_id, EVENTS_CURSOR))
            row.block_number, row.block_hash = number, block_hash
        depth = cursor.block_number - number
        note(log, "reorg", logging.WARNING, depth_blocks=depth, down_to_block=number)
        REORGS.observe(depth)
        return depth

    # ---- cursor --------------------------------------------------------------------------------

    def _position(self) -> tuple[Cursor, int]:
        """Where we are, and the newest final block; refused while an alarm is open."""
        with transaction(self._sessions) as session:
            refuse_while_alarmed(session)
            ours = select(Cursor).where(Cursor.chain_id == self._chain_id)
            cursors = {row.name: row for row in session.scalars(ours)}
        cursor, final = cursors.get(EVENTS_CURSOR), cursors.get(FINAL_CURSOR)
        if cursor is None:
            cursor = self._begin()
        if final is None:
            return cursor, max(0, cursor.block_number - self._depth)
        return cursor, final.block_number

    def _begin(self) -> Cursor:
        """Start just before the deployment."""
        number = max(0, self._contracts.deployment.deployment_block - 1)
        header = self._rpc.header(number)
        if header is None:
            raise ChainUnavailable(f"the node has no block {number}: is it the right chain?")
        with transaction(self._sessions) as session:
            one_at_a_time(session, "begin reading the chain")  # workers may start at once
            cursor = session.get(Cursor, (self._chain_id, EVENTS_CURSOR))
            if cursor is None:
                cursor = Cursor(
                    chain_id=self._chain_id,
                    name=EVENTS_CURSOR,
                    block_number=number,
                    block_hash=header["hash"],
                )
                session.add(cursor)
                session.add(
                    Block(
                        number=number,
                        hash=header["hash"],
                        parent_hash=header["parentHash"],
                        timestamp_unix_s=int(header["timestamp"], 16),
                    )
                )
            return cursor

    def _still_at(self, session: Session, cursor: Cursor) -> bool:
        """Lock the cursors; False when another worker moved ours meanwhile."""
        now = lock_cursors(session, self._chain_id)[EVENTS_CURSOR]
        return (now.block_number, now.block_hash) == (cursor.block_number, cursor.block_hash)

    def _result(self, fetched: Fetched, *, caught_up: bool) -> IngestResult:
        cursor = fetched.cursor
        with transaction(self._sessions) as session:
            timestamp = session.scalars(
                select(Block.timestamp_unix_s).where(Block.number == cursor.block_number)
            ).one_or_none()
        return IngestResult(
            blocks=0,
            events=0,
            rewound=fetched.rewound,
            head=cursor.block_number,
            timestamp_unix_s=timestamp or 0,
            caught_up=caught_up,
            final=fetched.final,
        )


TOLD = frozenset({"BatchApproved", "ChunkPaid", "StreamsOpened", "BatchCancelled", "GrantMade"})
"""Events that have a line in the log: one a batch or chunk, never one a payout."""


def _tell(session: Session, headers: Sequence[Header], rows: Sequence[Event]) -> None:
    for row in rows:
        if row.name in TOLD:
            facts = {"batch": row.batch_id, "chunk": row.args.get("chunkIndex")}
            facts |= {"tx_hash": row.tx_hash, "block": row.block_number}
            note_after_commit(session, log, "event", name=row.name, **facts)
    counts = Counter(row.contract for row in rows)
    after_commit(session, lambda: count_read(len(headers), counts))


def _event_row(event: DecodedEvent) -> Event:
    args = event.json_args()
    seq = args.pop("seq", None)
    return Event(
        block_number=event.block_number,
        block_hash=event.block_hash,
        tx_hash=event.tx_hash,
        log_index=event.log_index,
        contract=event.contract,
        name=event.name,
        args=args,
        batch_id=args.get("batchId"),
        programme=args.get("programme"),
        seq=None if seq is None else int(seq),
        final=False,
    )
