"""Two nodes of one chain: one dies, lags, or denies what the other says is final."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from service.chain import nodes
from service.chain.deployment import check_deployment
from service.chain.nodes import Nodes
from service.chain.rpc import Rpc
from service.confirmations import agreement
from service.confirmations.agreement import NodesDisagree
from service.confirmations.models import ChainAlarm, Cursor
from service.errors import ChainUnavailable, IntegrityError
from tests.support.rows import add_batch
from tests.support.world import World

Make = Callable[[int], World]


class Node(Rpc):
    """The development chain, as a node that a test makes die, lag or lie."""

    def __init__(self, world: World) -> None:
        super().__init__(world.settings.rpc_url)
        self.calls: list[str] = []
        self.dead = False
        self.head: int | None = None
        self.lies_from: int | None = None
        self.chain_id: str | None = None

    def batch(self, calls: Iterable[tuple[str, Sequence[Any]]]) -> list[Any]:
        if self.dead:
            raise ChainUnavailable("dead")
        wanted = list(calls)
        self.calls += [method for method, _ in wanted]
        return [
            self.changed(method, params, answer)
            for (method, params), answer in zip(wanted, super().batch(wanted), strict=True)
        ]

    def call(self, method: str, *params: Any) -> Any:
        if self.dead:
            raise ChainUnavailable("dead")
        self.calls.append(method)
        return self.changed(method, params, super().call(method, *params))

    def changed(self, method: str, params: Sequence[Any], answer: Any) -> Any:
        if method == "eth_chainId" and self.chain_id is not None:
            return self.chain_id
        if method == "eth_blockNumber" and self.head is not None:
            return hex(self.head)
        if method == "eth_getBlockByNumber" and isinstance(answer, dict):
            if self.head is not None and int(answer["number"], 16) > self.head:
                return (
                    None if params[0] != "latest" else super().call(method, hex(self.head), False)
                )
            if self.lies_from is not None and int(answer["number"], 16) >= self.lies_from:
                answer["hash"] = "0x" + "ee" * 32
        return answer


def two(world: World) -> tuple[Nodes, Node, Node]:
    first, second = Node(world), Node(world)
    deployment = world.deployed.deployment
    rpc = Nodes([first, second], lambda node: check_deployment(node, deployment))
    return rpc, first, second


def kinds(world: World) -> list[str]:
    with world.session() as session:
        return list(session.scalars(select(ChainAlarm.kind)))


@pytest.mark.parametrize("point", ["signed:after-commit", "send:before", "send:after", "ingested"])
def test_payouts_are_made_once_when_the_node_dies_in_the_middle(world: World, point: str) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6, 7], chunk_size=1)
    rpc, first, second = two(world)

    def hook(reached: str) -> None:
        if reached == point:
            first.dead = True

    with world.worker(rpc=rpc, hook=hook) as worker:
        for _ in range(20):
            try:
                worker.run_until_idle(20)
                break
            except ChainUnavailable:
                continue

    assert first.dead
    assert "eth_getLogs" in second.calls
    assert world.payout_states(batch.id) == ["paid"] * 3
    assert [world.balance_on_chain(payee) for payee in batch.payees] == [5, 6, 7]
    assert world.differences() == []


def test_a_round_asks_one_node_but_for_what_is_sent_and_compared(world: World) -> None:
    with world.session() as session:
        add_batch(session, world.deployed, [5])
    rpc, _, second = two(world)
    with world.worker(rpc=rpc) as worker:
        worker.run_until_idle(20)

    checking = {"eth_chainId", "eth_getCode"}
    comparing = {"eth_getBlockByNumber", "eth_blockNumber"}
    assert set(second.calls) == checking | comparing | {"eth_sendRawTransaction"}


@pytest.mark.parametrize(("depth", "liar"), [(0, 0), (0, 1), (3, 1)])
def test_nodes_with_different_final_blocks_stop_everything_before_it_settles(
    make_world: Make, depth: int, liar: int
) -> None:
    world = make_world(depth)
    world.deployed.mine(4)
    with world.worker() as worker:
        worker.run_until_idle(20)
    with world.session() as session:
        final = session.scalars(select(Cursor.block_number).where(Cursor.name == "final")).one()
        batch = add_batch(session, world.deployed, [5])
    rpc, *both = two(world)
    world.deployed.mine(depth + 1)
    both[liar].lies_from = final + 1

    with world.worker(rpc=rpc) as worker:
        with pytest.raises(NodesDisagree):
            worker.step()
        both[liar].lies_from = None  # which settles nothing
        with pytest.raises(IntegrityError, match="relief alarms clear"):
            worker.step()

    assert kinds(world) == ["nodes_disagree"]
    with world.session() as session:
        now_final = session.scalars(select(Cursor.block_number).where(Cursor.name == "final")).one()
    assert now_final == final
    assert world.balance_on_chain(batch.payees[0]) == 0


def test_a_node_that_falls_behind_gives_its_place_to_the_other(
    make_world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "COMPARE_EVERY_S", 0.0)
    world = make_world(3)
    world.deployed.mine(4)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    rpc, first, second = two(world)
    with world.worker(rpc=rpc, patience_s=600.0) as worker:
        worker.step()
        first.head = world.deployed.rpc.block_number()
        world.deployed.mine(10)  # the first stands still at the cursor, and says nothing wrong
        worker.step()
        second.calls.clear()
        for _ in range(20):  # the first is tried again now and then
            try:
                worker.run_until_idle(20)
                break
            except ChainUnavailable:
                continue

    assert "eth_getLogs" in second.calls
    assert world.balance_on_chain(batch.payees[0]) == 5
    assert kinds(world) == []


def test_a_node_of_another_chain_is_refused_with_an_alarm_and_the_other_pays(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    rpc, first, _ = two(world)
    first.chain_id = "0x1"

    with world.worker(rpc=rpc) as worker:
        worker.run_until_idle(20)

    assert set(first.calls) == {"eth_chainId"}
    assert kinds(world) == ["node_refused"]
    assert world.payout_states(batch.id) == ["paid"]


def test_a_node_whose_blocks_do_not_link_up_gives_its_place_to_the_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "FIRST_REST_S", 60.0)  # else a slow machine compares the two
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    rpc, first, second = two(world)
    first.lies_from = world.deployed.deployment.deployment_block
    with world.worker(rpc=rpc) as worker:
        with pytest.raises(ChainUnavailable, match="link"):
            worker.step()
        worker.step()
        assert "eth_getLogs" in second.calls
        first.lies_from = None
        worker.run_until_idle(20)

    assert world.payout_states(batch.id) == ["paid"]
