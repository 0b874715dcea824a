"""A node that leaves things out or mixes chains is not believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from service.chain.rpc import Rpc
from service.confirmations.ingest import NodeBehind, SequenceGap
from service.confirmations.models import ChainAlarm, Cursor
from service.errors import ChainUnavailable
from tests.support.rows import add_batch
from tests.support.world import World

Make = Callable[[int], World]


class LyingNode(Rpc):
    """A node whose answers a test changes."""

    def __init__(self, world: World) -> None:
        super().__init__(world.settings.rpc_url)
        self.contracts = world.deployed.contracts

    def change(self, method: str, answer: Any) -> None:
        """Change an answer in place."""

    def batch(self, calls: Iterable[tuple[str, Sequence[Any]]]) -> list[Any]:
        wanted = list(calls)
        answers = super().batch(wanted)
        for (method, _), answer in zip(wanted, answers, strict=True):
            self.change(method, answer)
        return answers


@pytest.mark.parametrize("contract", ["vault", "registry"])
def test_a_log_left_out_stops_the_worker_with_an_alarm(world: World, contract: str) -> None:
    class Hides(LyingNode):
        done = False

        def change(self, method: str, answer: Any) -> None:
            if method != "eth_getLogs" or self.done:
                return
            for log in answer:
                event = self.contracts.decode_log(log)
                if event and event.contract == contract and "seq" in event.args:
                    answer.remove(log)
                    self.done = True
                    return

    with world.session() as session:
        add_batch(session, world.deployed, [5])
    with pytest.raises(SequenceGap, match=f"the {contract}'s event 1 is missing"):
        world.run(rpc=Hides(world))

    with world.session() as session:
        assert session.scalars(select(ChainAlarm.kind)).all() == ["sequence_gap"]


def test_blocks_that_do_not_link_up_are_not_stored(world: World) -> None:
    class Mixes(LyingNode):
        def change(self, method: str, answer: Any) -> None:
            if method == "eth_getBlockByNumber" and isinstance(answer, dict):
                answer["parentHash"] = "0x" + "ab" * 32

    with world.worker(rpc=Mixes(world)) as worker, pytest.raises(ChainUnavailable, match="link"):
        worker.step()

    with world.session() as session:
        cursor = session.scalars(select(Cursor)).one()
        assert cursor.block_number == world.deployed.deployment.deployment_block - 1


def test_logs_of_another_block_are_not_stored(world: World) -> None:
    class Swaps(LyingNode):
        def change(self, method: str, answer: Any) -> None:
            if method == "eth_getLogs":
                for log in answer:
                    log["blockHash"] = "0x" + "cd" * 32

    with world.worker(rpc=Swaps(world)) as worker, pytest.raises(ChainUnavailable, match="another"):
        worker.step()


class Lags(LyingNode):
    """A node that knows only the chain up to a block."""

    head: int | None = None

    def change(self, method: str, answer: Any) -> None:
        del method, answer

    def batch(self, calls: Iterable[tuple[str, Sequence[Any]]]) -> list[Any]:
        return [self.call(method, *params) for method, params in calls]

    def call(self, method: str, *params: Any) -> Any:
        if self.head is not None and method == "eth_getBlockByNumber":
            if params[0] == "latest":
                params = (hex(self.head), *params[1:])
            elif int(params[0], 16) > self.head:
                return None
        return super().call(method, *params)


@pytest.mark.parametrize("depth", [0, 8])
def test_a_node_that_lags_is_waited_for_and_is_no_reorg(make_world: Make, depth: int) -> None:
    world = make_world(depth)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    node = Lags(world)
    with world.worker(rpc=node, patience_s=600.0) as worker:
        worker.run_until_idle(20)
        with world.session() as session:
            before = session.scalars(select(Cursor.block_number).order_by(Cursor.name)).all()
        node.head = before[0] - 2
        for _ in range(3):
            with pytest.raises(NodeBehind, match="was read before"):
                worker.step()
        assert alarms(world) == []
        assert world.payout_states(batch.id) == ["paid" if depth == 0 else "included"]
        node.head = None
        assert worker.step().rewound == 0


def test_a_node_that_lags_below_a_final_block_is_never_followed_and_needs_a_person(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.confirmations.ingest.BEHIND_ALARM_S", 0.0)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    node = Lags(world)
    with world.worker(rpc=node, patience_s=0.0) as worker:
        worker.run_until_idle(20)
        node.head = world.deployed.rpc.block_number() - 1
        for _ in range(2):
            with pytest.raises(NodeBehind):
                worker.step()
        assert alarms(world) == ["node_behind"]  # which stops nothing once it has caught up
        node.head = None
        worker.run_until_idle(20)

    assert world.payout_states(batch.id) == ["paid"]


def test_a_node_that_knows_its_head_and_not_a_block_below_is_not_believed(
    make_world: Make,
) -> None:
    class Forgets(Lags):
        def call(self, method: str, *params: Any) -> Any:
            if self.head and method == "eth_getBlockByNumber" and params[0] != "latest":
                return None
            return Rpc.call(self, method, *params)

    world = make_world(8)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    node = Forgets(world)
    with world.worker(rpc=node, patience_s=0.0) as worker:
        worker.run_until_idle(20)
        node.head = 1
        with pytest.raises(ChainUnavailable, match="has block"):
            worker.step()
    assert world.payout_states(batch.id) == ["included"]


def alarms(world: World) -> list[str]:
    with world.session() as session:
        return list(session.scalars(select(ChainAlarm.kind)))
