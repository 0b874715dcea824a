"""The keyring's file: a passphrase-encrypted JSON envelope, written atomically with mode 0600.

scrypt (RFC 7914) turns the passphrase into the file key, AES-256-GCM seals the content, and the
envelope's own parameters are authenticated with it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from service.errors import AlreadyExists, ConfigurationError, IntegrityError

FORMAT = "relief-keyring"
FORMAT_VERSION = 1

DEFAULT_SCRYPT_N = 2**17
"""CPU and memory cost: 128 MiB with r=8, as OWASP's password storage advice sets it."""

MAX_SCRYPT_N = 2**20
"""No file makes us spend more (1 GiB)."""

SCRYPT_R = 8
SCRYPT_P = 1
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class FileKey:
    """The key of one keyring file, and the scrypt parameters that made it."""

    salt: bytes
    scrypt_n: int
    key: bytes = field(repr=False)

    @classmethod
    def derive(cls, passphrase: str, salt: bytes, scrypt_n: int) -> FileKey:
        """Run scrypt: about 0.4 s with the default cost.

        Raises
        ------
        ConfigurationError
            When the cost is not a power of two between 2 and ``MAX_SCRYPT_N``.
        """
        if not 1 < scrypt_n <= MAX_SCRYPT_N or scrypt_n & (scrypt_n - 1):
            raise ConfigurationError(f"the keyring file asks for scrypt cost {scrypt_n}")
        kdf = Scrypt(salt=salt, length=32, n=scrypt_n, r=SCRYPT_R, p=SCRYPT_P)
        return cls(salt, scrypt_n, kdf.derive(passphrase.encode()))

    def header(self) -> dict[str, Any]:
        """Return the public part of the envelope."""
        return {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "kdf": {
                "name": "scrypt",
                "n": self.scrypt_n,
                "r": SCRYPT_R,
                "p": SCRYPT_P,
                "salt": self.salt.hex(),
            },
            "cipher": "aes-256-gcm",
        }


def _header_bytes(header: dict[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _refuse_open_to_others(path: Path) -> None:
    mode = path.stat().st_mode & 0o777
    if mode & _OTHERS:
        raise ConfigurationError(f"{path} can be read by others (mode {mode:o}): chmod 600 it")


def write(path: Path, file_key: FileKey, content: dict[str, Any], *, replace: bool) -> None:
    """Seal and write the content so that a crash leaves the old file or the new one.

    Raises
    ------
    AlreadyExists
        When the file is there and ``replace`` is false.
    """
    header = file_key.header()
    nonce = os.urandom(12)
    sealed = AESGCM(file_key.key).encrypt(
        nonce, json.dumps(content).encode(), _header_bytes(header)
    )
    envelope = header | {"nonce": nonce.hex(), "ciphertext": sealed.hex()}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(envelope, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)  # unlike a rename this never overwrites
    except FileExistsError:
        raise AlreadyExists(f"{path} is there already") from None
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path, passphrase: str) -> tuple[FileKey, dict[str, Any]]:
    """Read and open a keyring file.

    Raises
    ------
    ConfigurationError
        When the file is missing, readable by others, or not a keyring of this version.
    IntegrityError
        When the passphrase is wrong or the file was changed.
    """
    envelope = _read_envelope(path)
    try:
        file_key = FileKey.derive(
            passphrase, bytes.fromhex(envelope["kdf"]["salt"]), int(envelope["kdf"]["n"])
        )
        return file_key, _open_envelope(envelope, file_key)
    except (KeyError, TypeError, ValueError):
        raise ConfigurationError(f"{path} is not a keyring file of version 1") from None


def reread(path: Path, file_key: FileKey) -> dict[str, Any]:
    """Read the file again with the key it had, without the passphrase.

    Raises
    ------
    ConfigurationError
        As :func:`read`.
    IntegrityError
        When the file was changed, or got another passphrase meanwhile.
    """
    try:
        return _open_envelope(_read_envelope(path), file_key)
    except (KeyError, TypeError, ValueError):
        raise ConfigurationError(f"{path} is not a keyring file of version 1") from None


def _read_envelope(path: Path) -> dict[str, Any]:
    try:
        _refuse_open_to_others(path)
        envelope = json.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigurationError(f"there is no keyring at {path}: create one first") from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ConfigurationError(f"{path} is not a keyring file") from None
    if not isinstance(envelope, dict) or envelope.get("format") != FORMAT:
        raise ConfigurationError(f"{path} is not a keyring file")
    return envelope


def _open_envelope(envelope: dict[str, Any], file_key: FileKey) -> dict[str, Any]:
    nonce, sealed = bytes.fromhex(envelope["nonce"]), bytes.fromhex(envelope["ciphertext"])
    header = {key: envelope[key] for key in envelope if key not in ("nonce", "ciphertext")}
    if header != file_key.header():
        raise IntegrityError("the keyring file's parameters are not those it was made with")
    try:
        opened = AESGCM(file_key.key).decrypt(nonce, sealed, _header_bytes(header))
    except InvalidTag:
        raise IntegrityError("wrong passphrase, or the keyring file was changed") from None
    content: dict[str, Any] = json.loads(opened)
    return content


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file's write lock among processes (a lock file beside it)."""
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
