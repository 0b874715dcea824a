"""Payouts that go the way of their chunk: down to the rows that said it all, and up again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from alembic import command
from sqlalchemy import select, text

from service.confirmations.wallets import history
from service.payouts.models import Payout
from tests.migrations.test_migrations import config_for
from tests.support.rows import add_batch
from tests.support.world import World, deployed, deployed_once, make_world

__all__ = ["deployed", "deployed_once", "make_world"]

pytestmark = pytest.mark.chain


def test_payouts_and_wallets_are_the_same_after_a_way_down_and_up(
    make_world: Callable[[int], World],
) -> None:
    world = make_world(1)
    with world.session() as session:
        one_off = add_batch(session, world.deployed, [5, 6, 7, 8, 9], chunk_size=2, name="one-off")
        add_batch(session, world.deployed, [50, 60, 70], chunk_size=3, name="open", kind="stream")
    for payee in (one_off.payees[1], one_off.payees[4]):
        world.deployed.freeze(payee)
    world.run()
    world.deployed.mine(3)
    world.run()
    before = shown(world, one_off.payees)
    assert {state for _, _, state, *_ in before[0]} == {"paid", "skipped"}

    config = config_for(world.engine.url.render_as_string(hide_password=False))
    world.engine.dispose()
    command.stamp(config, "head")
    command.downgrade(config, "0006")
    with world.session() as session:
        transfers = text("SELECT to_address, CAST(value AS BIGINT) FROM transfers")
        minted = {payee: amount for payee, amount in session.execute(transfers)}  # noqa: C416 - rows are no tuples
    paid = zip(one_off.payees, one_off.amounts, strict=True)
    assert minted == {payee: amount for payee, amount in paid if amount in (5, 7, 8)}

    world.engine.dispose()
    command.upgrade(config, "head")
    assert shown(world, one_off.payees) == before


def shown(world: World, payees: list[str]) -> tuple[list[Any], list[Any]]:
    with world.session() as session:
        rows = session.execute(
            select(
                Payout.batch_id,
                Payout.index,
                Payout.state,
                Payout.tx_hash,
                Payout.included_block_number,
                Payout.updated_at,
            ).order_by(Payout.batch_id, Payout.index)
        ).all()
        return [tuple(row) for row in rows], [history(session, payee) for payee in payees]
