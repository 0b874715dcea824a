"""What an import says about a file: counts, totals and every problem."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from service.errors import Problem
from service.intake.columns import PERSONAL_COLUMNS

_LONG_NUMBER = re.compile(r"[0-9]{9,}")
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The outcome of a dry run or an import.

    Attributes
    ----------
    filename, sha256
        The file.
    rows
        Rows that are not blank, the header not counted.
    accepted, rejected
        How many of them are good (in a dry run: would be imported), and how many not.
    one_off, stream
        How many of the accepted rows are of each kind.
    amount_base_units
        Sum of the accepted rows.
    problems
        Every problem, personal values included: for the person who sent the file, not to keep.
    import_id
        Of the recorded import; None for a dry run.
    """

    filename: str
    sha256: str
    rows: int
    accepted: int
    rejected: int
    one_off: int
    stream: int
    amount_base_units: int
    problems: tuple[Problem, ...]
    import_id: str | None = None


def masked(problem: Problem) -> Problem:
    """Return a problem that may be stored: a value that may tell of a person is masked.

    Masked are the personal columns and, because columns get shifted, any other value that is not
    ASCII or has nine digits in a row, unless it is an address. The first character stays.
    """
    value = problem.value
    if value is None:
        return problem
    harmless = (
        problem.field not in PERSONAL_COLUMNS
        and value.isascii()
        and (_ADDRESS.fullmatch(value) is not None or _LONG_NUMBER.search(value) is None)
    )
    return problem if harmless else replace(problem, value=value[:1] + "*" * 3)
