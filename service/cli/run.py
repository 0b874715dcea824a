"""What each command gets: the application context, who acts, and where output goes.

Data goes to stdout: a table for people, or with ``--json`` one JSON document. Progress, notes and
errors go to stderr, so that a pipe gets data and nothing else.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from service.application.context import Application
from service.cli.tables import cell, names_and_values, table_of
from service.config import Settings
from service.telemetry.context import begin_request
from service.terminal import console, write_json

Json = Annotated[bool, typer.Option("--json", help="Print the whole result as one JSON document.")]
"""The option every command has."""

Limit = Annotated[int, typer.Option(help="How many on the page, 1 to 500.")]
Cursor = Annotated[str | None, typer.Option(help="Where the page before ended (its next_cursor).")]
"""Options of every command that lists a page."""

Step = Callable[[int], None]
"""Tells a progress bar how many are done."""


@dataclass
class Run:
    """One run of the command line.

    Attributes
    ----------
    actor
        Who acts, for the journal.
    given
        The application context of a caller who closes it; None makes one.
    as_json
        Whether the command prints JSON.
    quiet
        Whether notes and progress are left out.
    printed
        Whether the JSON document, or a table, was printed.
    """

    actor: str
    given: Application | None = None
    quiet: bool = False
    as_json: bool = field(default=False, init=False)
    printed: bool = field(default=False, init=False)

    @cached_property
    def app(self) -> Application:
        """The application context; made when a command first asks: help needs no settings.

        Raises
        ------
        ConfigurationError
            When a setting is wrong.
        """
        return self.given or Application(Settings.from_environment())

    def close(self) -> None:
        """Close the context that this run made."""
        if self.given is None and "app" in self.__dict__:
            self.app.close()

    # ---- stdout: data ------------------------------------------------------------------------

    def json(self, data: Any) -> None:
        """Print one JSON document; a run prints one at most."""
        self.printed = True
        write_json(data)

    def rows(
        self,
        items: Sequence[Mapping[str, Any]],
        columns: Mapping[str, str],
        *,
        data: Any = None,
        title: str | None = None,
    ) -> None:
        """Print a table with one row an item, or the items as JSON.

        Parameters
        ----------
        items
            What to show, by key.
        columns
            Heading of each column by key; other keys appear in JSON only.
        data
            The JSON document where it is more than ``{"items": items}``.
        title
            Heading of the table.
        """
        if self.as_json:
            self.json({"items": items} if data is None else data)
            return
        self._show(table_of(items, columns, width=self.stdout.width, title=title))
        if not items:
            self.note("none")

    def page(
        self,
        items: Sequence[Mapping[str, Any]],
        columns: Mapping[str, str],
        next_cursor: str | None,
        *,
        shown: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Print one page of a longer list, and where the next one begins.

        Parameters
        ----------
        shown
            The items as the table has them, where people read them otherwise than programs.
        """
        data = {"items": items, "next_cursor": next_cursor}
        self.rows(items if shown is None else shown, columns, data=data)
        if next_cursor is not None:
            self.note(f"next page: --cursor {next_cursor}")

    def record(self, data: Mapping[str, Any], *, title: str | None = None) -> None:
        """Print one thing as names and values, or as JSON."""
        if self.as_json:
            self.json(data)
            return
        plain = (
            (name.replace("_", " "), cell(value))
            for name, value in _for_people(data).items()
            if not isinstance(value, (list, dict))
        )
        self._show(names_and_values(plain, title=title))
        for name, value in data.items():
            if isinstance(value, dict):
                self.record(value, title=name.replace("_", " "))
            elif isinstance(value, list) and value:
                self._list(name, value)

    def _show(self, table: RenderableType) -> None:
        """Print a table, with an empty line after the one before."""
        if self.printed:
            self.stdout.print()
        self.printed = True
        self.stdout.print(table)

    def _list(self, name: str, value: list[Any]) -> None:
        title = name.replace("_", " ")
        if not isinstance(value[0], dict):
            self.stdout.print(Text(f"{title}: {', '.join(map(str, value))}"))
            return
        plain = [
            key for key, item in _for_people(value[0]).items() if not isinstance(item, (list, dict))
        ]
        self.rows(value, {key: key.replace("_", " ") for key in plain}, title=title)

    @cached_property
    def stdout(self) -> Console:
        """Where tables go."""
        return console(sys.stdout)

    # ---- stderr: everything else -------------------------------------------------------------

    @cached_property
    def stderr(self) -> Console:
        """Where progress, notes and errors go."""
        return console(sys.stderr)

    def note(self, text: str) -> None:
        """Say something to the person at the terminal."""
        if not self.quiet:
            self.stderr.print(Text(text))

    def warn(self, text: str) -> None:
        """Say what a step costs, also where notes are left out."""
        self.stderr.print(Text(text, style="bold yellow"))

    @contextmanager
    def progress(self, label: str, total: int | None = None) -> Iterator[Step]:
        """Show a progress bar while the block runs; it is given the number done so far."""
        shown = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.stderr,
            transient=True,
            disable=self.quiet or not sys.stderr.isatty(),
        )
        with shown:
            task = shown.add_task(label, total=total)
            yield lambda done: shown.update(task, completed=done)


def _for_people(data: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what only programs read: base units, and a contract's own words."""
    return {
        name: value
        for name, value in data.items()
        if not name.endswith("_base_units") and name != "contract_error"
    }


def start(ctx: typer.Context, as_json: bool) -> Run:  # noqa: FBT001  # every command calls it so
    """Return the run of a command, told whether it prints JSON."""
    run = ctx.find_root().obj
    assert isinstance(run, Run)
    run.as_json = as_json
    return run


def log_to_stderr(settings: Settings) -> None:
    """Have this process, which runs until it is ended, log what happens in it.

    Its rounds and calls are no part of the command that began it.
    """
    from service.telemetry.logs import configure
    from service.telemetry.redaction import hide_addresses

    hide_addresses(settings)
    configure(settings.log_format, settings.log_level)
    begin_request(None)


def operating_system_user() -> str:
    """Return the name of the user who runs the process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"
