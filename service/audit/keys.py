"""Signatures of P-256 keys and passkeys, proven without asking the contract that checked them.

A key's signature is one over the digest itself, or a WebAuthn assertion with the digest as its
challenge. What is asked of an assertion is what contracts/verifiers/PasskeyVerifier.sol asks.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""SEC 2, 2.4.2."""

P256_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
"""Of the field; coordinates are below it (FIPS 186-4, D.1.2.3)."""

WORD = 32
POINT_BYTES = 2 * WORD
SIGNATURE_BYTES = 2 * WORD
ASSERTION_WORDS = 6
"""r, s, index of the challenge, index of the type, and where the two documents begin."""

SMALLEST_AUTHENTICATOR_DATA = 37
"""Relying party's hash (32), flags (1), counter (4): WebAuthn level 3, 6.1."""
FLAGS_AT = 32
USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP = 1, 4, 8, 16
TYPE = b'"type":"webauthn.get"'


def is_point(point: bytes) -> bool:
    """Tell whether 64 bytes x | y are a point of P-256."""
    return _public_key(point) is not None


def signed_by_key(point: bytes, digest: bytes, signature: bytes) -> bool:
    """Tell whether the key of a point signed a digest, directly or in an assertion.

    Parameters
    ----------
    point
        x | y, 64 bytes.
    digest
        32 bytes.
    signature
        r | s and perhaps more, or an ABI-encoded assertion.
    """
    key = _public_key(point)
    return key is not None and (
        _verifies(key, digest, signature[:SIGNATURE_BYTES]) or _asserts(key, digest, signature)
    )


def _public_key(point: bytes) -> ec.EllipticCurvePublicKey | None:
    if len(point) != POINT_BYTES:
        return None
    x, y = (int.from_bytes(point[at : at + WORD], "big") for at in (0, WORD))
    if max(x, y) >= P256_PRIME:  # OpenSSL would take such for what is left of it
        return None
    try:
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:
        return None


def _verifies(key: ec.EllipticCurvePublicKey, digest: bytes, signature: bytes) -> bool:
    """Check r | s, s in the lower half, over a digest."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    r, s = (int.from_bytes(signature[at : at + WORD], "big") for at in (0, WORD))
    if not (0 < r < P256_ORDER and 0 < s <= P256_ORDER // 2):
        return False
    try:
        key.verify(
            utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))
        )
    except InvalidSignature:
        return False
    return True


def _asserts(key: ec.EllipticCurvePublicKey, digest: bytes, signature: bytes) -> bool:
    """Check an assertion: its type, challenge and flags, and the key's signature over all of it."""
    numbers = [
        int.from_bytes(signature[at * WORD : (at + 1) * WORD], "big")
        for at in range(ASSERTION_WORDS)
    ]
    challenge_at, type_at, data_at, client_at = numbers[2:]
    data, client = _dynamic(signature, data_at), _dynamic(signature, client_at)
    if data is None or client is None or len(data) < SMALLEST_AUTHENTICATOR_DATA:
        return False
    challenge = b'"challenge":"' + base64.urlsafe_b64encode(digest).rstrip(b"=") + b'"'
    flags = data[FLAGS_AT]
    return (
        client[type_at : type_at + len(TYPE)] == TYPE
        and client[challenge_at : challenge_at + len(challenge)] == challenge
        and bool(flags & USER_PRESENT)
        and bool(flags & USER_VERIFIED)
        and (bool(flags & BACKUP_ELIGIBLE) or not flags & BACKED_UP)
        and _verifies(
            key,
            hashlib.sha256(data + hashlib.sha256(client).digest()).digest(),
            signature[:SIGNATURE_BYTES],
        )
    )


def _dynamic(encoded: bytes, at: int) -> bytes | None:
    """Return the ABI-encoded bytes that begin at an offset, or None where they end too early."""
    start = at + WORD
    if len(encoded) < max(start, ASSERTION_WORDS * WORD):
        return None
    length = int.from_bytes(encoded[at:start], "big")
    return encoded[start : start + length] if start + length <= len(encoded) else None
