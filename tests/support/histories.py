"""Random histories of the contracts' events with re-orgs, and what is projected of them.

A history is a walk (:mod:`tests.support.walks`). Now and then the chain goes back to an earlier
moment and another life follows. Everything is drawn from a seed.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from pathlib import Path

from sqlalchemy import Engine, select, update

from service.approvals.grants import free_expired
from service.confirmations.finality import FINAL_CURSOR, finalise
from service.confirmations.ingest import Ingestor
from service.confirmations.models import Cursor, Event
from service.db import create_database_engine, session_factory, transaction
from service.ledger.posting import post_final
from service.ledger.reconcile import Difference, reconcile
from service.payouts.models import Batch, Payout
from service.payouts.service import free_overdue
from service.payouts.states import PayoutState
from tests.support.deployed import account
from tests.support.rows import DAY_S, SignedBatch, add_batch, add_officers, add_programme
from tests.support.walks import MOST_BLOCKS_AT_ONCE, UNIT, WEIGHTS, ZERO, Walk
from tests.support.world import World

DEPTH = 64
"""Blocks below which nothing is taken back."""

HAPPENINGS_AFTERWARDS = 10


class Projection:
    """One database that follows a chain without sending anything."""

    def __init__(self, world: World, file: Path) -> None:
        self._deployed = world.deployed
        self.engine: Engine = create_database_engine(f"sqlite:///{file}")
        self.sessions = session_factory(self.engine)
        self._ingestor = Ingestor(self.sessions, world.deployed.rpc, world.deployed.contracts)
        self._chain_id = world.deployed.deployment.chain_id
        self.rewound: list[int] = []
        self.undone: Counter[str] = Counter()

    def follow(self) -> None:
        """Read all there is, take back what is gone, settle and post what is final."""
        while True:
            before = self._events()
            read = self._ingestor.step()
            if read.rewound:
                self.rewound.append(read.rewound)
                self.undone.update((before - self._events()).elements())
            if read.caught_up:
                break
        with transaction(self.sessions) as session:
            final = finalise(session, self._chain_id, DEPTH)
            if final is not None:
                free_overdue(session, final.timestamp_unix_s)
                free_expired(session, final.timestamp_unix_s)
        with transaction(self.sessions) as session:
            post_final(session, self._chain_id)

    def final_block(self) -> int:
        """Newest block that no re-org may take back."""
        with transaction(self.sessions) as session:
            cursor = session.get(Cursor, (self._chain_id, FINAL_CURSOR))
            return 0 if cursor is None else cursor.block_number

    def _events(self) -> Counter[str]:
        with transaction(self.sessions) as session:
            return Counter(session.scalars(select(Event.name)))

    def differences(self) -> list[Difference]:
        """Of the ledger from the chain."""
        with transaction(self.sessions) as session:
            return reconcile(session, self._deployed.rpc, self._deployed.contracts)

    def close(self) -> None:
        """Close the file."""
        self.engine.dispose()


class History(Walk):
    """One seeded life of a chain, which a projection follows.

    Parameters
    ----------
    world
        Contracts in force, with a reserve and programme 1, and a database with no event yet.
    folder
        For the databases.
    """

    weights = WEIGHTS

    def __init__(self, world: World, folder: Path, seed: int) -> None:
        super().__init__(world.deployed, seed)
        self._world, self._folder = world, folder
        self._moments: list[tuple[str, int]] = []
        self.batches = self._add_rows()
        base = folder / f"base-{seed}.db"
        world.engine.dispose()
        copy_database(world.engine, base)
        self._base = base
        self.live = Projection(world, Path(shutil.copyfile(base, folder / f"live-{seed}.db")))

    def _add_rows(self) -> list[SignedBatch]:
        deployed, draw = self._deployed, self._draw
        made = []
        with self._world.session() as session:
            add_programme(session)
            add_officers(session, deployed)
            for number in range(5):
                stream = number >= 3
                count = draw.randint(2, 5)
                payees = [
                    ZERO if draw.random() < 0.15 else account(f"fuzz {draw.randrange(6)}").address
                    for _ in range(count)
                ]
                made.append(
                    add_batch(
                        session,
                        deployed,
                        [draw.randint(1, 90) * UNIT for _ in range(count)],
                        payees=payees,
                        kind="stream" if stream else "one_off",
                        chunk_size=draw.choice([1, 2, 500]),
                        name=f"fuzz {self.seed} {number}",
                        duration=30 * DAY_S,
                    )
                )
                if draw.random() < 0.2:
                    session.get_one(Batch, made[-1].id).paused = True
                    session.execute(
                        update(Payout)
                        .where(Payout.batch_id == made[-1].id)
                        .values(state=PayoutState.HELD.value)
                    )
        return made

    # ---- living --------------------------------------------------------------------------------

    def live_through(self, steps: int) -> None:
        """Let so many things happen, with re-orgs, and the projection follow now and then."""
        self._begin()
        for _ in range(steps):
            draw = self._draw.random()
            if draw < 0.12:
                self._reorganise()
            elif draw < 0.30:
                self.live.follow()
            elif draw < 0.42:
                self._remember()
            self._something_happens()
        self.live.follow()

    def go_back_to_the_final_block(self) -> None:
        """Have a re-org take back all that one may: exactly `DEPTH` blocks; life goes on."""
        self._remember()
        _, final = self._moments[-1]
        node, rpc = self._deployed.node, self._deployed.rpc
        while (left := final + DEPTH - rpc.block_number()) > MOST_BLOCKS_AT_ONCE:
            self._something_happens()
            if self._draw.random() < 0.1:
                self.live.follow()
        node.rpc("anvil_mine", hex(left))
        self.live.follow()
        assert self.live.final_block() == final
        self._go_back(len(self._moments) - 1)
        self.live.follow()
        assert self.live.rewound[-1] == DEPTH
        for _ in range(HAPPENINGS_AFTERWARDS):
            self._something_happens()
        self.live.follow()

    def _begin(self) -> None:
        """Mostly something is on its way when the re-orgs begin."""
        for name, times in (("freeze", 2), ("approve", 8), ("execute", 10), ("unfreeze", 3)):
            for _ in range(self._draw.randint(0, times)):
                self._attempt(name)
        if self._draw.random() < 0.7:
            self._deployed.advance(self._draw.randint(1, 20) * DAY_S)

    def undo_each(self, *names: str) -> None:
        """Have each thing happen once, read it, and let a re-org take it back."""
        for name in names:
            self._remember()
            for _ in range(60):
                before = self.sent[name]
                self._attempt(name)
                if self.sent[name] > before:
                    break
            self.live.follow()
            self._go_back(len(self._moments) - 1)
            self.live.follow()

    def happen(self, **times: int) -> None:
        """Try each thing so many times."""
        for name, count in times.items():
            for _ in range(count):
                self._attempt(name)

    def _remember(self) -> None:
        number = self._deployed.rpc.block_number()
        self._moments.append((self._deployed.node.rpc("evm_snapshot"), number))

    def _reorganise(self) -> None:
        final = self.live.final_block()
        possible = [at for at, (_, number) in enumerate(self._moments) if number >= final]
        if not possible:
            return
        self._go_back(self._draw.choice(possible))
        if self._draw.random() < 0.7:
            self.live.follow()

    def _go_back(self, at: int) -> None:
        snapshot, _ = self._moments[at]
        del self._moments[at:]
        node = self._deployed.node
        node.rpc("evm_revert", snapshot)
        node.rpc("evm_increaseTime", self._draw.randint(1, 50))  # other times, so other hashes
        self._deployed.mine(self._draw.randint(1, 3))

    def finish(self) -> Projection:
        """Let the chain grow past every head it had; returns a replay of it from nothing."""
        head = self._deployed.rpc.block_number()
        self._deployed.node.rpc("anvil_mine", hex(self._draw.choice([1, DEPTH // 2, 2 * DEPTH])))
        while self._deployed.rpc.block_number() - DEPTH < self.live.final_block():
            self._deployed.mine()
        assert self._deployed.rpc.block_number() > head
        self.live.follow()
        fresh = self._folder / f"fresh-{self.seed}.db"
        replay = Projection(self._world, Path(shutil.copyfile(self._base, fresh)))
        replay.follow()
        return replay


def copy_database(engine: Engine, target: Path) -> None:
    """Copy an SQLite database whole, whatever lies in its log still."""
    with sqlite3.connect(str(engine.url.database)) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
