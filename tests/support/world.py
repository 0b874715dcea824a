"""A deployed chain and a worker on a database, as fixtures: a conftest imports those it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.chain.devnode import DevNode
from service.chain.signers import LocalSigner, Signer
from service.config import Settings
from service.confirmations.wallets import balance
from service.db import create_database_engine, session_factory, transaction
from service.ledger.reconcile import Difference, reconcile
from service.ledger.worker import Worker
from service.payouts.chunk_tree import chunk_leaf, chunk_proofs
from service.payouts.entries import pack_entries
from service.payouts.models import Batch, Payout
from service.transactions.context import values_of
from service.transactions.models import Lane, Transaction
from service.transactions.states import IN_FLIGHT, State
from tests.support.deployed import Deployed, account, deploy, pack
from tests.support.rows import SignedBatch

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
            blocks_ahead=0,  # the tests' node mines on arrival only
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

    def role_signer(self, role: str) -> Signer:
        """The key of a housekeeping role, to send with."""
        return LocalSigner(self.deployed.roles[role])

    def worker(self, **options: Any) -> Worker:
        options.setdefault("patience_s", 0.0)  # tests set chains back, and no node lags
        return Worker(self.settings, options.pop("signers", self.signers), **options)

    def run(self, max_seconds: float = 30.0, **options: Any) -> None:
        """A new worker works until nothing is left to do."""
        with self.worker(**options) as worker:
            try:
                worker.run_until_idle(max_seconds)
            except TimeoutError as error:
                error.add_note(self._what_is_open())
                raise

    def _what_is_open(self) -> str:
        """Transactions in flight or due, and what the node has in its pool."""
        open_states = values_of((State.BUILT, *IN_FLIGHT))
        with self.session() as session:
            rows = session.scalars(select(Transaction).where(Transaction.state.in_(open_states)))
            told = [f"{r.kind} {r.state} nonce {r.nonce} by {r.sender}: {r.error}" for r in rows]
        return "\n".join([*told, f"pool: {self.deployed.node.rpc('txpool_inspect')}"])

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
def costly(world: World) -> Iterator[World]:
    """The world on a chain with a base fee of one gwei."""
    node = world.deployed.node
    node.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    node.rpc("evm_mine")
    yield world
    # Not part of the state that the node puts back.
    node.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")


@pytest.fixture
def world(make_world: Callable[[int], World]) -> World:
    """The world on a chain with instant finality."""
    return make_world(0)


def run_as_stranger(world: World, batch: SignedBatch, *, approve: bool, chunks: list[int]) -> None:
    """Somebody with a node of their own sends what officers signed."""
    deployed = world.deployed
    stranger = account("stranger")
    deployed.fund(stranger.address)
    if approve:
        signatures = pack(
            {n: (deployed.officers[n].address, s) for n, s in batch.signatures.items()}
        )
        deployed.send(
            stranger, "vault", "approveBatch", deployed.approval_tuple(batch.approval), signatures
        )
    size = batch.approval["chunkSize"]
    words = list(zip(batch.payees, batch.amounts, strict=True))
    pieces = [pack_entries(words[at : at + size]) for at in range(0, len(words), size)]
    batch_id = batch.approval["batchId"]
    proofs = chunk_proofs([chunk_leaf(batch_id, i, piece) for i, piece in enumerate(pieces)])
    for index in chunks:
        deployed.send(
            stranger, "vault", "executeChunk", batch_id, index, pieces[index], proofs[index]
        )


@dataclass
class Money:
    """Supply, commitments and balances, by the chain.

    Attributes
    ----------
    balances
        Of the payees of the batches asked about, of the relayer and of the thief.
    """

    supply: int
    committed: int
    balances: dict[str, int]

    @classmethod
    def of(cls, world: World, *batches: SignedBatch) -> Money:
        holders = {account("thief").address, account("relayer").address}
        holders.update(payee for batch in batches for payee in batch.payees)
        return cls(
            world.deployed.read("token", "totalSupply"),
            world.deployed.read("token", "committed"),
            {holder: world.balance_on_chain(holder) for holder in holders},
        )


# ---- killed workers ------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


def killer(point: str, times: int) -> Callable[[str], None]:
    """A hook that kills the worker when it comes to a point for the so manieth time."""
    left = [times]

    def hook(reached: str) -> None:
        if reached == point:
            left[0] -= 1
            if left[0] == 0:
                raise Killed(point)

    return hook


def leave_as_killed(world: World, worker: Worker) -> None:
    """The process is gone: its files close, and its leases run out; nobody gives lanes back."""
    worker._started = False
    worker.close()
    with world.session() as session:
        session.execute(update(Lane).values(lease_expires_unix_ms=0))
