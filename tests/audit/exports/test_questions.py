"""The questions of docs/audit.md, asked of the scenario's tables as the page spells them."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from eth_utils.crypto import keccak

from service.audit.exports.tables import TABLES
from service.config import PROJECT_ROOT
from tests.audit.scenario import UNIT, payee

PAGE = (PROJECT_ROOT / "docs" / "audit.md").read_text()
SECTION = PAGE.split("### The tables", 1)[1].split("\n## ", 1)[0]
BANK, APPROVERS, REGIONS = re.findall(r"```sql\n(.*?)```", SECTION, re.DOTALL)

PLAIN = sum((600 + i) * UNIT + i for i in range(5))


def test_the_page_names_every_table_once() -> None:
    rows = re.findall(r"^\| [a-z ]+ \| (`.*) \|$", SECTION, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([a-z_]+)`", row)]
    assert sorted(named) == sorted(table.name for table in TABLES)


def test_bank_payments_are_found_by_their_reference(exported: Path) -> None:
    with closing(sqlite3.connect(exported / "relief.sqlite")) as connection:
        ((reference, holder, amount, when),) = connection.execute(BANK).fetchall()
    assert reference == "0x" + keccak(text="paid out").hex()
    assert (holder, amount) == (payee(0).address, 100 * UNIT)
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", when)


def test_officers_are_told_with_what_they_approved(exported: Path) -> None:
    with closing(sqlite3.connect(exported / "relief.sqlite")) as connection:
        found = connection.execute(APPROVERS).fetchall()
        (streamed,) = connection.execute(
            "SELECT sum(amount_base_units) FROM withdrawals"
        ).fetchone()
    both = PLAIN + 2 * 700 * UNIT
    assert found == [
        (1, 5, both + 2 * 10 * UNIT + streamed),
        (2, 5, both + 2 * 10 * UNIT + streamed),
        (3, 2, both),
    ]


def test_money_is_told_by_programme_and_region(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(exported)
    with duckdb.connect() as connection:
        found = connection.execute(REGIONS).fetchall()
    one_off = [row for row in found if row[2] != "opened"]
    assert one_off == [
        (1, 32, "cancelled", 1, 50 * UNIT, 0),
        (1, 33, "paid", 2, 20 * UNIT, 20 * UNIT),
        (1, 51, "approved", 1, 700 * UNIT, 0),
        (1, 51, "paid", 2, 1_400 * UNIT, 1_400 * UNIT),
        (1, 51, "skipped", 1, 700 * UNIT, 0),
        (1, 5107, "paid", 5, PLAIN, PLAIN),
    ]
    ((_, region, _, count, approved, paid),) = [row for row in found if row[2] == "opened"]
    assert (region, count, approved) == (110101, 12, sum(90 * UNIT + 7 * i for i in range(12)))
    assert 0 < paid < approved
