"""Clocks that jump: the process's, the chain's and the database's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

import service.clock
from service.transactions import dbclock
from service.transactions.models import Lane, Transaction, TransactionAttempt
from tests.support.rows import DAY_S, add_batch
from tests.support.world import World

Make = Callable[[int], World]


@pytest.mark.parametrize("hours", [-30, -3, 3, 30])
def test_the_process_s_clock_may_jump_by_hours(
    world: World, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    shift = [timedelta()]
    monkeypatch.setattr(service.clock.SystemClock, "now", lambda _: datetime.now(UTC) + shift[0])
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6, 7], chunk_size=1)

    def jump(point: str) -> None:
        if point in ("signed:after-commit", "send:before"):
            shift[0] += timedelta(hours=hours)

    with world.worker(hook=jump) as worker:
        worker.run_until_idle(20)
        with world.session() as session:
            owners = session.scalars(select(Lane.lease_owner).where(Lane.next_nonce > 0)).all()
        assert set(owners) == {worker.owner}

    assert shift[0] != timedelta()
    assert world.payout_states(batch.id) == ["paid"] * 3
    assert [world.balance_on_chain(payee) for payee in batch.payees] == [5, 6, 7]
    assert world.differences() == []


def test_only_the_chain_s_time_ends_what_has_a_deadline(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.session() as session:
        late = add_batch(session, world.deployed, [5], name="late")
    monkeypatch.setattr(
        service.clock.SystemClock, "now", lambda _: datetime.now(UTC) + timedelta(days=300)
    )
    with world.worker() as worker:
        worker.step()
        assert world.batch_state(late.id) == "released"  # by the process's clock it is over
    monkeypatch.undo()
    world.run()
    assert world.payout_states(late.id) == ["paid"]

    with world.session() as session:
        batch = add_batch(session, world.deployed, [5], name="over", payees=late.payees)
    world.deployed.node.rpc("evm_setNextBlockTimestamp", world.deployed.now() + 8 * DAY_S)
    world.deployed.mine()
    world.run()
    assert world.batch_state(batch.id) == "cancelled"
    assert world.payout_states(batch.id) == ["cancelled"]
    assert world.balance_on_chain(batch.payees[0]) == 5


@pytest.fixture
def database_clock(world: World) -> Iterator[Callable[[int], None]]:
    """A function that sets the clock of the database, as the engine reads it, by some hours."""
    kind = world.engine.dialect.name
    normal = {
        "sqlite": dbclock._sqlite,
        "postgresql": dbclock._postgresql,
    }[kind]

    def set_by(hours: int) -> None:
        def shifted(element: object, compiler: object, **kw: object) -> str:
            return f"({normal(element, compiler, **kw)} + {hours * 3_600_000})"

        dbclock.compiles(dbclock.now_ms, kind)(shifted)
        world.engine.clear_compiled_cache()

    yield set_by
    dbclock.compiles(dbclock.now_ms, kind)(normal)
    world.engine.clear_compiled_cache()


@pytest.mark.parametrize("hours", [-5, 5])
def test_the_database_s_clock_may_jump_in_the_middle(
    world: World, database_clock: Callable[[int], None], hours: int
) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6, 7], chunk_size=1)
    left = [2]

    def jump(point: str) -> None:
        if point == "signed:after-commit" and left[0]:
            left[0] -= 1
            if not left[0]:
                database_clock(hours)
                worker._database.clear_compiled_cache()
                with world.session() as session:
                    seen.append(dbclock.read_now_ms(session))
            else:
                with world.session() as session:
                    seen.append(dbclock.read_now_ms(session))

    seen: list[int] = []
    with world.worker(hook=jump) as worker:
        worker.run_until_idle(30)

    assert left == [0]
    assert (seen[1] - seen[0]) // 3_600_000 in (hours, hours - 1)
    assert world.payout_states(batch.id) == ["paid"] * 3
    with world.session() as session:
        assert session.scalars(select(TransactionAttempt.n).distinct()).all() == [0]
    assert world.differences() == []


def test_what_was_to_be_tried_later_does_not_wait_for_a_clock_that_was_set_back(
    world: World, database_clock: Callable[[int], None]
) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    with world.worker(hook=_stop_at("planned")) as worker, pytest.raises(_Stopped):
        worker.step()
    with world.session() as session:
        soon = dbclock.read_now_ms(session) + 1_000
        session.execute(update(Transaction).values(retry_at_unix_ms=soon))
        a_lease = dbclock.read_now_ms(session) + 15_000
        dead = {"lease_owner": "dead", "lease_expires_unix_ms": a_lease}
        session.execute(update(Lane).values(**dead))

    database_clock(-5)
    world.run()

    assert world.payout_states(batch.id) == ["paid"]


class _Stopped(Exception):
    pass


def _stop_at(wanted: str) -> Callable[[str], None]:
    def hook(point: str) -> None:
        if point == wanted:
            raise _Stopped

    return hook
