"""Tables for people: on 80 columns no number, amount or time is folded; text gives way."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from service.cli.run import Run
from tests.cli.conftest import Cli

COLUMNS = 80


def _printed(cli: Cli, items: list[dict[str, Any]], columns: dict[str, str]) -> str:
    run = Run(app=cli.app, actor="tester", quiet=True)
    file = io.StringIO()
    run.__dict__["stdout"] = Console(file=file, width=COLUMNS, highlight=False)
    run.rows(items, columns)
    return file.getvalue()


def test_on_80_columns_numbers_and_times_stay_whole(cli: Cli) -> None:
    item = {
        "batch_id": "0x" + "8f" * 32,
        "index": 123_456,
        "payee": "0x52908400098527886E0F7030069857D2E4169EE7",
        "total": "1234567890.50",
        "accrued": "600.00",
        "at": "2026-11-01T00:00:00Z",
    }
    text = _printed(cli, [item], {key: key for key in item})
    assert max(map(len, text.splitlines())) <= COLUMNS
    for whole in ("123456", "1234567890.50", "600.00", "2026-11-01T00:00:00Z"):
        assert whole in text


def test_amounts_stand_at_the_right(cli: Cli) -> None:
    items = [{"amount": "1234.50", "state": "paid"}, {"amount": "6.00", "state": "skipped"}]
    text = _printed(cli, items, {"amount": "amount", "state": "state"})
    assert "    6.00" in text
    assert "│ paid " in text
