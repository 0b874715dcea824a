"""A node with geth's rules, and the ground that runs begin on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from service.chain.devnode import DevNode
from tests.conftest import PostgresServer
from tests.faults.ground import Ground, open_ground
from tests.faults.node import FaultyNode, start_bare_anvil
from tests.faults.run import quiet


@pytest.fixture(scope="module")
def bare_anvil() -> Iterator[DevNode]:
    """An anvil that mines only what it is told to."""
    with start_bare_anvil() as node:
        yield node


@pytest.fixture
def node(bare_anvil: DevNode) -> Iterator[FaultyNode]:
    """The faulty node in front of it, without a fault yet."""
    made = FaultyNode(bare_anvil.rpc_url, bare_anvil.chain_id)
    yield made
    made.close()


@pytest.fixture(scope="module")
def ground(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[Ground]:
    """Contracts on a chain of the module's own, and both databases."""
    quiet()
    with open_ground(tmp_path_factory.mktemp("ground"), postgres_server) as made:
        yield made
