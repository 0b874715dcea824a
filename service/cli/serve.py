"""``relief serve`` and ``relief worker run``: the two processes of the service."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from service.cli.run import Json, start
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
    if workers > 1 and run.app.settings.resolved_database_url.startswith("sqlite"):
        raise ConfigurationError("more than one process needs PostgreSQL: set RELIEF_DATABASE_URL")
    run.app.engine  # noqa: B018  # a wrong setting is said here; of the server it is a traceback
    if run.as_json:
        run.json({"url": f"http://{host}:{port}", "pid": os.getpid()})
    run.note(f"serving http://{host}:{port} (interrupt to end)")
    uvicorn.run(
        API_FACTORY,
        factory=True,
        host=host,
        port=port,
        workers=workers if workers > 1 else None,
        access_log=access_log,
        log_level="info",
    )
