"""The port of measurements answers as probes ask, and says nothing that they need not know."""

from __future__ import annotations

import socket

import httpx
import pytest

from service.telemetry import server
from service.telemetry.server import TelemetryServer


def test_a_probe_that_asks_for_the_head_alone_gets_it() -> None:
    with TelemetryServer(0, alive=lambda: [("stuck", "no round for a minute")]) as served:
        base = f"http://127.0.0.1:{served.port}"
        for path, status in (("/metrics", 200), ("/healthz", 503), ("/readyz", 200), ("/", 404)):
            head = httpx.head(f"{base}{path}", trust_env=False)
            whole = httpx.get(f"{base}{path}", trust_env=False)
            assert head.status_code == whole.status_code == status
            assert head.content == b""
            assert int(head.headers["Content-Length"]) > 0
            assert "Python" not in whole.headers["Server"]


def test_a_caller_that_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SILENT_CALLER_S", 0.1)
    with (
        TelemetryServer(0) as served,
        socket.create_connection(("127.0.0.1", served.port), timeout=10) as caller,
    ):
        assert caller.recv(1) == b""
