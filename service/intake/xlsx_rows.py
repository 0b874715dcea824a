"""Rows of an XLSX workbook's first sheet, one at a time, within bounds."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

from service.intake.columns import MAX_CELLS_IN_ROW, MAX_UNPACKED_BYTES
from service.intake.source import CaseFile, refusal

_PROLOGUE_BYTES = 4096
_ENCRYPTED = 0x1

Cell = tuple[Any, str]
"""Value and openpyxl type letter of one cell."""


def xlsx_rows(file: CaseFile) -> Iterator[tuple[int, list[Cell]]]:
    """Yield row number and cells of the first sheet.

    Raises
    ------
    InvalidImport
        ``unreadable_file`` when it is no workbook or a damaged one, ``file_too_large`` when it
        unpacks to too much.
    """
    from openpyxl import load_workbook  # and all of NumPy, where that is installed

    _refuse_bombs(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions it drops
            book = load_workbook(file.stream, read_only=True, data_only=False)
        sheet = book.worksheets[0]
        # The recorded dimension is a hint that some programs write wrong, cutting rows off.
        sheet.reset_dimensions()
        rows = sheet.iter_rows()
    except Exception:  # noqa: BLE001  # openpyxl raises whatever its parsers do
        raise refusal("unreadable_file", "the file is not a readable XLSX workbook") from None
    number = 0
    while True:
        number += 1
        try:
            row = next(rows, None)
        except Exception:  # noqa: BLE001  # as above
            raise refusal("unreadable_file", "the workbook is damaged", row=number) from None
        if row is None:
            book.close()
            return
        if len(row) > MAX_CELLS_IN_ROW:
            message = f"the row has more than {MAX_CELLS_IN_ROW} cells"
            raise refusal("too_many_cells", message, row=number)
        yield number, [(cell.value, cell.data_type) for cell in row]


def _refuse_bombs(file: CaseFile) -> None:
    """Refuse archives that unpack to too much, and XML that declares entities."""
    try:
        with zipfile.ZipFile(file.stream) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
                raise refusal("file_too_large", f"unpacks to more than {MAX_UNPACKED_BYTES} bytes")
            if any(entry.flag_bits & _ENCRYPTED for entry in entries):
                raise refusal("unreadable_file", "the workbook is protected by a password")
            for entry in entries:
                with archive.open(entry) as part:
                    if b"<!DOCTYPE" in part.read(_PROLOGUE_BYTES):
                        raise refusal("unreadable_file", "the workbook declares XML entities")
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError):
        raise refusal("unreadable_file", "the file is not a readable XLSX workbook") from None
    finally:
        file.stream.seek(0)
