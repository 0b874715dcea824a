"""``relief serve`` and ``relief worker run``: the two processes of the service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from service.cli.run import Json, log_to_stderr, start
from service.errors import ConfigurationError

API_FACTORY = "service.api.app:create_app"
"""Import string of the API, so that the command line imports nothing of it."""


def serve(
    ctx: typer.Context,
    *,
    host: Annotated[
        str, typer.Option(help="Address to listen on; put a proxy with TLS before any other.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes; more than one only on PostgreSQL.")
    ] = 1,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="Log each request on stderr.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Serve the REST API until interrupted. It waits for no chain; run a worker beside it."""
    import uvicorn

    run = start(ctx, as_json)
    settings = run.app.settings
    if workers > 1 and settings.resolved_database_url.startswith("sqlite"):
        raise ConfigurationError("more than one process needs PostgreSQL: set RELIEF_DATABASE_URL")
    run.app.engine  # noqa: B018  # a wrong setting is said here; of the server it is a traceback
    if run.as_json:
        run.json({"url": f"http://{host}:{port}", "pid": os.getpid()})
    run.note(f"serving http://{host}:{port} (interrupt to end)")
    log_to_stderr(settings)
    with _measured(settings.api_metrics_port, workers):
        uvicorn.run(
            API_FACTORY,
            factory=True,
            host=host,
            port=port,
            workers=workers if workers > 1 else None,
            access_log=access_log,
            log_config=None,
            log_level=settings.log_level,
        )


@contextmanager
def _measured(port: int | None, workers: int) -> Iterator[None]:
    """Serve the measurements of all processes of the API while the block runs."""
    if port is None:
        yield
        return
    with ExitStack() as stack:
        if workers > 1:
            # The library reads it when it is imported, here and in the processes to come.
            folder = stack.enter_context(TemporaryDirectory(prefix="relief-metrics-"))
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        from service.telemetry.server import TelemetryServer

        stack.enter_context(TelemetryServer(port))
        yield
