"""Balances are added up by the database, and are exact however large they are."""

from __future__ import annotations

import random
from collections import Counter

from sqlalchemy import insert

from service.db import create_database_engine, session_factory
from service.ledger.models import LedgerAccount, LedgerEntry
from service.ledger.reconcile import balances

LARGEST = 10**78 - 1
EDGES = [0, 1, 10**9 - 1, 10**9, 2**63 - 1, 2**63, 2**64, 10**18, 10**27 + 1, 2**255, LARGEST]
ACCOUNTS = ["budget:1", "circulating", "funding"]


def test_balances_are_exact_past_what_the_database_counts_in(database_url: str) -> None:
    draw = random.Random(20)
    amounts = EDGES * 3 + [draw.randrange(10 ** draw.randint(1, 78)) for _ in range(2_000)]
    rows = [(draw.choice(ACCOUNTS), draw.choice(["debit", "credit"]), a) for a in amounts]
    expected: Counter[str] = Counter()
    for account, side, amount in rows:
        expected[account] += amount if side == "debit" else -amount
    engine = create_database_engine(database_url)
    with session_factory(engine)() as session:
        session.execute(insert(LedgerAccount), [{"code": code} for code in ACCOUNTS])
        session.execute(
            insert(LedgerEntry),
            [
                {
                    "posting_id": f"0xaa:{n}",
                    "line": 0,
                    "event_name": "BudgetChanged",
                    "account": account,
                    "side": side,
                    "amount": amount,
                    "block_number": 1,
                    "block_hash": "0xaa",
                    "tx_hash": "0xbb",
                    "log_index": n,
                }
                for n, (account, side, amount) in enumerate(rows)
            ],
        )
        assert balances(session) == dict(expected)
    engine.dispose()


def test_a_ledger_without_entries_has_no_balances(database_url: str) -> None:
    engine = create_database_engine(database_url)
    with session_factory(engine)() as session:
        assert balances(session) == {}
    engine.dispose()
