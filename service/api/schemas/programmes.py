"""Programmes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from service.api.schemas.base import (
    HASH,
    TIME,
    BaseUnitsText,
    Given,
    Hash32,
    Page,
    Shown,
    example,
    given_example,
    page_example,
)

_TIER = {"up_to_base_units": "1000000000000", "reviewers": 1, "challenge_delay_s": 0}


class TierGiven(Given):
    """How many reviewers a batch needs while the rolling sum is at most `up_to_base_units`."""

    model_config = given_example(_TIER)

    up_to_base_units: BaseUnitsText
    reviewers: int = Field(ge=1, le=255)
    challenge_delay_s: int = Field(
        0, ge=0, le=2**32 - 1, description="Seconds between approval and the first chunk."
    )


class ProgrammeGiven(Given):
    """A programme to propose."""

    model_config = given_example(
        {
            "code": "flood-2026",
            "name": "Flood relief 2026",
            "region": "51",
            "budget_base_units": "5000000000000",
            "payout_cap_base_units": "20000000000",
            "tiers": [_TIER],
        }
    )

    code: str = Field(description="Short name that import files use.", max_length=64)
    name: str = Field(max_length=200)
    region: str = Field(
        "0", description="GB/T 2260 code of where it may pay; `0` for the whole country."
    )
    budget_base_units: BaseUnitsText
    payout_cap_base_units: BaseUnitsText
    tiers: Annotated[list[TierGiven], Field(min_length=1, max_length=4)]
    number: int | None = Field(
        None, ge=1, le=2**31 - 1, description="Number on chain; null takes the next one."
    )
    metadata_hash: Hash32 | None = Field(None, description="Hash of the public description.")


class TierShown(Shown):
    """A tier of a programme."""

    up_to: str
    up_to_base_units: str
    reviewers: int
    challenge_delay_s: int


class ProgrammeShown(Shown):
    """A programme; it is in force once `state` is `onchain` and `active_from` has passed."""

    model_config = example(
        {
            "number": 1,
            "code": "flood-2026",
            "name": "Flood relief 2026",
            "state": "onchain",
            "region": "51",
            "budget": "5000000.00",
            "budget_base_units": "5000000000000",
            "payout_cap": "20000.00",
            "payout_cap_base_units": "20000000000",
            "tiers": [{**_TIER, "up_to": "1000000.00"}],
            "metadata_hash": HASH,
            "version": 1,
            "active_from": TIME,
            "created_by": "Chen Wei",
            "created_at": TIME,
        }
    )

    number: int
    code: str
    name: str
    state: str = Field(description="`proposed` until the chain has it, then `onchain`.")
    region: str = Field(description="GB/T 2260 code; `0` for the whole country.")
    budget: str
    budget_base_units: str
    payout_cap: str
    payout_cap_base_units: str
    tiers: list[TierShown]
    metadata_hash: str
    version: int
    active_from: datetime | None
    created_by: str
    created_at: datetime


class ProgrammePage(Page[ProgrammeShown]):
    """A page of programmes, by number."""

    model_config = page_example(ProgrammeShown)
