"""A file that is written whole or not at all, and never over another."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from service.errors import InvalidInput

OWNERS = 0o600
EVERYBODYS = 0o644


def require_new(path: Path) -> None:
    """Make sure, before a long replay, that a new file can be at a path.

    Raises
    ------
    InvalidInput
        When something is there already, or there is no folder for it.
    """
    if path.exists() or path.is_symlink():
        raise InvalidInput(f"{path} is there already: it is never written over")
    if not path.parent.is_dir():
        raise InvalidInput(f"cannot write {path}: there is no folder {path.parent}")


def write_new(path: Path, content: bytes, *, mode: int = EVERYBODYS) -> None:
    """Write a new file: to a draft beside it, flushed, then linked into place.

    Parameters
    ----------
    mode
        Permissions, whatever the umask.

    Raises
    ------
    InvalidInput
        When something is at the path already, or nothing can be written there.
    """
    try:
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            path.hardlink_to(draft)  # unlike a rename this never overwrites
        finally:
            Path(draft).unlink()
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise InvalidInput(f"{path} is there already: it is never written over") from None
    except OSError as error:
        raise InvalidInput(f"cannot write {path}: {error.strerror}") from error
