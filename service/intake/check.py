"""A whole case file, checked: its good rows and every problem of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.errors import InvalidImport, Problem
from service.intake.check_row import check_row
from service.intake.duplicates import DuplicateFinder
from service.intake.programmes import ProgrammeDirectory
from service.intake.reader import read_rows
from service.intake.rows import CheckedRow
from service.intake.source import CaseFile

Progress = Callable[[int], None]
"""Called now and then with the number of rows read so far."""

_PROGRESS_EVERY_ROWS = 1000


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What a file holds.

    Attributes
    ----------
    rows
        Every row that is not blank, in order, good or not.
    problems
        Of rows and between rows, in the order of rows.
    stopped
        True when reading stopped at a problem of the file itself, so that rows are missing.
    """

    rows: tuple[CheckedRow, ...]
    problems: tuple[Problem, ...]
    stopped: bool


def check_rows(
    file: CaseFile, programmes: ProgrammeDirectory, *, progress: Progress | None = None
) -> FileCheck:
    """Read and check a file without looking at the database.

    All rows are kept in memory: a file is bounded (docs/import-file.md), and which of its rows
    are good is known only at its end.
    """
    rows: list[CheckedRow] = []
    problems: list[Problem] = []
    finder = DuplicateFinder()
    try:
        for raw in read_rows(file):
            row = check_row(raw, programmes)
            rows.append(row)
            problems.extend(row.problems)
            problems.extend(finder.check(row))
            if progress is not None and len(rows) % _PROGRESS_EVERY_ROWS == 0:
                progress(len(rows))
    except InvalidImport as error:
        return FileCheck(tuple(rows), (*problems, *error.problems), stopped=True)
    return FileCheck(tuple(rows), tuple(problems), stopped=False)


def bad_rows(problems: tuple[Problem, ...]) -> frozenset[int]:
    """Return the rows that problems name, both of each pair."""
    named = (number for problem in problems for number in (problem.row, problem.other_row))
    return frozenset(number for number in named if number is not None)
