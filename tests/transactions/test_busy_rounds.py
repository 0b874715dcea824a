"""Rounds with much on its way: they plan seldom, and what officers stop stops all the same."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from service.ledger.worker import MOST_REST_S
from service.payouts.service import pause, resume
from service.transactions.context import EngineOptions
from service.transactions.models import Transaction
from service.transactions.planner import Planner
from tests.support.rows import SignedBatch, add_batch
from tests.support.world import World

COUNT = 40
A_FEW = EngineOptions(max_in_flight=4)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How much each look for something to plan has found."""
    found: list[int] = []
    plan = Planner.plan

    def counted(planner: Planner, *args: Any, **named: Any) -> int:
        found.append(plan(planner, *args, **named))
        return found[-1]

    monkeypatch.setattr(Planner, "plan", counted)
    monkeypatch.setattr("service.ledger.worker.ENOUGH_CHUNKS", 8)
    monkeypatch.setattr("service.ledger.worker.TIDY_EVERY_S", 1_000.0)
    return found


@pytest.fixture
def batch(world: World) -> SignedBatch:
    with world.session() as session:
        return add_batch(session, world.deployed, list(range(1, COUNT + 1)), chunk_size=1)


def test_while_enough_is_planned_nothing_is_looked_for(
    world: World, batch: SignedBatch, planned: list[int]
) -> None:
    rounds = 0
    with world.worker(options=A_FEW) as worker:
        while not worker.step().idle:
            rounds += 1
    assert world.payout_states(batch.id) == ["paid"] * COUNT
    assert sum(planned) == COUNT + 1
    assert len(planned) <= rounds - 6  # 40 chunks, 4 at a time, the last 8 with a look each round
    assert world.differences() == []


def test_a_pause_counts_at_once_and_the_round_after_looks_again(
    world: World, batch: SignedBatch, planned: list[int]
) -> None:
    def states() -> dict[str, int]:
        with world.session() as session:
            found = list(session.scalars(select(Transaction.state)))
        return {state: found.count(state) for state in found}

    with world.worker(options=A_FEW) as worker:
        for _ in range(4):
            worker.step()
        looks = len(planned)
        worker.step()
        assert len(planned) == looks
        with world.session() as session:
            pause(session, batch.id, actor="chen", reason="the bank asked to wait")
        with world.session() as session:
            nonces = list(session.scalars(select(Transaction.nonce)))
        worker.run_until_idle(20)
        with world.session() as session:
            after = list(session.scalars(select(Transaction.nonce)))
        assert max(n for n in after if n is not None) == max(n for n in nonces if n is not None)
        assert set(states()) == {"final", "closed"}  # what was planned is let go, not kept

        with world.session() as session:
            resume(session, batch.id, actor="chen", reason="it is well")
        worker.run_until_idle(30)
    assert world.payout_states(batch.id) == ["paid"] * COUNT
    assert world.differences() == []


def test_a_worker_far_ahead_rests_by_the_time_that_the_last_blocks_took(world: World) -> None:
    with world.worker() as worker:
        worker._blocks_ahead = 8.0  # so two are waited for

        def rest_s(looked_s: float, blocks: int, *, more: bool = True) -> float:
            worker._keep_pace(looked_s, blocks, more=more)
            return round(worker._look_again_s - looked_s, 6)

        assert rest_s(100.0, 1) == 0  # the node may have waited for us until now
        assert rest_s(100.2, 2) == 0.2
        assert rest_s(100.3, 4) == 0.05  # sooner done than thought
        assert rest_s(103.3, 1) == MOST_REST_S
        assert rest_s(103.4, 1, more=False) == 0
        assert rest_s(103.5, 1) == 0
        assert rest_s(103.7, 0) < 0  # nothing came: as before, and that is over
        assert rest_s(103.8, 2) == 0.3
