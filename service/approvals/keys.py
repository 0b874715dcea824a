"""Signatures of P-256 keys and passkeys, brought into the one form that their verifiers take.

A key signs the digest itself: r | s. A passkey signs a WebAuthn assertion whose challenge is the
digest; its signature is the ABI encoding of r, s, where challenge and type stand in the client
data, the authenticator data and the client data (OpenZeppelin's ``WebAuthnAuth``). Each signature
has a twin with s mirrored at the order; the verifiers take the lower one only.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature as Mismatch
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from service.errors import InvalidInput, InvalidSignature

POINT_BYTES = 64
SIGNATURE_BYTES = 64
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256 (SEC 2, 2.4.2)."""

_ASSERTION = "(bytes32,bytes32,uint256,uint256,bytes,string)"
_OFFSET = (32).to_bytes(32, "big")
"""What stands before a lone dynamic tuple in ABI encoding, and not in a signature."""
_TYPE = '"type":"webauthn.get"'
_SMALLEST_AUTHENTICATOR_DATA = 37
"""Relying party's hash (32), flags (1), counter (4): WebAuthn level 3, 6.1."""
_FLAGS_AT = 32
_USER_PRESENT, _USER_VERIFIED, _BACKUP_ELIGIBLE, _BACKED_UP = 1, 4, 8, 16


def require_point(point: bytes) -> None:
    """Refuse what is no point of P-256.

    Parameters
    ----------
    point
        x | y, 64 bytes.

    Raises
    ------
    InvalidInput
        When the length is another, or it is not on the curve.
    """
    _public_key(point)


def key_signature(point: bytes, digest: bytes, signature: bytes) -> bytes:
    """Return r | s, s in the lower half, of a key's signature over a digest.

    Parameters
    ----------
    point
        x | y, 64 bytes.
    digest
        32 bytes, signed as they are.
    signature
        r | s, 64 bytes, s in either half.

    Raises
    ------
    InvalidSignature
        When it is not this key's over this digest.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise InvalidSignature(
            f"a key's signature is r | s, {SIGNATURE_BYTES} bytes, not {len(signature)}"
        )
    return _lower(_public_key(point), digest, signature, "the signature is not this key's")


def passkey_signature(point: bytes, digest: bytes, signature: bytes) -> bytes:
    """Return the encoded assertion, s in the lower half, of a passkey over a digest.

    Parameters
    ----------
    point
        x | y, 64 bytes.
    digest
        32 bytes, the assertion's challenge.
    signature
        The encoded assertion, s in either half.

    Raises
    ------
    InvalidSignature
        When it is no assertion, is over another challenge, its user was not there or not verified,
        or it is not this key's.
    """
    try:
        ((r, s, challenge_at, type_at, data, client),) = decode([_ASSERTION], _OFFSET + signature)
    except (DecodingError, UnicodeDecodeError, OverflowError):
        raise InvalidSignature(
            "a passkey's signature is an ABI-encoded assertion: docs/signing.md says how it is made"
        ) from None
    challenge = f'"challenge":"{_base64url(digest)}"'
    if client[type_at : type_at + len(_TYPE)] != _TYPE:
        raise InvalidSignature("the client data is not of an assertion (webauthn.get)")
    if client[challenge_at : challenge_at + len(challenge)] != challenge:
        raise InvalidSignature("the assertion's challenge is another: it signed something else")
    if len(data) < _SMALLEST_AUTHENTICATOR_DATA:
        raise InvalidSignature("the authenticator data is cut short")
    flags = data[_FLAGS_AT]
    if not flags & _USER_PRESENT or not flags & _USER_VERIFIED:
        raise InvalidSignature(
            "the device did not verify its user: ask for userVerification 'required'"
        )
    if flags & _BACKED_UP and not flags & _BACKUP_ELIGIBLE:
        raise InvalidSignature("the authenticator data contradicts itself (backup flags)")
    signed = hashlib.sha256(data + hashlib.sha256(client.encode()).digest()).digest()
    lower = _lower(_public_key(point), signed, r + s, "the assertion is not this passkey's")
    return _encoded(lower, data, client)


def passkey_assertion(response: Mapping[str, Any]) -> bytes:
    """Encode an assertion as browsers give it (``PublicKeyCredential.toJSON()``).

    Parameters
    ----------
    response
        Its member ``response``: ``authenticatorData``, ``clientDataJSON`` and ``signature`` (DER),
        each in unpadded base64url.

    Raises
    ------
    InvalidInput
        When a member is missing or malformed.
    """
    try:
        data, client, der = (
            base64.urlsafe_b64decode(response[name] + "=" * (-len(response[name]) % 4))
            for name in ("authenticatorData", "clientDataJSON", "signature")
        )
        r, s = utils.decode_dss_signature(der)
        return _encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big"), data, client.decode())
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(
            "the assertion's response needs authenticatorData, clientDataJSON and signature in "
            f"base64url, as a browser gives them: {error}"
        ) from None


def _encoded(signature: bytes, data: bytes, client: str) -> bytes:
    fields = (
        signature[:32],
        signature[32:],
        client.index('"challenge"'),
        client.index('"type"'),
        data,
        client,
    )
    return encode([_ASSERTION], [fields]).removeprefix(_OFFSET)


def _public_key(point: bytes) -> ec.EllipticCurvePublicKey:
    if len(point) != POINT_BYTES:
        raise InvalidInput(f"a key is x | y, {POINT_BYTES} bytes, not {len(point)}")
    x, y = int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")
    try:
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:
        raise InvalidInput("the key is no point of P-256") from None


def _lower(key: ec.EllipticCurvePublicKey, digest: bytes, signature: bytes, refusal: str) -> bytes:
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(
            utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))
        )
    except Mismatch:
        raise InvalidSignature(f"{refusal} over this message") from None
    return signature[:32] + min(s, ORDER - s).to_bytes(32, "big")


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
