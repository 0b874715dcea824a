"""Spending without gas: holders sign, we relay."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from service.api.answers import CHAIN, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep
from service.api.routes.payouts import accepted
from service.api.schemas.base import HASH, Address, BaseUnitsText, Hash32
from service.api.schemas.batches import TypedDataShown
from service.api.schemas.payments import PaymentCancellationGiven, PaymentGiven, PermitGiven
from service.api.schemas.requests import ChainRequestShown
from service.api.values import unix_s
from service.application import payments
from service.errors import AlreadyExists, Conflict, InvalidSignature, LimitExceeded

router = APIRouter(tags=["payments"])

HolderQuery = Annotated[Address, Query(description="EIP-55 address of the holder.")]
AmountQuery = Annotated[BaseUnitsText, Query(examples=["600000000"])]


@router.get("/payments/typed-data", responses=reads(*CHAIN))
def payment_typed_data(
    call: CallDep,
    holder: HolderQuery,
    payee: Annotated[Address, Query(description="EIP-55 address of who is paid.")],
    amount_base_units: AmountQuery,
    *,
    handed_in_by: Annotated[
        Literal["relayer", "payee"],
        Query(
            description="`payee`: a document that only the payee may hand in to the token, by "
            "receiveWithAuthorization, so that nobody runs it ahead of them; it is not relayed."
        ),
    ] = "relayer",
) -> TypedDataShown:
    """Give the EIP-712 document that a holder's wallet signs to pay somebody within a day.

    Each call draws a new nonce: hand in the members of the `message` that was signed.
    """
    app = call.application
    asked = payments.new_payment(app, holder, payee, int(amount_base_units))
    return TypedDataShown.model_validate(
        payments.payment_typed_data(app, asked, receive=handed_in_by == "payee")
    )


@router.post(
    "/payments",
    status_code=202,
    response_model=ChainRequestShown,
    responses=writes(InvalidSignature, LimitExceeded, Conflict, AlreadyExists, *CHAIN),
)
def relay_payment(given: PaymentGiven, command: CommandDep) -> Response:
    """Relay a payment that the holder signed, once a nonce."""
    payment = payments.Payment(
        holder=given.holder,
        payee=given.payee,
        amount_base_units=int(given.amount_base_units),
        valid_after_unix_s=unix_s(given.valid_after),
        valid_before_unix_s=unix_s(given.valid_before),
        nonce=given.nonce,
    )
    return command.run(
        lambda session: accepted(
            payments.submit_payment(
                command.application, session, payment, given.signature, actor=command.actor
            )
        )
    )


@router.get("/payments/cancellations/typed-data", responses=reads(*CHAIN))
def cancellation_typed_data(
    call: CallDep,
    holder: HolderQuery,
    nonce: Annotated[Hash32, Query(description="Of what was signed.", examples=[HASH])],
) -> TypedDataShown:
    """Give the document that a holder signs to make a payment or redemption not sent yet void."""
    return TypedDataShown.model_validate(
        payments.cancellation_typed_data(call.application, holder, nonce)
    )


@router.post(
    "/payments/cancellations",
    status_code=202,
    response_model=ChainRequestShown,
    responses=writes(InvalidSignature, Conflict, AlreadyExists, *CHAIN),
)
def relay_cancellation(given: PaymentCancellationGiven, command: CommandDep) -> Response:
    """Relay a cancellation that the holder signed; it works while transfers are paused."""
    return command.run(
        lambda session: accepted(
            payments.submit_cancellation(
                command.application,
                session,
                given.holder,
                given.nonce,
                given.signature,
                actor=command.actor,
            )
        )
    )


@router.get("/permits/typed-data", responses=reads(*CHAIN))
def permit_typed_data(
    call: CallDep,
    holder: HolderQuery,
    spender: Annotated[Address, Query(description="EIP-55 address of who may take tokens.")],
    amount_base_units: AmountQuery,
) -> TypedDataShown:
    """Give the document that a holder signs to let a spender take up to an amount (ERC-2612)."""
    app = call.application
    asked = payments.new_permit(app, holder, spender, int(amount_base_units))
    return TypedDataShown.model_validate(payments.permit_typed_data(app, asked))


@router.post(
    "/permits",
    status_code=202,
    response_model=ChainRequestShown,
    responses=writes(InvalidSignature, Conflict, AlreadyExists, *CHAIN),
)
def relay_permit(given: PermitGiven, command: CommandDep) -> Response:
    """Relay a permit that the holder signed, under the holder's next nonce."""
    permit = payments.Permit(
        holder=given.holder,
        spender=given.spender,
        amount_base_units=int(given.amount_base_units),
        nonce=given.nonce,
        deadline_unix_s=unix_s(given.deadline),
    )
    return command.run(
        lambda session: accepted(
            payments.submit_permit(
                command.application, session, permit, given.signature, actor=command.actor
            )
        )
    )
