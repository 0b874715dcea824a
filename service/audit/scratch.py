"""Folders and files for what does not stay in memory."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path


def scratch_folder(owner: object) -> Path:
    """Make a folder that goes when its owner does, and at the end of the process."""
    folder = tempfile.mkdtemp(prefix="relief-audit-")
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def scratch_file(owner: object) -> int:
    """Open a file that nobody else sees and that goes when its owner does; its descriptor."""
    descriptor, name = tempfile.mkstemp(prefix="relief-audit-")
    Path(name).unlink()
    weakref.finalize(owner, os.close, descriptor)
    return descriptor


def write_at(descriptor: int, content: bytes | bytearray | memoryview, at: int) -> None:
    """Write all of it at a place of a file: a disk nearly full takes a part at a time."""
    with memoryview(content) as left:
        written = 0
        while written < len(left):
            written += os.pwrite(descriptor, left[written:], at + written)
