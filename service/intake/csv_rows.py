"""Rows of a CSV file, one at a time (RFC 4180 quoting, any line end)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from service.intake.source import CaseFile, encoding_of, refusal


def csv_rows(file: CaseFile) -> Iterator[tuple[int, list[str]]]:
    """Yield row number and cells; blank lines count as rows and come as empty lists.

    Raises
    ------
    InvalidImport
        ``bad_encoding`` or ``malformed_csv``, at the row where reading stops.
    """
    text = io.TextIOWrapper(file.stream, encoding=encoding_of(file), newline="")
    reader = csv.reader(text, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            yield number, cells
    except csv.Error as error:
        raise refusal("malformed_csv", f"the CSV is malformed: {error}", row=number + 1) from None
    finally:
        text.detach()
