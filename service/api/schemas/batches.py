"""Batches and the signatures over them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from service.api.schemas.base import (
    ADDRESS,
    BATCH_ID,
    CONTRACT_ERROR,
    HASH,
    SIGNATURE,
    TIME,
    Given,
    OfficerSignatureText,
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
from service.payouts.manifests import FORMAT, VERSION, ManifestLine, manifest_bytes
from service.units import amounts

BATCH: dict[str, Any] = {
    "id": BATCH_ID,
    "state": "draft",
    "paused": False,
    "programme": 1,
    "programme_version": 1,
    "kind": "one_off",
    "region": "51",
    "maker_officer_id": 1,
    "count": 2399,
    "total": "1439400.00",
    "total_base_units": "1439400000000",
    "chunk_size": 500,
    "chunks_root": HASH,
    "manifest_hash": HASH,
    "start_at": None,
    "cliff_s": 0,
    "duration_s": 0,
    "cadence_s": 0,
    "execute_before": TIME,
    "expires_at": TIME,
    "execute_from": None,
    "first_number": None,
    "created_by": "Chen Wei",
    "created_at": TIME,
    "released_by": None,
    "released_at": None,
}
MANIFEST = b"".join(
    manifest_bytes(
        {
            "batch_id": BATCH_ID,
            "cadence_s": 0,
            "chunk_size": 500,
            "chunks_root": HASH,
            "cliff_s": 0,
            "count": 1,
            "duration_s": 0,
            "execute_before_unix_s": 1798761600,
            "expires_at_unix_s": 1814313600,
            "format": FORMAT,
            "kind": "one_off",
            "maker_officer_id": 1,
            "programme_id": 1,
            "programme_version": 1,
            "region_code": 51,
            "region_digits": 2,
            "start_unix_s": 0,
            "total_base_units": "600000000",
            "version": VERSION,
        },
        [ManifestLine(0, HASH.removeprefix("0x"), ADDRESS, 600_000_000)],
    )
).decode()
IN_FLIGHT = {"transactions": 1, "payouts": 500}
_SIGNATURE: dict[str, Any] = {
    "officer_id": 2,
    "signer_type": "account",
    "signer": ADDRESS,
    "created_at": TIME,
}


class BatchGiven(Given):
    """Which approved cases to put into draft batches, and on what terms."""

    model_config = given_example(
        {"programme": "flood-2026", "kind": "one_off", "region": "51", "maker_officer_id": 1}
    )

    programme: str = Field(description="Code or number of the programme.")
    kind: Literal["one_off", "stream"]
    region: str | None = Field(
        None, description="Cases of this region and those inside it; null: the programme's."
    )
    maker_officer_id: int = Field(ge=1, le=2**32 - 1, description="Who signs as the maker.")
    execute_before: Time | None = Field(
        None, strict=False, description="Chunks run only before this time; null: 30 days from now."
    )
    expires_at: Time | None = Field(
        None,
        strict=False,
        description="What can never be paid may return to the budget then; null: the earliest.",
    )
    chunk_size: int = Field(500, ge=1, le=500, description="Payouts one transaction pays.")
    cliff_s: int = Field(0, ge=0, le=2**32 - 1, description="Streams: seconds until the first.")
    cadence_s: int | None = Field(
        None,
        ge=1,
        le=2**32 - 1,
        description="Streams: withdrawals move in steps of this; a day without.",
    )
    import_id: str | None = Field(None, description="Only cases of this import.")


class BatchShown(Shown):
    """A batch: what one quorum of officers signs."""

    model_config = example(BATCH)

    id: str
    state: str = Field(
        description="`draft`, `approved`, `released`, `onchain`, `done` or `cancelled`."
    )
    paused: bool
    programme: int
    programme_version: int
    kind: str
    region: str
    maker_officer_id: int | None
    count: int
    total: str
    total_base_units: str
    chunk_size: int
    chunks_root: str
    manifest_hash: str
    start_at: datetime | None = Field(description="Streams: when accrual begins.")
    cliff_s: int
    duration_s: int
    cadence_s: int
    execute_before: datetime
    expires_at: datetime
    execute_from: datetime | None = Field(description="End of the challenge delay.")
    first_number: int | None = Field(description="Number of its first payout, once on chain.")
    created_by: str
    created_at: datetime
    released_by: str | None
    released_at: datetime | None


class InFlightShown(Shown):
    """What went out before and may still be mined: nothing calls it back."""

    model_config = example({"transactions": 1, "payouts": 500})

    transactions: int = Field(description="Approvals and chunks signed or sent, not yet mined.")
    payouts: int = Field(description="Payouts in those chunks.")


class BatchStepShown(BatchShown):
    """A batch that was stopped or goes on, and what of it is on its way."""

    model_config = example({**BATCH, "paused": True, "in_flight": IN_FLIGHT})

    in_flight: InFlightShown


class BatchPage(Page[BatchShown]):
    """A page of batches, oldest first."""

    model_config = page_example(BatchShown)


class BudgetShown(Shown):
    """What a programme's batches, drafts included, leave of its budget."""

    programme: int
    budget: str
    budget_base_units: str
    allocated: str
    allocated_base_units: str
    left: str
    left_base_units: str


class BuiltShown(Shown):
    """The drafts one call made."""

    model_config = example(
        {
            "batches": [BATCH],
            "count": 2399,
            **amounts(total=1_439_400_000_000),
            "budget": {
                "programme": 1,
                **amounts(
                    budget=5 * 10**12,
                    allocated=1_439_400_000_000,
                    left=3_560_600_000_000,
                ),
            },
        }
    )

    batches: list[BatchShown]
    count: int = Field(description="Payouts in all of them.")
    total: str
    total_base_units: str
    budget: BudgetShown


class StateSumShown(Shown):
    """Payouts in one state."""

    state: str
    count: int
    amount: str
    amount_base_units: str


class StuckShown(Shown):
    """Something that keeps money from moving."""

    code: str
    message: str
    count: int = Field(description="Payouts or chunks concerned; 0 for the whole batch.")
    contract_error: str | None = Field(description=CONTRACT_ERROR)


class JournalShown(Shown):
    """What somebody did to it."""

    at: datetime
    actor: str
    action: str
    reason: str | None


class SignatureShown(Shown):
    """Who signed, and with what."""

    model_config = example(_SIGNATURE)

    officer_id: int
    signer_type: Literal["account", "contract", "key"]
    signer: str
    created_at: datetime


class BatchStatusShown(BatchShown):
    """A batch with its payouts by state, its signatures, its journal, and what is stuck."""

    model_config = example(
        {
            **BATCH,
            "payouts": [
                {
                    "state": "draft",
                    "count": 2399,
                    "amount": "1439400.00",
                    "amount_base_units": "1439400000000",
                }
            ],
            "chunks": {"waiting": 5},
            "stuck": [],
            "signatures": [_SIGNATURE],
            "journal": [{"at": TIME, "actor": "Chen Wei", "action": "build_batch", "reason": None}],
            "in_flight": {"transactions": 0, "payouts": 0},
        }
    )

    payouts: list[StateSumShown]
    chunks: dict[str, int] = Field(description="Number of chunks by state.")
    stuck: list[StuckShown]
    signatures: list[SignatureShown]
    journal: list[JournalShown]
    in_flight: InFlightShown


class ReasonGiven(Given):
    """Why."""

    model_config = given_example({"reason": "the bank asked to wait"})

    reason: Reason


class SignatureGiven(Given):
    """A signature that an officer's wallet or device made over the typed data."""

    model_config = given_example({"signature": SIGNATURE, "officer_id": 2})

    signature: OfficerSignatureText
    signer_type: SignerType = "account"
    signer: SignerText | None = Field(
        None, description="Who signed; null only for an account, which the signature names itself."
    )
    officer_id: int | None = Field(
        None, ge=1, le=2**32 - 1, description="Who is said to have signed; null: whoever did."
    )


class ApprovalShown(Shown):
    """What is approved, and how far its approval has come."""

    model_config = example(
        {
            "batch_id": BATCH_ID,
            "state": "approved",
            "programme": 1,
            "region": "51",
            "kind": "one_off",
            "count": 2399,
            **amounts(total=1_439_400_000_000),
            "maker_officer_id": 1,
            "maker_signed": True,
            "reviewers": [2],
            "required_reviewers": 1,
            "approved": True,
        }
    )

    batch_id: str
    state: str
    programme: int
    region: str
    kind: str
    count: int
    total: str
    total_base_units: str
    maker_officer_id: int | None
    maker_signed: bool
    reviewers: Sequence[int]
    required_reviewers: int
    approved: bool


class TypedDataShown(Shown):
    """EIP-712 typed data, to be signed by any wallet as it stands (`eth_signTypedData_v4`)."""

    model_config = example(
        {
            "types": {
                "EIP712Domain": [{"name": "name", "type": "string"}],
                "BatchApproval": [{"name": "programme", "type": "uint32"}],
            },
            "primaryType": "BatchApproval",
            "domain": {
                "name": "Relief AllowanceVault",
                "version": "1",
                "chainId": 31337,
                "verifyingContract": ADDRESS,
            },
            "message": {"programme": 1},
        }
    )

    types: dict[str, list[dict[str, str]]]
    primaryType: str  # noqa: N815  # EIP-712's own spelling
    domain: dict[str, Any]
    message: dict[str, Any]
