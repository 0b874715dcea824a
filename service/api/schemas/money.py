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
    amounts,
    example,
    given_example,
    moment,
    page_example,
)
from service.ledger.models import LedgerEntry
from service.payouts.models import Payout
from service.payouts.streams import StreamView

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

    @classmethod
    def of(cls, row: Payout) -> PayoutShown:
        """Return the document of a row."""
        return cls(
            id=f"{row.batch_id}:{row.index}",
            batch_id=row.batch_id,
            index=row.index,
            number=row.number,
            programme=row.programme_id,
            kind=row.kind,
            state=row.state,
            skip_reason=row.skip_reason,
            payee=row.payee,
            **amounts(amount=row.amount_base_units),
            case_id=row.case_id,
            commitment="0x" + row.commitment,
            chunk_index=row.chunk_index,
            tx_hash=row.tx_hash,
            block_number=row.included_block_number,
            updated_at=row.updated_at,
        )


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

    @classmethod
    def of(cls, view: StreamView, accrued_by: Literal["chain", "machine"]) -> StreamShown:
        """Return the document of a stream as it stands."""
        row, terms = view.stream, view.terms
        cut = row.cancelled_cut_s
        return cls.model_validate(
            {
                "id": f"{row.batch_id}:{row.index}",
                "batch_id": row.batch_id,
                "index": row.index,
                "chunk_index": row.chunk_index,
                "payee": row.payee,
                "start_at": moment(terms.start_unix_s),
                "cliff_s": terms.cliff_s,
                "duration_s": terms.duration_s,
                "cadence_s": terms.cadence_s,
                "paid_through_s": row.paid_through_s,
                "accrued_by": accrued_by,
                "cancelled": cut is not None,
                "cancelled_at": None if cut is None else moment(terms.start_unix_s + cut),
                "as_of": moment(view.at_unix_s),
                **amounts(
                    total=row.total_base_units,
                    accrued=view.accrued_base_units,
                    withdrawn=view.withdrawn_base_units,
                    withdrawable=view.withdrawable_base_units,
                    returned=row.returned_base_units,
                ),
            }
        )


class StreamPage(Page[StreamShown]):
    """A page of streams, by batch and index."""

    model_config = page_example(StreamShown)


class WalletPayoutShown(Shown):
    """A one-off payout to a wallet."""

    batch_id: str
    index: int
    state: str
    amount: str
    amount_base_units: str
    skip_reason: str | None
    tx_hash: str | None


class WalletStreamShown(Shown):
    """A stream to a wallet, as the vault says now."""

    batch_id: str
    index: int
    chunk_index: int
    payee: str
    total: str
    accrued: str
    withdrawn: str
    withdrawable: str
    total_base_units: str
    accrued_base_units: str
    withdrawn_base_units: str
    withdrawable_base_units: str
    cancelled: bool
    cancelled_at_s: int | None = Field(description="Seconds since its start.")


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
            "payouts": [
                {
                    "batch_id": BATCH_ID,
                    "index": 17,
                    "state": "paid",
                    **_SUM,
                    "skip_reason": None,
                    "tx_hash": HASH,
                }
            ],
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
    payouts: list[WalletPayoutShown]
    streams: list[WalletStreamShown]
    history: list[MoveShown]

    @classmethod
    def of(cls, view: dict[str, Any]) -> WalletShown:
        """Return the document of :func:`service.application.wallet.wallet_view`'s answer."""
        moves = [
            {**{name: value for name, value in move.items() if name != "at_unix_s"}}
            | {"at": moment(move["at_unix_s"])}
            for move in view["history"]
        ]
        return cls.model_validate(view | {"history": moves})


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

    @classmethod
    def of(cls, view: dict[str, Any]) -> ReserveShown:
        """Return the document of :func:`service.application.reserve.reserve_view`'s answer."""
        times = ("as_of_unix_s", "stale_after_unix_s")
        members = {name: value for name, value in view.items() if name not in times}
        return cls.model_validate(
            members
            | {
                "as_of": moment(view["as_of_unix_s"]),
                "stale_after": moment(view["stale_after_unix_s"]),
            }
        )


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

    @classmethod
    def of(cls, row: LedgerEntry) -> EntryShown:
        """Return the document of a row."""
        return cls(
            id=row.id,
            posting_id=row.posting_id,
            account=row.account,
            side=row.side,
            **amounts(amount=row.amount),
            event=row.event_name,
            batch_id=row.batch_id,
            block_number=row.block_number,
            tx_hash=row.tx_hash,
        )


class EntryPage(Page[EntryShown]):
    """A page of entries, oldest first."""

    model_config = page_example(EntryShown)
