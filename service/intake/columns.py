"""The columns of a case file and its limits, as docs/import-file.md promises them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from service.errors import Problem

COLUMNS = (
    "case_ref",
    "name",
    "id_number",
    "phone",
    "region_code",
    "wallet_address",
    "programme",
    "kind",
    "amount",
    "start_date",
    "duration_days",
    "cause",
)

PERSONAL_COLUMNS = frozenset({"name", "id_number", "phone"})
"""Columns whose values are shown in the immediate report only and never stored in the clear."""

MAX_FILE_BYTES = 64 * 2**20
"""Largest file, in bytes."""

MAX_UNPACKED_BYTES = 512 * 2**20
"""Largest sum of an XLSX file's parts after decompression, in bytes."""

MAX_ROWS = 200_000
"""Last row number of a file, the header not counted; a larger register comes in several files."""

MAX_CELL_CHARACTERS = 500
"""Longest cell, in characters."""

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", "，": "full-width commas"}
"""What parts the columns of files that are nearly CSV, and its name."""

MAX_CELLS_IN_ROW = 200
"""A row with more cells than this is no case file and stops the reading."""


def header_problems(header: Sequence[str]) -> list[Problem]:
    """Return what is wrong with a header row: missing, unknown, repeated."""
    if len(header) == 1 and (
        wrong := [name for mark, name in SEPARATORS.items() if mark in header[0]]
    ):
        message = (
            f"the columns are parted by {wrong[0]}: save the file parted by commas, as CSV UTF-8"
        )
        return [Problem("wrong_separator", message, row=1, field="header")]
    counts = Counter(header)
    problems = [
        Problem("missing_column", f"the column {column} is missing", row=1, field=column)
        for column in COLUMNS
        if column not in counts
    ]
    for column, count in counts.items():
        if column not in COLUMNS:
            message = "there is no such column" if column else "a column has no name"
            problems.append(
                Problem("unknown_column", message, row=1, field="header", value=column or None)
            )
        elif count > 1:
            message = f"the column {column} is there {count} times"
            problems.append(Problem("duplicate_column", message, row=1, field=column))
    return problems
