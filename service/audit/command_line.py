"""What the auditor's commands share: exit codes, how an error ends one, and what is no address."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Shown
from rich.text import Text

from service.audit.arithmetic import ADDRESS_BYTES
from service.errors import ChainUnavailable, ConfigurationError, InvalidInput, ReliefError
from service.terminal import console, error_document, visible, write_json

if TYPE_CHECKING:
    from service.audit.blocks import Progress

DIFFERENCES = 1
INVALID = 2
UNAVAILABLE = 3


def address_of(text: str, option: str) -> bytes:
    """Read an address of 20 bytes from hexadecimal digits.

    Raises
    ------
    InvalidInput
        When it is none; names the option.
    """
    return read_hex(text, ADDRESS_BYTES, f"{option} is not an address")


def read_hex(text: str, length: int, wrong: str) -> bytes:
    """Read hexadecimal digits of so many bytes, with or without 0x.

    Raises
    ------
    InvalidInput
        Saying `wrong` and the text, when it is none.
    """
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != length:
        raise InvalidInput(f"{wrong}: {text}")
    return value


def node_url(url: str, option: str = "--rpc") -> str:
    """Return the URL of a node as it was given.

    Raises
    ------
    InvalidInput
        When no node can be at it; names the option.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(f"{option} is no address of a node: {url}; write http://host:port")
    return url


@contextmanager
def shown_progress(ctx: typer.Context) -> Iterator[Progress]:
    """Yield a function that shows on a terminal's stderr how far things are."""
    quiet = bool(getattr(ctx.find_root().obj, "quiet", False))
    shown = Shown(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
        transient=True,
        disable=quiet or not sys.stderr.isatty(),
    )
    with shown:
        tasks = {}

        def progress(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = shown.add_task(stage, total=total)
            shown.update(tasks[stage], completed=done, total=total)

        yield progress


def fail(error: ReliefError, *, as_json: bool) -> NoReturn:
    """Say what went wrong and end with its exit code."""
    if as_json:
        write_json(error_document(error))
    console(sys.stderr).print(Text(visible(f"{error.title}: {error.detail}"), style="bold red"))
    if isinstance(error, InvalidInput):
        raise typer.Exit(INVALID)
    if isinstance(error, (ChainUnavailable, ConfigurationError)):
        raise typer.Exit(UNAVAILABLE)
    raise typer.Exit(DIFFERENCES)
