"""After any re-orgs, what was read step by step equals a replay of the last chain from nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.chain.devnode import DevNode, start_anvil
from tests.audit.conftest import OFFICERS
from tests.support.deployed import Deployed, deploy
from tests.support.digest import assert_same
from tests.support.histories import DEPTH, History
from tests.support.world import BUDGET, PAYOUT_CAP, RESERVE, World

STEPS = 60


def deploy_for_fuzz(node: DevNode) -> Deployed:
    """Contracts with a reserve and a programme in force."""
    deployed = deploy(node, officers=OFFICERS)
    deployed.create_programme(1, budget=BUDGET, payout_cap=PAYOUT_CAP)
    deployed.attest(RESERVE)
    return deployed


@pytest.fixture(scope="module")
def fuzzed(anvil: DevNode) -> Iterator[Deployed]:
    """A chain of the module's own; asking for `anvil` marks the tests."""
    with start_anvil() as node:
        deployed = deploy_for_fuzz(node)
        yield deployed
        deployed.rpc.close()


def run_history(
    deployed: Deployed, template: Path, folder: Path, seed: int, steps: int = STEPS
) -> History:
    """Live one history and compare; returns it."""
    snapshot = deployed.node.rpc("evm_snapshot")
    in_force = deployed.rpc.block_number()
    file = folder / f"rows-{seed}.db"
    shutil.copyfile(template, file)
    world = World(deployed, f"sqlite:///{file}", folder, DEPTH)
    try:
        history = History(world, folder, seed)
        history.live_through(steps)
        replay = history.finish()
        assert_same(history.live.engine, replay.engine)
        if history.live.final_block() >= in_force:
            assert history.live.differences() == []
        history.live.close()
        replay.close()
    finally:
        world.engine.dispose()
        deployed.node.rpc("evm_revert", snapshot)
    return history


@pytest.mark.parametrize("seed", range(24))
def test_read_through_re_orgs_equals_read_at_once(
    fuzzed: Deployed, sqlite_template: Path, tmp_path: Path, seed: int
) -> None:
    run_history(fuzzed, sqlite_template, tmp_path, seed)
