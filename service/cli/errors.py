"""Errors of the service as messages and exit codes: the one place that maps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import exc
from typer.core import TyperGroup

from service.cli.run import Run, cell
from service.errors import (
    ChainUnavailable,
    ConfigurationError,
    IntegrityError,
    InvalidInput,
    Problem,
    ReliefError,
)

REFUSED = 1
"""Refused: not found, not allowed, in another state, past a limit, refused by the contract."""

INVALID = 2
"""What was typed or sent is wrong; click's own code for a wrong command line."""

UNAVAILABLE = 3
"""Node, database, keys or settings are missing or do not answer: mend that and try again."""

MAX_PROBLEM_ROWS = 200
"""Problems shown as a table; JSON has them all."""


def exit_code(error: ReliefError) -> int:
    """Return the exit code of an error."""
    if isinstance(error, InvalidInput):
        return INVALID
    if isinstance(error, (ChainUnavailable, ConfigurationError, IntegrityError)):
        return UNAVAILABLE
    return REFUSED


SCHEMA_DIFFERS = ("no such table", "no such column", "does not exist", "ON CONFLICT")
"""Words in what SQLite and PostgreSQL say when tables, columns or keys are not what we expect."""


def as_relief_error(error: exc.DBAPIError) -> ReliefError:
    """Say in the service's words what the database refused."""
    cause = str(getattr(error, "orig", error)).strip().split("\n", maxsplit=1)[0]
    if any(words in cause for words in SCHEMA_DIFFERS):
        return ConfigurationError(
            f"the database is not at the present version ({cause}): run `relief init`"
        )
    if isinstance(error, exc.OperationalError):
        return ConfigurationError(f"the database does not answer: {cause}")
    return IntegrityError(f"the database refuses: {cause}")


def report(run: Run, error: ReliefError) -> None:
    """Print an error on stderr; with ``--json`` as data too, unless a result was printed."""
    if run.as_json and not run.printed:
        run.json({"error": as_data(error)})
    run.stderr.print(Text(f"{error.title}: {error.detail}", style="bold red"))
    if error.problems:
        print_problems(run, error.problems)


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


def as_data(error: ReliefError) -> dict[str, Any]:
    """Return an error for JSON."""
    return {
        "code": error.code,
        "title": error.title,
        "detail": error.detail,
        "retryable": error.retryable,
        "problems": [problem.as_dict() for problem in error.problems],
    }


class ReliefGroup(TyperGroup):
    """The root of the command line: turns errors of the service into exit codes."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; report what the service refuses."""
        try:
            return super().invoke(ctx)
        except ReliefError as error:
            failure: ReliefError = error
        except exc.DBAPIError as error:
            failure = as_relief_error(error)
        finally:
            run = ctx.obj
        if not isinstance(run, Run):
            raise failure
        report(run, failure)
        raise typer.Exit(exit_code(failure))
