"""A node that falls silent holds up the command that asks it, and nobody else's writing."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.chain.nodes import Nodes
from service.chain.rpc import Rpc
from tests.cli.conftest import Cli

SILENCE_S = 2.0
"""How long a command waits for the node while it holds nothing."""


@pytest.fixture
def silent_url() -> Iterator[str]:
    """The address of a node that takes every call and answers none."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as node:
        yield f"http://127.0.0.1:{node.getsockname()[1]}"


@contextmanager
def writing_elsewhere(database: Path) -> Iterator[list[float]]:
    """Write again and again beside the block; yields its waits for the lock, in seconds."""
    waits, over = [0.0], threading.Event()

    def write() -> None:
        connection = sqlite3.connect(database, timeout=60, isolation_level=None)
        while not over.is_set():
            began = time.monotonic()
            connection.execute("BEGIN IMMEDIATE")
            waits.append(time.monotonic() - began)
            connection.execute("COMMIT")
            time.sleep(0.005)
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield waits
    finally:
        over.set()
        writer.join()


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_signature_that_needs_a_silent_node_is_refused_and_holds_up_no_other_writer(
    ready: Cli, silent_url: str, nodes: int
) -> None:
    (built,) = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")["batches"]
    ready.app.signer("officer-1")
    rpcs = [Rpc(silent_url, timeout_s=SILENCE_S) for _ in range(nodes)]
    ready.app.rpc.close()
    ready.app.__dict__["rpc"] = Nodes(rpcs, lambda _: None) if nodes > 1 else rpcs[0]

    with writing_elsewhere(ready.app.settings.data_dir / "relief.db") as waits_s:
        ran = ready("batch", "approve", built["id"], "-k", "officer-1")

    assert ran.code != 0
    assert "others wait for the database meanwhile, so nothing was done" in ran.err
    assert 0.2 < max(waits_s) < 1.0  # it was there while the command held the lock
    assert ready.ok("batch", "show", built["id"])["state"] == "draft"


def test_a_batch_is_released_by_the_machine_s_clock_and_waited_for_by_nobody(
    ready: Cli, silent_url: str
) -> None:
    (built,) = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")["batches"]
    ready.ok("batch", "approve", built["id"], "-k", "officer-1", "-k", "officer-2")
    ready.app.rpc.close()
    ready.app.__dict__["rpc"] = Rpc(silent_url, timeout_s=SILENCE_S)

    with writing_elsewhere(ready.app.settings.data_dir / "relief.db") as waits_s:
        ran = ready("batch", "release", built["id"])

    assert ran.code == 0, ran.err
    assert max(waits_s) < 0.3


def test_the_status_is_there_within_seconds_without_the_node(ready: Cli, silent_url: str) -> None:
    ready.app.rpc.close()
    ready.app.__dict__["rpc"] = Rpc(silent_url, timeout_s=60)
    began = time.monotonic()
    view = ready("status", "--json").json
    assert time.monotonic() - began < 10
    (node,) = [each for each in view["attention"] if each["code"] == "node"]
    assert "did not answer in 5.0 s" in node["message"]
