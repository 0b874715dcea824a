"""Officers, and the quorum actions that change them or cancel what they approved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from service.api.schemas.base import (
    ACTION_ID,
    ADDRESS,
    BATCH_ID,
    HASH,
    TIME,
    Address,
    Given,
    Page,
    Reason,
    Shown,
    Time,
    example,
    given_example,
    moment,
    page_example,
)
from service.approvals.models import Officer, OfficerSigner, QuorumAction, Role
from service.payouts.directory import region_of

RoleName = Literal["maker", "reviewer", "emergency", "governor"]

_SIGNER: dict[str, Any] = {"signer": ADDRESS, "active_from": TIME, "removed": False}


def role_names(bits: int) -> list[str]:
    """Return the names of the roles that a bit field holds."""
    return [role.name.lower() for role in Role(bits) if role.name]


class SignerShown(Shown):
    """An account an officer signs with."""

    signer: str
    active_from: datetime
    removed: bool

    @classmethod
    def of(cls, row: OfficerSigner) -> SignerShown:
        """Return the document of a row."""
        return cls(signer=row.signer, active_from=row.active_from, removed=row.removed)


class OfficerShown(Shown):
    """An officer as the registry has it."""

    model_config = example(
        {
            "officer_id": 2,
            "display_name": "",
            "roles": ["reviewer", "governor"],
            "region": "51",
            "active_from": TIME,
            "removed": False,
            "signers": [_SIGNER],
        }
    )

    officer_id: int
    display_name: str
    roles: Sequence[str]
    region: str = Field(description="GB/T 2260 code; `0` for the whole country.")
    active_from: datetime
    removed: bool
    signers: list[SignerShown]

    @classmethod
    def of(cls, row: Officer, signers: Sequence[OfficerSigner]) -> OfficerShown:
        """Return the document of a row and its signers."""
        return cls(
            officer_id=row.officer_id,
            display_name=row.display_name,
            roles=role_names(row.roles),
            region=str(region_of(row.region_code, row.region_digits)),
            active_from=row.active_from,
            removed=row.removed,
            signers=[SignerShown.of(signer) for signer in signers],
        )


class OfficerPage(Page[OfficerShown]):
    """A page of officers, by number."""

    model_config = page_example(OfficerShown)


class Proposal(Given):
    """What every proposed action has."""

    reason: Reason
    deadline: Time | None = Field(
        None,
        strict=False,
        description="The contract refuses the action after it; null: 7 days from now.",
    )


class OfficerAdditionGiven(Proposal):
    """An officer to add, in force two days after the governors' action is on chain."""

    model_config = given_example(
        {
            "officer_id": 7,
            "roles": ["reviewer"],
            "region": "5107",
            "signer": ADDRESS,
            "reason": "takes over from officer 4",
        }
    )

    officer_id: int = Field(ge=1, le=2**32 - 1, description="A number never used before.")
    roles: Annotated[list[RoleName], Field(min_length=1, max_length=4)]
    region: str = Field("0", description="GB/T 2260 code; `0` for the whole country.")
    signer: Address


class OfficerRemovalGiven(Proposal):
    """Why an officer is to be removed."""

    model_config = given_example({"reason": "left the office"})


class BatchCancellationGiven(Proposal):
    """Why a batch is cancelled. One that is on chain needs a quorum of reviewers."""

    model_config = given_example({"reason": "the list was wrong"})


class StreamCancellationGiven(Proposal):
    """Why a stream is cut."""

    model_config = given_example({"reason": "the household moved away"})


class ActionShown(Shown):
    """A quorum action: what several officers must sign before a contract does it."""

    model_config = example(
        {
            "id": ACTION_ID,
            "kind": "batch_cancellation",
            "state": "collecting",
            "contract": "vault",
            "roles": ["reviewer"],
            "region": "51",
            "deadline": TIME,
            "digest": HASH,
            "message": {"batchId": BATCH_ID, "actionId": ACTION_ID, "deadline": 1793491200},
            "officers": [2],
            "reason": "the list was wrong",
            "last_error": None,
            "created_by": "Chen Wei",
            "created_at": TIME,
        }
    )

    id: str
    kind: str
    state: str = Field(description="`collecting`, `ready`, `submitted`, `done` or `expired`.")
    contract: str
    roles: Sequence[str] = Field(description="The role each signing officer needs.")
    region: str = Field(description="The region each must cover; `0`: any officer's will do.")
    deadline: datetime
    digest: str
    message: dict[str, Any]
    officers: Sequence[int] = Field(description="Who has signed, by officer number.")
    reason: str | None
    last_error: str | None
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, row: QuorumAction, officers: Sequence[int]) -> ActionShown:
        """Return the document of a row and those who signed."""
        return cls.model_validate(
            {
                "id": row.id,
                "kind": row.kind,
                "state": row.state,
                "contract": row.contract,
                "roles": role_names(row.role),
                "region": str(region_of(row.region_code, row.region_digits)),
                "deadline": moment(row.deadline_unix_s),
                "digest": row.digest,
                "message": row.message,
                "officers": list(officers),
                "reason": row.reason,
                "last_error": row.last_error,
                "created_by": row.created_by,
                "created_at": row.created_at,
            }
        )


class ActionPage(Page[ActionShown]):
    """A page of actions, by id."""

    model_config = page_example(ActionShown)


class ActionStatusShown(Shown):
    """How far an action has come."""

    model_config = example(
        {"action_id": ACTION_ID, "state": "ready", "officers": [2, 3], "quorum": 2}
    )

    action_id: str
    state: str
    officers: Sequence[int]
    quorum: int


class CancellationShown(Shown):
    """A batch that was cancelled here, or the action that asks officers to cancel it on chain."""

    model_config = example({"batch_id": BATCH_ID, "state": "cancelled", "action_id": None})

    batch_id: str
    state: str
    action_id: str | None = Field(description="The action to sign, for a batch on chain.")
