"""What is approved here and not on chain yet counts where the vault will count it."""

from __future__ import annotations

import pytest

from service.application.approvals import waiting_total
from service.payouts.models import Batch
from tests.support.rows import add_batch
from tests.support.world import World, deployed, deployed_once, make_world, world

__all__ = ["deployed", "deployed_once", "make_world", "world"]

REGIONS = {
    # name: (code, digits), units: each a power of two, so that a sum tells which are in it
    "Sichuan": (51, 2, 1),
    "Mianyang": (5107, 4, 2),
    "Santai": (510722, 6, 4),
    "Jiangyou": (510781, 6, 8),
    "Chengdu": (5101, 4, 16),
    "Shaanxi": (61, 2, 32),
}


@pytest.mark.parametrize(
    ("region", "counted"),
    [("Sichuan", 2 + 4 + 8 + 16), ("Mianyang", 4 + 8), ("Santai", 0), ("Shaanxi", 0)],
)
def test_batches_inside_a_region_count_and_those_beside_or_above_do_not(
    world: World, region: str, counted: int
) -> None:
    with world.session() as session:
        ids = {}
        for name, (code, digits, units) in REGIONS.items():
            signed = add_batch(session, world.deployed, [units], name=name, state="approved")
            row = session.get_one(Batch, signed.id)
            row.region_code, row.region_digits = code, digits
            ids[name] = signed.id
        drafted = add_batch(session, world.deployed, [64], name="draft", state="draft")
        row = session.get_one(Batch, drafted.id)
        row.region_code, row.region_digits = 510722, 6
        session.flush()

        assert waiting_total(session, session.get_one(Batch, ids[region])) == counted
