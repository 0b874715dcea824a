"""Keys that officers sign with besides accounts: P-256 keys and passkeys, derived from fixed words.

They must never hold anything of value. Used by the service's tests and, in Brownie's environment,
by the contracts'.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from eth_abi import encode

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""SEC 2, 2.4.2."""

USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP = 1, 4, 8, 16
"""Flags of authenticator data (WebAuthn, 6.1)."""

ASSERTION = "(bytes32,bytes32,uint256,uint256,bytes,string)"
"""What a passkey's verifier reads: r, s, where challenge and type stand, and the two documents."""


def twin(signature: bytes) -> bytes:
    """The other signature of the same key over the same digest: s mirrored at the order."""
    s = int.from_bytes(signature[32:64], "big")
    return signature[:32] + (P256_ORDER - s).to_bytes(32, "big") + signature[64:]


@dataclass(frozen=True)
class P256Key:
    """A P-256 key derived from a name."""

    name: str

    @property
    def secret(self) -> Any:
        """The private key."""
        number = int.from_bytes(hashlib.sha256(self.name.encode()).digest(), "big")
        return ec.derive_private_key(number % (P256_ORDER - 1) + 1, ec.SECP256R1())

    @property
    def point(self) -> bytes:
        """The public key as signers carry it: x | y, 64 bytes."""
        numbers = self.secret.public_key().public_numbers()
        return bytes(numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big"))

    def sign(self, digest: bytes) -> bytes:
        """Sign 32 bytes as they are: r | s, s in the lower half; the same each time (RFC 6979)."""
        how = ec.ECDSA(utils.Prehashed(hashes.SHA256()), deterministic_signing=True)
        der = self.secret.sign(digest, how)
        r, s = utils.decode_dss_signature(der)
        return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")


@dataclass(frozen=True)
class Passkey(P256Key):
    """A passkey, and the device and browser that make assertions with it."""

    origin: str = "https://relief.example"

    def assertion(
        self,
        challenge: bytes,
        *,
        kind: str = "webauthn.get",
        flags: int = USER_PRESENT | USER_VERIFIED,
        counter: int = 7,
    ) -> tuple[bytes, bytes, str]:
        """What the browser gives: r | s (low), authenticator data, client data."""
        relying_party = hashlib.sha256(self.origin.removeprefix("https://").encode()).digest()
        authenticator_data = relying_party + bytes([flags]) + counter.to_bytes(4, "big")
        client_data = json.dumps(
            {
                "type": kind,
                "challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
                "origin": self.origin,
                "crossOrigin": False,
            },
            separators=(",", ":"),
        )
        signed = authenticator_data + hashlib.sha256(client_data.encode()).digest()
        return P256Key.sign(self, hashlib.sha256(signed).digest()), authenticator_data, client_data

    def browser_assertion(self, challenge: bytes) -> dict[str, Any]:
        """What `PublicKeyCredential.toJSON()` gives: base64url, and s in the upper half."""
        signature, authenticator_data, client_data = self.assertion(challenge)
        r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
        response = {
            "authenticatorData": authenticator_data,
            "clientDataJSON": client_data.encode(),
            "signature": utils.encode_dss_signature(r, P256_ORDER - s),
        }
        return {
            "type": "public-key",
            "response": {
                name: base64.urlsafe_b64encode(value).rstrip(b"=").decode()
                for name, value in response.items()
            },
        }

    def sign(self, digest: bytes, **how: Any) -> bytes:
        """Sign 32 bytes: an assertion with them as challenge, as the verifier reads it."""
        return packed_assertion(*self.assertion(digest, **how))


def packed_assertion(signature: bytes, authenticator_data: bytes, client_data: str) -> bytes:
    """An assertion as the verifier reads it (ABI encoding of ``ASSERTION``, without an offset)."""
    fields = (
        signature[:32],
        signature[32:64],
        client_data.index('"challenge"'),
        client_data.index('"type"'),
        authenticator_data,
        client_data,
    )
    return encode([ASSERTION], [fields])[32:]
