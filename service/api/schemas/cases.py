"""Imports and cases."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from service.api.problems import ProblemItem
from service.api.schemas.base import (
    ADDRESS,
    HASH,
    TIME,
    UUID,
    Given,
    Page,
    Shown,
    example,
    given_example,
    page_example,
)

MAX_NAMED_CASES = 10_000

_PROBLEM = {
    "code": "unknown_region",
    "message": "the code is not known in GB/T 2260 on that date",
    "row": 17,
    "field": "region_code",
    "value": "999999",
}


class ImportReportShown(Shown):
    """What became of a file, or in a dry run would become of it."""

    model_config = example(
        {
            "import_id": UUID,
            "dry_run": False,
            "filename": "cases.csv",
            "sha256": HASH[2:],
            "rows": 3000,
            "accepted": 2999,
            "rejected": 1,
            "one_off": 2400,
            "stream": 599,
            "amount": "1800000.00",
            "amount_base_units": "1800000000000",
            "problems": [_PROBLEM],
        }
    )

    import_id: str | None = Field(description="Of the recorded import; null in a dry run.")
    dry_run: bool
    filename: str
    sha256: str
    rows: int
    accepted: int
    rejected: int
    one_off: int = Field(description="Accepted one-off cases.")
    stream: int = Field(description="Accepted streams.")
    amount: str
    amount_base_units: str
    problems: list[ProblemItem]


class ImportShown(Shown):
    """An imported file, and what of it was refused (personal values masked)."""

    model_config = example(
        {
            "id": UUID,
            "filename": "cases.csv",
            "sha256": HASH[2:],
            "actor": "Chen Wei",
            "rows": 3000,
            "accepted": 2999,
            "rejected": 1,
            "created_at": TIME,
            "problems": [_PROBLEM],
        }
    )

    id: str
    filename: str
    sha256: str
    actor: str
    rows: int
    accepted: int
    rejected: int
    created_at: datetime
    problems: list[ProblemItem]


class PersonShown(Shown):
    """Who a case is for, decrypted."""

    name: str
    id_number: str
    phone: str | None


class CaseShown(Shown):
    """A case; who it is for only on demand, recorded with the reason."""

    model_config = example(
        {
            "id": UUID,
            "case_ref": "SC-510722-000017",
            "state": "received",
            "programme": 1,
            "region": "510722",
            "kind": "one_off",
            "amount": "600.00",
            "amount_base_units": "600000000",
            "wallet_address": ADDRESS,
            "start_date": "2026-11-01",
            "duration_days": None,
            "cause": "flood",
            "period": "2026-11",
            "commitment": HASH,
            "import_id": UUID,
            "beneficiary_id": UUID,
            "person": None,
            "decided_by": None,
            "decided_at": None,
            "decision_reason": None,
            "created_at": TIME,
        }
    )

    id: str
    case_ref: str
    state: str = Field(description="`received`, `approved` or `rejected`.")
    programme: int
    region: str = Field(description="GB/T 2260 code, six digits.")
    kind: str
    amount: str
    amount_base_units: str
    wallet_address: str
    start_date: date
    duration_days: int | None
    cause: str
    period: str
    commitment: str
    import_id: str
    beneficiary_id: str
    person: PersonShown | None = Field(description="Null unless revealed.")
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    created_at: datetime


class CasePage(Page[CaseShown]):
    """A page of cases, in the order they were filed."""

    model_config = page_example(CaseShown)


class CaseFilterGiven(Given):
    """Cases that match every member that is set; of them, those not decided yet."""

    programme: str | None = Field(None, description="Code or number of the programme.")
    kind: Literal["one_off", "stream"] | None = None
    region: str | None = Field(None, description="This region and those inside it.")
    import_id: str | None = None
    wallet_address: str | None = None


class DecisionGiven(Given):
    """Which cases are decided, and how: one of `cases`, `filter` and `all`."""

    model_config = given_example(
        {"decision": "approved", "filter": {"import_id": UUID}, "reason": "checked on site"}
    )

    decision: Literal["approved", "rejected"]
    cases: Annotated[list[str], Field(min_length=1, max_length=MAX_NAMED_CASES)] | None = Field(
        None, description="Ids or references, each of which must be undecided."
    )
    filter: CaseFilterGiven | None = Field(
        None, description="The undecided cases that match; at least one member must be set."
    )
    all: bool = Field(False, description="Every undecided case.")
    reason: str | None = Field(None, max_length=2000, description="Needed to reject.")


class DecisionShown(Shown):
    """How many cases were decided."""

    model_config = example({"decision": "approved", "decided": 2999, "actor": "Chen Wei"})

    decision: str
    decided: int
    actor: str
