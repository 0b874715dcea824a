"""Opens V3 keystores, the encrypted key files of every wallet, without holding scrypt's memory.

A key derived from the passphrase has two halves: the first encrypts the private key with
AES-128-CTR, the second goes before the ciphertext into Keccak-256, by which a wrong passphrase
is told. `eth_account`, which makes our keystores, would derive it in this process.

Source: Web3 Secret Storage, version 3,
https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from eth_utils.crypto import keccak
from eth_utils.hexadecimal import decode_hex

from service.chain.scrypt import derive_key

VERSION = 3
_CIPHER = "aes-128-ctr"
_PRF = "hmac-sha256"
_IV_BYTES = 16


def decrypt_key(keystore: Mapping[str, Any], passphrase: str) -> bytes:
    """Decrypt a keystore's private key.

    Raises
    ------
    ValueError
        If the passphrase is wrong, or the content is damaged or of a kind that is not known here;
        the message says which.
    ConfigurationError
        As :func:`service.chain.scrypt.derive_key`.
    """
    try:
        crypto = _small_names(keystore)["crypto"]
        iv = _start_value(crypto["cipher"], crypto["cipherparams"])
        ciphertext, mac = decode_hex(crypto["ciphertext"]), decode_hex(crypto["mac"])
        derived = _derive(passphrase.encode(), crypto["kdf"], crypto["kdfparams"])
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"the keystore is damaged, or of another kind: {error}") from None
    if not hmac.compare_digest(keccak(derived[16:32] + ciphertext), mac):
        raise ValueError("wrong passphrase")
    return _aes_ctr(derived[:16], iv, ciphertext)


def _start_value(cipher: str, given: Mapping[str, Any]) -> bytes:
    if cipher != _CIPHER:
        raise ValueError(f"cipher {cipher}")
    return decode_hex(given["iv"]).rjust(_IV_BYTES, b"\0")  # there are wallets that write a number


def _derive(passphrase: bytes, kdf: str, given: Mapping[str, Any]) -> bytes:
    salt, length = decode_hex(given["salt"]), given["dklen"]
    if kdf == "scrypt":
        return derive_key(
            passphrase, salt=salt, n=given["n"], r=given["r"], p=given["p"], length=length
        )
    if kdf == "pbkdf2" and given["prf"] == _PRF:
        return hashlib.pbkdf2_hmac("sha256", passphrase, salt, given["c"], length)
    raise ValueError(f"key derivation {kdf}")


def _aes_ctr(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CTR(iv)).decryptor()
    return decryptor.update(ciphertext) + decryptor.finalize()


def _small_names(content: Mapping[str, Any]) -> dict[str, Any]:
    """Write the names in small letters: there are wallets that write ``Crypto``."""
    return {
        name.lower(): _small_names(value) if isinstance(value, Mapping) else value
        for name, value in content.items()
    }
