"""The folder that an audit hands over: made as a draft beside, renamed when it is whole.

Whoever adds a file to it (tables, a report, a manifest of hashes) writes it into the draft.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from service.errors import ConfigurationError, InvalidInput


@contextmanager
def draft_folder(out: Path) -> Iterator[Path]:
    """Yield a new folder beside `out` that takes its name when the block ends well.

    When the block raises, the draft is removed and `out` is as it was. Everything is on the disk
    before the folder gets its name.

    Parameters
    ----------
    out
        A name that is not taken, or an empty folder.

    Raises
    ------
    InvalidInput
        When `out` is a file or a folder with something in it, was filled meanwhile, or stands in a
        folder that is not there or cannot be written to.
    ConfigurationError
        When a file cannot be written, for instance because the disk is full.
    """
    out = out.absolute()
    _require_free(out)
    draft = out.with_name(f".{out.name}.{token_hex(4)}.draft")
    try:
        draft.mkdir()
    except OSError as error:
        raise InvalidInput(f"--out {out}: {draft.parent}: {error.strerror}") from error
    try:
        yield draft
        _flush(draft)
        _require_free(out)
        draft.rename(out)
    except OSError as error:
        raise ConfigurationError(f"{out} was not written: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _require_free(out: Path) -> None:
    try:
        taken = out.is_symlink() or (out.exists() and not out.is_dir())
        if taken:
            raise InvalidInput(f"--out {out} is no folder")
        if out.exists() and any(out.iterdir()):
            raise InvalidInput(
                f"--out {out} has something in it: give a folder that is new or empty"
            )
    except OSError as error:
        raise InvalidInput(f"--out {out}: {error.strerror}") from error


def _flush(folder: Path) -> None:
    """Have the disk keep every file and folder."""
    for parent, _, names in os.walk(folder):
        for path in (*(Path(parent, name) for name in names), Path(parent)):
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)
