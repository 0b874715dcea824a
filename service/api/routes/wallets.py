"""Wallets and redemptions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from service.api.answers import CHAIN, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep
from service.api.routes.payouts import accepted
from service.api.schemas.base import Address
from service.api.schemas.money import RedemptionGiven, WalletShown
from service.api.schemas.requests import ChainRequestShown
from service.api.values import unix_s
from service.application.redemption import Redemption, submit_redemption
from service.application.wallet import wallet_view
from service.errors import AlreadyExists, InvalidSignature, LimitExceeded

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
        return WalletShown.of(wallet_view(call.application, session, address, limit=history))


@router.post(
    "/redemptions",
    status_code=202,
    response_model=ChainRequestShown,
    responses=writes(InvalidSignature, LimitExceeded, AlreadyExists, *CHAIN),
)
def relay_redemption(given: RedemptionGiven, command: CommandDep) -> Response:
    """Relay a redemption that the holder signed: the tokens are burnt against fiat owed."""
    redemption = Redemption(
        holder=given.holder,
        amount_base_units=int(given.amount_base_units),
        payment_reference=given.payment_reference,
        valid_after_unix_s=unix_s(given.valid_after),
        valid_before_unix_s=unix_s(given.valid_before),
        nonce=given.nonce,
    )
    return command.run(
        lambda session: accepted(
            submit_redemption(
                command.application, session, redemption, given.signature, actor=command.actor
            )
        )
    )
