"""A deployed chain and a worker on a database, as fixtures: a conftest imports those it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.chain.devnode import DevNode
from service.chain.signers import LocalSigner, Signer
from service.config import Settings
from service.confirmations.wallets import balance
from service.db import create_database_engine, session_factory, transaction
from service.ledger.reconcile import Difference, reconcile
from service.ledger.worker import Worker
from service.payouts.models import Batch, Payout
from tests.support.deployed import Deployed, account, deploy

RESERVE = 10**13
BUDGET = 10**13
PAYOUT_CAP = 10**10


@pytest.fixture(scope="session")
def deployed_once(anvil: DevNode) -> Iterator[Deployed]:
    """The contracts on the session's chain, with a reserve and a programme in force."""
    deployed = deploy(anvil)
    deployed.fund(account("relayer").address)
    deployed.create_programme(1, budget=BUDGET, payout_cap=PAYOUT_CAP)
    deployed.attest(RESERVE)
    yield deployed
    deployed.rpc.close()


@pytest.fixture
def deployed(deployed_once: Deployed, chain: DevNode) -> Deployed:
    """The same; what a test does to the chain is put back."""
    return deployed_once


class World:
    """A deployment, a database, and workers on them."""

    def __init__(self, deployed: Deployed, database_url: str, folder: Path, depth: int) -> None:
        self.deployed = deployed
        self.folder = folder
        self.settings = Settings(
            data_dir=folder,
            database_url=database_url,
            rpc_url=deployed.node.rpc_url,
            deployment_file=deployed.write(folder / "deployment.json"),
            finality_depth_blocks=depth,
        )
        self.engine = create_database_engine(database_url)
        self.sessions = session_factory(self.engine)
        self.signers: list[Signer] = [
            LocalSigner(account("relayer")),
            LocalSigner(deployed.roles["programme_manager"]),
            LocalSigner(deployed.roles["attestor"]),
        ]

    @contextmanager
    def session(self) -> Iterator[Session]:
        with transaction(self.sessions) as session:
            yield session

    def worker(self, **options: Any) -> Worker:
        return Worker(self.settings, options.pop("signers", self.signers), **options)

    def run(self, max_seconds: float = 30.0, **options: Any) -> None:
        """A new worker works until nothing is left to do."""
        with self.worker(**options) as worker:
            worker.run_until_idle(max_seconds)

    def batch_state(self, batch_id: str) -> str:
        with self.session() as session:
            return session.get_one(Batch, batch_id).state

    def payout_states(self, batch_id: str) -> list[str]:
        with self.session() as session:
            return list(
                session.scalars(
                    select(Payout.state).where(Payout.batch_id == batch_id).order_by(Payout.index)
                )
            )

    def differences(self) -> list[Difference]:
        with self.session() as session:
            return reconcile(session, self.deployed.rpc, self.deployed.contracts)

    def balance_on_chain(self, address: str) -> int:
        value: int = self.deployed.read("token", "balanceOf", address)
        return value

    def balance_in_database(self, address: str) -> int:
        with self.session() as session:
            return balance(session, address)


@pytest.fixture
def make_world(
    deployed: Deployed, database_url: str, tmp_path: Path
) -> Iterator[Callable[[int], World]]:
    """A function that makes the world with a finality depth."""
    made: list[World] = []

    def make(depth: int = 0) -> World:
        made.append(World(deployed, database_url, tmp_path, depth))
        return made[-1]

    yield make
    for world in made:
        world.engine.dispose()


@pytest.fixture
def world(make_world: Callable[[int], World]) -> World:
    """The world on a chain with instant finality."""
    return make_world(0)
