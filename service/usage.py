"""A wrong command line, told as data where it asks for data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from service.errors import InvalidInput
from service.terminal import error_document, write_json

_WORDS = "service.usage.words"
"""Where a context keeps the words of the command line."""


class UsageGroup(TyperGroup):
    """A group of commands; as the root it tells a wrong command line as data, with ``--json``."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Read the options before the command."""
        words = list(args)
        with _as_data(words if parent is None else ()):
            ctx = super().make_context(info_name, args, parent, **extra)
        ctx.meta.setdefault(_WORDS, words)
        return ctx

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with _as_data(ctx.meta[_WORDS] if ctx.parent is None else ()):
            return super().invoke(ctx)


@contextmanager
def _as_data(words: Sequence[str]) -> Iterator[None]:
    """Print what is wrong as a document where the words ask for JSON; typer says it on stderr."""
    try:
        yield
    except typer.TyperException as error:
        if "--json" in words:
            write_json(error_document(InvalidInput(error.format_message())))
        raise
