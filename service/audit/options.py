"""What the audit's commands have in common: options read, errors said, exit codes."""

from __future__ import annotations

import sys
from typing import NoReturn
from urllib.parse import urlsplit

import typer
from rich.text import Text

from service.errors import ChainUnavailable, ConfigurationError, InvalidInput, ReliefError
from service.terminal import console, error_document, write_json

DIFFERENCES = 1
INVALID = 2
UNAVAILABLE = 3

ADDRESS_BYTES = 20


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


def http_url(url: str) -> str:
    """Return the address of a node as given.

    Raises
    ------
    InvalidInput
        When it is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(f"--rpc is no address of a node: {url}; write http://host:port")
    return url


def fail(error: ReliefError, *, as_json: bool) -> NoReturn:
    """Say what went wrong and end with its exit code."""
    if as_json:
        write_json(error_document(error))
    console(sys.stderr).print(Text(f"{error.title}: {error.detail}", style="bold red"))
    if isinstance(error, InvalidInput):
        raise typer.Exit(INVALID)
    if isinstance(error, (ChainUnavailable, ConfigurationError)):
        raise typer.Exit(UNAVAILABLE)
    raise typer.Exit(DIFFERENCES)
