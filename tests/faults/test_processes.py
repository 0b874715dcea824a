"""Real workers and real kills, one run on each database; ``make campaign-processes`` does 300."""

from __future__ import annotations

import pytest

from tests.faults.ground import Ground
from tests.faults.processes import ProcessRun

pytestmark = pytest.mark.chain

SEED = 7
"""The same each time: what another one finds is for the long targets."""


@pytest.mark.parametrize("number", [0, 2], ids=["sqlite", "postgresql, two workers"])
def test_killed_processes_pay_everything_once(ground: Ground, number: int) -> None:
    outcome = ProcessRun(ground, SEED, number).go()
    assert not outcome.violations, f"seed {SEED}: {[str(found) for found in outcome.violations]}"
    assert outcome.faults.get("kill -9", 0) >= 1
