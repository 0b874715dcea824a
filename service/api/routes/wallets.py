"""Wallets and redemptions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from service.api.answers import CHAIN, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep
from service.api.routes.payouts import accepted
from service.api.schemas.base import Address, BaseUnitsText
from service.api.schemas.batches import TypedDataShown
from service.api.schemas.money import RedemptionGiven, WalletShown
from service.api.schemas.requests import ChainRequestShown
from service.api.values import unix_s
from service.application import redemption as redeeming
from service.application.wallet import wallet_view
from service.errors import AlreadyExists, Conflict, InvalidSignature, LimitExceeded

router = APIRouter(tags=["wallets"])


@router.get("/wallets/{address}", responses=reads(*CHAIN))
def show_wallet(
    call: CallDep,
    address: Annotated[Address, Path(description="EIP-55 address.")],
    *,
    history: Annotated[
        int, Query(ge=0, le=500, description="Most transfers to show, newest first.")
    ] = 50,
) -> WalletShown:
    """Show a wallet: balance and streams by the chain now, payouts and history as read from it."""
    with call.read() as session:
        return WalletShown.model_validate(
            wallet_view(call.application, session, address, limit=history)
        )


@router.get("/redemptions/typed-data", responses=reads(*CHAIN))
def redemption_typed_data(
    call: CallDep,
    holder: Annotated[Address, Query(description="EIP-55 address of who redeems.")],
    amount_base_units: Annotated[BaseUnitsText, Query(examples=["600000000"])],
    payment_reference: Annotated[
        str,
        Query(
            min_length=1,
            max_length=200,
            description="What the bank payment is matched to: words, or 32 bytes as 0x and hex.",
            examples=["invoice 7"],
        ),
    ],
) -> TypedDataShown:
    """Give the EIP-712 document that a holder's wallet signs to redeem within a day.

    Each call draws a new nonce: hand in the members of the `message` that was signed.
    """
    app = call.application
    asked = redeeming.new_redemption(app, holder, int(amount_base_units), payment_reference)
    return TypedDataShown.model_validate(redeeming.redemption_typed_data(app, asked))


@router.post(
    "/redemptions",
    status_code=202,
    response_model=ChainRequestShown,
    responses=writes(InvalidSignature, LimitExceeded, Conflict, AlreadyExists, *CHAIN),
)
def relay_redemption(given: RedemptionGiven, command: CommandDep) -> Response:
    """Relay a redemption that the holder signed: the tokens are burnt against fiat owed."""
    redemption = redeeming.Redemption(
        holder=given.holder,
        amount_base_units=int(given.amount_base_units),
        payment_reference=given.payment_reference,
        valid_after_unix_s=unix_s(given.valid_after),
        valid_before_unix_s=unix_s(given.valid_before),
        nonce=given.nonce,
    )
    return command.run(
        lambda session: accepted(
            redeeming.submit_redemption(
                command.application, session, redemption, given.signature, actor=command.actor
            )
        )
    )
