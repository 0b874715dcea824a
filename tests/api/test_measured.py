"""``relief serve`` as a process: its measurements over all its processes, its log, its port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

CALLS = 20


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def served(folder: Path, database_url: str, *options: str) -> Iterator[tuple[str, str, Path]]:
    """A real process; yields the addresses of API and measurements, and the file of its log."""
    port, metrics_port = free_port(), free_port()
    log = folder / "log"
    environment = {
        "PATH": os.environ["PATH"],
        "RELIEF_DATA_DIR": str(folder),
        "RELIEF_DATABASE_URL": database_url,
        "RELIEF_RPC_URL": "http://127.0.0.1:1/v3/a-key-of-a-provider",
        "RELIEF_API_METRICS_PORT": str(metrics_port),
    }
    command = [sys.executable, "-c", "from service.cli.main import app; app()"]
    with log.open("w") as stream:
        process = subprocess.Popen(
            [*command, "serve", "--port", str(port), *options], env=environment, stderr=stream
        )
        try:
            base = f"http://127.0.0.1:{port}"
            wait_for(f"{base}/healthz", process)
            yield base, f"http://127.0.0.1:{metrics_port}/metrics", log
        finally:
            process.terminate()
            process.wait(30)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None
        assert time.monotonic() < deadline
        try:
            httpx.get(url, trust_env=False)
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return


def counted(url: str) -> dict[tuple[str, str], float]:
    """Calls by route and status."""
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(httpx.get(url, trust_env=False).text):
        for sample in family.samples:
            if sample.name == "relief_api_request_seconds_count":
                found[sample.labels["route"], sample.labels["status"]] = sample.value
    return found


def test_the_calls_of_all_processes_are_counted_together_on_a_port_of_their_own(
    postgres_url: str, tmp_path: Path
) -> None:
    with served(tmp_path, postgres_url, "--workers", "2") as (base, metrics, log):
        before = counted(metrics)["/healthz", "200"]
        for _ in range(CALLS):
            assert httpx.get(f"{base}/healthz", trust_env=False).status_code == 200
        httpx.get(f"{base}/v1/payouts/0xabc/1", trust_env=False)
        httpx.get(f"{base}/made/up", trust_env=False)
        assert httpx.get(f"{base}/metrics", trust_env=False).status_code == 404
        after = counted(metrics)
        httpx.get(f"{base}/readyz", trust_env=False)

    assert after["/healthz", "200"] == before + CALLS
    assert after["(none)", "401"] == 1  # refused before a route is looked for
    assert after["(none)", "404"] == 2
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    refused = [line for line in lines if line["event"] == "request" and line["status"] == 401]
    assert refused
    assert refused[0]["request_id"]
    assert "a-key-of-a-provider" not in log.read_text()
