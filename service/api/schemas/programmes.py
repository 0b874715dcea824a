"""Programmes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from service.api.schemas.base import (
    BATCH_ID,
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
from service.api.schemas.batches import IN_FLIGHT, InFlightShown, JournalShown

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


_PROGRAMME: dict[str, Any] = {
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
    "paused": False,
    "pause_reason": None,
    "created_by": "Chen Wei",
    "created_at": TIME,
}


class ProgrammeShown(Shown):
    """A programme; it is in force once `state` is `onchain` and `active_from` has passed."""

    model_config = example(_PROGRAMME)

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
    paused: bool = Field(description="Whether nothing is sent for its batches.")
    pause_reason: str | None
    created_by: str
    created_at: datetime


class ProgrammeStepShown(ProgrammeShown):
    """A programme that was stopped or goes on, and what of its batches is on its way."""

    model_config = example({**_PROGRAMME, "paused": True, "in_flight": IN_FLIGHT})

    in_flight: InFlightShown


class ProgrammeStatusShown(ProgrammeStepShown):
    """A programme with its journal."""

    model_config = example(
        {
            **_PROGRAMME,
            "in_flight": IN_FLIGHT,
            "journal": [
                {"at": TIME, "actor": "Chen Wei", "action": "create_programme", "reason": None}
            ],
        }
    )

    journal: list[JournalShown]


class BatchOutcomeShown(Shown):
    """What cancelling a programme did to one of its batches."""

    model_config = example(
        {"batch_id": BATCH_ID, "outcome": "cancelled", "message": "", "action_id": None}
    )

    batch_id: str
    outcome: Literal["cancelled", "proposed", "refused"] = Field(
        description="`cancelled` here; `proposed`: officers must sign the action; or `refused`."
    )
    message: str = Field(description="Why it was refused.")
    action_id: str | None = Field(description="The action to sign, for one on chain.")


class ProgrammeCancelledShown(Shown):
    """A paused programme, and what became of each batch of which something was left."""

    model_config = example(
        {
            "programme": {**_PROGRAMME, "paused": True, "in_flight": IN_FLIGHT},
            "batches": [
                {"batch_id": BATCH_ID, "outcome": "cancelled", "message": "", "action_id": None}
            ],
        }
    )

    programme: ProgrammeStepShown
    batches: list[BatchOutcomeShown]


class ProgrammePage(Page[ProgrammeShown]):
    """A page of programmes, by number."""

    model_config = page_example(ProgrammeShown)
