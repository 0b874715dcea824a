"""Whole lives, each lived once a session on a chain of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.audit.replay import Options, replay
from service.audit.report import ReplayReport
from service.audit.rpc import Node
from service.chain.devnode import DevNode, start_anvil
from tests.audit.checking import Replayed, replayed_once
from tests.audit.corrected import live_corrected
from tests.audit.keyed import Keyed, live_keyed
from tests.audit.scenario import Scenario, live
from tests.support.deployed import deploy
from tests.support.world import World

OFFICERS = {
    1: (1 | 8, 0, 0),
    2: (2 | 8, 0, 0),
    3: (2 | 8, 0, 0),
    4: (2 | 8, 51, 2),
    5: (4, 0, 0),
    6: (4, 5107, 4),
}
"""Officer → roles and region: 1 makes, 2 and 3 review anywhere, 4 (who leaves) in one province;
5 and 6 grant in an emergency."""


@pytest.fixture(scope="session")
def own_chain(anvil: DevNode) -> Iterator[DevNode]:
    """A chain that nobody else resets; asking for `anvil` marks the tests."""
    with start_anvil() as node:
        yield node


@pytest.fixture(scope="session")
def scenario(
    own_chain: DevNode, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scenario]:
    folder = tmp_path_factory.mktemp("audit")
    shutil.copyfile(sqlite_template, folder / "relief.db")
    deployed = deploy(own_chain, officers=OFFICERS)
    world = World(deployed, f"sqlite:///{folder / 'relief.db'}", folder, 0)
    yield live(deployed, world, folder)
    deployed.rpc.close()


@pytest.fixture(scope="session")
def corrected(
    anvil: DevNode, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scenario]:
    folder = tmp_path_factory.mktemp("corrected")
    shutil.copyfile(sqlite_template, folder / "relief.db")
    with start_anvil() as node:
        deployed = deploy(node, officers=OFFICERS)
        world = World(deployed, f"sqlite:///{folder / 'relief.db'}", folder, 0)
        yield live_corrected(deployed, world, folder)
        deployed.rpc.close()


@pytest.fixture(scope="session")
def keyed(anvil: DevNode) -> Iterator[Keyed]:
    with start_anvil() as node:
        deployed = deploy(node)
        yield live_keyed(deployed)
        deployed.rpc.close()


@pytest.fixture(scope="session")
def replayed(scenario: Scenario) -> Iterator[Replayed]:
    """The chain read and replayed once, to compare many edited databases and manifests with."""
    with Node(scenario.deployed.node.rpc_url) as node:
        yield replayed_once(node, scenario.deployed)


@pytest.fixture
def audit(scenario: Scenario) -> Callable[..., ReplayReport]:
    """A function that replays the scenario."""

    def run(
        *,
        rpc: str | None = None,
        database: str | None = None,
        manifests: Path | None = None,
        **options: int,
    ) -> ReplayReport:
        vault = bytes.fromhex(scenario.deployed.vault[2:])
        chosen = Options(vault, database=database, manifests=manifests, **options)
        with Node(rpc or scenario.deployed.node.rpc_url) as node:
            return replay(node, chosen)

    return run
