"""Who signs: the ``Signer`` protocol, and the default kind, an encrypted keystore file.

A key is never plain in a file or in the environment. Keystores are the V3 format every wallet
reads (:mod:`service.chain.keystore_v3`); signing uses ``coincurve`` (ten times the speed of pure
Python).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32
from eth_utils.address import to_checksum_address

from service.chain.keystore_v3 import VERSION, decrypt_key
from service.errors import AlreadyExists, ConfigurationError, InvalidInput, NotFound

SCRYPT_COST = 2**18
"""Work factor of a new keystore's scrypt, as geth's standard keystores have it."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_OTHERS = 0o077


class Signer(Protocol):
    """Something that holds one key and signs with it."""

    @property
    def address(self) -> str:
        """EIP-55 address of the key."""
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign 32 bytes; returns r (32) | s (32) | v (1, 27 or 28), low s."""
        ...

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Sign a transaction and return it as it goes over the wire."""
        ...


class LocalSigner:
    """A key held in memory."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    @property
    def address(self) -> str:
        """EIP-55 address of the key."""
        return str(self._account.address)

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign 32 bytes; returns r | s | v.

        Raises
        ------
        ValueError
            If there are not 32 bytes.
        """
        if len(digest) != 32:  # noqa: PLR2004 - keccak-256
            raise ValueError(f"a digest has 32 bytes, not {len(digest)}")
        return bytes(self._account.unsafe_sign_hash(Hash32(digest)).signature)

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Sign a transaction and return it as it goes over the wire."""
        return bytes(self._account.sign_transaction(dict(transaction)).raw_transaction)


class KeystoreSigner(LocalSigner):
    """A key read from an encrypted V3 keystore file.

    Parameters
    ----------
    path
        The file.
    passphrase
        What it was encrypted with.

    Raises
    ------
    ConfigurationError
        If the file is missing, is not a keystore or damaged, or the passphrase is wrong.
    """

    def __init__(self, path: Path, passphrase: str) -> None:
        keystore = _read_keystore(path)
        if keystore is None:
            raise ConfigurationError(f"{path} is missing or not a V3 keystore")
        try:
            key = decrypt_key(keystore, passphrase)
        except ValueError as error:
            raise ConfigurationError(f"{path}: {error}") from None
        super().__init__(Account.from_key(key))


@dataclass(frozen=True, slots=True)
class KeystoreInfo:
    """A keystore file, as far as it can be read without its passphrase."""

    name: str
    address: str
    path: Path


def create_keystore(
    folder: Path, name: str, passphrase: str, *, scrypt_cost: int = SCRYPT_COST
) -> KeystoreInfo:
    """Make a new key and write it encrypted as ``<folder>/<name>.json``, mode 0600.

    Raises
    ------
    AlreadyExists, InvalidInput
        As :func:`import_keystore`.
    """
    return import_keystore(
        folder, name, bytes(Account.create().key), passphrase, scrypt_cost=scrypt_cost
    )


def import_keystore(
    folder: Path, name: str, key: bytes, passphrase: str, *, scrypt_cost: int = SCRYPT_COST
) -> KeystoreInfo:
    """Write a given key encrypted as ``<folder>/<name>.json``, mode 0600.

    Raises
    ------
    AlreadyExists
        If there is a keystore of that name.
    InvalidInput
        If the name or the passphrase will not do.
    """
    path = new_keystore_path(folder, name)
    if not passphrase:
        raise InvalidInput("the passphrase is empty")
    keystore = Account.encrypt(key, passphrase, kdf="scrypt", iterations=scrypt_cost)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise AlreadyExists(f"{path} is there already") from error
    with os.fdopen(descriptor, "w") as file:
        json.dump(keystore, file)
        file.flush()
        os.fsync(file.fileno())
    return KeystoreInfo(name, to_checksum_address(keystore["address"]), path)


def new_keystore_path(folder: Path, name: str) -> Path:
    """Return where a new keystore of a name goes.

    Raises
    ------
    AlreadyExists
        If there is one of that name.
    InvalidInput
        If the name will not do.
    """
    if not _NAME.fullmatch(name):
        message = "small letters, digits, - and _, at most 63"
        raise InvalidInput(f"{name!r} is no name for a keystore: {message}")
    path = folder / f"{name}.json"
    if path.exists():
        raise AlreadyExists(f"{path} is there already")
    return path


def read_keystore(path: Path) -> dict[str, Any]:
    """Return a V3 keystore file as it stands, encrypted.

    Raises
    ------
    InvalidInput
        If it cannot be read or is no V3 keystore.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        content = None
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise InvalidInput(f"{path} is no V3 keystore")
    return content


def list_keystores(folder: Path) -> list[KeystoreInfo]:
    """Return the V3 keystores of a folder, by name; other files are passed over."""
    found = []
    for path in sorted(folder.glob("*.json")):
        keystore = _read_keystore(path)
        if keystore is not None:
            found.append(KeystoreInfo(path.stem, to_checksum_address(keystore["address"]), path))
    return found


def load_keystore(folder: Path, name: str, passphrase: str) -> KeystoreSigner:
    """Open one keystore of a folder.

    Raises
    ------
    NotFound
        If there is none of that name.
    ConfigurationError
        If the passphrase is wrong.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        raise NotFound(f"there is no keystore {name} in {folder}")
    return KeystoreSigner(path, passphrase)


def read_passphrase(path: Path) -> str:
    """Read a passphrase file, without its line end.

    Raises
    ------
    ConfigurationError
        If it is missing, empty, or readable by others.
    """
    try:
        mode = path.stat().st_mode
        passphrase = path.read_text().rstrip("\r\n")
    except OSError as error:
        raise ConfigurationError(f"the passphrase file cannot be read: {error}") from error
    if mode & _OTHERS:
        raise ConfigurationError(f"{path} is open to others: chmod 600 it")
    if not passphrase:
        raise ConfigurationError(f"{path} is empty")
    return passphrase


def _read_keystore(path: Path) -> dict[str, Any] | None:
    try:
        content = read_keystore(path)
    except InvalidInput:
        return None
    return content if {"crypto", "address"} <= content.keys() else None
