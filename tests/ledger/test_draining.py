"""A real worker process that is asked to end does so within seconds; nothing is left half done."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from service.chain.signers import import_keystore
from service.config import Settings
from service.processes import environment_of, start_relief, wait_until
from service.transactions.models import Lane, Transaction, TransactionAttempt
from tests.support.deployed import account
from tests.support.rows import add_batch
from tests.support.world import World

PASSPHRASE = "drained"
START_LIMIT_S = 60


class SilentNode(ThreadingHTTPServer):
    """Stands before the node; it falls silent at a method, or at once, and says nothing more."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, node_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        headers = {"Content-Type": "application/json"}
        self.node = httpx.Client(base_url=node_url, trust_env=False, headers=headers)
        self.silent_from: str | None = None
        self.silent = threading.Event()
        self.ended = threading.Event()
        self.fails = threading.Event()
        self.asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, SilentNode)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if server.silent_from is not None and server.silent_from.encode() in body:
            server.silent.set()
        server.asked += 1
        if server.fails.is_set():
            self.send_error(503)
            return
        if server.silent.is_set():
            server.ended.wait(60)
            return
        answer = server.node.post("", content=body).content
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        del format, args


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """SQLite alone: a process costs seconds, and how it ends depends on no database."""
    path = tmp_path / "relief.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def node(world: World) -> Iterator[SilentNode]:
    server = SilentNode(world.settings.rpc_url)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.ended.set()
    server.shutdown()
    thread.join()
    server.server_close()
    server.node.close()


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(world: World, node: SilentNode, tmp_path: Path) -> Iterator[Start]:
    """A function that starts `relief worker run` and waits until it holds its lane."""
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    import_keystore(keys, "relayer", bytes(account("relayer").key), PASSPHRASE, scrypt_cost=2)
    passphrase_file = tmp_path / "passphrase"
    passphrase_file.write_text(PASSPHRASE)
    passphrase_file.chmod(0o600)
    settings = Settings(
        data_dir=tmp_path,
        database_url=world.engine.url.render_as_string(hide_password=False),
        rpc_url=node.url,
        deployment_file=world.settings.resolved_deployment_file,
        finality_depth_blocks=0,
        keys_dir=keys,
        key_passphrase_file=passphrase_file,
    )
    running: list[subprocess.Popen[bytes]] = []

    def begin(
        ready: Callable[[], bool] = lambda: lane_owner(world) is not None,
    ) -> subprocess.Popen[bytes]:
        arguments = ("worker", "run", "--no-roles")
        with (tmp_path / "stderr").open("wb") as stderr:
            process = start_relief(*arguments, environment=environment_of(settings), stderr=stderr)
        running.append(process)
        wait_until(lambda: process.poll() is not None or ready(), START_LIMIT_S, "the worker")
        assert process.poll() is None, (tmp_path / "stderr").read_text()
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()


def lane_owner(world: World) -> str | None:
    with world.session() as session:
        return session.scalars(
            select(Lane.lease_owner).where(Lane.sender == account("relayer").address)
        ).one_or_none()


def ended_in(process: subprocess.Popen[bytes], seconds: float) -> int:
    return process.wait(seconds)


def said(tmp_path: Path) -> list[str]:
    lines = (tmp_path / "stderr").read_text().splitlines()
    return [json.loads(line)["event"] for line in lines if line.startswith("{")]


def test_an_idle_worker_gives_its_lanes_back_and_ends_with_zero(
    world: World, start: Start, tmp_path: Path
) -> None:
    process = start()
    process.send_signal(signal.SIGTERM)

    assert ended_in(process, 10) == 0
    assert lane_owner(world) is None
    assert said(tmp_path)[-1] == "stopped"


def test_a_silent_node_holds_up_the_end_for_a_few_seconds_at_most(
    world: World, start: Start, node: SilentNode
) -> None:
    process = start()
    node.silent_from = "eth_getBlockByNumber"
    assert node.silent.wait(20)

    process.send_signal(signal.SIGTERM)

    assert ended_in(process, 9) == 0
    assert lane_owner(world) is None


def test_a_second_signal_ends_it_at_once(start: Start, node: SilentNode) -> None:
    process = start()
    node.silent_from = "eth_getBlockByNumber"
    assert node.silent.wait(20)

    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)  # the first must have been handled, which nothing shows from outside
    process.send_signal(signal.SIGTERM)

    assert ended_in(process, 1.5) == -signal.SIGTERM


def test_bytes_committed_and_not_sent_go_out_unchanged_by_the_next_worker(
    world: World, start: Start, node: SilentNode
) -> None:
    node.silent_from = "eth_sendRawTransaction"
    process = start()
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    assert node.silent.wait(30)
    with world.session() as session:
        raw = session.scalars(select(TransactionAttempt.raw)).all()
        assert session.scalars(select(Transaction.state)).all() == ["signed"]
    process.send_signal(signal.SIGTERM)
    assert ended_in(process, 9) == 0

    world.run()

    assert world.payout_states(batch.id) == ["paid"]
    with world.session() as session:
        attempts = session.scalars(select(TransactionAttempt).order_by(TransactionAttempt.id)).all()
    assert [attempt.raw for attempt in attempts][: len(raw)] == raw
    assert [attempt.n for attempt in attempts] == [0, 0]


def test_a_worker_that_starts_before_its_node_works_when_the_node_is_there(
    world: World, start: Start, node: SilentNode
) -> None:
    node.fails.set()
    process = start(ready=lambda: node.asked >= 2)
    assert lane_owner(world) is None

    node.fails.clear()

    wait_until(
        lambda: lane_owner(world) is not None or process.poll() is not None,
        START_LIMIT_S,
        "the worker to take its lane",
    )
    assert process.poll() is None


def test_the_next_worker_takes_a_killed_one_s_lanes_without_waiting_for_its_lease(
    world: World, start: Start
) -> None:
    process = start()
    process.kill()
    process.wait()
    dead = lane_owner(world)
    assert dead is not None

    with world.worker() as worker:
        worker.step()
        assert lane_owner(world) == worker.owner != dead
