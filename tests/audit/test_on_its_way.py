"""A database whose chunks are on their way has nothing to complain about, paused or not."""

from __future__ import annotations

import pytest

from service.audit.replay import Options, replay
from service.audit.rpc import Node
from service.payouts.models import Batch
from service.payouts.service import pause
from tests.support.rows import add_batch
from tests.support.world import World, deployed, deployed_once, make_world, world

__all__ = ["deployed", "deployed_once", "make_world", "world"]

pytestmark = pytest.mark.chain


@pytest.mark.parametrize("paused", [False, True])
def test_chunks_sent_and_not_mined_are_no_finding(world: World, *, paused: bool) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6, 7], chunk_size=2)
    node = world.deployed.node

    def hook(point: str) -> None:
        if point == "send:before" and world.batch_state(batch.id) == "onchain":
            node.rpc("evm_setAutomine", False)

    try:
        with world.worker(hook=hook) as worker:
            for _ in range(8):
                worker.step()
        assert world.payout_states(batch.id) == ["sent"] * 3
        if paused:
            with world.session() as session:
                pause(session, batch.id, actor="chen", reason="the bank asked to wait")
                assert session.get_one(Batch, batch.id).paused
        assert world.payout_states(batch.id) == ["sent"] * 3
        url = world.engine.url.render_as_string(hide_password=False)
        with Node(node.rpc_url) as reading:
            report = replay(reading, Options(bytes.fromhex(world.deployed.vault[2:]), database=url))
        assert [f.message for f in report.findings if f.place.batch == batch.id] == []
    finally:
        node.rpc("evm_setAutomine", True)
        node.rpc("evm_mine")
