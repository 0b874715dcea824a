"""Some cells of the crash matrix; ``make crash-matrix`` fills all of it."""

from __future__ import annotations

import random

import pytest

from tests.faults.ground import Ground
from tests.faults.matrix import deaths, every, walk

pytestmark = pytest.mark.chain

SEED = 7
"""The same each time: what another one finds is for the long targets."""

CELLS = 3


@pytest.mark.parametrize("faults", [False, True], ids=["quiet", "faults"])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_worker_that_dies_anywhere_leaves_everything_paid_once(
    ground: Ground, database: str, faults: bool
) -> None:
    way, found = walk(ground, database, None, faults=faults)
    assert found == []
    points = {name.split(" in ")[-1].split(":")[0] for name in way.passed}
    assert {
        "ingest.store",
        "signing.sign_built",
        "sending.send",
        "receipts.look_for_receipts",
        "replacing.replace_stuck",
        "worker._settle",
    } <= points
    for death in random.Random(SEED).sample(deaths(way.passed, every), CELLS):
        _, found = walk(ground, database, death, faults=faults)
        assert found == [], f"{death}, seed {SEED}"
