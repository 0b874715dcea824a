"""``--wait``: watching requests' rows until the worker is done with them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.errors import STILL_OPEN
from service.cli.run import Run
from service.errors import ChainRefused, Problem

if TYPE_CHECKING:
    from service.application.role_calls import SentCall

POLL_S = 0.5

Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        min=0,
        help="Seconds to wait until a running worker has done it, else exit code 4; 0 waits for "
        "nothing.",
    ),
]
"""The option of commands that ask for a transaction."""

BlockWait = Annotated[
    float,
    typer.Option(
        "--wait",
        min=0,
        help="Seconds to wait for the block, else exit code 4; 0 waits for nothing.",
    ),
]
"""The option of commands that send a transaction themselves."""

_OVER = ("done", "failed")


def show_request(run: Run, request_id: int, wait_s: float) -> None:
    """Print a request, once it is done or the time is over.

    Raises
    ------
    ChainRefused
        When the chain refused it meanwhile.
    """
    shown = settled(run, [request_id], wait_s)[0]
    refuse_failed(shown)
    run.record(shown)
    end_open_requests(run, [shown], wait_s)


def refuse_failed(request: Mapping[str, Any]) -> None:
    """Refuse to go on from a request that failed.

    Raises
    ------
    ChainRefused
        When it did.
    """
    if request["state"] == "failed":
        words = request["contract_error"]
        own = [Problem("contract_error", "the contract's own words", value=words)] if words else []
        detail = request["last_error"] or f"request {request['id']} failed"
        raise ChainRefused(detail, problems=own)


def show_requests(run: Run, request_ids: Sequence[int], wait_s: float) -> None:
    """Print several requests, once all are done or the time is over.

    Raises
    ------
    ChainRefused
        When the chain refused one meanwhile; the others are printed first.
    """
    items = settled(run, request_ids, wait_s)
    columns = {
        "id": "request",
        "kind": "kind",
        "state": "state",
        "last_error": "last error",
    }
    run.rows(items, columns)
    failed = [item for item in items if item["state"] == "failed"]
    if failed:
        reasons = sorted({item["last_error"] or "unknown" for item in failed})
        raise ChainRefused(f"{len(failed)} of {len(items)} failed: {'; '.join(reasons)}")
    end_open_requests(run, items, wait_s)


def end_open_requests(run: Run, items: Sequence[dict[str, Any]], wait_s: float) -> None:
    """End as :func:`end_open` where requests are not done."""
    still = [item for item in items if item["state"] != "done"]
    if still and not wait_s:
        run.note(f"asked for; `relief worker run` sends {'it' if len(still) == 1 else 'them'}")
    end_open(
        run,
        [f"request {item['id']} ({item['kind']}) is {item['state']}" for item in still],
        wait_s,
        hint="`relief worker run` sends what was asked for",
    )


def end_open(run: Run, still: Sequence[str], wait_s: float, *, hint: str) -> None:
    """End with exit code 4 where ``--wait`` was given and something is still open.

    Parameters
    ----------
    still
        What is open, in words; the result was printed before.
    hint
        What would bring it on.
    """
    if still and wait_s:
        words = f"still open after {wait_s:g} s: {'; '.join(still)} ({hint})"
        run.warn(words)
        raise typer.Exit(STILL_OPEN)


def end_unmined(run: Run, sent: Sequence[SentCall], wait_s: float) -> None:
    """End as :func:`end_open` where transactions that were sent are in no block."""
    still = [
        f"transaction {call.tx_hash} is in no block" for call in sent if call.block_number is None
    ]
    end_open(run, still, wait_s, hint="the node has it and offers it to the next blocks")


def settled(run: Run, request_ids: Sequence[int], wait_s: float) -> list[dict[str, Any]]:
    """Return requests as they are once all are done or failed, or the time is over."""
    from service.application.requests import get_request, request_view

    end = time.monotonic() + wait_s
    with run.progress("waiting for the worker", total=len(request_ids)) as step:
        while True:
            with run.app.transaction() as session:
                items = [request_view(get_request(session, number)) for number in request_ids]
            over = sum(item["state"] in _OVER for item in items)
            step(over)
            if over == len(items) or time.monotonic() >= end:
                return items
            time.sleep(POLL_S)
