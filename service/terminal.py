"""stdout and stderr as every command writes them, whatever the terminal's encoding.

JSON is UTF-8 always (RFC 8259). Tables, notes and errors keep the terminal's own encoding; what it
cannot show is escaped, since a character must not fail a command that has committed already. What
does not print is escaped too: a file's, a node's or a row's text cannot move the cursor, clear what
stands above it, or turn its direction around.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from io import TextIOWrapper
from typing import Any, TextIO

import orjson
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from service.errors import ReliefError

PIPE_WIDTH = 240
"""Columns of a table that does not go to a terminal: wide enough to fold nothing of use."""


def escape_what_cannot_be_shown() -> None:
    """Have stdout and stderr escape characters that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # others hold text in memory and lack nothing
            stream.reconfigure(errors="backslashreplace")


def json_document(data: Any) -> bytes:
    """Return one JSON document as every command writes it: UTF-8, ending in a newline.

    Half a character, which a file's name that is no UTF-8 has in it, is written as its escape.
    """
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
    try:
        return orjson.dumps(data, option=options, default=str)
    except TypeError:
        return orjson.dumps(_whole(data), option=options, default=str)


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(member) for member in value]
    return value


def write_json(data: Any) -> None:
    """Print one JSON document on stdout, in UTF-8."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(json_document(data).decode())


def error_document(error: ReliefError) -> dict[str, Any]:
    """Return what ``--json`` prints of an error."""
    return {
        "error": {
            "code": error.code,
            "title": error.title,
            "detail": error.detail,
            "retryable": error.retryable,
            "problems": [problem.as_dict() for problem in error.problems],
        }
    }


def visible(text: str) -> str:
    """Return text in one line, each character that does not print as its escape."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


class _Console(Console):
    """Prints nothing that does not show as itself, whoever wrote it."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
                continue
            lines = "\n".join(map(visible, segment.text.split("\n")))
            yield Segment(lines, segment.style)


def console(stream: TextIO) -> Console:
    """Return a console on a stream that prints text as it stands: no markup, no highlighting."""
    width = None if stream.isatty() else PIPE_WIDTH
    return _Console(file=stream, width=width, markup=False, highlight=False, emoji=False)
