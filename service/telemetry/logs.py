"""One line an event: JSON for machines, columns for a person at a terminal.

``event`` is what happened, in one word or few; the rest are facts by name. Ids go through every
stage under the same names: ``request_id``, ``batch``, ``chunk``, ``transaction``, ``lane``,
``nonce``, ``tx_hash``.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.orm import Session

from service.config import LogFormat, LogLevel
from service.telemetry.context import request_id
from service.telemetry.redaction import HIDDEN, hide, names_a_secret, redact

_NOISY = ("httpx", "httpcore", "alembic")
"""Loggers with a line a request, which says nothing that ours do not."""

_FIRST = ("batch", "chunk", "transaction", "lane", "nonce", "tx_hash")
"""Facts shown first at a terminal."""

_HASH_CHARACTERS = 66
_SHORT = 14
_EVENT_WIDTH = 22
_PENDING = "relief_after_commit"


# ---- Writing lines -------------------------------------------------------------------------------


def note(log: logging.Logger, event: str, level: int = logging.INFO, /, **facts: Any) -> None:
    """Log one event with its facts; those that are None are left out."""
    if log.isEnabledFor(level):
        log.log(level, event, extra={"facts": facts})


def after_commit(session: Session, act: Callable[[], object]) -> None:
    """Do something once the session's transaction is committed, and never if it is not.

    For what must not be told before it is true: log lines and counts.
    """
    session.info.setdefault(_PENDING, []).append(act)


def note_after_commit(
    session: Session, log: logging.Logger, event: str, level: int = logging.INFO, /, **facts: Any
) -> None:
    """Log one event once the session's transaction is committed."""
    facts.setdefault("request_id", request_id())
    after_commit(session, lambda: note(log, event, level, **facts))


@sqlalchemy_event.listens_for(Session, "after_commit")
def _committed(session: Session) -> None:
    if session.in_nested_transaction():
        return
    for act in session.info.pop(_PENDING, ()):
        act()


@sqlalchemy_event.listens_for(Session, "after_rollback")
def _rolled_back(session: Session) -> None:
    session.info.pop(_PENDING, None)


# ---- Forms ---------------------------------------------------------------------------------------


class JsonFormatter(logging.Formatter):
    """A line of JSON: ``time``, ``level``, ``event``, ``logger``, then the facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        line: dict[str, Any] = {
            "time": _time(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
        }
        facts = getattr(record, "facts", None)
        if facts is None:  # a line of a library, or a sentence of ours
            line |= {"event": "message", "logger": record.name, "message": record.getMessage()}
        else:
            line |= {"event": record.getMessage(), "logger": record.name}
        for name, value in _facts(record):
            line.setdefault(name, value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(_json(line))


class TextFormatter(logging.Formatter):
    """A line for people: local time, level where it is not ordinary, event, facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()} "
        facts = getattr(record, "facts", None)
        event = record.getMessage()
        if facts is not None:
            event = event.ljust(_EVENT_WIDTH) if facts else event
        shown = sorted(_facts(record), key=lambda fact: _order(fact[0]))
        told = " ".join(f"{name}={_short(value)}" for name, value in shown)
        line = f"{_time(record).astimezone():%H:%M:%S} {level}{event} {told}".rstrip()
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redact(line)


def _json(line: dict[str, Any]) -> str:
    try:
        return orjson.dumps(line, default=str).decode()
    except TypeError:  # an integer of more than 64 bits
        return json.dumps(line, default=str, ensure_ascii=False)


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _facts(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    facts = dict(getattr(record, "facts", None) or {})
    facts.setdefault("request_id", request_id())
    for name, value in facts.items():
        if value is not None:
            yield name, HIDDEN if names_a_secret(name) else value


def _order(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def _short(value: Any) -> str:
    if isinstance(value, str):
        if value.startswith("0x") and len(value) == _HASH_CHARACTERS:
            return value[:_SHORT]
        if not value or any(character.isspace() for character in value):
            return f'"{value}"'
    return f"{value:.3f}" if isinstance(value, float) else str(value)


# ---- Setting up ----------------------------------------------------------------------------------


def configure(
    form: LogFormat = "auto",
    level: LogLevel = "info",
    *,
    stream: TextIO | None = None,
    secrets: Iterable[str] = (),
) -> logging.Handler:
    """Send the process's log lines to a stream, stderr when None.

    Parameters
    ----------
    form
        ``auto`` is text at a terminal and JSON elsewhere.
    secrets
        Values to hide besides those named to :func:`service.telemetry.redaction.hide`.

    Returns
    -------
    logging.Handler
        The root logger's only one now.
    """
    for secret in secrets:
        hide(secret)
    out = stream or sys.stderr
    as_text = form == "text" or (form == "auto" and out.isatty())
    handler = logging.StreamHandler(out)
    handler.setFormatter(TextFormatter() if as_text else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    return handler
