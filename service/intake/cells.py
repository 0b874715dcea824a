"""Cells become text: CSV cells are cleaned, XLSX cells are read by their type."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from service.errors import Problem
from service.intake.columns import MAX_CELL_CHARACTERS

_EDGES = " \t\r\n\v\f\u00a0\u3000\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_SPREADSHEET_DIGITS = 15
"""Spreadsheets keep 15 significant digits of a number; an identity number has 18."""

_SCIENTIFIC = re.compile(r"[0-9](\.[0-9]+)?[eE]\+?[0-9]+")
_TEXT_MARK_COLUMNS = frozenset({"id_number", "phone"})


def text_problem(text: str) -> tuple[str, str] | None:
    """Return code and message of what is wrong with a text as a cell, or None."""
    if len(text) > MAX_CELL_CHARACTERS:
        return "cell_too_long", f"the cell has more than {MAX_CELL_CHARACTERS} characters"
    if text.startswith("="):
        return "formula_cell", "the cell is a formula: paste the value instead"
    if text.isascii() and text.isprintable():
        return None
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Cs") for character in text):
        return (
            "unusable_character",
            "the cell has an invisible or private-use character: type the value again",
        )
    return None


def read_text(column: str, row: int, text: str) -> str | Problem:
    """Clean the text of one cell, or say what is wrong with it.

    Blanks and invisible marks around the value are dropped, and so is one apostrophe before an
    identity number or a phone number (the spreadsheet habit that means "this is text").
    """
    text = text.strip(_EDGES)
    if column in _TEXT_MARK_COLUMNS:
        text = text.removeprefix("'")
        if _SCIENTIFIC.fullmatch(text):
            return as_number_problem(column, row, text)
    problem = text_problem(text)
    if problem is None:
        return text
    code, message = problem
    return Problem(code, message, row=row, field=column, value=text[:MAX_CELL_CHARACTERS])


def as_number_problem(column: str, row: int, value: str) -> Problem:
    """Return the problem of a long number that a spreadsheet has rounded."""
    message = (
        f"the cell is a number, of which spreadsheets keep {_SPREADSHEET_DIGITS} digits: "
        "format the column as text and type the value again"
    )
    return Problem("number_not_text", message, row=row, field=column, value=value)


def read_typed(  # noqa: PLR0911  # one return a type of cell reads best
    column: str, row: int, value: Any, data_type: str
) -> str | Problem:
    """Read one XLSX cell as the text a person would have typed, or say what is wrong.

    Parameters
    ----------
    column
        Column name.
    row
        1-based row.
    value
        The cell's value as openpyxl gives it.
    data_type
        openpyxl's type letter: ``f`` formula, ``e`` error, ``n`` number, ``d`` date, ``b``
        boolean, otherwise text.
    """
    if data_type == "f":
        text, message = str(value), "the cell is a formula: paste the value instead"
        return Problem("formula_cell", message, row=row, field=column, value=text[:100])
    if data_type == "e":
        message = "the cell shows an error of the spreadsheet"
        return Problem("error_cell", message, row=row, field=column, value=str(value)[:100])
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        text = number_text(value)
        if column == "id_number" and len(text) > _SPREADSHEET_DIGITS:
            return as_number_problem(column, row, text)
        return text
    if isinstance(value, datetime):
        whole_day = value.time() == time()
        return value.date().isoformat() if whole_day else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return read_text(column, row, str(value))


def number_text(value: float) -> str:
    """Write a spreadsheet number in plain digits: ``600``, ``1234.5``, never an exponent.

    A float is taken at 15 significant digits, which is what a spreadsheet shows and keeps of
    what a person typed; the digits behind are left over from binary arithmetic.
    """
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return str(value)
    number = Decimal(f"{value:.{_SPREADSHEET_DIGITS}g}")
    if number == number.to_integral_value():
        return f"{number.to_integral_value():f}"
    return f"{number:f}"
