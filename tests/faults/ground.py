"""Where runs begin: contracts on a chain and a database that has read them, both put back in ms.

The chain goes back by ``evm_revert``, SQLite by copying a file, PostgreSQL by emptying the tables
that a run wrote and filling them from a schema beside them. The database's clock is a number that
the run sets: on SQLite ``julianday`` is a function of ours, on PostgreSQL ``clock_timestamp`` is
one of a schema that is looked through first.
"""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from uuid import UUID

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url

from service.chain import nodes
from service.chain.contracts import Contracts
from service.chain.deployment import Deployment
from service.chain.devnode import start_anvil
from service.chain.signers import LocalSigner, Signer
from service.confirmations import agreement, ingest
from service.db import create_database_engine, session_factory
from service.ledger.worker import Worker
from service.transactions import engine
from tests.conftest import PostgresServer, create_all_tables
from tests.faults.node import FaultyNode
from tests.faults.points import Points, Watched
from tests.faults.proxy import clean_rpc, rpc_in_process
from tests.support.deployed import Deployed, account, deploy
from tests.support.rows import add_officers, add_programme
from tests.support.world import BUDGET, PAYOUT_CAP, RESERVE, World

RELAYERS = ("relayer", "relayer 2")
RUNS_AN_ANVIL = 100
"""Then a new node is started: an old one has all its blocks in memory, and forgets the state of the
ground's own (seed 7, run 462: the 270th of its node)."""

TELL_THE_TIME = (agreement, ingest, nodes, engine)
"""Modules that ask the machine how much time has passed: in a run, as much as the run says."""

JULIAN_DAY_OF_1970 = 2440587.5
DAY_MS = 86_400_000
FIRST_MS = 1_790_000_000_000

_PG_CLOCK = """
CREATE TABLE fault_clock (ms bigint NOT NULL);
INSERT INTO fault_clock VALUES (%d);
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT to_timestamp(ms / 1000.0) FROM public.fault_clock';
"""

# Emptied, not deleted from: rows come back in the order in which they are written, so that a
# statement that asks for none gets the same each time.
_PG_PUT_BACK = """
CREATE SCHEMA saved;
DO $$
DECLARE t text;
BEGIN
    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('CREATE TABLE saved.%I AS TABLE public.%I', t, t);
        EXECUTE format('ALTER TABLE public.%I SET (autovacuum_enabled = false)', t);
    END LOOP;
END $$;
CREATE TABLE saved._sequences AS
    SELECT format('public.%I', sequencename)::regclass AS name, last_value FROM pg_sequences;
CREATE FUNCTION saved.put_back() RETURNS void LANGUAGE plpgsql AS $$
DECLARE t text; is_used boolean; used text[] = '{}';
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('SELECT EXISTS (TABLE public.%I)', t) INTO is_used;
        IF is_used THEN used = used || t; END IF;
    END LOOP;
    SET LOCAL session_replication_role = replica;
    EXECUTE 'TRUNCATE ' || (SELECT string_agg(format('public.%I', u), ', ') FROM unnest(used) u)
        || ' CASCADE';
    FOREACH t IN ARRAY used LOOP
        EXECUTE format('INSERT INTO public.%I OVERRIDING SYSTEM VALUE TABLE saved.%I', t, t);
    END LOOP;
    PERFORM setval(name, coalesce(last_value, 1), last_value IS NOT NULL)
        FROM saved._sequences;
END $$;
"""
PG_OPTIONS = "-c search_path=public,pg_catalog -c lock_timeout=8000"


@dataclass
class DatabaseClock:
    """Unix milliseconds as the database tells them.

    Attributes
    ----------
    postgres
        Connection by which a PostgreSQL clock is set; None on SQLite.
    """

    ms: int = FIRST_MS
    postgres: Any = None
    passed_ms: int = 0

    def step(self, ms: int) -> None:
        """Let time pass; a negative number sets the clock back."""
        self.ms += ms
        self.passed_ms += max(0, ms)
        if self.postgres is not None:
            self.postgres.execute("UPDATE fault_clock SET ms = %s", (self.ms,))

    def monotonic(self) -> float:
        """What the machine's own clock counts meanwhile, seconds; it is never set back."""
        return self.passed_ms / 1000

    def rule(self, engine: Engine) -> None:
        """Make every new connection of an engine tell this time."""
        if engine.dialect.name != "sqlite":
            return  # the function is in the database

        def julianday(_when: str) -> float:
            return self.ms / DAY_MS + JULIAN_DAY_OF_1970

        @event.listens_for(engine, "connect")
        def _connected(connection: Any, _record: Any) -> None:
            connection.create_function("julianday", 1, julianday)
            # A file that a killed *process* of this test leaves behind is whole all the same.
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("PRAGMA busy_timeout=2000")


class Stage(World):
    """One run's world: the deployment, a new copy of the database, a clock, and workers."""

    def __init__(
        self, ground: Ground, deployed: Deployed, url: str, folder: Path, depth: int
    ) -> None:
        super().__init__(deployed, url, folder, depth)
        self.engine.dispose()
        self.ground = ground
        self.node = ground.node
        self.clock = ground.clock
        self.clock.ms, self.clock.postgres, self.clock.passed_ms = FIRST_MS, None, 0
        self.url = url
        self.hired = 0
        self.engine = ground.engine(url, 0).engine
        self.sessions = session_factory(self.engine)
        if self.engine.dialect.name == "postgresql":
            self.clock.postgres = _administer(url)
        self.signers: list[Signer] = [
            *(LocalSigner(account(name)) for name in RELAYERS),
            LocalSigner(deployed.roles["programme_manager"]),
            LocalSigner(deployed.roles["attestor"]),
        ]

    def watched_worker(self, points: Points, slot: int = 1, **options: Any) -> Worker:
        """A worker whose every commit and request is a point.

        Its name is drawn from its number in the run, since names decide whose a lane is.

        Parameters
        ----------
        slot
            Which of the kept engines it uses; two workers at a time need two.
        """
        watched = self.ground.engine(self.url, slot)
        watched.points = points
        self.hired += 1
        name = Random(self.hired).getrandbits(128)
        with (
            patch("service.ledger.worker.create_database_engine", return_value=watched.engine),
            patch("service.ledger.worker.Contracts", self.ground.contracts),
            patch("service.ledger.worker.uuid4", lambda: UUID(int=name)),
        ):
            worker = Worker(
                self.settings,
                self.signers,
                rpc=rpc_in_process(self.node, points.request),
                hook=points.hook,
                **options,
            )
        watched.listen(worker._sessions)
        return worker

    def wait_until_gone(self, worker: Worker) -> None:
        """Wait until PostgreSQL has noticed that a worker's connection ended, as others ask it."""
        if self.clock.postgres is not None:
            lock = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 1))"
            while not self.clock.postgres.execute(lock, (f"worker {worker.owner}",)).fetchone()[0]:
                pass

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()
        if self.clock.postgres is not None:
            self.clock.postgres.close()


@dataclass
class Ground:
    """A chain with the contracts on it, and databases that have read its first blocks."""

    node: FaultyNode
    deployed: Deployed
    folder: Path
    snapshot: str
    sqlite: Path
    postgresql: str | None
    clock: DatabaseClock
    first_block: int
    engines: dict[tuple[str, int], Watched] = field(default_factory=dict)
    _contracts: dict[int, Contracts] = field(default_factory=dict)

    def contracts(self, deployment: Deployment, artifacts_dir: Path) -> Contracts:
        """The contracts as a worker reads them: runs differ in nothing but the finality depth."""
        depth = deployment.finality_depth_blocks
        if depth not in self._contracts:
            self._contracts[depth] = Contracts(deployment, artifacts_dir)
        return self._contracts[depth]

    def engine(self, url: str, slot: int) -> Watched:
        """A kept database engine; every run's database has the same URL."""
        if (url, slot) not in self.engines:
            made = create_database_engine(url)
            self.clock.rule(made)
            self.engines[(url, slot)] = Watched(made)
        return self.engines[(url, slot)]

    @contextmanager
    def stage(self, database: str, depth: int) -> Iterator[Stage]:
        """Put everything back and yield a new world on it.

        Parameters
        ----------
        database
            ``sqlite`` or ``postgresql``.
        depth
            Blocks until a block is final.
        """
        self.snapshot = self.node.reset(self.snapshot)
        folder = self.folder / "run"
        folder.mkdir()
        if database == "sqlite":
            shutil.copyfile(self.sqlite, folder / "relief.db")
            url = f"sqlite:///{folder / 'relief.db'}"
        else:
            assert self.postgresql is not None
            url = self.postgresql
        stage = Stage(self, self.deployed, url, folder, depth)
        ours = SimpleNamespace(monotonic=self.clock.monotonic)
        try:
            if stage.clock.postgres is not None:
                stage.clock.postgres.execute("SELECT saved.put_back()")
            stage.clock.step(0)
            with ExitStack() as patches:
                for module in TELL_THE_TIME:
                    patches.enter_context(patch.object(module, "time", ours))
                yield stage
        finally:
            stage.close()
            for watched in self.engines.values():
                watched.points = Points()
                watched.engine.dispose()
            shutil.rmtree(folder, ignore_errors=True)


def _administer(url: str) -> psycopg.Connection[Any]:
    """A connection by which nothing of the engine's own passes."""
    address = make_url(url)
    return psycopg.connect(
        host=str(address.query["host"]), user="postgres", dbname=address.database, autocommit=True
    )


def _with_options(url: str) -> str:
    return (
        make_url(url)
        .update_query_dict({"options": PG_OPTIONS})
        .render_as_string(hide_password=False)
    )


@contextmanager
def open_ground(folder: Path, postgres: PostgresServer | None = None) -> Iterator[Ground]:
    """Start a chain, deploy the contracts, and let a worker read them into both databases.

    Parameters
    ----------
    folder
        Where the runs' files go.
    postgres
        A server for the runs that want PostgreSQL; it gets a database of the ground's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with start_anvil(extra_arguments=("--order", "fifo")) as anvil:
        deployed = deploy(anvil)
        for name in (*RELAYERS, "stranger"):
            deployed.fund(account(name).address)
        deployed.create_programme(1, budget=BUDGET, payout_cap=PAYOUT_CAP)
        deployed.attest(RESERVE)
        anvil.rpc("evm_setAutomine", False)
        deployed.rpc.close()
        node = FaultyNode(anvil.rpc_url, anvil.chain_id)
        deployed = dataclasses.replace(deployed, rpc=clean_rpc(node))
        sqlite = folder / "template.db"
        create_all_tables(f"sqlite:///{sqlite}")
        name = f"ground_{anvil.pid}"
        postgresql = None if postgres is None else _with_options(postgres.create_database(name))
        ground = Ground(
            node,
            deployed,
            folder,
            str(anvil.rpc("evm_snapshot")),
            sqlite,
            postgresql,
            DatabaseClock(),
            node.head,
        )
        _read_first_blocks(ground, f"sqlite:///{sqlite}")
        with sqlite3.connect(sqlite) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        if postgresql is not None:
            with _administer(postgresql) as admin:
                create_all_tables(postgresql)
                admin.execute((_PG_CLOCK % FIRST_MS).encode())
                _read_first_blocks(ground, postgresql)
                admin.execute(_PG_PUT_BACK.encode())
        try:
            yield ground
        finally:
            deployed.rpc.close()
            node.close()
            if postgres is not None:
                postgres.drop_database(name)


def _read_first_blocks(ground: Ground, url: str) -> None:
    stage = Stage(ground, ground.deployed, url, ground.folder, 0)
    try:
        with stage.session() as session:
            add_programme(session)
            add_officers(session, ground.deployed)
        with stage.watched_worker(Points()) as worker:
            while not worker.step().idle:
                pass
    finally:
        stage.close()
