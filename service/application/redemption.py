"""Redeeming: the holder signs, anyone relays, the tokens are burnt against fiat owed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak
from sqlalchemy.orm import Session

from service.application.context import Application
from service.application.requests import ask_once
from service.approvals.signatures import normalise, recover, split
from service.approvals.typed_data import digest_of, make_typed_data
from service.errors import InvalidInput, InvalidSignature, LimitExceeded
from service.payouts.models import ChainRequest, RequestKind
from service.units import format_amount

DEFAULT_VALIDITY_S = 86_400
"""A signature that is not relayed within a day is void."""


@dataclass(frozen=True, slots=True)
class Redemption:
    """What the holder signs.

    Attributes
    ----------
    payment_reference
        32 bytes, 0x-hex: what the payer of the fiat side matches its bank payment to.
    valid_after_unix_s, valid_before_unix_s
        The signature counts strictly between the two, by the block's time.
    nonce
        32 random bytes, 0x-hex, used once (ERC-3009).
    """

    holder: str
    amount_base_units: int
    payment_reference: str
    valid_after_unix_s: int
    valid_before_unix_s: int
    nonce: str

    def message(self) -> dict[str, Any]:
        """Return the typed data's message; the amount as a string, as wallets take it."""
        return {
            "from": self.holder,
            "value": str(self.amount_base_units),
            "paymentReference": self.payment_reference,
            "validAfter": self.valid_after_unix_s,
            "validBefore": self.valid_before_unix_s,
            "nonce": self.nonce,
        }


def payment_reference(text: str) -> str:
    """Return 32 bytes for a reference: given as 0x and 64 digits, else keccak256 of its UTF-8."""
    if text.startswith("0x") and len(text) == 66:  # noqa: PLR2004  # 0x and 32 bytes
        try:
            return "0x" + bytes.fromhex(text[2:]).hex()
        except ValueError:
            raise InvalidInput(f"{text!r} is not hexadecimal") from None
    if not text:
        raise InvalidInput("the payment reference is empty")
    return "0x" + keccak(text.encode()).hex()


def new_redemption(
    app: Application,
    holder: str,
    amount_base_units: int,
    reference: str,
    *,
    nonce: str | None = None,
    valid_before_unix_s: int | None = None,
) -> Redemption:
    """Return a redemption to sign, valid from now for a day by the chain's clock.

    Parameters
    ----------
    reference
        As :func:`payment_reference` takes it.
    nonce, valid_before_unix_s
        Of one made before, to submit its signature.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    header = app.rpc.header("latest") or {}
    now_unix_s = int(header["timestamp"], 16)
    return Redemption(
        holder=holder,
        amount_base_units=amount_base_units,
        payment_reference=payment_reference(reference),
        valid_after_unix_s=0,
        valid_before_unix_s=valid_before_unix_s or now_unix_s + DEFAULT_VALIDITY_S,
        nonce=nonce or "0x" + secrets.token_hex(32),
    )


def redemption_typed_data(app: Application, redemption: Redemption) -> dict[str, Any]:
    """Return the EIP-712 document that the holder's wallet signs.

    Raises
    ------
    InvalidInput
        When a value does not fit its type.
    """
    try:
        return make_typed_data(app.signing_domain, "RedeemWithAuthorization", redemption.message())
    except ValueError as error:
        raise InvalidInput(str(error)) from None


def submit_redemption(
    app: Application, session: Session, redemption: Redemption, signature: str, *, actor: str
) -> ChainRequest:
    """Check a holder's signature and ask for the relayed redemption.

    Parameters
    ----------
    signature
        r (32) | s (32) | v (1), 0x-hex.

    Raises
    ------
    InvalidSignature
        When the holder did not sign exactly this.
    LimitExceeded
        When the wallet has less than that.
    AlreadyExists
        When the same redemption waits to be sent.
    """
    canonical = normalise(signature)
    signer = recover(digest_of(redemption_typed_data(app, redemption)), canonical)
    if signer != redemption.holder:
        raise InvalidSignature(f"signed by {signer}, not by the holder {redemption.holder}")
    balance = app.contracts.read(app.rpc, "token", "balanceOf", redemption.holder)
    if balance < redemption.amount_base_units:
        raise LimitExceeded(f"the wallet has {format_amount(balance)} only")
    v, r, s = split(canonical)
    return ask_once(
        session,
        RequestKind.REDEEM_WITH_AUTHORIZATION,
        redemption.message() | {"v": v, "r": r, "s": s},
        dedupe_key=f"redeem:{redemption.holder}:{redemption.nonce}",
        actor=actor,
    )
