"""``relief serve`` as a process: its measurements over all its processes, its log, its port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from service.processes import end_process, start_relief, wait_until

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
    arguments = ("serve", "--port", str(port), *options)
    with log.open("wb") as stream:
        process = start_relief(*arguments, environment=environment, stderr=stream)
        try:
            base = f"http://127.0.0.1:{port}"
            wait_until(lambda: answers(f"{base}/healthz", process), 60, "the API")
            yield base, f"http://127.0.0.1:{metrics_port}/metrics", log
        finally:
            end_process(process)


def answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None
    try:
        httpx.get(url, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


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
