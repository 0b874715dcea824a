"""Entries are posted at finality, once, and balance; a difference from the chain is found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError as DuplicateError

from service.confirmations.models import Cursor, Event
from service.ledger.models import LedgerEntry
from service.ledger.posting import LEDGER_CURSOR, post_final
from service.ledger.reconcile import Difference, balances
from tests.support.deployed import account
from tests.support.rows import add_batch, add_request
from tests.support.world import BUDGET, World


def entries(world: World) -> int:
    with world.session() as session:
        return session.scalars(select(func.count()).select_from(LedgerEntry)).one()


def test_nothing_is_posted_before_finality(make_world: Callable[[int], World]) -> None:
    world = make_world(5)
    world.deployed.mine(5)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6])
    world.run()
    assert world.payout_states(batch.id) == ["included", "included"]
    before = entries(world)

    world.deployed.mine(5)
    world.run()

    assert world.payout_states(batch.id) == ["paid", "paid"]
    assert entries(world) == before + 4  # approval and chunk, two lines each


def test_each_posting_balances_and_the_accounts_say_where_the_money_is(world: World) -> None:
    with world.session() as session:
        add_batch(session, world.deployed, [5, 6, 7], name="paid")
        add_request(session, "decrease_budget", id=1, budget=str(BUDGET - 100))
    world.run()

    with world.session() as session:
        sums: dict[str, int] = defaultdict(int)
        for entry in session.scalars(select(LedgerEntry)):
            sums[entry.posting_id] += entry.amount if entry.side == "debit" else -entry.amount
        assert set(sums.values()) == {0}
        assert balances(session) == {
            "funding": -(BUDGET - 100),
            "budget:1": BUDGET - 100 - 18,
            "committed:1": 0,
            "circulating": 18,
        }
    assert world.differences() == []


def test_an_emergency_grant_is_posted_beside_the_programmes(world: World) -> None:
    payee = account("payee 0").address
    world.deployed.grant("first", payee, 70, officer=3)
    world.run()
    with world.session() as session:
        held = balances(session)
    assert (held["emergency"], held["circulating"]) == (-70, 70)
    assert world.differences() == []
    world.deployed.countersign(world.deployed.grant("second", payee, 5, officer=3), officer=2)
    assert world.differences() == []  # of the block the ledger has reached
    world.run()
    assert world.differences() == []
    with world.session() as session:
        session.execute(update(LedgerEntry).values(amount=71))
    assert Difference("emergency", 142, 75) in world.differences()


def test_an_event_cannot_be_posted_twice(world: World) -> None:
    with world.session() as session:
        add_batch(session, world.deployed, [5])
    world.run()
    before = entries(world)
    with world.session() as session:
        assert post_final(session, 31337) == 0

    with world.session() as session:
        session.execute(update(Cursor).where(Cursor.name == LEDGER_CURSOR).values(block_number=-1))
    with world.sessions() as session, pytest.raises(DuplicateError):
        post_final(session, 31337)

    assert entries(world) == before


def test_an_amount_changed_in_the_ledger_is_found_by_the_comparison(world: World) -> None:
    with world.session() as session:
        add_batch(session, world.deployed, [5])
    world.run()
    with world.session() as session:
        session.execute(
            update(LedgerEntry).where(LedgerEntry.account == "circulating").values(amount=6)
        )

    assert world.differences() == [
        Difference("circulating", 6, 5),
        Difference("sum of all accounts", 1, 0),
    ]


def test_every_final_money_event_has_its_entries(world: World) -> None:
    with world.session() as session:
        add_batch(session, world.deployed, [5, 6], chunk_size=1)
    world.run()
    with world.session() as session:
        money = session.scalars(
            select(func.count())
            .select_from(Event)
            .where(Event.name.in_(["ProgrammeCreated", "BatchApproved", "ChunkPaid"]))
        ).one()
    assert entries(world) == 2 * money
