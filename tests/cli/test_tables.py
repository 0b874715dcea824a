"""Tables for people: on 80 columns no number, amount or time is folded; text gives way."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from service.cli.run import Run
from tests.cli.conftest import Cli

COLUMNS = 80


def _printed(cli: Cli, items: list[dict[str, Any]], columns: dict[str, str]) -> str:
    run = Run(actor="tester", given=cli.app, quiet=True)
    file = io.StringIO()
    run.__dict__["stdout"] = Console(file=file, width=COLUMNS, highlight=False)
    run.rows(items, columns)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= COLUMNS
    return text


STREAM = {
    "batch_id": "0x" + "8f" * 32,
    "index": 765_432,
    "payee": "0x52908400098527886E0F7030069857D2E4169EE7",
    "total": "1234567890.50",
    "at": "2026-11-01T00:00:00Z",
}


def test_on_80_columns_numbers_and_times_stay_whole(cli: Cli) -> None:
    text = _printed(cli, [STREAM, STREAM], {key: key for key in STREAM})
    for whole in ("765432", "1234567890.50", "2026-11-01T00:00:00Z", "0x8f8f8f8f8f"):
        assert text.count(whole) == 2
    assert STREAM["payee"] not in text, "the text gives way"


def test_what_does_not_fit_is_written_one_below_the_other(cli: Cli) -> None:
    item = STREAM | {"accrued": "1234567890.50", "withdrawn": "1234567890.50"}
    text = _printed(cli, [item, item], {key: key for key in item})
    for value in item.values():
        assert text.count(str(value)[:12]) >= 2
    assert STREAM["payee"] in text


def test_amounts_stand_at_the_right_and_long_headings_give_way(cli: Cli) -> None:
    items = [{"amount": "1234.50", "count": 1}, {"amount": "6.00", "count": 22}]
    text = _printed(cli, items, {"amount": "amount", "count": "payouts or chunks"})
    assert "   6.00" in text
    assert "payouts or" not in text
