"""What officers sign with, as people name it: an account, a contract, a P-256 key or a passkey."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from eth_utils.address import is_checksum_address

from service.application.context import Application
from service.approvals.keys import (
    POINT_BYTES,
    key_signature,
    passkey_signature,
    require_point,
)
from service.approvals.models import SIGNER_ACCOUNT, SIGNER_EOA, SIGNER_KEY
from service.approvals.officers import SignedWith
from service.chain.signer_contracts import account_takes, is_contract
from service.errors import InvalidInput, InvalidSignature

ADDRESS_BYTES = 20


class SignerKind(StrEnum):
    """Kinds of signers."""

    ACCOUNT = "account"
    """An externally owned account: its address."""
    CONTRACT = "contract"
    """A contract account (ERC-1271): its address."""
    P256 = "p256"
    """A P-256 key: x | y, 64 bytes."""
    PASSKEY = "passkey"
    """A passkey's P-256 key: x | y, 64 bytes."""


def read_signer(app: Application, kind: SignerKind, text: str) -> tuple[int, str]:
    """Return the registry's type and bytes (0x-hex, lower case) of a signer.

    Parameters
    ----------
    text
        An EIP-55 address, or a key's 64 bytes as 0x-hex.

    Raises
    ------
    InvalidInput
        When it is no address, or no point of P-256.
    ConfigurationError
        Of a key, when the deployment is not known.
    """
    if kind in (SignerKind.ACCOUNT, SignerKind.CONTRACT):
        if not is_checksum_address(text):
            raise InvalidInput(f"{text!r} is no address with an EIP-55 checksum")
        return SIGNER_EOA if kind is SignerKind.ACCOUNT else SIGNER_ACCOUNT, text.lower()
    try:
        point = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise InvalidInput(
            f"a key is 0x and {2 * POINT_BYTES} hexadecimal digits, x and y"
        ) from None
    require_point(point)
    return SIGNER_KEY, _verifiers(app)[kind] + point.hex()


def read_new_signer(app: Application, kind: SignerKind, text: str) -> tuple[int, str]:
    """Return a signer as :func:`read_signer`, refused where the registry would refuse to add it.

    Raises
    ------
    InvalidInput
        Also when no contract stands at a contract account's address.
    ChainUnavailable
        When the node does not answer.
    """
    signer_type, signer = read_signer(app, kind, text)
    if signer_type == SIGNER_ACCOUNT and not is_contract(app.rpc, text):
        raise InvalidInput(
            f"no contract stands at {text}: nothing, or an account that only delegates to one"
        )
    return signer_type, signer


def signed_with(app: Application, kind: SignerKind, text: str) -> SignedWith:
    """Return the signer that a signature is said to be of, with how to check it.

    Raises
    ------
    InvalidInput
        As :func:`read_signer`.
    """
    signer_type, signer = read_signer(app, kind, text)
    raw = bytes.fromhex(signer[2:])
    point = raw[ADDRESS_BYTES:]

    def asked(digest: bytes, signature: bytes) -> bytes:
        if not account_takes(app.rpc, text, digest, signature):
            raise InvalidSignature(
                f"the account {text} does not take the signature over this message"
            )
        return signature

    canonical: dict[SignerKind, Callable[[bytes, bytes], bytes]] = {
        SignerKind.CONTRACT: asked,
        SignerKind.P256: lambda digest, given: key_signature(point, digest, given),
        SignerKind.PASSKEY: lambda digest, given: passkey_signature(point, digest, given),
    }
    return SignedWith(signer_type, signer, canonical.get(kind))


def _verifiers(app: Application) -> dict[SignerKind, str]:
    return {
        SignerKind.P256: app.deployment.p256_verifier.lower(),
        SignerKind.PASSKEY: app.deployment.passkey_verifier.lower(),
    }
