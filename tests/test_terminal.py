"""What commands print, whoever wrote it."""

from __future__ import annotations

import io
import json

import pytest
from rich.table import Table
from rich.text import Text

from service.terminal import console, json_document, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b[Hproven", "\\x1b[2J\\x1b[Hproven"),
        ("\x9b2Jproven", "\\x9b2Jproven"),
        ("\u202eneving", "\\u202eneving"),
        ("\rproven\x7f\x00", "\\rproven\\x7f\\x00"),
        ("a\nb", "a\\nb"),
        ("\udcff", "\\udcff"),
        ("省 Ñandú", "省 Ñandú"),
    ],
)
def test_text_that_would_move_the_cursor_is_shown_as_its_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def printed(text: str, *, in_table: bool) -> str:
    out = io.StringIO()
    shown: Text | Table = Text(text, style="bold red")
    if in_table:
        table = Table(show_header=False, box=None)
        table.add_row(shown)
        shown = table
    console(out).print(shown)
    return out.getvalue()


def test_a_console_prints_no_control_character_of_a_text() -> None:
    hostile = "one\x1b[2J\x9b2J\u202e\x7f\ntwo"
    assert printed(hostile, in_table=False) == "one\\x1b[2J\\x9b2J\\u202e\\x7f\ntwo\n"
    cell = printed(hostile, in_table=True)
    assert all(each.isprintable() or each == "\n" for each in cell)
    assert "two" in cell


def test_a_document_with_half_a_character_is_written_with_its_escape() -> None:
    document = {"path": ["x\udcff.json", ("\ud800", 1)], "\udcfe": None}
    assert json.loads(json_document(document)) == {
        "path": ["x\\udcff.json", ["\\ud800", 1]],
        "\\udcfe": None,
    }


def test_what_no_document_can_hold_is_still_refused() -> None:
    with pytest.raises(TypeError):
        json_document({(): 1})
