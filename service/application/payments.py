"""Spending without gas: the holder signs a payment, a permit or a cancellation, we relay it.

ERC-3009 and ERC-2612. Nothing here can move what the holder did not sign.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from service.application.context import Application
from service.application.holder_signatures import (
    DEFAULT_VALIDITY_S,
    chain_now_unix_s,
    holder_document,
    holders_signature,
    require_spendable,
    require_usable,
)
from service.application.requests import ask_once, relayed_before
from service.confirmations.wallets import ZERO_ADDRESS
from service.errors import Conflict, InvalidInput
from service.payouts.models import ChainRequest, RequestKind
from service.units import format_unix_s


@dataclass(frozen=True, slots=True)
class Payment:
    """What the holder signs to pay somebody.

    Attributes
    ----------
    valid_after_unix_s, valid_before_unix_s
        The signature counts strictly between the two, by the block's time.
    nonce
        32 random bytes, 0x-hex, used once (ERC-3009).
    """

    holder: str
    payee: str
    amount_base_units: int
    valid_after_unix_s: int
    valid_before_unix_s: int
    nonce: str

    def message(self) -> dict[str, Any]:
        """Return the typed data's message; the amount as a string, as wallets take it."""
        return {
            "from": self.holder,
            "to": self.payee,
            "value": str(self.amount_base_units),
            "validAfter": self.valid_after_unix_s,
            "validBefore": self.valid_before_unix_s,
            "nonce": self.nonce,
        }


@dataclass(frozen=True, slots=True)
class Permit:
    """What the holder signs to let a spender take up to an amount (ERC-2612).

    Attributes
    ----------
    nonce
        The token's count of the holder's permits.
    deadline_unix_s
        The token takes it until then.
    """

    holder: str
    spender: str
    amount_base_units: int
    nonce: int
    deadline_unix_s: int

    def message(self) -> dict[str, Any]:
        """Return the typed data's message."""
        return {
            "owner": self.holder,
            "spender": self.spender,
            "value": str(self.amount_base_units),
            "nonce": str(self.nonce),
            "deadline": self.deadline_unix_s,
        }


# ---- Payments ----------------------------------------------------------------------------------


def new_payment(
    app: Application,
    holder: str,
    payee: str,
    amount_base_units: int,
    *,
    nonce: str | None = None,
    valid_before_unix_s: int | None = None,
) -> Payment:
    """Return a payment to sign, valid from now for a day by the chain's clock.

    Parameters
    ----------
    nonce, valid_before_unix_s
        Of one made before, to submit its signature.

    Raises
    ------
    InvalidInput
        When the payee cannot receive tokens.
    ChainUnavailable
        When the node does not answer.
    """
    _require_receivable(app, payee)
    return Payment(
        holder=holder,
        payee=payee,
        amount_base_units=amount_base_units,
        valid_after_unix_s=0,
        valid_before_unix_s=valid_before_unix_s or chain_now_unix_s(app) + DEFAULT_VALIDITY_S,
        nonce=nonce or "0x" + secrets.token_hex(32),
    )


def payment_typed_data(
    app: Application, payment: Payment, *, receive: bool = False
) -> dict[str, Any]:
    """Return the EIP-712 document that the holder's wallet signs.

    Parameters
    ----------
    receive
        One that only the payee may hand in, in a transaction of its own, so that nobody runs it
        ahead of what the payee does with it (``ReceiveWithAuthorization``); we cannot relay it.

    Raises
    ------
    InvalidInput
        When a value does not fit its type.
    """
    primary_type = "ReceiveWithAuthorization" if receive else "TransferWithAuthorization"
    return holder_document(app, primary_type, payment.message())


def submit_payment(
    app: Application, session: Session, payment: Payment, signature: str, *, actor: str
) -> ChainRequest:
    """Check a holder's signature and ask for the relayed payment.

    The same payment again, open or done, is the request there is.

    Parameters
    ----------
    signature
        r (32) | s (32) | v (1), 0x-hex.

    Raises
    ------
    InvalidSignature
        When the holder did not sign exactly this.
    InvalidInput
        When the payee cannot receive tokens, or the signature is one that only the payee may use.
    Conflict
        When it was used or cancelled, is not valid now, transfers are paused, or a wallet is
        frozen.
    LimitExceeded
        When the wallet has less than that.
    AlreadyExists
        When another payment under the same nonce waits to be sent.
    ChainUnavailable
        When the node does not answer.
    """
    try:
        signed = holders_signature(payment_typed_data(app, payment), signature, payment.holder)
    except InvalidInput:
        _refuse_receive(app, payment, signature)
        raise
    args = payment.message() | signed
    key = f"transfer:{payment.holder}:{payment.nonce}"
    before = relayed_before(session, key, args)
    if before is not None:
        return before
    _require_receivable(app, payment.payee)
    require_usable(
        app,
        payment.holder,
        payment.nonce,
        payment.valid_after_unix_s,
        payment.valid_before_unix_s,
    )
    require_spendable(app, payment.holder, payment.amount_base_units)
    if app.contracts.read(app.rpc, "token", "isFrozen", payment.payee):
        raise Conflict(f"the wallet {payment.payee} is frozen")
    kind = RequestKind.TRANSFER_WITH_AUTHORIZATION
    return ask_once(session, kind, args, dedupe_key=key, actor=actor)


def _require_receivable(app: Application, payee: str) -> None:
    if payee in (ZERO_ADDRESS, app.deployment.token):
        raise InvalidInput(f"{payee} cannot receive tokens")


def _refuse_receive(app: Application, payment: Payment, signature: str) -> None:
    """Say so where the holder signed the form that only the payee may hand in."""
    document = payment_typed_data(app, payment, receive=True)
    try:
        holders_signature(document, signature, payment.holder)
    except InvalidInput:
        return
    raise InvalidInput(
        f"the holder signed a ReceiveWithAuthorization, which only the payee {payment.payee} may "
        "hand in, by receiveWithAuthorization: sign a TransferWithAuthorization to have it relayed"
    )


# ---- Cancelling --------------------------------------------------------------------------------


def cancellation_typed_data(app: Application, holder: str, nonce: str) -> dict[str, Any]:
    """Return the document that a holder signs to make an unused signature void.

    Raises
    ------
    InvalidInput
        When a value does not fit its type.
    """
    return holder_document(app, "CancelAuthorization", {"authorizer": holder, "nonce": nonce})


def submit_cancellation(
    app: Application, session: Session, holder: str, nonce: str, signature: str, *, actor: str
) -> ChainRequest:
    """Check a holder's signature and ask that an authorization be cancelled; works under a pause.

    Raises
    ------
    InvalidSignature
        When the holder did not sign exactly this.
    Conflict
        When the authorization was used or cancelled before.
    ChainUnavailable
        When the node does not answer.
    """
    signed = holders_signature(cancellation_typed_data(app, holder, nonce), signature, holder)
    args = {"authorizer": holder, "nonce": nonce} | signed
    key = f"{RequestKind.CANCEL_AUTHORIZATION.value}:{holder}:{nonce}"
    before = relayed_before(session, key, args)
    if before is not None:
        return before
    if app.contracts.read(
        app.rpc, "token", "authorizationState", holder, bytes.fromhex(nonce.removeprefix("0x"))
    ):
        raise Conflict("the signature was used or cancelled before")
    return ask_once(session, RequestKind.CANCEL_AUTHORIZATION, args, dedupe_key=key, actor=actor)


# ---- Permits -----------------------------------------------------------------------------------


def new_permit(
    app: Application,
    holder: str,
    spender: str,
    amount_base_units: int,
    *,
    deadline_unix_s: int | None = None,
) -> Permit:
    """Return a permit to sign under the holder's next nonce, good for a day.

    Parameters
    ----------
    amount_base_units
        0 takes an allowance back.
    deadline_unix_s
        Of one made before, to submit its signature.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    return Permit(
        holder=holder,
        spender=spender,
        amount_base_units=amount_base_units,
        nonce=app.contracts.read(app.rpc, "token", "nonces", holder),
        deadline_unix_s=deadline_unix_s or chain_now_unix_s(app) + DEFAULT_VALIDITY_S,
    )


def permit_typed_data(app: Application, permit: Permit) -> dict[str, Any]:
    """Return the EIP-712 document that the holder's wallet signs.

    Raises
    ------
    InvalidInput
        When a value does not fit its type.
    """
    return holder_document(app, "Permit", permit.message())


def submit_permit(
    app: Application, session: Session, permit: Permit, signature: str, *, actor: str
) -> ChainRequest:
    """Check a holder's signature and ask for the relayed permit.

    The same permit again, open or done, is the request there is.

    Raises
    ------
    InvalidSignature
        When the holder did not sign exactly this.
    Conflict
        When its nonce is not the holder's next, or its deadline has passed.
    AlreadyExists
        When another permit under the same nonce waits to be sent.
    ChainUnavailable
        When the node does not answer.
    """
    signed = holders_signature(permit_typed_data(app, permit), signature, permit.holder)
    args = permit.message() | signed
    key = f"{RequestKind.PERMIT.value}:{permit.holder}:{permit.nonce}"
    before = relayed_before(session, key, args)
    if before is not None:
        return before
    following = app.contracts.read(app.rpc, "token", "nonces", permit.holder)
    if permit.nonce != following:
        raise Conflict(f"the holder's next permit has nonce {following}, not {permit.nonce}")
    if chain_now_unix_s(app) > permit.deadline_unix_s:
        until = format_unix_s(permit.deadline_unix_s)
        raise Conflict(f"the permit was good until {until} only: sign again")
    return ask_once(session, RequestKind.PERMIT, args, dedupe_key=key, actor=actor)
