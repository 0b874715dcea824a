"""The auditor's key: what an auditor hands out is signed with it, and anybody can tell.

Ed25519 (RFC 8032): a signature is deterministic, needs no randomness, and is checked with 32 bytes.
The file is the unencrypted PEM that ``openssl genpkey -algorithm ed25519`` writes too (PKCS #8,
RFC 5958 and 8410), for nobody but its owner to read.

One key signs documents of several kinds. So that none can be passed off as another, what is signed
is always a JSON document with a member ``format`` that names its kind (:func:`canonical_json`).
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from service.errors import InvalidInput

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
OTHERS = 0o077
"""Permission bits of everybody but the owner."""


@dataclass(frozen=True, slots=True)
class AuditorKey:
    """A private key that signs what an auditor hands out.

    Attributes
    ----------
    public_hex
        The public key: 64 lower-case hexadecimal digits. Publish it, and hold others' beside it.
    """

    public_hex: str
    _private: Ed25519PrivateKey

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a new key and write it to a new file, mode 0600.

        Raises
        ------
        InvalidInput
            When there is a file at the path already, or none can be written.
        """
        private = Ed25519PrivateKey.generate()
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        try:
            _write_new(path, pem)
        except FileExistsError:
            raise InvalidInput(f"{path} is there already: a key is never written over") from None
        except OSError as error:
            raise InvalidInput(f"cannot write the key {path}: {error.strerror}") from error
        return cls(_hex_of(private.public_key()), private)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a key from its file.

        Raises
        ------
        InvalidInput
            When the file cannot be read, may be read by others than its owner, or holds something
            else than an unencrypted Ed25519 key.
        """
        try:
            mode = path.stat().st_mode & 0o777
            if mode & OTHERS:
                raise InvalidInput(f"others may read the key {path} (mode {mode:04o}): chmod 600")
            pem = path.read_bytes()
        except OSError as error:
            raise InvalidInput(f"cannot read the key {path}: {error.strerror}") from error
        try:
            private = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise InvalidInput(f"{path} is no unencrypted private key in PEM") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise InvalidInput(f"{path} is a private key, but none of Ed25519")
        return cls(_hex_of(private.public_key()), private)

    def sign(self, data: bytes) -> str:
        """Return the signature over some bytes: 128 lower-case hexadecimal digits."""
        return self._private.sign(data).hex()


def verify(public_hex: str, data: bytes, signature_hex: str) -> bool:
    """Tell whether a signature is a public key's over some bytes.

    Parameters
    ----------
    public_hex
        64 hexadecimal digits; what is no key signed nothing.
    signature_hex
        128 hexadecimal digits.
    """
    try:
        public, signature = bytes.fromhex(public_hex), bytes.fromhex(signature_hex)
    except ValueError:
        return False
    if (len(public), len(signature)) != (PUBLIC_KEY_BYTES, SIGNATURE_BYTES):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def canonical_json(document: dict[str, Any]) -> bytes:
    """Return the one spelling of a document that is signed and hashed.

    UTF-8, members in ascending order at every depth, no blanks, no line end. Amounts and other
    numbers that may pass 2**53 are for the caller to write as strings.
    """
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _hex_of(public: Ed25519PublicKey) -> str:
    return public.public_bytes_raw().hex()


def _write_new(path: Path, content: bytes) -> None:
    """Write a new file, whole or not at all; only its owner may read it."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # Other than a rename, a link fails where something is there.
        os.link(draft, path)
    finally:
        Path(draft).unlink()
