"""What holders of the token sign and anyone relays: the documents, and who signed them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.application.context import Application
from service.approvals.signatures import normalise, recover, split
from service.approvals.typed_data import digest_of, make_typed_data
from service.errors import Conflict, InvalidInput, InvalidSignature, LimitExceeded
from service.units import format_amount, format_unix_s

DEFAULT_VALIDITY_S = 86_400
"""A signature that is not relayed within a day is void."""


def holder_document(
    app: Application, primary_type: str, message: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the EIP-712 document that a holder's wallet signs.

    Raises
    ------
    InvalidInput
        When a value does not fit its type.
    """
    try:
        return make_typed_data(app.signing_domain, primary_type, message)
    except ValueError as error:
        raise InvalidInput(str(error)) from None


def holders_signature(
    document: Mapping[str, Any], signature: str, holder: str
) -> dict[str, str | int]:
    """Return ``v``, ``r`` and ``s`` of a holder's signature over a document.

    Parameters
    ----------
    signature
        r (32) | s (32) | v (1), 0x-hex.

    Raises
    ------
    InvalidSignature
        When the holder did not sign exactly this.
    """
    canonical = normalise(signature)
    signer = recover(digest_of(document), canonical)
    if signer != holder:
        raise InvalidSignature(f"signed by {signer}, not by the holder {holder}")
    v, r, s = split(canonical)
    return {"v": v, "r": r, "s": s}


def chain_now_unix_s(app: Application) -> int:
    """Return the newest block's time.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    header = app.rpc.header("latest") or {}
    return int(header["timestamp"], 16)


def require_usable(
    app: Application, holder: str, nonce: str, valid_after_unix_s: int, valid_before_unix_s: int
) -> None:
    """Refuse an authorization (ERC-3009) that the token would refuse for its time or its nonce.

    Raises
    ------
    Conflict
        When it was used or cancelled, is not valid yet, or no longer.
    ChainUnavailable
        When the node does not answer.
    """
    if app.contracts.read(
        app.rpc, "token", "authorizationState", holder, bytes.fromhex(nonce.removeprefix("0x"))
    ):
        raise Conflict("the signature was used or cancelled before: sign again")
    now = chain_now_unix_s(app)
    if now <= valid_after_unix_s:
        raise Conflict(f"the signature is good only after {format_unix_s(valid_after_unix_s)}")
    if now >= valid_before_unix_s:
        until = format_unix_s(valid_before_unix_s)
        raise Conflict(f"the signature was good until {until} only: sign again")


def require_spendable(app: Application, holder: str, amount_base_units: int) -> None:
    """Refuse to move what a wallet cannot give now.

    Raises
    ------
    Conflict
        When transfers are paused or the wallet is frozen.
    LimitExceeded
        When it has less than that.
    ChainUnavailable
        When the node does not answer.
    """
    if app.contracts.read(app.rpc, "token", "transfersPaused"):
        raise Conflict("a guardian paused all transfers: a quorum can lift it")
    if app.contracts.read(app.rpc, "token", "isFrozen", holder):
        raise Conflict(f"the wallet {holder} is frozen")
    balance = app.contracts.read(app.rpc, "token", "balanceOf", holder)
    if balance < amount_base_units:
        raise LimitExceeded(f"the wallet has {format_amount(balance)} only")
