"""Several workers share the lanes fairly, and none is stuck when one dies."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from service.chain.signers import LocalSigner, Signer
from service.ledger.worker import Worker
from service.transactions.context import EngineOptions
from service.transactions.models import Lane, Transaction, WorkerPresence
from service.transactions.sharing import assign
from tests.support.deployed import Deployed, account
from tests.support.rows import add_batch
from tests.support.world import World

RELAYERS = [f"relayer {number}" for number in range(4)]

keys = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]), st.frozensets(st.integers(0, 9).map(str)), min_size=1
)


@given(keys)
def test_each_lane_falls_to_one_worker_that_has_its_key(held: Mapping[str, frozenset[str]]) -> None:
    of = assign(held)
    assert set(of) == {sender for senders in held.values() for sender in senders}
    assert all(sender in held[worker] for sender, worker in of.items())


@given(st.integers(1, 6), st.integers(0, 12))
def test_workers_with_the_same_keys_have_the_same_number_of_lanes(workers: int, lanes: int) -> None:
    held = {str(worker): {f"{lane:02}" for lane in range(lanes)} for worker in range(workers)}
    load = Counter(dict.fromkeys(held, 0)) + Counter(assign(held).values())
    counts = [load[worker] for worker in held]
    assert max(counts) - min(counts) <= 1


@pytest.fixture
def world(
    deployed: Deployed, new_postgres_database: Callable[[], str], tmp_path: Path
) -> Iterator[World]:
    made = World(deployed, new_postgres_database(), tmp_path, 0)
    for name in RELAYERS:
        deployed.fund(account(name).address)
    made.signers = [LocalSigner(account(name)) for name in RELAYERS]
    yield made
    made.engine.dispose()


def lanes(world: World) -> dict[str, int]:
    """How many lanes each worker holds."""
    with world.session() as session:
        owners = session.scalars(select(Lane.lease_owner).where(Lane.lease_owner.is_not(None)))
        return dict(Counter(owner for owner in owners if owner))


def at_once(worker: Worker) -> None:
    """Have the worker look whose the lanes are in its next round, not in some seconds."""
    worker._engine._share_again_s = 0.0
    worker.step()


def test_workers_that_come_and_go_share_the_lanes(world: World) -> None:
    with ExitStack() as running:
        first, second = (running.enter_context(world.worker()) for _ in range(2))
        at_once(first)
        assert lanes(world) == {first.owner: 4}
        at_once(second)  # which has nothing to take yet
        at_once(first)
        at_once(second)
        assert lanes(world) == {first.owner: 2, second.owner: 2}
        with world.worker() as third:
            for worker in (third, first, second) * 2:
                at_once(worker)
            assert sorted(lanes(world).values()) == [1, 1, 2]
        for worker in (first, second, first, second):
            at_once(worker)
        assert lanes(world) == {first.owner: 2, second.owner: 2}


def test_a_worker_alone_keeps_lanes_of_which_others_have_no_key(world: World) -> None:
    own: list[list[Signer]] = [world.signers[:3], world.signers[2:]]
    with world.worker(signers=own[0]) as first, world.worker(signers=own[1]) as second:
        for worker in (first, second, first, second, first):
            at_once(worker)
        assert lanes(world) == {first.owner: 2, second.owner: 2}


def test_the_lanes_of_a_dead_process_are_taken_at_once(world: World) -> None:
    options = EngineOptions(lease_seconds=3600)
    dead = world.worker(options=options)
    at_once(dead)
    dead._started = False  # nobody gives the lanes back
    dead.close()  # its connections end, as with its process
    assert lanes(world) == {dead.owner: 4}

    with world.worker(options=options) as heir:
        at_once(heir)
        assert lanes(world) == {heir.owner: 4}
    with world.session() as session:
        assert session.scalars(select(WorkerPresence)).all() == []


def test_a_worker_that_stands_still_loses_its_lanes_when_its_lease_is_over(world: World) -> None:
    with world.worker() as still, world.worker() as other:
        at_once(still)
        with world.session() as session:
            session.execute(update(Lane).values(lease_expires_unix_ms=1))
        at_once(other)
        assert lanes(world) == {other.owner: 4}
        still.step()  # it wakes, and its token is outdated
        at_once(still)
        at_once(other)
        at_once(still)
        assert lanes(world) == {still.owner: 2, other.owner: 2}


def test_three_workers_pay_each_payout_once_while_one_of_them_dies(world: World) -> None:
    with world.session() as session:
        batches = [
            add_batch(session, world.deployed, [5, 6, 7, 8], chunk_size=1, name=f"batch {number}")
            for number in range(6)
        ]
    done = threading.Event()
    failures: list[str] = []

    def work(*, dies: bool) -> None:
        worker = world.worker()
        try:
            for number in range(2000):
                if done.is_set() or (dies and number == 8):
                    break
                worker._engine._share_again_s = 0.0
                worker.step()
        except Exception as error:  # noqa: BLE001  # whatever it is, the test shows it
            failures.append(repr(error))
        finally:
            worker._started = not dies and worker._started
            worker.close()

    threads = [threading.Thread(target=work, kwargs={"dies": n == 0}) for n in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3000):
        states = {state for batch in batches for state in world.payout_states(batch.id)}
        if states == {"paid"} or failures:
            break
        done.wait(0.02)
    done.set()
    for thread in threads:
        thread.join(30)
    world.run()

    assert failures == []
    assert states == {"paid"}
    wallets = {payee for batch in batches for payee in batch.payees}
    assert sum(world.balance_on_chain(wallet) for wallet in wallets) == 6 * 26
    assert world.differences() == []
    with world.session() as session:
        senders = session.scalars(select(Transaction.sender).distinct()).all()
    assert len(senders) == 4
