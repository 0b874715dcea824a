"""What limits and stops the contracts: pauses, the cap, minters, roles, what is due to expire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from service.api.schemas.base import (
    ADDRESS,
    BATCH_ID,
    TIME,
    BaseUnitsText,
    Given,
    Reason,
    Shown,
    example,
    given_example,
)
from service.units import amounts


class PausesShown(Shown):
    """What is paused by the chain now."""

    model_config = example(
        {
            "block_number": 1204,
            "approvals": False,
            "execution": False,
            "withdrawals": True,
            "withdrawals_until": TIME,
            "transfers": False,
            "grants": False,
            "sunset": False,
        }
    )

    block_number: int
    approvals: bool
    execution: bool
    withdrawals: bool
    withdrawals_until: datetime | None = Field(description="When their pause ends by itself.")
    transfers: bool = Field(description="Between wallets, and redeeming.")
    grants: bool = Field(description="Emergency grants.")
    sunset: bool = Field(description="Whether approvals have ended for good.")


class CapShown(Shown):
    """The cap on supply and commitments, by the chain now."""

    model_config = example(
        {
            "block_number": 1204,
            **amounts(cap=10**13, supply=6 * 10**8, committed=0, left=10**13 - 6 * 10**8),
            **amounts(pending_cap=2 * 10**13),
            "pending_from": TIME,
        }
    )

    block_number: int
    cap: str
    cap_base_units: str
    supply: str
    supply_base_units: str
    committed: str
    committed_base_units: str
    left: str = Field(description="What may still be committed under the cap.")
    left_base_units: str
    pending_cap: str = Field(description="A higher cap that is planned; 0 where none is.")
    pending_cap_base_units: str
    pending_from: datetime | None = Field(description="From when on it may be applied.")


class CapLoweringGiven(Given):
    """A lower cap; the worker sends it where the treasurer's keystore is."""

    model_config = given_example({"cap_base_units": "5000000000", "reason": "less relief"})

    cap_base_units: BaseUnitsText
    reason: Reason


_MINTER: dict[str, Any] = {
    "address": ADDRESS,
    "contract": "vault",
    "active": True,
    **amounts(cap=10**13, committed=0, minted=6 * 10**8, pending_cap=0),
    "pending_from": None,
}


class MinterShown(Shown):
    """Who may commit money to payouts, by the chain now."""

    model_config = example(_MINTER)

    address: str
    contract: str | None = Field(description="Which contract of the deployment it is.")
    active: bool
    cap: str = Field(description="Most it may ever commit and mint.")
    cap_base_units: str
    committed: str
    committed_base_units: str
    minted: str
    minted_base_units: str
    pending_cap: str = Field(description="The cap that is planned; 0 where none is.")
    pending_cap_base_units: str
    pending_from: datetime | None = Field(description="From when on it may be activated.")


class MintersShown(Shown):
    """Every minter, those planned or removed too."""

    model_config = example({"items": [_MINTER]})

    items: list[MinterShown]


class RoleShown(Shown):
    """A housekeeping role and who holds it."""

    role: str
    number: int = Field(description="The role manager's.")
    holders: list[str]


class RolesShown(Shown):
    """The housekeeping roles; none of them can pay."""

    model_config = example({"items": [{"role": "guardian", "number": 1, "holders": [ADDRESS]}]})

    items: list[RoleShown]


class DueShown(Shown):
    """Something that can never be paid and may return to its programme's budget now."""

    what: Literal["unexecuted", "payout", "streams"] = Field(
        description="Chunks not run in their time, a skipped payout, or streams of a chunk."
    )
    batch_id: str
    index: int | None
    chunk_index: int | None
    amount: str
    amount_base_units: str
    since: datetime


class DuesShown(Shown):
    """All of it."""

    model_config = example(
        {
            "items": [
                {
                    "what": "unexecuted",
                    "batch_id": BATCH_ID,
                    "index": None,
                    "chunk_index": None,
                    **amounts(amount=6 * 10**8),
                    "since": TIME,
                }
            ]
        }
    )

    items: list[DueShown]
