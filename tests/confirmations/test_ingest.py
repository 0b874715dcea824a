"""A node that leaves things out or mixes chains is not believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from service.chain.rpc import Rpc
from service.confirmations.ingest import SequenceGap
from service.confirmations.models import ChainAlarm, Cursor
from service.errors import ChainUnavailable
from tests.support.rows import add_batch
from tests.support.world import World


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
