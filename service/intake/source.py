"""A case file as bytes: its size, fingerprint, kind and, for CSV, its encoding."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from service.errors import InvalidImport, Problem
from service.intake.columns import MAX_FILE_BYTES

_BLOCK_BYTES = 2**20
_ZIP_MAGIC = b"PK\x03\x04"
_OLE_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class CaseFile:
    """An open case file, positioned at its beginning.

    Attributes
    ----------
    name
        File name without folders, at most 255 characters.
    sha256
        Hexadecimal fingerprint of its bytes.
    stream
        The bytes, seekable.
    """

    name: str
    sha256: str
    stream: BinaryIO


@contextmanager
def open_case_file(source: Path | BinaryIO, filename: str | None = None) -> Iterator[CaseFile]:
    """Open and fingerprint a case file; a stream that was passed in is left open.

    Parameters
    ----------
    source
        A path, or a seekable binary stream such as an upload.
    filename
        Name to record; of a path, its own.

    Raises
    ------
    InvalidImport
        ``file_too_large``, ``empty_file`` or ``unreadable_file``.
    """
    if isinstance(source, Path):
        try:
            stream = source.open("rb")
        except OSError as error:
            raise refusal("unreadable_file", f"the file cannot be read: {error.strerror}") from None
        with stream:
            yield _fingerprint(stream, filename or source.name)
    else:
        yield _fingerprint(source, filename or "upload")


def refusal(code: str, message: str, *, row: int | None = None) -> InvalidImport:
    """Return the error of a file that cannot be read on."""
    return InvalidImport(message, problems=[Problem(code, message, row=row)])


def _fingerprint(stream: BinaryIO, filename: str) -> CaseFile:
    digest, size = hashlib.sha256(), 0
    stream.seek(0)
    while block := stream.read(_BLOCK_BYTES):
        digest.update(block)
        size += len(block)
        if size > MAX_FILE_BYTES:
            raise refusal("file_too_large", f"the file is larger than {MAX_FILE_BYTES} bytes")
    if size == 0:
        raise refusal("empty_file", "the file is empty")
    stream.seek(0)
    name = filename.replace("\\", "/").rsplit("/", 1)[-1][-255:]
    return CaseFile(name, digest.hexdigest(), stream)


def kind_of(file: CaseFile) -> Literal["csv", "xlsx"]:
    """Tell CSV from XLSX by the first bytes; the file's name does not matter.

    Raises
    ------
    InvalidImport
        ``unreadable_file`` for old or encrypted Excel files.
    """
    start = file.stream.read(len(_OLE_MAGIC))
    file.stream.seek(0)
    if start == _OLE_MAGIC:
        raise refusal(
            "unreadable_file",
            "this is an old or password-protected Excel file: save it as .xlsx without password",
        )
    return "xlsx" if start.startswith(_ZIP_MAGIC) else "csv"


def encoding_of(file: CaseFile) -> str:
    """Return the encoding of a CSV file: ``utf-8-sig`` or ``gb18030``.

    GB18030 decodes almost anything, so a UTF-8 file with a few damaged bytes is told apart: its
    other characters still read as UTF-8.

    Raises
    ------
    InvalidImport
        ``bad_encoding`` when the file is neither.
    """
    start = file.stream.read(2)
    file.stream.seek(0)
    if start in _UTF16_MARKS:
        raise refusal("bad_encoding", "the file is UTF-16: save it as CSV UTF-8")
    damaged_at = _first_undecodable(file.stream, "utf-8")
    if damaged_at is None:
        return "utf-8-sig"
    text = file.stream.read().decode("utf-8", "replace")
    file.stream.seek(0)
    replaced = text.count("\ufffd")
    if sum(character > "\x7f" for character in text) - replaced > replaced:
        raise refusal("bad_encoding", f"the file is UTF-8, damaged near byte {damaged_at}")
    damaged_at = _first_undecodable(file.stream, "gb18030")
    if damaged_at is not None:
        raise refusal("bad_encoding", f"neither UTF-8 nor GB18030 near byte {damaged_at}")
    return "gb18030"


def _first_undecodable(stream: BinaryIO, encoding: str) -> int | None:
    """Return about where decoding fails (at most one block late), or None; rewinds."""
    decoder = codecs.getincrementaldecoder(encoding)()
    position = 0
    try:
        while block := stream.read(_BLOCK_BYTES):
            decoder.decode(block)
            position += len(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return position + error.start
    finally:
        stream.seek(0)
    return None
