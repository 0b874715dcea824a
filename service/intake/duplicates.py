"""Rows of one file that contradict or repeat each other; every problem names both rows.

Nobody can tell from the file which of the two is right, so both are kept out.
"""

from __future__ import annotations

from datetime import date, timedelta

from service.errors import Problem
from service.intake.rows import CheckedRow

Days = tuple[date, date]
"""First day, and the first day after the last."""


def stream_days(start_date: date, duration_days: int) -> Days:
    """Return the days a stream runs over."""
    return start_date, start_date + timedelta(days=duration_days)


def overlap(one: Days, other: Days) -> bool:
    """Tell whether two runs of days share one."""
    return one[0] < other[1] and other[0] < one[1]


class DuplicateFinder:
    """Remembers, in bounded memory a row, what earlier rows of the file said."""

    def __init__(self) -> None:
        self._row_of_case_ref: dict[str, int] = {}
        self._row_of_case: dict[tuple[int, str, str, str], int] = {}
        self._owner_of_wallet: dict[str, tuple[int, str]] = {}
        self._name_of_person: dict[str, tuple[int, str]] = {}
        self._streams: dict[tuple[int, str, str], list[tuple[int, Days]]] = {}

    def check(self, row: CheckedRow) -> list[Problem]:
        """Return the problems this row has with earlier ones, and remember it."""
        problems = [
            *self._check_case_ref(row),
            *self._check_name(row),
            *self._check_wallet(row),
        ]
        same_case = self._check_case(row)
        return [*problems, *(same_case or self._check_streams(row))]

    def _check_case_ref(self, row: CheckedRow) -> list[Problem]:
        if row.case_ref is None:
            return []
        first = self._row_of_case_ref.setdefault(row.case_ref, row.number)
        if first == row.number:
            return []
        message = f"the case reference is used in row {first} already"
        return [
            _pair(
                "duplicate_case_ref",
                message,
                row=row,
                first=first,
                field="case_ref",
                value=row.case_ref,
            )
        ]

    def _check_name(self, row: CheckedRow) -> list[Problem]:
        if row.id_number is None or row.name is None:
            return []
        first, name = self._name_of_person.setdefault(row.id_number, (row.number, row.name))
        if name == row.name:
            return []
        message = f"row {first} gives the same identity number another name"
        return [_pair("name_differs", message, row=row, first=first, field="name", value=row.name)]

    def _check_wallet(self, row: CheckedRow) -> list[Problem]:
        if row.wallet_address is None or row.id_number is None:
            return []
        owner = (row.number, row.id_number)
        first, id_number = self._owner_of_wallet.setdefault(row.wallet_address, owner)
        if id_number == row.id_number:
            return []
        message = f"row {first} gives the wallet to another person"
        return [
            _pair(
                "duplicate_wallet",
                message,
                row=row,
                first=first,
                field="wallet_address",
                value=row.wallet_address,
            )
        ]

    def _check_case(self, row: CheckedRow) -> list[Problem]:
        if (
            row.programme is None
            or row.id_number is None
            or row.cause is None
            or row.period is None
        ):
            return []
        key = (row.programme.id, row.id_number, row.cause, row.period)
        first = self._row_of_case.setdefault(key, row.number)
        if first == row.number:
            return []
        message = f"row {first} has the same person, cause and period ({row.period})"
        return [
            _pair("duplicate_case", message, row=row, first=first, field="cause", value=row.cause)
        ]

    def _check_streams(self, row: CheckedRow) -> list[Problem]:
        if (
            row.programme is None
            or row.id_number is None
            or row.cause is None
            or row.start_date is None
            or row.duration_days is None
        ):
            return []
        days = stream_days(row.start_date, row.duration_days)
        streams = self._streams.setdefault((row.programme.id, row.id_number, row.cause), [])
        first = next((number for number, other in streams if overlap(days, other)), None)
        streams.append((row.number, days))
        if first is None:
            return []
        message = f"row {first} has a stream for the same person and cause on some of the days"
        value = row.start_date.isoformat()
        return [
            _pair(
                "overlapping_stream", message, row=row, first=first, field="start_date", value=value
            )
        ]


def _pair(
    code: str, message: str, *, row: CheckedRow, first: int, field: str, value: str
) -> Problem:
    return Problem(code, message, row=row.number, other_row=first, field=field, value=value)
