"""``--wait``: watching a request's row until the worker is done with it."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from service.cli.run import Run
from service.errors import ChainRefused

POLL_S = 0.5

Wait = Annotated[
    float,
    typer.Option(
        "--wait", help="Seconds to wait until a running worker has done it; 0 waits for nothing."
    ),
]
"""The option of commands that ask for a transaction."""


def show_request(run: Run, request_id: int, wait_s: float) -> None:
    """Print a request, once it is done or the time is over.

    Raises
    ------
    ChainRefused
        When the chain refused it meanwhile.
    """
    from service.application.requests import get_request, request_view

    end = time.monotonic() + wait_s
    while True:
        with run.app.transaction() as session:
            shown: dict[str, Any] = request_view(get_request(session, request_id))
        if shown["state"] in ("done", "failed") or time.monotonic() >= end:
            break
        time.sleep(POLL_S)
    if shown["state"] == "failed":
        raise ChainRefused(shown["last_error"] or f"request {request_id} failed")
    run.record(shown)
    if shown["state"] != "done":
        run.note("asked for; `relief worker run` sends it")
