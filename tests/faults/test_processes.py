"""Real workers and real kills, a dozen runs; ``make campaign-processes`` does 300."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.ground import Ground
from tests.faults.processes import ProcessRun

pytestmark = pytest.mark.chain

RUNS = 12

SEED = 7
"""The same each time: what another one finds is for the long targets."""


@pytest.fixture(scope="module")
def kills() -> Iterator[list[int]]:
    """Kills of each run: one run may be done before its first."""
    counted: list[int] = []
    yield counted
    assert sum(counted) >= len(counted)


@pytest.mark.parametrize("number", range(RUNS))
def test_killed_processes_pay_everything_once(
    ground: Ground, kills: list[int], number: int
) -> None:
    outcome = ProcessRun(ground, SEED, number).go()
    kills.append(outcome.faults.get("kill -9", 0))
    assert not outcome.violations, f"seed {SEED}: {[str(found) for found in outcome.violations]}"
