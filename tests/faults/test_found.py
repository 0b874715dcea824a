"""What the campaign found in the engine, each as a test of its own."""

from __future__ import annotations

import pytest

from service.errors import ChainUnavailable
from tests.faults.ground import Ground
from tests.faults.node import Fault, FaultPlan
from tests.faults.points import Points
from tests.support.rows import add_batch

pytestmark = pytest.mark.chain


def test_a_worker_whose_node_was_away_at_first_does_not_lock_itself_out(ground: Ground) -> None:
    """Seed 1, run 1: its own lock on the SQLite file stood in its way for ever."""
    with ground.stage("sqlite", 0) as stage:
        with stage.session() as session:
            batch = add_batch(session, stage.deployed, [5])
        stage.node.plan = FaultPlan(stage.node.random, forced=[Fault.HTTP_500])
        with stage.watched_worker(Points()) as worker:
            with pytest.raises(ChainUnavailable):
                worker.step()
            while not worker.step().idle:
                pass
        assert stage.payout_states(batch.id) == ["paid"]
