"""The id of the call or command at work, which rows and log lines take along.

The API's outermost layer sets it for each call, the command line for each command; a row that
leads to a transaction keeps it, so that the worker's lines name who asked, in another process and
days later.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from uuid import uuid4

MAX_CHARACTERS = 64
"""Longest id that a caller may give (``X-Request-Id``) and a row keeps."""

_current: ContextVar[str | None] = ContextVar("relief_request_id", default=None)


def request_id() -> str | None:
    """Return the id of the call or command at work; None in the worker's own rounds."""
    return _current.get()


def begin_request(given: str | None) -> Token[str | None]:
    """Say that a call or command begins; its end is :func:`end_request`. None: work of our own."""
    return _current.set(given and given[:MAX_CHARACTERS])


def end_request(token: Token[str | None]) -> None:
    """Say that it ended."""
    _current.reset(token)


def new_request_id() -> str:
    """Return an id for a call that brought none, or for a command."""
    return str(uuid4())
