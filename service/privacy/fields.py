"""One encrypted field: AES-256-GCM, bound to the place it belongs to.

The bytes of a field and of its associated data are fixed by docs/privacy.md.
"""

from __future__ import annotations

import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.errors import IntegrityError
from service.privacy.encoding import length_prefixed

FORMAT_VERSION = b"\x01"
NONCE_BYTES = 12
TAG_BYTES = 16
_CONTEXT = b"relief/field/v1\x00"


def associated_data(table: str, column: str, row_id: str, key_version: int) -> bytes:
    """Return the bytes that bind a ciphertext to its place.

    Returns
    -------
    bytes
        ``"relief/field/v1"``, a zero byte, then table, column and row id length-prefixed, then
        the key version in 4 bytes (unsigned big-endian).
    """
    return _context(table, column) + length_prefixed(row_id) + key_version.to_bytes(4, "big")


@lru_cache(maxsize=256)
def _context(table: str, column: str) -> bytes:
    return _CONTEXT + length_prefixed(table, column)


def encrypt(cipher: AESGCM, plaintext: bytes, place: bytes) -> bytes:
    """Encrypt one field under a fresh random nonce.

    Returns
    -------
    bytes
        Format version (1 byte, 0x01), nonce (12), ciphertext (as long as the plaintext), tag (16).
    """
    nonce = os.urandom(NONCE_BYTES)
    return FORMAT_VERSION + nonce + cipher.encrypt(nonce, plaintext, place)


def decrypt(cipher: AESGCM, sealed: bytes, place: bytes) -> bytes:
    """Decrypt one field that :func:`encrypt` made for the same place.

    Raises
    ------
    IntegrityError
        When the bytes were changed, cut, sealed with another key, or belong elsewhere.
    """
    if sealed[:1] != FORMAT_VERSION or len(sealed) < 1 + NONCE_BYTES + TAG_BYTES:
        raise IntegrityError("an encrypted field does not have the expected format")
    try:
        return cipher.decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], place)
    except InvalidTag:
        raise IntegrityError(
            "an encrypted field was changed, moved, or sealed with another key"
        ) from None
