"""Payouts, streams, wallets, redemptions, the reserve and the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from service.api.schemas.base import (
    ADDRESS,
    BATCH_ID,
    HASH,
    SIGNATURE,
    TIME,
    UUID,
    Address,
    BaseUnitsText,
    Given,
    Hash32,
    Page,
    Shown,
    SignatureText,
    Time,
    example,
    given_example,
    page_example,
)
from service.units import amounts

_SUM = {"amount": "600.00", "amount_base_units": "600000000"}
_PAYOUT: dict[str, Any] = {
    "id": f"{BATCH_ID}:17",
    "batch_id": BATCH_ID,
    "index": 17,
    "number": 18,
    "programme": 1,
    "kind": "one_off",
    "state": "paid",
    "skip_reason": None,
    "payee": ADDRESS,
    **_SUM,
    "case_id": UUID,
    "commitment": HASH,
    "chunk_index": 0,
    "tx_hash": HASH,
    "block_number": 1204,
    "updated_at": TIME,
}
_STREAM_AMOUNTS = amounts(
    total=1_800_000_000,
    accrued=600_000_000,
    withdrawn=600_000_000,
    withdrawable=0,
    returned=0,
)
_STREAM: dict[str, Any] = {
    "id": f"{BATCH_ID}:17",
    "batch_id": BATCH_ID,
    "index": 17,
    "chunk_index": 0,
    "payee": ADDRESS,
    "start_at": TIME,
    "cliff_s": 0,
    "duration_s": 7_776_000,
    "cadence_s": 86_400,
    "paid_through_s": 2_592_000,
    "cancelled": False,
    "cancelled_at": None,
    "as_of": TIME,
    "accrued_by": "chain",
    **_STREAM_AMOUNTS,
}


class PayoutShown(Shown):
    """One payment of one case."""

    model_config = example(_PAYOUT)

    id: str = Field(description="Batch id, a colon, the index in the batch.")
    batch_id: str
    index: int
    number: int | None = Field(description="The contract's number, once the batch is on chain.")
    programme: int
    kind: str
    state: str = Field(
        description="`draft`, `approved`, `queued`, `sent`, `included`, `paid`, `held`, "
        "`skipped`, `cancelled` or `expired`."
    )
    skip_reason: str | None
    payee: str
    amount: str
    amount_base_units: str
    case_id: str | None
    commitment: str
    chunk_index: int
    tx_hash: str | None
    block_number: int | None
    updated_at: datetime


class PayoutStatusShown(PayoutShown):
    """A payout, with what of it waits for its wallet, and whether a reviewer holds it."""

    model_config = example(
        {
            **_PAYOUT,
            "state": "skipped",
            "skip_reason": "frozen",
            "unpaid": "600.00",
            "unpaid_base_units": "600000000",
            "held_until": None,
        }
    )

    unpaid: str = Field(description="Of a skipped payout or an open stream, accrued or not.")
    unpaid_base_units: str
    held_until: datetime | None = Field(description="Neither retried nor withdrawn until then.")


class PayoutPage(Page[PayoutShown]):
    """A page of payouts, by batch and index."""

    model_config = page_example(PayoutShown)


class StreamShown(Shown):
    """A stream at a moment: what accrued by its terms, what was withdrawn by its events."""

    model_config = example(_STREAM)

    id: str = Field(description="Batch id, a colon, the index in the batch.")
    batch_id: str
    index: int
    chunk_index: int
    payee: str
    start_at: datetime | None
    cliff_s: int
    duration_s: int
    cadence_s: int
    paid_through_s: int = Field(description="Seconds since the start that are paid.")
    cancelled: bool
    cancelled_at: datetime | None
    as_of: datetime
    accrued_by: Literal["chain", "machine"] = Field(
        description="Whose time `as_of` is: the machine's where no node answers."
    )
    total: str
    total_base_units: str
    accrued: str
    accrued_base_units: str
    withdrawn: str
    withdrawn_base_units: str
    withdrawable: str
    withdrawable_base_units: str
    returned: str = Field(description="What went back to the budget when it was cut.")
    returned_base_units: str


class StreamPage(Page[StreamShown]):
    """A page of streams, by batch and index."""

    model_config = page_example(StreamShown)


class WalletStreamShown(Shown):
    """A stream to a wallet, as the vault says now."""

    id: str
    batch_id: str
    index: int
    chunk_index: int
    payee: str
    cancelled: bool
    cancelled_at: datetime | None
    total: str
    total_base_units: str
    accrued: str
    accrued_base_units: str
    withdrawn: str
    withdrawn_base_units: str
    withdrawable: str
    withdrawable_base_units: str


class MoveShown(Shown):
    """One transfer in or out of a wallet."""

    kind: str = Field(description="`paid`, `received`, `sent` or `redeemed`.")
    amount: str
    amount_base_units: str
    counterparty: str | None
    block_number: int
    at: datetime | None
    tx_hash: str


class WalletShown(Shown):
    """A wallet: balance, freeze and streams by the chain now; payouts and history as read."""

    model_config = example(
        {
            "address": ADDRESS,
            "block_number": 1204,
            "balance": "600.00",
            "balance_base_units": "600000000",
            "frozen": False,
            "cases": ["SC-510722-000017"],
            "payouts": [_PAYOUT],
            "streams": [],
            "history": [
                {
                    "kind": "paid",
                    **_SUM,
                    "counterparty": None,
                    "block_number": 1204,
                    "at": TIME,
                    "tx_hash": HASH,
                }
            ],
        }
    )

    address: str
    block_number: int
    balance: str
    balance_base_units: str
    frozen: bool
    cases: list[str]
    payouts: list[PayoutShown]
    streams: list[WalletStreamShown]
    history: list[MoveShown]


class RedemptionGiven(Given):
    """A `RedeemWithAuthorization` that the holder signed, to be relayed."""

    model_config = given_example(
        {
            "holder": ADDRESS,
            "amount_base_units": "600000000",
            "payment_reference": HASH,
            "valid_after": "1970-01-01T00:00:00Z",
            "valid_before": TIME,
            "nonce": HASH,
            "signature": SIGNATURE,
        }
    )

    holder: Address
    amount_base_units: BaseUnitsText
    payment_reference: Hash32 = Field(description="What the fiat payment is matched to.")
    valid_after: Time = Field(strict=False)
    valid_before: Time = Field(strict=False)
    nonce: Hash32 = Field(description="32 random bytes, used once.")
    signature: SignatureText


class ReserveShown(Shown):
    """The attestation in force and what it carries, by the chain now."""

    model_config = example(
        {
            "block_number": 1204,
            "as_of": TIME,
            "stale_after": TIME,
            **amounts(
                attested=10**13,
                redemptions_included=0,
                reserve_in_force=10**13,
                supply=6 * 10**8,
                committed=0,
                redeemed_total=0,
                cap=2**79,
                free=10**13 - 6 * 10**8,
            ),
        }
    )

    block_number: int
    as_of: datetime | None
    stale_after: datetime | None
    attested: str
    attested_base_units: str
    redemptions_included: str
    redemptions_included_base_units: str
    reserve_in_force: str
    reserve_in_force_base_units: str
    supply: str
    supply_base_units: str
    committed: str
    committed_base_units: str
    redeemed_total: str
    redeemed_total_base_units: str
    cap: str
    cap_base_units: str
    free: str = Field(description="What may still be committed.")
    free_base_units: str


class AttestationGiven(Given):
    """A reserve to attest; the worker sends it where the attestor's keystore is."""

    model_config = given_example({"amount_base_units": "10000000000000", "document_hash": HASH})

    amount_base_units: BaseUnitsText
    document_hash: Hash32 = Field(description="Hash of the attestor's signed document.")
    as_of: Time | None = Field(None, strict=False, description="Null: the newest block's time.")
    redemptions_included_base_units: BaseUnitsText | None = Field(
        None, description="Cumulative redemptions the amount reflects; null: all by now."
    )


class AccountShown(Shown):
    """An account and its balance: debits less credits."""

    model_config = example(
        {"account": "circulating", "balance": "600.00", "balance_base_units": "600000000"}
    )

    account: str
    balance: str
    balance_base_units: str


class BalancesShown(Shown):
    """Every account; the balances sum to zero."""

    model_config = example(
        {
            "items": [
                {"account": "circulating", "balance": "600.00", "balance_base_units": "600000000"}
            ]
        }
    )

    items: list[AccountShown]


class EntryShown(Shown):
    """One side of a posting."""

    model_config = example(
        {
            "id": 2,
            "posting_id": f"{HASH}:3",
            "account": "circulating",
            "side": "debit",
            **_SUM,
            "event": "ChunkPaid",
            "batch_id": BATCH_ID,
            "block_number": 1204,
            "tx_hash": HASH,
        }
    )

    id: int
    posting_id: str = Field(description="Block hash, a colon, the event's log index.")
    account: str
    side: str
    amount: str
    amount_base_units: str
    event: str
    batch_id: str | None
    block_number: int
    tx_hash: str


class EntryPage(Page[EntryShown]):
    """A page of entries, oldest first."""

    model_config = page_example(EntryShown)
