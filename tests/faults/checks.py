"""What must be true of the engine: while it works (each transaction that it sends), and afterwards.

None of the checks knows what the run did but :class:`Watcher` and :func:`after`'s ``excuses``.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import make_url

from service.audit.replay import Options, replay
from service.audit.rpc import Node
from service.confirmations.models import ChainAlarm, Cursor
from service.confirmations.wallets import balance as wallet_balance
from service.ledger.posting import LEDGER_CURSOR
from service.payouts.models import Batch, Chunk, Payout, Stream
from service.transactions.lanes import Lease
from service.transactions.models import Lane, Transaction, TransactionAttempt
from service.transactions.states import IN_FLIGHT, LIVE, Kind, State
from tests.faults.ground import Stage
from tests.faults.pool import Pooled

LONGEST_LEASE_MS = 150_000
"""Ten leases of the fifteen seconds that every run has."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A check that failed, and how."""

    check: str
    detail: str

    def __str__(self) -> str:
        return f"{self.check}: {self.detail}"


@dataclass
class Watcher:
    """Looks at every transaction of ours as it arrives at the node.

    Attributes
    ----------
    senders
        Lanes whose transactions are looked at.
    committed
        Returns what the database has committed of a hash: transaction id, bytes, nonce; or None.
    """

    senders: frozenset[str]
    committed: Callable[[str], tuple[int, bytes, int] | None]
    leases: Callable[[], dict[str, Any]]
    now_ms: Callable[[], int]
    violations: list[Violation] = field(default_factory=list)
    seen: dict[str, Pooled] = field(default_factory=dict)
    _row_of_nonce: dict[tuple[str, int], int] = field(default_factory=dict)
    _effects: dict[tuple[str, bytes], set[tuple[str, int]]] = field(
        default_factory=lambda: defaultdict(set)
    )
    _leases: dict[str, Any] = field(default_factory=dict)
    _used: set[tuple[str, int]] = field(default_factory=set)

    def sent(self, tx: Pooled) -> None:
        """One arrives."""
        if tx.sender not in self.senders:
            return
        row = self.committed(tx.tx_hash)
        place = (tx.sender, tx.nonce)
        if row is None:
            self._found("committed_before_sent", f"{tx.tx_hash} nonce {tx.nonce} is in no row")
        else:
            row_id, raw, nonce = row
            if raw != tx.raw or nonce != tx.nonce:
                self._found("bytes_never_change", f"{tx.tx_hash}: the row has other bytes")
            first = self._row_of_nonce.setdefault(place, row_id)
            if first != row_id:
                self._found("one_row_a_nonce", f"nonce {tx.nonce} of rows {first} and {row_id}")
        if tx.data:
            effect = self._effects[(tx.to, tx.data)]
            others = [other for other in effect if other not in self._used]
            # Its own bytes go out again whenever they may be wanted: after a re-org that gave the
            # nonce back, although the effect went out under another one meanwhile.
            if others and place not in effect:
                self._found(
                    "one_nonce_an_effect",
                    f"{tx.tx_hash} goes out under nonce {tx.nonce} while it may still be mined "
                    f"under {others[0][1]}",
                )
            effect.add(place)
        self.seen[tx.tx_hash] = tx

    def mined(self, tx: Pooled) -> None:
        """Its nonce is used up: the same effect may have been tried in vain."""
        self._used.add((tx.sender, tx.nonce))

    def lanes_taken(self, name: str) -> None:
        """A worker's commit by which lanes change hands: only free and expired ones may."""
        if name.startswith("before"):
            self._leases = self.leases()
            return
        for sender, (owner, _, fence) in self.leases().items():
            before = self._leases.get(sender)
            if before is None or fence == before[2] or before[0] in (None, owner):
                continue
            left_ms = before[1] - self.now_ms()
            # One that ends later than any could is from before the clock was set back.
            if 0 <= left_ms <= LONGEST_LEASE_MS:
                self._found(
                    "leases_are_respected",
                    f"lane {sender} went from {before[0]} to {owner} "
                    f"{left_ms} ms before its lease was over",
                )

    def written(self, lease: Lease, name: str) -> None:
        """A worker is about to commit for a lane: it must have the lane's newest token."""
        newest = self.leases()[lease.sender][2]
        if newest > lease.fence:
            self._found(
                "the_newest_token_writes",
                f"{name}: lane {lease.sender} is at token {newest}, the worker has {lease.fence}",
            )

    def _found(self, check: str, detail: str) -> None:
        if len(self.violations) < 5:
            self.violations.append(Violation(check, detail))


def watch(stage: Stage) -> tuple[Watcher, Callable[[], None]]:
    """Watch a stage's node; returns the watcher and what ends its looking."""
    url = make_url(stage.url)
    statement = (
        "SELECT a.transaction_id, a.raw, t.nonce FROM transaction_attempts a "
        "JOIN transactions t ON t.id = a.transaction_id WHERE a.tx_hash = "
    )
    leases = "SELECT sender, lease_owner, lease_expires_unix_ms, fence FROM lanes"
    connection, mark = stage.clock.postgres, "%s"
    file = url.database if url.get_backend_name() == "sqlite" else None
    if file is not None:
        connection, mark = sqlite3.connect(file, check_same_thread=False), "?"

    def close() -> None:
        if file is not None:
            connection.close()

    def committed(tx_hash: str) -> tuple[int, bytes, int] | None:
        row = connection.execute(statement + mark, (tx_hash,)).fetchone()
        return None if row is None else (int(row[0]), bytes(row[1]), int(row[2] or 0))

    watcher = Watcher(
        frozenset(s.address for s in stage.signers),
        committed,
        lambda: {row[0]: tuple(row[1:]) for row in connection.execute(leases).fetchall()},
        lambda: stage.clock.ms,
    )
    stage.node.observers.append(watcher.sent)
    stage.node.on_mined.append(watcher.mined)
    return watcher, close


def unfinal_postings(stage: Stage) -> list[Violation]:
    """The ledger must not be ahead of finality as the chain has it."""
    with stage.session() as session:
        cursor = session.get(Cursor, (stage.deployed.deployment.chain_id, LEDGER_CURSOR))
        posted = 0 if cursor is None else cursor.block_number
    node = stage.node
    limit = max(node.highest - stage.settings.finality_depth_blocks, stage.ground.first_block)
    if posted <= limit:
        return []
    return [
        Violation(
            "posted_at_finality",
            f"the ledger is posted to block {posted}, the chain is at {stage.node.head}, "
            f"{stage.settings.finality_depth_blocks} blocks are needed",
        )
    ]


def given_up_too_early(stage: Stage) -> list[Violation]:
    """A nonce is a stranger's only once it is final who used it: a receipt may be late."""
    node = stage.node
    open_from = node.highest - stage.settings.finality_depth_blocks + 1
    ours = {
        (tx.sender, tx.nonce): block.number
        for block in node.blocks
        if block.number >= open_from
        for tx in block.transactions
    }
    if not ours:
        return []
    given_up = select(Transaction.sender, Transaction.nonce).where(
        Transaction.state == State.CLOSED, Transaction.nonce.is_not(None)
    )
    with stage.session() as session:
        places = [(sender, nonce) for sender, nonce in session.execute(given_up)]
    return [
        Violation(
            "given_up_when_final",
            f"nonce {nonce} of {sender} counts as a stranger's, and is ours in block "
            f"{ours[sender, nonce]} of {node.head}, final at {open_from - 1}",
        )
        for sender, nonce in places
        if (sender, nonce) in ours
    ]


def after(
    stage: Stage,
    watcher: Watcher,
    *,
    skippable: frozenset[str] = frozenset(),
    cancelled: frozenset[str] = frozenset(),
    alarms: frozenset[str] = frozenset(),
    changed: Mapping[str, str] = MappingProxyType({}),
) -> list[Violation]:
    """Everything that must be true once nothing is left to do.

    Parameters
    ----------
    skippable
        Wallets that may have been frozen, so that a payout to them may be skipped.
    cancelled
        Batches that somebody asked to cancel.
    alarms
        Kinds of alarms that the run provoked.
    changed
        Wallets that a stream or payout may have been moved to, and from which: what is due to one
        may have been paid to the other before.
    """
    found = list(watcher.violations)
    found += unfinal_postings(stage)
    with stage.session() as session:
        found += _lanes(stage, session)
        found += _bytes(session, watcher)
        found += _payouts(stage, session, skippable, cancelled)
        found += _paid(stage, session, changed)
        open_alarms = session.scalars(
            select(ChainAlarm).where(ChainAlarm.cleared_at.is_(None))
        ).all()
        found += [
            Violation("no_alarm", f"{alarm.kind}: {alarm.detail}")
            for alarm in open_alarms
            if alarm.kind not in alarms
        ]
    found += [Violation("ledger_is_the_chain", str(each)) for each in stage.differences()]
    found += _audit(stage)
    return found


def _lanes(stage: Stage, session: Any) -> list[Violation]:
    found = []
    states = [state.value for state in IN_FLIGHT]
    stuck = session.scalars(select(Transaction).where(Transaction.state.in_(states))).all()
    found += [
        Violation(
            "no_lane_stuck",
            f"{row.kind} {row.dedupe_key[:30]} nonce {row.nonce} is {row.state}: {row.error}",
        )
        for row in stuck
    ]
    for lane in session.scalars(select(Lane)).all():
        chain = stage.node.nonce(lane.sender)
        if lane.next_nonce != chain and not (stuck or lane.next_nonce == 0):
            found.append(
                Violation(
                    "next_nonce_is_the_chains",
                    f"lane {lane.sender}: {lane.next_nonce}, the chain {chain}",
                )
            )
    live = session.scalars(
        select(Transaction.dedupe_key).where(
            Transaction.state.in_([state.value for state in LIVE]),
            Transaction.kind != Kind.REQUEST,
        )
    ).all()
    if len(live) != len(set(live)):
        found.append(Violation("one_live_row_an_effect", "two live rows have the same effect"))
    return found


def _bytes(session: Any, watcher: Watcher) -> list[Violation]:
    rows: Mapping[str, bytes] = {
        tx_hash: bytes(raw)
        for tx_hash, raw in session.execute(
            select(TransactionAttempt.tx_hash, TransactionAttempt.raw)
        )
    }
    return [
        Violation("bytes_never_change", f"{tx_hash} was sent and its row is gone or another")
        for tx_hash, tx in watcher.seen.items()
        if rows.get(tx_hash) != tx.raw and not watcher.violations
    ]


def _payouts(
    stage: Stage, session: Any, skippable: frozenset[str], cancelled: frozenset[str]
) -> list[Violation]:
    found: list[Violation] = []
    now = stage.deployed.now()
    batches = {batch.id: batch for batch in session.scalars(select(Batch))}
    for payout in session.scalars(select(Payout)):
        batch = batches[payout.batch_id]
        where = f"payout {payout.index} of batch {payout.batch_id[:10]} ({batch.state})"
        late = now >= batch.execute_before_unix_s
        excused = {
            "paid": True,
            "skipped": payout.payee in skippable,
            "cancelled": late or payout.batch_id in cancelled,
            "expired": late,
        }
        if payout.state not in excused:
            found.append(Violation("every_payout_ends", f"{where} is {payout.state}"))
        elif not excused[payout.state]:
            found.append(Violation("unpaid_for_a_reason", f"{where} is {payout.state}: why?"))
    found += [
        Violation("every_payout_ends", f"chunk {chunk.chunk_index} is included")
        for chunk in session.scalars(select(Chunk).where(Chunk.state == "included"))
    ]
    return found


def _paid(stage: Stage, session: Any, changed: Mapping[str, str]) -> list[Violation]:
    """What is due to wallets is what they hold."""
    found: list[Violation] = []
    due, balances = defaultdict[str, int](int), defaultdict[str, int](int)
    for payee, amount in _due(session).items():
        due[changed.get(payee, payee)] += amount
    for payee in {*due, *changed}:
        balance = stage.balance_on_chain(payee)
        balances[changed.get(payee, payee)] += balance
        kept = wallet_balance(session, payee)
        if kept != balance:
            what = f"{payee}: on chain {balance}, in the database {kept}"
            found.append(Violation("paid_exactly_once", what))
    for payee, amount in due.items():
        if balances[payee] != amount:
            what = f"{payee}: due {amount}, on chain {balances[payee]}"
            found.append(Violation("paid_exactly_once", what))
    return found


def _due(session: Any) -> dict[str, int]:
    """What each payee should have, base units."""
    due: dict[str, int] = defaultdict(int)
    for payout in session.scalars(select(Payout)):
        paid = payout.kind == "one_off" and payout.state == "paid"
        due[payout.payee] += payout.amount_base_units if paid else 0
    for stream in session.scalars(select(Stream)):
        due[stream.payee] += stream.withdrawn_base_units
    return due


def _audit(stage: Stage) -> list[Violation]:
    options = Options(bytes.fromhex(stage.deployed.vault[2:]), database=stage.url)
    with Node(stage.node.upstream.url) as node:
        report = replay(node, options)
    return [
        Violation("audit_agrees", f"{finding.code}: {finding.message}")
        for finding in report.findings
        if finding.severity == "error"
    ]
