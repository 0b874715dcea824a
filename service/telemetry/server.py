"""``/metrics``, ``/healthz`` and ``/readyz`` of a process, on a loopback port of its own.

Not on the API's own port: that one is let through the proxy, and what a service measures of itself
is nobody's business outside.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from service.errors import ConfigurationError
from service.telemetry.metrics import REGISTRY

HOST = "127.0.0.1"
SILENT_CALLER_S = 10.0
"""A caller that says nothing for so long is hung up on."""

MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
"""The library's variable: where processes that answer one port keep their counts together."""

Finding = tuple[str, str]
"""Code and sentence of one thing that is wrong."""

Look = Callable[[], Sequence[Finding]]
"""Looks whether all is well; nothing found is well."""


def well() -> Sequence[Finding]:
    """Find nothing wrong."""
    return ()


class TelemetryServer:
    """Serves the measurements of this process, and whether it lives and can work.

    Parameters
    ----------
    port
        On the loopback interface; 0 takes a free one.
    alive, ready
        What ``/healthz`` and ``/readyz`` look at.

    Raises
    ------
    ConfigurationError
        When the port is taken.
    """

    def __init__(
        self,
        port: int,
        *,
        alive: Look = well,
        ready: Look = well,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        looks = {"/healthz": ("alive", alive), "/readyz": ("ready", ready)}

        class Handler(BaseHTTPRequestHandler):
            server_version, sys_version = "relief", ""
            timeout = SILENT_CALLER_S

            def do_HEAD(self) -> None:  # the base class's name
                self.do_GET()

            def do_GET(self) -> None:  # the base class's name
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    self._reply(HTTPStatus.OK, CONTENT_TYPE_LATEST, exposition(registry))
                elif path in looks:
                    word, look = looks[path]
                    found = list(look())
                    status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
                    document = {
                        "status": f"not {word}" if found else word,
                        "problems": [{"code": code, "message": words} for code, words in found],
                    }
                    self._reply(status, "application/json", json.dumps(document).encode())
                else:
                    self._reply(HTTPStatus.NOT_FOUND, "text/plain", b"not found\n")

            def _reply(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's
                """Say nothing: who scrapes does so every few seconds."""

        try:
            self._server = ThreadingHTTPServer((HOST, port), Handler)
        except OSError as error:
            raise ConfigurationError(
                f"the port of the metrics, {port}, cannot be listened on: {error.strerror}; "
                "each process needs one of its own"
            ) from None
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="telemetry", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port in use."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def exposition(registry: CollectorRegistry = REGISTRY) -> bytes:
    """Return all measurements in Prometheus' text format; of several processes together."""
    if MULTIPROCESS_DIR in os.environ:
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # the library's
        return generate_latest(together)
    return generate_latest(registry)
