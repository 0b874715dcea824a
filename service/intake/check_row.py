"""Every check that one row can pass or fail alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from service.errors import Problem
from service.intake import values
from service.intake.programmes import ProgrammeDirectory, ProgrammeRef
from service.intake.rows import CaseRow, CheckedRow, RawRow
from service.privacy.commitments import case_period
from service.regions import Region

Value = TypeVar("Value")


class _RowReader:
    """Reads the cells of one row, collecting problems instead of stopping at the first."""

    def __init__(self, raw: RawRow) -> None:
        self.raw = raw
        self.problems = list(raw.problems)

    def refuse(self, column: str, code: str, message: str) -> None:
        value = self.raw.cells.get(column) or None
        self.problems.append(Problem(code, message, row=self.raw.number, field=column, value=value))

    def has(self, column: str) -> bool:
        """Tell whether the cell is there and filled."""
        return bool(self.raw.cells.get(column))

    def read(self, column: str, reader: Callable[[str], Value]) -> Value | None:
        """Read a cell that must be filled; None when it is empty or wrong."""
        text = self.raw.cells.get(column)
        if text is None:  # the cell itself was refused
            return None
        if not text:
            self.refuse(column, "missing_value", f"{column} is empty")
            return None
        return self.attempt(column, lambda: reader(text))

    def attempt(self, column: str, check: Callable[[], Value]) -> Value | None:
        """Run a check that may refuse the value of a column."""
        try:
            return check()
        except values.Refused as refused:
            self.refuse(column, refused.code, str(refused))
            return None


def check_row(raw: RawRow, programmes: ProgrammeDirectory) -> CheckedRow:
    """Check one row; its ``problems`` name column, value and reason of each fault.

    Parameters
    ----------
    raw
        The row as read.
    programmes
        Finds the programme of the column ``programme``.
    """
    if not raw.cells:  # wrong number of cells: no cell can be trusted to be in its column
        return CheckedRow(raw.number, problems=raw.problems)
    row = _RowReader(raw)
    case_ref = row.read("case_ref", values.read_case_ref)
    name = row.read("name", values.read_name)
    id_number = row.read("id_number", values.read_id_number)
    phone = row.read("phone", values.read_phone) if row.has("phone") else None
    region = row.read("region_code", values.read_region)
    wallet_address = row.read("wallet_address", values.read_wallet_address)
    programme = row.read("programme", lambda code: _find_programme(programmes, code))
    kind = row.read("kind", values.read_kind)
    amount = row.read("amount", values.read_amount)
    start_date = row.read("start_date", values.read_start_date)
    duration_text, duration_days = raw.cells.get("duration_days"), None
    if kind is not None and duration_text is not None:
        read_kind, text = kind, duration_text
        duration_days = row.attempt("duration_days", lambda: values.read_duration(text, read_kind))
    cause = row.read("cause", values.read_cause)

    if region is not None and start_date is not None:
        known_region, day = region, start_date
        row.attempt("region_code", lambda: values.check_region_date(known_region, day))
    if region is not None and programme is not None:
        _check_scope(row, region, programme)
    if (
        id_number is not None
        and start_date is not None
        and values.birth_date(id_number) > start_date
    ):
        row.refuse("id_number", "id_number_birth_date", "born after the start date")

    period = case_period(start_date) if start_date is not None else None
    case = None
    if (  # every one is set when there is no problem; the type checker wants to see it
        not row.problems
        and case_ref is not None
        and name is not None
        and id_number is not None
        and region is not None
        and wallet_address is not None
        and programme is not None
        and kind is not None
        and amount is not None
        and start_date is not None
        and cause is not None
        and period is not None
    ):
        case = CaseRow(
            row=raw.number,
            case_ref=case_ref,
            name=name,
            id_number=id_number,
            phone=phone,
            region=region,
            wallet_address=wallet_address,
            programme=programme,
            kind=kind,
            amount_base_units=amount,
            start_date=start_date,
            duration_days=duration_days,
            cause=cause,
            period=period,
        )
    return CheckedRow(
        number=raw.number,
        case_ref=case_ref,
        name=name,
        id_number=id_number,
        wallet_address=wallet_address,
        programme=programme,
        kind=kind,
        start_date=start_date,
        duration_days=duration_days,
        cause=cause,
        period=period,
        case=case,
        problems=tuple(row.problems),
    )


def _find_programme(programmes: ProgrammeDirectory, code: str) -> ProgrammeRef:
    programme = programmes.by_code(code)
    if programme is None:
        raise values.Refused("unknown_programme", "there is no programme with this code")
    return programme


def _check_scope(row: _RowReader, region: Region, programme: ProgrammeRef) -> None:
    if not programme.region.covers(region):
        message = f"the programme {programme.code} pays in region {programme.region} only"
        row.refuse("region_code", "region_outside_programme", message)
