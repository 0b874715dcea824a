"""Officers, and the actions that change them or what they approved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from service.api.schemas.base import (
    ACTION_ID,
    ADDRESS,
    BATCH_ID,
    CONTRACT_ERROR,
    HASH,
    TIME,
    Address,
    BaseUnitsText,
    Given,
    Page,
    Reason,
    Shown,
    SignerText,
    SignerType,
    Time,
    example,
    given_example,
    page_example,
)
from service.api.schemas.batches import BATCH, BatchShown

RoleName = Literal["maker", "reviewer", "emergency", "governor"]
OperationName = Literal["approvals", "execution", "withdrawals", "transfers", "grants"]

_SIGNER: dict[str, Any] = {
    "signer_type": "account",
    "signer": ADDRESS,
    "active_from": TIME,
    "removed": False,
}


class SignerShown(Shown):
    """What an officer signs with."""

    signer_type: Literal["account", "contract", "key"]
    signer: str = Field(
        description="An account's address; a key's verifier (20 bytes) and x | y (64)."
    )
    active_from: datetime
    removed: bool


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
    signer_type: SignerType = "account"
    signer: SignerText


class OfficerRemovalGiven(Proposal):
    """Why an officer is to be removed."""

    model_config = given_example({"reason": "left the office"})


class BatchCancellationGiven(Proposal):
    """Why a batch is cancelled. One that is on chain needs a quorum of reviewers."""

    model_config = given_example({"reason": "the list was wrong"})


class ProgrammeCancellationGiven(Proposal):
    """Why every batch of a programme is cancelled. Those on chain need a quorum of reviewers."""

    model_config = given_example({"reason": "the decree was withdrawn"})


class StreamCancellationGiven(Proposal):
    """Why a stream is cut."""

    model_config = given_example({"reason": "the household moved away"})


class HoldGiven(Proposal):
    """Why a batch or a payout is held. One reviewer signs."""

    model_config = given_example({"reason": "the phone with the wallet was stolen"})


class WalletChangeGiven(Proposal):
    """The wallet to which what is unpaid of a payout goes from then on."""

    model_config = given_example({"to_wallet": ADDRESS, "reason": "the wallet was lost"})

    to_wallet: Address


class SunsetGiven(Proposal):
    """Why the vault ends. It cannot be taken back."""

    model_config = given_example({"for_good": True, "reason": "a new vault takes its place"})

    for_good: Literal[True] = Field(description="Says that it is meant: no batch follows.")


class PauseLiftingGiven(Proposal):
    """Pauses to lift."""

    model_config = given_example({"operations": ["withdrawals"], "reason": "key replaced"})

    operations: Annotated[list[OperationName], Field(min_length=1, max_length=5)]


class RoleChangeGiven(Proposal):
    """An account that is to hold a housekeeping role, or no longer."""

    model_config = given_example({"account": ADDRESS, "reason": "takes over the night shift"})

    account: Address


class CapRaiseGiven(Proposal):
    """A higher cap on supply and commitments, to be applied two days after it is on chain."""

    model_config = given_example({"cap_base_units": "20000000000000", "reason": "a larger flood"})

    cap_base_units: BaseUnitsText


class MinterGiven(Proposal):
    """A minter, or a higher cap of one, to be activated 14 days after it is on chain."""

    model_config = given_example(
        {"address": ADDRESS, "cap_base_units": "20000000000000", "reason": "the next vault"}
    )

    address: Address
    cap_base_units: BaseUnitsText = Field(description="Most it may ever commit and mint.")


class MinterRemovalGiven(Proposal):
    """Why a minter commits nothing more."""

    model_config = given_example({"reason": "its vault is in the sunset"})


_ACTION: dict[str, Any] = {
    "id": ACTION_ID,
    "kind": "batch_cancellation",
    "state": "collecting",
    "contract": "vault",
    "roles": ["reviewer"],
    "region": "51",
    "deadline": TIME,
    "digest": HASH,
    "args": {"batch_id": BATCH_ID},
    "officers": [2],
    "reason": "the list was wrong",
    "last_error": None,
    "contract_error": None,
    "created_by": "Chen Wei",
    "created_at": TIME,
}


class ActionShown(Shown):
    """An action: what officers must sign, a quorum or one, before a contract does it."""

    model_config = example(_ACTION)

    id: str
    kind: str
    state: str = Field(description="`collecting`, `ready`, `submitted`, `done` or `expired`.")
    contract: str
    roles: Sequence[str] = Field(description="The role each signing officer needs.")
    region: str = Field(description="The region each must cover; `0`: any officer's will do.")
    deadline: datetime
    digest: str
    args: dict[str, Any] = Field(
        description="What it does: the members of the typed data by our names, without the "
        "action's id and deadline."
    )
    officers: Sequence[int] = Field(description="Who of those in force has signed, by number.")
    reason: str | None
    last_error: str | None
    contract_error: str | None = Field(description=CONTRACT_ERROR)
    created_by: str
    created_at: datetime


class ActionPage(Page[ActionShown]):
    """A page of actions, by id."""

    model_config = page_example(ActionShown)


class ActionStatusShown(ActionShown):
    """An action, and how many must sign it."""

    model_config = example({**_ACTION, "quorum": 2})

    quorum: int = Field(description="The registry's quorum; 1 where one officer is enough.")


class ActionsShown(Shown):
    """Several actions proposed at once, one a contract."""

    model_config = example({"items": [{**_ACTION, "quorum": 2}]})

    items: list[ActionStatusShown]


class CancellationShown(Shown):
    """A batch that was cancelled here, or the action that asks officers to cancel it on chain."""

    model_config = example({"batch": {**BATCH, "state": "cancelled"}, "action": None})

    batch: BatchShown
    action: ActionStatusShown | None = Field(description="The action to sign, for one on chain.")
