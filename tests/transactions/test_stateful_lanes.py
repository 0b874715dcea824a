"""Lanes, batches and approvals as a state machine: the service on a chain beside a plain model.

Hypothesis draws what officers, workers, strangers and the chain do; after each step the model's
sums are the chain's, and no payee has more than officers approved for it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from service.chain.devnode import DevNode, start_anvil
from service.errors import ReliefError
from service.ledger.worker import Worker
from service.payouts import service
from service.payouts.models import Batch, Payout, Programme
from service.payouts.programmes import pause_programme, resume_programme
from service.transactions.models import Transaction, TransactionAttempt
from tests.support.deployed import Deployed, account, deploy
from tests.support.rows import SignedBatch, add_batch, add_batch_cancellation
from tests.support.world import (
    BUDGET,
    PAYOUT_CAP,
    RESERVE,
    Killed,
    World,
    killer,
    leave_as_killed,
    run_as_stranger,
)

DEPTH = 12
POINTS = (
    *("planned", "signed:before-commit", "signed:after-commit", "send:before", "send:after"),
    *("sent:before-commit", "receipts:before-commit", "receipts:after-commit", "finalised"),
)
WHY = "drawn by the model"


class Lanes(RuleBasedStateMachine):
    """What may happen to three relayed batches, and what must hold after each step."""

    deployed: ClassVar[Deployed]
    template: ClassVar[Path]
    batches = Bundle("batches")

    @initialize()
    def begin(self) -> None:
        """A fresh database on the chain as it was."""
        self.start = self.deployed.node.rpc("evm_snapshot")
        self.temporary = tempfile.TemporaryDirectory()
        folder = Path(self.temporary.name)
        shutil.copyfile(self.template, folder / "relief.db")
        self.world = World(self.deployed, f"sqlite:///{folder / 'relief.db'}", folder, DEPTH)
        self.approved: dict[str, int] = {}
        self.made: list[SignedBatch] = []
        self.moments: list[tuple[str, int]] = []
        self.worker: Worker | None = None
        self.supply = self.deployed.read("token", "totalSupply")
        self.frozen: set[str] = set()

    def teardown(self) -> None:
        """Everything comes right at last, and the chain is put back."""
        if not hasattr(self, "world"):
            return
        try:
            self._everything_is_paid_or_visibly_not()
        finally:
            self._end_worker()
            self.world.engine.dispose()
            self.temporary.cleanup()
            self.deployed.node.rpc("evm_revert", self.start)

    # ---- officers ------------------------------------------------------------------------------

    @rule(target=batches, amounts=st.lists(st.integers(1, 9), min_size=1, max_size=3))
    def officers_approve(self, amounts: list[int]) -> SignedBatch:
        """A batch that a quorum signed, and that is not released."""
        number = len(self.made)
        payees = [account(f"model {number} {i}").address for i in range(len(amounts))]
        with self.world.session() as session:
            batch = add_batch(
                session,
                self.deployed,
                amounts,
                payees=payees,
                chunk_size=1,
                name=f"model {number}",
                state="approved",
            )
            row = session.get_one(Batch, batch.id)
            row.released_at, row.signing_opened_at = None, row.created_at
            for payout in session.scalars(select(Payout).where(Payout.batch_id == batch.id)):
                payout.own_state = "approved"
        self.made.append(batch)
        self.approved |= dict(zip(payees, amounts, strict=True))
        return batch

    def _command(self, command: Any, *args: Any, **how: Any) -> None:
        """Give a command; one that the state forbids is refused in words and changes nothing."""
        try:
            with self.world.session() as session:
                command(session, *args, actor="model", **how)
        except ReliefError:
            return

    @rule(batch=batches)
    def release(self, batch: SignedBatch) -> None:
        """Hand it to the worker."""
        self._command(service.release, batch.id)

    @rule(batch=batches)
    def pause(self, batch: SignedBatch) -> None:
        """Stop a batch."""
        self._command(service.pause, batch.id, reason=WHY)

    @rule(batch=batches)
    def resume(self, batch: SignedBatch) -> None:
        """Go on with it."""
        self._command(service.resume, batch.id, reason=WHY)

    @rule(batch=batches)
    def cancel(self, batch: SignedBatch) -> None:
        """Give it up here, or have a quorum do it on chain."""
        with self.world.session() as session:
            row = session.get_one(Batch, batch.id)
            try:
                if service.cancelled_by_quorum(session, row):
                    add_batch_cancellation(session, self.deployed, batch.id)
                    return
            except ReliefError:
                return
        self._command(service.cancel_draft, batch.id, reason=WHY)

    @rule(stop=st.booleans())
    def stop_the_programme(self, stop: bool) -> None:  # noqa: FBT001
        """Pause or resume the whole programme."""
        with self.world.session() as session:
            programme = session.get(Programme, 1)
        if programme is not None:
            step = pause_programme if stop else resume_programme
            self._command(
                lambda session, **how: step(session, session.get_one(Programme, 1), **how),
                reason=WHY,
            )

    @rule(batch=batches)
    def retry(self, batch: SignedBatch) -> None:
        """Ask for a skipped payout again."""
        self._command(service.request_retry, batch.id, 0)

    @rule(batch=batches)
    def freeze_or_thaw(self, batch: SignedBatch) -> None:
        """The first payee's wallet is frozen, or no longer."""
        payee = batch.payees[0]
        if self.deployed.read("token", "isFrozen", payee):
            self.deployed.unfreeze(payee)
        else:
            self.deployed.freeze(payee)

    # ---- workers and strangers -----------------------------------------------------------------

    @rule(steps=st.integers(1, 4))
    def work(self, steps: int) -> None:
        """The worker goes through some rounds."""
        if self.worker is None:
            self.worker = self.world.worker()
        for _ in range(steps):
            self.worker.step()

    @rule(point=st.sampled_from(POINTS))
    def work_and_die(self, point: str) -> None:
        """Another worker takes over and dies at a point."""
        self._end_worker()
        worker = self.world.worker(hook=killer(point, 1))
        try:
            for _ in range(4):
                worker.step()
        except Killed:
            pass
        finally:
            leave_as_killed(self.world, worker)

    def _end_worker(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker = None

    @rule(batch=batches, chunk=st.integers(0, 2))
    def a_stranger_runs_it(self, batch: SignedBatch, chunk: int) -> None:
        """Somebody with the signatures approves it, or runs a chunk."""
        for approve, chunks in ((True, []), (False, [min(chunk, len(batch.amounts) - 1)])):
            try:
                run_as_stranger(self.world, batch, approve=approve, chunks=chunks)
            except AssertionError:
                continue  # the contract refused: it is there already, or not yet

    # ---- the chain -----------------------------------------------------------------------------

    @rule(blocks=st.integers(1, 5))
    def mine(self, blocks: int) -> None:
        """Empty blocks."""
        self.deployed.mine(blocks)

    @rule()
    def remember(self) -> None:
        """A moment that a re-org may go back to."""
        number = self.deployed.rpc.block_number()
        self.moments.append((self.deployed.node.rpc("evm_snapshot"), number))

    @rule()
    def reorganise(self) -> None:
        """The chain goes back to a moment that is not final, and on another way."""
        head = self.deployed.rpc.block_number()
        if not self.moments or head - self.moments[-1][1] >= DEPTH:
            return
        snapshot, _ = self.moments.pop()
        self.deployed.node.rpc("evm_revert", snapshot)
        self.deployed.node.rpc("evm_increaseTime", 3)
        self.deployed.mine(2)

    # ---- what holds ----------------------------------------------------------------------------

    @invariant()
    def nobody_has_more_than_was_approved(self) -> None:
        """By the chain, and the supply is the sum of what was paid."""
        if not hasattr(self, "approved"):
            return
        paid = {payee: self.world.balance_on_chain(payee) for payee in self.approved}
        assert all(paid[payee] in (0, self.approved[payee]) for payee in paid), paid
        assert self.deployed.read("token", "totalSupply") - self.supply == sum(paid.values())

    @invariant()
    def a_nonce_belongs_to_one_row(self) -> None:
        """And no row has two."""
        if not hasattr(self, "world"):
            return
        with self.world.session() as session:
            rows = session.execute(
                select(Transaction.sender, Transaction.nonce).where(Transaction.nonce.is_not(None))
            ).all()
            assert len({tuple(row) for row in rows}) == len(rows)
            sent = select(Transaction.nonce).join(TransactionAttempt)
            assert None not in session.scalars(sent).all()

    def _everything_is_paid_or_visibly_not(self) -> None:
        for payee in self.approved:
            if self.deployed.read("token", "isFrozen", payee):
                self.deployed.unfreeze(payee)
        self._end_worker()
        self.stop_the_programme(False)
        for batch in self.made:
            self.resume(batch)  # one that is paused is not released
            self.release(batch)
        for _ in range(3):
            self.world.run(60)
            for batch in self.made:
                for index, state in enumerate(self.world.payout_states(batch.id)):
                    if state == "skipped":
                        self._command(service.request_retry, batch.id, index)
            self.deployed.mine(DEPTH)
        self.world.run(60)
        self.nobody_has_more_than_was_approved()
        for batch in self.made:
            states = self.world.payout_states(batch.id)
            cancelled = self.world.batch_state(batch.id) == "cancelled"
            allowed = {"paid", "cancelled", "held"} if cancelled else {"paid"}
            assert set(states) <= allowed, (batch.id, states)
            for payee, amount, state in zip(batch.payees, batch.amounts, states, strict=True):
                assert self.world.balance_on_chain(payee) == (amount if state == "paid" else 0)
        assert self.world.differences() == []


@pytest.fixture(scope="module")
def own_chain(anvil: DevNode) -> Iterator[Deployed]:
    """A chain of the module's own; asking for `anvil` marks the test."""
    with start_anvil() as node:
        deployed = deploy(node)
        deployed.fund(account("relayer").address)
        deployed.fund(account("stranger").address)
        deployed.create_programme(1, budget=BUDGET, payout_cap=PAYOUT_CAP)
        deployed.attest(RESERVE)
        yield deployed
        deployed.rpc.close()


def run_machine(deployed: Deployed, template: Path, examples: int, steps: int) -> None:
    """Run so many drawn lives."""
    Lanes.deployed, Lanes.template = deployed, template
    run_state_machine_as_test(
        Lanes,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_whatever_officers_workers_and_strangers_do_nobody_is_paid_twice(
    own_chain: Deployed, sqlite_template: Path
) -> None:
    run_machine(own_chain, sqlite_template, examples=5, steps=20)
