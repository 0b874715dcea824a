"""Tables as CSV (RFC 4180): UTF-8, lines that end in LF, a first line of names.

Text stands in quotes, numbers and amounts bare, and nothing is nothing between two commas. A text
that a spreadsheet may take for a formula gets an apostrophe in front, and so does one that begins
with an apostrophe: whoever reads the file drops the first apostrophe of a text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.audit.exports.table import Cell, Row, Table
from service.audit.exports.writing import Open, Write

FOLDER_NAME = "csv"

FORMULA = "=+-@\t\r\n|%＝＋－＠"
"""First characters by which a spreadsheet takes text for a formula (OWASP, CSV injection)."""


@contextmanager
def csv_files(folder: Path) -> Iterator[Open]:
    """Write each table into ``csv/<table>.csv`` in a folder."""
    own = folder / FOLDER_NAME
    own.mkdir()

    @contextmanager
    def opened(table: Table) -> Iterator[Write]:
        with (own / f"{table.name}.csv").open("w", encoding="utf-8", newline="\n") as file:
            file.write(",".join(table.names) + "\n")

            def write(rows: list[Row]) -> None:
                file.writelines(map(_line, rows))

            yield write

    yield opened


def _line(row: Row) -> str:
    return ",".join(map(_cell, row)) + "\n"


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, int):
        return str(cell)
    if cell[0] in FORMULA or cell[0] == "'":
        cell = f"'{cell}"
    if '"' in cell:
        cell = cell.replace('"', '""')
    return f'"{cell}"'
