"""Which cases are meant: one filter for lists, counts and decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from service.cases.models import Case
from service.cases.states import CaseState
from service.intake.rows import Kind
from service.regions import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Every member that is set must match; none set means all cases.

    Attributes
    ----------
    region
        Cases of this region and of all regions inside it.
    """

    state: CaseState | None = None
    programme_id: int | None = None
    kind: Kind | None = None
    region: Region | None = None
    import_id: str | None = None
    case_ref: str | None = None
    beneficiary_id: str | None = None
    wallet_address: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions for a WHERE clause."""
        equal: list[tuple[Any, Any]] = [
            (Case.state, self.state.value if self.state else None),
            (Case.programme_id, self.programme_id),
            (Case.kind, self.kind),
            (Case.import_id, self.import_id),
            (Case.case_ref, self.case_ref),
            (Case.beneficiary_id, self.beneficiary_id),
            (Case.wallet_address, self.wallet_address),
        ]
        conditions: list[ColumnElement[bool]] = [
            column == value for column, value in equal if value is not None
        ]
        if self.region is not None:
            conditions.append(covered_by(self.region))
        return conditions


def covered_by(
    region: Region, code: Any = Case.region_code, digits: Any = Case.region_digits
) -> ColumnElement[bool]:
    """Return the condition that a row's region is covered, as ranges an index can serve.

    The same rule as :meth:`Region.covers`: at each deeper level the covered codes are one run.

    Parameters
    ----------
    code, digits
        Columns of the row's region; a case's by default.
    """
    runs = []
    for level in range(region.digits, 7, 2):
        width = 10 ** (level - region.digits)
        first = region.code * width
        runs.append(and_(digits == level, code.between(first, first + width - 1)))
    return or_(*runs)
