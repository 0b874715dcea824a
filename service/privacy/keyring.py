"""The keyring: key-encryption keys, blind-index and programme keys, all from one file.

::

    passphrase ─ scrypt ─► file key ─► keyring file
                                       ├── key-encryption keys 1..n ─ wrap ─► data key of one row
                                       │                                      └─► its fields
                                       ├── index root ─ HKDF ─► one subkey a field ─► blind index
                                       └── commitment root ─ HKDF ─► one key a programme

Only the key-encryption keys ever change (:meth:`Keyring.rotate`); the two roots stay, because
the blind indexes in the database and the commitments on chain depend on them.
"""

from __future__ import annotations

import hmac
import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from service.errors import ConfigurationError, IntegrityError, InvalidInput, NotFound
from service.privacy import fields, keyfile

KEY_BYTES = 32
WRAPPED_COLUMN = "wrapped_data_key"
MIN_PASSPHRASE_CHARACTERS = 12
_INDEX_INFO = "relief/blind-index/v1/"
_PROGRAMME_INFO = "relief/programme-key/v1/"


@dataclass(frozen=True, slots=True)
class DataKey:
    """The key of one row's fields, opened.

    Attributes
    ----------
    table, row_id
        The row it belongs to.
    key_version
        Version of the key-encryption key that wraps it.
    wrapped
        The wrapped key, as the row stores it.
    """

    table: str
    row_id: str
    key_version: int
    wrapped: bytes
    _cipher: AESGCM = field(repr=False)

    def seal(self, column: str, value: str) -> bytes:
        """Encrypt one field of the row; the bytes are laid out as docs/privacy.md says."""
        place = fields.associated_data(self.table, column, self.row_id, self.key_version)
        return fields.encrypt(self._cipher, value.encode(), place)

    def open(self, column: str, sealed: bytes) -> str:
        """Decrypt one field of the row.

        Raises
        ------
        IntegrityError
            When the field was changed or comes from another table, column, row or version.
        """
        place = fields.associated_data(self.table, column, self.row_id, self.key_version)
        return fields.decrypt(self._cipher, sealed, place).decode()


@dataclass(frozen=True, slots=True)
class SealedRow:
    """What a table stores of one row's personal fields."""

    wrapped_data_key: bytes
    key_version: int
    fields: Mapping[str, bytes]


class Keyring:
    """The service's keys for personal data, opened.

    Make one with :meth:`create` or :meth:`load`.
    """

    def __init__(self, path: Path, file_key: keyfile.FileKey, content: dict[str, Any]) -> None:
        self.path = path
        self._adopt(file_key, content)

    def _adopt(self, file_key: keyfile.FileKey, content: dict[str, Any]) -> None:
        self._file_key = file_key
        try:
            self._keks = {
                int(version): AESGCM(_key(value))
                for version, value in content["key_encryption_keys"].items()
            }
            self._index_root = _key(content["index_root"])
            self._commitment_root = _key(content["commitment_root"])
            self.key_version = int(content["current_version"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ConfigurationError(f"{self.path} does not hold the keys it should") from None
        if self.key_version not in self._keks:
            raise ConfigurationError(f"{self.path} lacks its current key, {self.key_version}")

    def __repr__(self) -> str:
        return f"Keyring({str(self.path)!r}, key_version={self.key_version})"

    # ---- The file ----------------------------------------------------------------------------

    @classmethod
    def create(
        cls, path: Path, passphrase: str, *, scrypt_n: int = keyfile.DEFAULT_SCRYPT_N
    ) -> Self:
        """Make a new keyring file with fresh random keys, mode 0600.

        Parameters
        ----------
        path
            Where; its folder is made when missing.
        passphrase
            At least 12 characters.
        scrypt_n
            Cost of guessing the passphrase; lower it in tests only.

        Raises
        ------
        InvalidInput
            When the passphrase is too short.
        AlreadyExists
            When there is a file at that path.
        """
        _refuse_short(passphrase)
        content = {
            "key_encryption_keys": {"1": os.urandom(KEY_BYTES).hex()},
            "current_version": 1,
            "index_root": os.urandom(KEY_BYTES).hex(),
            "commitment_root": os.urandom(KEY_BYTES).hex(),
        }
        file_key = keyfile.FileKey.derive(passphrase, os.urandom(16), scrypt_n)
        keyfile.write(path, file_key, content, replace=False)
        return cls(path, file_key, content)

    @classmethod
    def load(cls, path: Path, passphrase: str) -> Self:
        """Open a keyring file.

        Raises
        ------
        ConfigurationError
            When the file is missing, readable by others, or not a keyring.
        IntegrityError
            When the passphrase is wrong or the file was changed.
        """
        file_key, content = keyfile.read(path, passphrase)
        return cls(path, file_key, content)

    def rotate(self) -> int:
        """Add a key-encryption key and make it the current one; older ones still open rows.

        Safe beside other processes: the file is locked and read again first.

        Returns
        -------
        int
            The new key version.

        Raises
        ------
        IntegrityError
            When the file was changed by something else, or got another passphrase.
        """
        with keyfile.locked(self.path):
            content = keyfile.reread(self.path, self._file_key)
            version = max(int(known) for known in content["key_encryption_keys"]) + 1
            content["key_encryption_keys"][str(version)] = os.urandom(KEY_BYTES).hex()
            content["current_version"] = version
            keyfile.write(self.path, self._file_key, content, replace=True)
        self._adopt(self._file_key, content)
        return version

    def change_passphrase(self, passphrase: str) -> None:
        """Seal the file under another passphrase; the keys inside stay the same.

        Raises
        ------
        InvalidInput
            When the passphrase is too short.
        """
        _refuse_short(passphrase)
        with keyfile.locked(self.path):
            content = keyfile.reread(self.path, self._file_key)
            file_key = keyfile.FileKey.derive(passphrase, os.urandom(16), self._file_key.scrypt_n)
            keyfile.write(self.path, file_key, content, replace=True)
        self._adopt(file_key, content)

    # ---- Rows --------------------------------------------------------------------------------

    def new_data_key(self, table: str, row_id: str) -> DataKey:
        """Make the data key of a new row, wrapped by the current key-encryption key."""
        plain = os.urandom(KEY_BYTES)
        place = fields.associated_data(table, WRAPPED_COLUMN, row_id, self.key_version)
        wrapped = fields.encrypt(self._keks[self.key_version], plain, place)
        return DataKey(table, row_id, self.key_version, wrapped, AESGCM(plain))

    def open_data_key(
        self, table: str, row_id: str, wrapped_data_key: bytes | None, key_version: int
    ) -> DataKey:
        """Unwrap the data key of a stored row.

        Raises
        ------
        NotFound
            When the key was destroyed: the row's personal data is erased.
        IntegrityError
            When the wrapped key was changed or belongs to another row, or its version is unknown.
        """
        if wrapped_data_key is None:
            raise NotFound(f"the personal data of {table} {row_id} was erased")
        kek = self._keks.get(key_version)
        if kek is None:
            raise IntegrityError(f"{table} {row_id}: the keyring has no key {key_version}")
        place = fields.associated_data(table, WRAPPED_COLUMN, row_id, key_version)
        plain = fields.decrypt(kek, wrapped_data_key, place)
        return DataKey(table, row_id, key_version, wrapped_data_key, AESGCM(plain))

    def seal(self, table: str, row_id: str, values: Mapping[str, str]) -> SealedRow:
        """Encrypt the personal fields of a new row under a data key of its own.

        Parameters
        ----------
        table, row_id
            The row the ciphertexts are bound to.
        values
            Plaintext by column.
        """
        data_key = self.new_data_key(table, row_id)
        sealed = {column: data_key.seal(column, value) for column, value in values.items()}
        return SealedRow(data_key.wrapped, data_key.key_version, sealed)

    def open(self, table: str, row_id: str, row: SealedRow) -> dict[str, str]:
        """Decrypt the personal fields of a row that :meth:`seal` made.

        Raises
        ------
        NotFound, IntegrityError
            As :meth:`open_data_key` and :meth:`DataKey.open`.
        """
        data_key = self.open_data_key(table, row_id, row.wrapped_data_key, row.key_version)
        return {column: data_key.open(column, sealed) for column, sealed in row.fields.items()}

    # ---- Indexes and programmes --------------------------------------------------------------

    def blind_index(self, field_name: str, value: str) -> bytes:
        """Return the keyed fingerprint that finds a value without storing it.

        Parameters
        ----------
        field_name
            Table and column, such as ``"beneficiaries.id_number"``; each has its own subkey, so
            that equal values of two fields don't show as equal.
        value
            The canonical value; NFC is applied.

        Returns
        -------
        bytes
            HMAC-SHA-256 of the UTF-8 value, 32 bytes.
        """
        key = _expand(self._index_root, _INDEX_INFO + field_name)
        return hmac.digest(key, unicodedata.normalize("NFC", value).encode(), "sha256")

    def programme_key(self, programme_id: int) -> bytes:
        """Return the key of a programme's case commitments, 32 bytes.

        Derived, not stored: a keyring restored from any backup still knows it (decision 0012).

        Parameters
        ----------
        programme_id
            The programme's number on chain.

        Raises
        ------
        ValueError
            When the number is negative.
        """
        if programme_id < 0:
            raise ValueError(f"programme {programme_id} is negative")
        return _expand(self._commitment_root, f"{_PROGRAMME_INFO}{programme_id}")


@lru_cache(maxsize=4096)
def _expand(root: bytes, info: str) -> bytes:
    # HKDF's second half (RFC 5869, 2.3): the roots are uniformly random already.
    return HKDFExpand(algorithm=SHA256(), length=KEY_BYTES, info=info.encode()).derive(root)


def _key(value: str) -> bytes:
    key = bytes.fromhex(value)
    if len(key) != KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    return key


def _refuse_short(passphrase: str) -> None:
    if len(passphrase) < MIN_PASSPHRASE_CHARACTERS:
        raise InvalidInput(f"a passphrase has at least {MIN_PASSPHRASE_CHARACTERS} characters")
