"""A row on its way: as the file has it, and as a case that passed every check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from service.errors import Problem
from service.intake.programmes import ProgrammeRef
from service.regions import Region

Kind = Literal["one_off", "stream"]
"""``one_off`` is minted at once, ``stream`` accrues over its duration."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row of a file.

    Attributes
    ----------
    number
        1-based row as a spreadsheet shows it; the header is row 1.
    cells
        Text by column, without outer blanks; a cell with a problem is left out.
    problems
        What is wrong with the row's cells as cells (formulas, length, number of cells).
    """

    number: int
    cells: Mapping[str, str]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One row that passed every check of its own.

    Attributes
    ----------
    row
        1-based row of the file.
    case_ref
        The office's own reference of the case.
    name
        NFC, name parts joined by U+00B7.
    id_number
        18 characters, check digit verified.
    phone
        Digits only, without country prefix, or None.
    region
        Known in GB/T 2260 in the year of the start date and inside the programme's region.
    wallet_address
        In EIP-55 form.
    programme
        Resolved by its code.
    kind
        ``one_off`` or ``stream``.
    amount_base_units
        The whole amount (of a stream: over its whole duration), 1 to 2**64-1.
    start_date
        First day.
    duration_days
        1 to 3660 for streams, None for one-off payments.
    cause
        In canonical form.
    period
        Month of the start date, ``YYYY-MM``.
    """

    row: int
    case_ref: str
    name: str = field(repr=False)
    id_number: str = field(repr=False)
    phone: str | None = field(repr=False)
    region: Region
    wallet_address: str
    programme: ProgrammeRef
    kind: Kind
    amount_base_units: int
    start_date: date
    duration_days: int | None
    cause: str
    period: str


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """What could be read of a row, good or not: duplicates are searched among all rows.

    A member is None when its cell is missing or wrong. ``case`` is set only when the row has no
    problem at all.
    """

    number: int
    case_ref: str | None = None
    name: str | None = field(default=None, repr=False)
    id_number: str | None = field(default=None, repr=False)
    wallet_address: str | None = None
    programme: ProgrammeRef | None = None
    kind: Kind | None = None
    start_date: date | None = None
    duration_days: int | None = None
    cause: str | None = None
    period: str | None = None
    case: CaseRow | None = None
    problems: tuple[Problem, ...] = ()
