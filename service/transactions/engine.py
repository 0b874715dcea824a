"""The submission engine of one worker: sign, commit, send, look for receipts, replace.

The rules it keeps, whatever dies when:

- Signed bytes and their nonce are committed before they are sent; a nonce belongs to one row for
  ever, and on any doubt the same bytes are sent again.
- Every write is in a database transaction that checks the lane's fencing token.
- A receipt says which nonce is used up and what the transaction cost; what was paid is said by the
  contracts' events alone (:mod:`service.confirmations`).

Each step stands by itself: it reads rows, asks the node outside any database transaction, and
writes what it learned. Several transactions of a lane are in flight at once.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from service.chain.contracts import Contracts
from service.chain.deployment import check_deployment
from service.chain.rpc import Rpc, RpcError
from service.chain.signers import Signer
from service.db import one_at_a_time, transaction
from service.errors import ChainUnavailable
from service.telemetry.logs import note
from service.transactions import lanes, sharing
from service.transactions.context import (
    BlocksOf,
    EngineContext,
    EngineOptions,
    no_hook,
    values_of,
)
from service.transactions.lanes import Lease
from service.transactions.models import Transaction, TransactionAttempt
from service.transactions.nonces import close_gaps
from service.transactions.receipts import look_for_receipts, read_costs
from service.transactions.replacing import find_stuck, replace_stuck
from service.transactions.sending import record, send, sendable
from service.transactions.signing import sign_built
from service.transactions.states import IN_FLIGHT, State

log = logging.getLogger(__name__)

COSTS_AGAIN_S = 5.0
"""Once the node had no receipt that says one, so long none is asked for."""


class SubmissionEngine:
    """Submits the ``built`` transactions of the lanes it can get.

    Parameters
    ----------
    sessions
        Factory of database sessions.
    rpc, contracts
        The chain.
    signers
        Keys of the senders.
    owner
        Name of this worker, unique among those running.
    blocks_of
        As :class:`EngineContext` has it.
    hook
        Called with the name of each point at which a crash is told apart from any other.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        rpc: Rpc,
        contracts: Contracts,
        signers: Sequence[Signer],
        *,
        owner: str,
        blocks_of: BlocksOf,
        options: EngineOptions | None = None,
        hook: Callable[[str], None] = no_hook,
    ) -> None:
        by_address = {signer.address: signer for signer in signers}
        self._context = EngineContext(
            sessions, rpc, contracts, by_address, options or EngineOptions(), hook, blocks_of
        )
        self._owner = owner
        self._leases: dict[str, Lease] = {}
        self._mine: set[str] = set()
        self._share_again_s = 0.0
        self._costs_again_s = 0.0
        self._presence = sharing.Presence(sessions.kw["bind"], owner)

    @property
    def senders(self) -> list[str]:
        """Senders of the lanes held."""
        return list(self._leases)

    def start(self, *, alone: bool = False) -> None:
        """Check chain and contracts, and make the rows of our lanes.

        Parameters
        ----------
        alone
            Whether it is certain that no other worker lives: then no lease is waited for.

        Raises
        ------
        ConfigurationError
            If the node is on another chain or the contracts' code differs.
        ChainUnavailable
            If the node does not answer.
        """
        check_deployment(self._context.rpc, self._context.contracts.deployment)
        with transaction(self._context.sessions) as session:
            one_at_a_time(session, "make lanes")  # workers may start at once
            for sender in self._context.signers:
                lanes.ensure_lane(session, self._context.chain_id, sender)
            if alone:
                sharing.forget(session, self._context.chain_id)

    def take_lanes(self) -> None:
        """Take the lanes that fall to us and are free, and give back those that do no more."""
        context = self._context
        if time.monotonic() >= self._share_again_s:
            self._share()
        for sender in context.signers:
            if sender in self._leases or sender not in self._mine:
                continue
            with transaction(context.sessions) as session:
                lease = lanes.acquire(
                    session, context.chain_id, sender, self._owner, context.options.lease_seconds
                )
            if lease is None:
                continue
            whole = False
            try:
                whole = close_gaps(context, lease)
            finally:
                if whole:
                    self._leases[sender] = lease
                else:
                    with transaction(context.sessions) as session:
                        lanes.release(session, lease)

    def _share(self) -> None:
        """Say that we live, renew what stays ours, give back what falls to others now."""
        context = self._context
        self._presence.hold()
        lost: list[str] = []
        with transaction(context.sessions) as session:
            for sender, lease in self._leases.items():
                try:
                    lanes.hold(session, lease, context.options.lease_seconds)
                except lanes.LeaseLost:
                    lost.append(sender)
            self._mine = sharing.share(
                session,
                context.chain_id,
                self._owner,
                context.signers,
                context.options.lease_seconds,
            )
            for sender, lease in self._leases.items():
                if sender not in self._mine:
                    lanes.release(session, lease)
                    lost.append(sender)
        for sender in lost:
            self._leases.pop(sender, None)
        self._share_again_s = time.monotonic() + context.options.lease_seconds / 3

    def release(self) -> None:
        """Give all lanes back."""
        with transaction(self._context.sessions) as session:
            for lease in self._leases.values():
                lanes.release(session, lease)
            sharing.forget(session, self._context.chain_id, self._owner)
        self._leases.clear()

    def close(self) -> None:
        """Be seen no more by other workers."""
        self._presence.end()

    def step(
        self,
        read_block: int,
        final_block: int,
        newest: Mapping[str, Any] | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> int:
        """Do what can be done now on every lane held; returns how many rows moved.

        Parameters
        ----------
        read_block
            Newest block whose events are stored.
        final_block
            Newest final block, for what may only be concluded after finality.
        newest
            The node's newest block, if it was asked for a moment ago.
        meanwhile
            Done once, while the node takes what is sent; it may not ask the node.
        """
        moved = dict.fromkeys(self._leases.values(), 0)
        to_send: dict[Lease, Sequence[TransactionAttempt]] = {}
        trouble: ChainUnavailable | RpcError | None = None
        for lease, states in self._with_open_rows():
            try:
                with self._while_ours(lease):
                    moved[lease] += self._sign(lease, states, read_block, final_block, newest)
                    replaced, to_send[lease] = self._to_send(lease, states, moved[lease])
                    moved[lease] += replaced
            except (ChainUnavailable, RpcError) as error:
                if trouble is not None:
                    break  # it is not the lane, the node is away
                trouble = error  # others are not held up by what this one asks
        for lease, told in self._send(to_send, meanwhile).items():
            moved[lease] += told
        if trouble is not None:
            raise trouble
        for lease in list(self._leases.values()):
            if not moved.get(lease) and time.monotonic() >= self._costs_again_s:
                with self._while_ours(lease):
                    moved[lease] = self._read_costs(lease)
        return sum(moved.values())

    def _with_open_rows(self) -> list[tuple[Lease, set[State]]]:
        """Lanes with transactions that something is to be done for, and these' states."""
        open_rows = (
            select(Transaction.sender, Transaction.state)
            .where(
                Transaction.chain_id == self._context.chain_id,
                Transaction.sender.in_(self._leases),
                Transaction.state.in_(values_of((State.BUILT, *IN_FLIGHT))),
            )
            .distinct()
        )
        states = defaultdict[str, set[State]](set)
        with transaction(self._context.sessions) as session:
            for sender, state in session.execute(open_rows):
                states[sender].add(State(state))
        return [
            (self._leases[sender], states[sender]) for sender in self._leases if sender in states
        ]

    def _sign(
        self,
        lease: Lease,
        states: set[State],
        read_block: int,
        final_block: int,
        newest: Mapping[str, Any] | None,
    ) -> int:
        """See what was mined, and sign what is built; return how many rows moved."""
        moved = 0
        if not states.isdisjoint(IN_FLIGHT):
            moved += look_for_receipts(self._context, lease, read_block, final_block)
        if State.BUILT in states:
            moved += sign_built(self._context, lease, newest)
        return moved

    def _to_send(
        self, lease: Lease, states: set[State], moved: int
    ) -> tuple[int, Sequence[TransactionAttempt]]:
        """Outbid what is stuck; return how many that were, and what is to be sent now."""
        context = self._context
        if not moved and states.isdisjoint(IN_FLIGHT):
            return 0, []
        with transaction(context.sessions) as session:
            stuck = find_stuck(session, context, lease)
            if not stuck:
                return 0, sendable(session, context, lease, held=moved > 0)
        replaced = replace_stuck(context, lease, stuck)
        with transaction(context.sessions) as session:
            return replaced, sendable(session, context, lease, held=moved + replaced > 0)

    def _send(
        self,
        to_send: Mapping[Lease, Sequence[TransactionAttempt]],
        meanwhile: Callable[[], None],
    ) -> dict[Lease, int]:
        """Send the bytes of all lanes at once; returns how many of each are newly ``sent``."""
        attempts = [attempt for of_lane in to_send.values() for attempt in of_lane]
        if not attempts:
            meanwhile()
            return {}
        self._context.hook("send:before")
        answers = send(self._context, attempts, meanwhile)
        self._context.hook("send:after")
        moved: dict[Lease, int] = {}
        for lease, of_lane in to_send.items():
            with self._while_ours(lease):
                moved[lease] = record(self._context, lease, of_lane, answers) if of_lane else 0
        return moved

    def _read_costs(self, lease: Lease) -> int:
        costs = read_costs(self._context, lease)
        if costs.asked and not costs.told:
            self._costs_again_s = time.monotonic() + COSTS_AGAIN_S
        return costs.told

    @contextmanager
    def _while_ours(self, lease: Lease) -> Iterator[None]:
        """Work on a lane, and leave it alone once it turns out to be another's."""
        try:
            yield
        except lanes.LeaseLost:
            note(log, "lane_lost", logging.WARNING, lane=lease.sender)
            self._leases.pop(lease.sender, None)
