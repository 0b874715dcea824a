"""Emergency grants, and the limits of the lane that pays them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from service.api.schemas.actions import ActionStatusShown, Proposal
from service.api.schemas.base import (
    ADDRESS,
    CONTRACT_ERROR,
    HASH,
    TIME,
    UUID,
    Address,
    BaseUnitsText,
    Given,
    Page,
    Reason,
    Shown,
    Time,
    example,
    given_example,
    page_example,
)
from service.api.schemas.requests import REQUEST, ChainRequestShown
from service.units import amounts

_TOKEN = 10**6
_LIMITS: dict[str, Any] = {
    **amounts(
        per_grant=2_000 * _TOKEN,
        per_officer=20_000 * _TOKEN,
        outstanding=100_000 * _TOKEN,
        per_county=50_000 * _TOKEN,
        per_city=100_000 * _TOKEN,
        per_province=200_000 * _TOKEN,
        country=300_000 * _TOKEN,
        county_overdue=5_000 * _TOKEN,
        city_overdue=10_000 * _TOKEN,
        province_overdue=20_000 * _TOKEN,
    ),
    "countersign_window_s": 432_000,
}
_GRANT: dict[str, Any] = {
    "id": HASH,
    "state": "outstanding",
    "signed": True,
    "officer_id": 3,
    "payee": ADDRESS,
    **amounts(amount=600 * _TOKEN),
    "region": "510722",
    "case_id": UUID,
    "case_ref": "SC-510722-000017",
    "waiting_cases": [],
    "commitment": HASH,
    "commitment_salt": None,
    "reason": "the house fell",
    "valid_until": TIME,
    "overdue_from": TIME,
    "may_countersign": [2],
    "countersigned_by": None,
    "last_error": None,
    "contract_error": None,
    "tx_hash": HASH,
    "block_number": 1204,
    "final": True,
    "created_by": "Chen Wei",
    "created_at": TIME,
}


class GrantGiven(Given):
    """A grant to propose: of an approved case that is in no batch, or of none.

    Either `case`, or `payee`, `amount_base_units` and `region`.
    """

    model_config = given_example(
        {"case": "SC-510722-000017", "officer_id": 3, "reason": "the house fell"}
    )

    officer_id: int = Field(ge=1, le=2**32 - 1, description="The emergency officer who is to sign.")
    case: str | None = Field(None, max_length=64, description="Its reference or id.")
    payee: Address | None = None
    amount_base_units: BaseUnitsText | None = None
    region: str | None = Field(None, description="GB/T 2260 code of a province, city or county.")
    reason: Reason
    valid_until: Time | None = Field(
        None,
        strict=False,
        description="The contract refuses the grant after it; null: a day from now.",
    )


class GrantShown(Shown):
    """An emergency grant: how far it has come, and until when it must be countersigned."""

    model_config = example(_GRANT)

    id: str = Field(description="Also the id of the action that its officer signs.")
    state: str = Field(
        description="`proposed`, `outstanding`, `overdue`, `countersigned`, `written_off` or "
        "`expired`."
    )
    signed: bool
    officer_id: int
    payee: str
    amount: str
    amount_base_units: str
    region: str
    case_id: str | None
    case_ref: str | None
    waiting_cases: Sequence[str] = Field(
        description="Other cases of the same wallet that a batch may still pay, by reference."
    )
    commitment: str
    commitment_salt: str | None = Field(
        description="Opens, with `reason`, the commitment of a grant without a case."
    )
    reason: str | None
    valid_until: datetime
    overdue_from: datetime | None
    may_countersign: Sequence[int] = Field(
        description="Officers who may: reviewers of the region other than who granted."
    )
    countersigned_by: int | None
    last_error: str | None
    contract_error: str | None = Field(description=CONTRACT_ERROR)
    tx_hash: str | None
    block_number: int | None
    final: bool = Field(description="Whether its block can no longer leave the chain.")
    created_by: str
    created_at: datetime


class GrantPage(Page[GrantShown]):
    """A page of grants, by id."""

    model_config = page_example(GrantShown)


class CountersignatureGiven(Proposal):
    """Why a grant is countersigned."""

    model_config = given_example({"reason": "seen on the spot"})


class WriteOffGiven(Proposal):
    """Why a grant is written off."""

    model_config = given_example({"reason": "no reviewer was there"})


class LimitsShown(Shown):
    """The emergency lane's limits, each positive."""

    model_config = example(_LIMITS)

    per_grant: str = Field(description="Most one grant may be.")
    per_grant_base_units: str
    per_officer: str = Field(description="Most one officer may grant over 30 to 36 days.")
    per_officer_base_units: str
    outstanding: str = Field(description="Most that may stand uncountersigned.")
    outstanding_base_units: str
    countersign_window_s: int = Field(
        description="Time for countersigning; it runs on to the next midnight UTC."
    )
    per_county: str = Field(description="Most in one county over the window.")
    per_county_base_units: str
    per_city: str
    per_city_base_units: str
    per_province: str
    per_province_base_units: str
    country: str
    country_base_units: str
    county_overdue: str = Field(description="A county closes while more is overdue in it.")
    county_overdue_base_units: str
    city_overdue: str
    city_overdue_base_units: str
    province_overdue: str
    province_overdue_base_units: str


class PlannedLimitsShown(LimitsShown):
    """Higher limits that governors signed."""

    model_config = example({**_LIMITS, "applies_from": TIME})

    applies_from: datetime


class OfficerRoomShown(Shown):
    """What one officer may still grant."""

    officer_id: int
    cap: str
    cap_base_units: str
    granted: str
    granted_base_units: str
    left: str
    left_base_units: str
    overdue: str
    overdue_base_units: str
    closed: bool = Field(description="Anything overdue closes its officer.")


class PlannedCapShown(Shown):
    """A higher cap that governors signed."""

    cap: str
    cap_base_units: str
    applies_from: datetime


class RegionRoomShown(Shown):
    """What may still be granted in one region; `0` is the whole country."""

    region: str
    cap: str
    cap_base_units: str
    granted: str
    granted_base_units: str
    left: str
    left_base_units: str
    overdue: str
    overdue_base_units: str
    closed: bool
    planned: PlannedCapShown | None


class LaneShown(Shown):
    """The lane's limits, and what is left of each, by the chain now."""

    model_config = example(
        {
            "block_number": 1204,
            "paused": False,
            **amounts(
                largest_grant=2_000 * _TOKEN,
                outstanding=600 * _TOKEN,
                outstanding_left=99_400 * _TOKEN,
                granted_ever=600 * _TOKEN,
                granted_ever_left=999_400 * _TOKEN,
                reserve_left=10**13,
            ),
            "limits": _LIMITS,
            "planned_limits": None,
            "officer": {
                "officer_id": 3,
                **amounts(
                    cap=20_000 * _TOKEN, granted=600 * _TOKEN, left=19_400 * _TOKEN, overdue=0
                ),
                "closed": False,
            },
            "regions": [
                {
                    "region": "51",
                    **amounts(
                        cap=200_000 * _TOKEN,
                        granted=600 * _TOKEN,
                        left=199_400 * _TOKEN,
                        overdue=0,
                    ),
                    "closed": False,
                    "planned": None,
                }
            ],
        }
    )

    block_number: int
    paused: bool
    largest_grant: str = Field(description="Most one more grant may be for all limits asked about.")
    largest_grant_base_units: str
    outstanding: str = Field(description="What stands uncountersigned.")
    outstanding_base_units: str
    outstanding_left: str
    outstanding_left_base_units: str
    granted_ever: str = Field(description="All the lane ever granted.")
    granted_ever_base_units: str
    granted_ever_left: str = Field(description="Most it may in its life, as the token counts.")
    granted_ever_left_base_units: str
    reserve_left: str = Field(description="What reserve and the token's cap leave.")
    reserve_left_base_units: str
    limits: LimitsShown
    planned_limits: PlannedLimitsShown | None
    officer: OfficerRoomShown | None
    regions: list[RegionRoomShown] = Field(
        description="The region asked about, those above it, the whole country."
    )


class LimitsGiven(Proposal):
    """Limits to change; those left out stay.

    Lower ones alone are the treasurer's, at once; with a higher one governors sign all of it.
    """

    model_config = given_example(
        {"per_grant_base_units": "1000000000", "reason": "the water has gone down"}
    )

    per_grant_base_units: BaseUnitsText | None = None
    per_officer_base_units: BaseUnitsText | None = None
    outstanding_base_units: BaseUnitsText | None = None
    countersign_window_s: Annotated[int, Field(ge=86_400, le=14 * 86_400)] | None = None
    per_county_base_units: BaseUnitsText | None = None
    per_city_base_units: BaseUnitsText | None = None
    per_province_base_units: BaseUnitsText | None = None
    country_base_units: BaseUnitsText | None = None
    county_overdue_base_units: BaseUnitsText | None = None
    city_overdue_base_units: BaseUnitsText | None = None
    province_overdue_base_units: BaseUnitsText | None = None


class RegionCapGiven(Proposal):
    """A region's own cap, in its level's place: lower at once, higher by governors."""

    model_config = given_example(
        {"region": "5107", "cap_base_units": "70000000000", "reason": "the worst hit"}
    )

    region: str = Field(description="GB/T 2260 code of a province, city or county.")
    cap_base_units: BaseUnitsText


class PlannedCapGiven(Given):
    """The region whose planned cap is to be applied."""

    model_config = given_example({"region": "5107"})

    region: str = Field(description="GB/T 2260 code of a province, city or county.")


class LimitsChangeShown(Shown):
    """The request that the treasurer's key sends, or the action that governors sign."""

    model_config = example(
        {
            "action": None,
            "request": {
                **REQUEST,
                "kind": "lower_region_cap",
                "args": {"region": "5107", **amounts(cap=300 * _TOKEN)},
                "reason": "the water has gone down",
            },
        }
    )

    action: ActionStatusShown | None
    request: ChainRequestShown | None
