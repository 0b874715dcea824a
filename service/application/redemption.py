"""Redeeming: the holder signs, anyone relays, the tokens are burnt against fiat owed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak
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
from service.errors import InvalidInput
from service.payouts.models import ChainRequest, RequestKind


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
    return Redemption(
        holder=holder,
        amount_base_units=amount_base_units,
        payment_reference=payment_reference(reference),
        valid_after_unix_s=0,
        valid_before_unix_s=valid_before_unix_s or chain_now_unix_s(app) + DEFAULT_VALIDITY_S,
        nonce=nonce or "0x" + secrets.token_hex(32),
    )


def redemption_typed_data(app: Application, redemption: Redemption) -> dict[str, Any]:
    """Return the EIP-712 document that the holder's wallet signs.

    Raises
    ------
    InvalidInput
        When a value does not fit its type.
    """
    return holder_document(app, "RedeemWithAuthorization", redemption.message())


def submit_redemption(
    app: Application, session: Session, redemption: Redemption, signature: str, *, actor: str
) -> ChainRequest:
    """Check a holder's signature and ask for the relayed redemption.

    The same redemption again, open or done, is the request there is.

    Parameters
    ----------
    signature
        r (32) | s (32) | v (1), 0x-hex.

    Raises
    ------
    InvalidSignature
        When the holder did not sign exactly this.
    Conflict
        When it was used or cancelled, is not valid now, transfers are paused, or the wallet is
        frozen.
    LimitExceeded
        When the wallet has less than that.
    AlreadyExists
        When another redemption under the same nonce waits to be sent.
    """
    document = redemption_typed_data(app, redemption)
    args = redemption.message() | holders_signature(document, signature, redemption.holder)
    key = f"redeem:{redemption.holder}:{redemption.nonce}"
    before = relayed_before(session, key, args)
    if before is not None:
        return before
    require_usable(
        app,
        redemption.holder,
        redemption.nonce,
        redemption.valid_after_unix_s,
        redemption.valid_before_unix_s,
    )
    require_spendable(app, redemption.holder, redemption.amount_base_units)
    kind = RequestKind.REDEEM_WITH_AUTHORIZATION
    return ask_once(session, kind, args, dedupe_key=key, actor=actor)
