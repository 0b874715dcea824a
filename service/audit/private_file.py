"""A file with a secret: read only if nobody but its owner may."""

from __future__ import annotations

from pathlib import Path

from service.errors import InvalidInput

OTHERS = 0o077
"""Permission bits of everybody but the owner."""


def read_private(path: Path) -> bytes:
    """Read a file that holds a key.

    Raises
    ------
    InvalidInput
        When it cannot be read, or others than its owner may read or change it.
    """
    try:
        mode = path.stat().st_mode & 0o777
        if mode & OTHERS:
            raise InvalidInput(f"others may read the key {path} (mode {mode:04o}): chmod 600")
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read the key {path}: {error.strerror}") from error
