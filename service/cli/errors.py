"""Errors of the service as messages and exit codes: the one place that maps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import exc

from service.application.database import database_error
from service.cli.run import Run
from service.cli.tables import cell
from service.errors import (
    ChainUnavailable,
    ConfigurationError,
    IntegrityError,
    InvalidInput,
    Problem,
    ReliefError,
)
from service.terminal import error_document, escape_what_cannot_be_shown
from service.usage import UsageGroup

REFUSED = 1
"""Refused: not found, not allowed, in another state, past a limit, refused by the contract."""

INVALID = 2
"""What was typed or sent is wrong; click's own code for a wrong command line."""

UNAVAILABLE = 3
"""Node, database, keys or settings are missing or do not answer: mend that and try again."""

STILL_OPEN = 4
"""What ``--wait`` waited for was not done in its time; it was asked for and stays so."""

MAX_PROBLEM_ROWS = 200
"""Problems shown as a table; JSON has them all."""


def exit_code(error: ReliefError) -> int:
    """Return the exit code of an error."""
    if isinstance(error, InvalidInput):
        return INVALID
    if isinstance(error, (ChainUnavailable, ConfigurationError, IntegrityError)):
        return UNAVAILABLE
    return REFUSED


def report(run: Run, error: ReliefError) -> None:
    """Print an error on stderr; with ``--json`` as data too, unless a result was printed."""
    if run.as_json and not run.printed:
        run.json(error_document(error))
    run.stderr.print(Text(f"{error.title}: {error.detail}", style="bold red"))
    # A contract's own words are for JSON: the sentence above says what they mean.
    problems = [problem for problem in error.problems if problem.code != "contract_error"]
    if problems:
        print_problems(run, problems)


def print_problems(run: Run, problems: Sequence[Problem]) -> None:
    """Print problems on stderr, a row each; the first 200 of them."""
    located = any(problem.row is not None for problem in problems)
    table = Table(header_style="bold")
    headings = ("row", "column", "value", "reason") if located else ("value", "reason")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for problem in problems[:MAX_PROBLEM_ROWS]:
        row = cell(problem.row)
        if problem.other_row is not None:
            row = f"{row} and {problem.other_row}"
        values = (row, cell(problem.field)) if located else ()
        table.add_row(*values, cell(problem.value), problem.message)
    run.stderr.print(table)
    left_out = len(problems) - MAX_PROBLEM_ROWS
    if left_out > 0:
        run.stderr.print(Text(f"… and {left_out} more; --json lists all"))


class ReliefGroup(UsageGroup):
    """The root of the command line: turns errors of the service into exit codes."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command line to its end."""
        escape_what_cannot_be_shown()
        return super().main(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; report what the service refuses."""
        try:
            return super().invoke(ctx)
        except ReliefError as error:
            failure = error
        except exc.DBAPIError as error:
            failure = database_error(error, _run(ctx).app.engine)
        except BrokenPipeError:  # whoever read our output has seen enough
            raise
        except UnicodeEncodeError as error:  # argv that the locale could not decode
            failure = InvalidInput(f"{error.object!r} is no text in this locale: use a UTF-8 one")
        except OSError as error:
            words = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            failure = ConfigurationError(words)
        report(_run(ctx), failure)
        raise typer.Exit(exit_code(failure))


def _run(ctx: Any) -> Run:
    run = ctx.obj
    assert isinstance(run, Run)
    return run
