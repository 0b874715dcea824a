"""Case files as rows by column name, whatever their format."""

from __future__ import annotations

from collections.abc import Iterator

from service.errors import InvalidImport, Problem
from service.intake.cells import read_text, read_typed
from service.intake.columns import COLUMNS, MAX_CELLS_IN_ROW, MAX_ROWS, header_problems
from service.intake.csv_rows import csv_rows
from service.intake.rows import RawRow
from service.intake.source import CaseFile, kind_of, refusal
from service.intake.xlsx_rows import Cell, xlsx_rows

_CSV = "csv"
"""Type letter of a CSV cell, beside openpyxl's."""


def read_rows(file: CaseFile) -> Iterator[RawRow]:
    """Yield the rows of a case file that are not blank, in order.

    Raises
    ------
    InvalidImport
        When the file cannot be read on: at its opening (format, encoding), at the header
        (``wrong_separator``, ``missing_column``, ``unknown_column``, ``duplicate_column``,
        ``no_rows``) or at a row (``malformed_csv``, ``too_many_rows``, ``too_many_cells``).
    """
    rows = _typed_rows(file)
    header = _read_header(rows)
    if not header:
        raise refusal("empty_file", "the file has no header row")
    problems = header_problems(header)
    if problems:
        raise InvalidImport("the header row is not as it should be", problems=problems)
    seen = False
    for number, cells in rows:
        if number > MAX_ROWS + 1:
            raise refusal("too_many_rows", f"the file has more than {MAX_ROWS} rows", row=number)
        if len(cells) > MAX_CELLS_IN_ROW:
            message = f"the row has more than {MAX_CELLS_IN_ROW} cells"
            raise refusal("too_many_cells", message, row=number)
        row = _read_row(number, header, cells)
        if row is not None:
            seen = True
            yield row
    if not seen:
        raise refusal("no_rows", "the file has a header and no rows")


def _typed_rows(file: CaseFile) -> Iterator[tuple[int, list[Cell]]]:
    if kind_of(file) == "xlsx":
        yield from xlsx_rows(file)
    else:
        for number, texts in csv_rows(file):
            yield number, [(text, _CSV) for text in texts]


def _read_header(rows: Iterator[tuple[int, list[Cell]]]) -> list[str]:
    _, cells = next(rows, (1, []))
    header = [str(value or "").strip(" \t\u3000\ufeff").lower() for value, _ in cells]
    while header and not header[-1]:  # spreadsheets leave empty cells behind
        header.pop()
    return header


def _read_row(number: int, header: list[str], cells: list[Cell]) -> RawRow | None:
    """Return the row, or None when it is blank."""
    while cells and cells[-1][0] in (None, "") and len(cells) > len(header):
        cells = cells[:-1]
    if all(value is None or not str(value).strip() for value, _ in cells):
        return None
    problems: list[Problem] = []
    # A spreadsheet leaves out empty cells at the end of a row; a CSV row that does so is cut.
    is_cut = len(cells) < len(header) and cells[0][1] == _CSV
    if len(cells) > len(header) or is_cut:
        message = f"the row has {len(cells)} cells and the header {len(header)}"
        problems.append(Problem("wrong_cell_count", message, row=number))
        return RawRow(number, {}, tuple(problems))
    values: dict[str, str] = dict.fromkeys(COLUMNS, "")
    for column, (value, data_type) in zip(header, cells, strict=False):
        read = (
            read_text(column, number, value)
            if data_type == _CSV
            else read_typed(column, number, value, data_type)
        )
        if isinstance(read, Problem):
            problems.append(read)
            del values[column]
        else:
            values[column] = read
    return RawRow(number, values, tuple(problems))
