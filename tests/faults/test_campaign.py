"""Some hundred runs of the campaign, and a few broken engines: the long ones are make targets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.breaks import catch
from tests.faults.campaign import database_of
from tests.faults.ground import Ground
from tests.faults.run import Run

pytestmark = pytest.mark.chain

RUNS = 300

SEED = 7
"""The same each time: what another one finds is for `make campaign`."""


@pytest.mark.parametrize("number", range(RUNS))
def test_a_run_of_the_campaign_violates_nothing(ground: Ground, number: int) -> None:
    outcome = Run(ground, SEED, number, database_of(number)).go()
    assert not outcome.violations, "\n".join(
        [
            f"make campaign CAMPAIGN_ARGS='--seed {SEED} --only {number}'",
            *outcome.story,
            *map(str, outcome.violations),
        ]
    )


def test_the_same_seed_and_number_make_the_same_run(ground: Ground) -> None:
    first, second = (Run(ground, 5, 2, "sqlite").go() for _ in range(2))
    assert first.story == second.story
    assert first.faults == second.faults
    assert first.points == second.points


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("sent_before_committed", "committed_before_sent"),
        ("bytes_not_kept", "committed_before_sent"),
        ("lease_never_checked", "leases_are_respected"),
        ("finality_ignored", "posted_at_finality"),
    ],
)
def test_a_broken_engine_is_caught(ground: Ground, name: str, check: str) -> None:
    def same() -> Iterator[Ground]:
        while True:
            yield ground

    caught = catch(name, same(), seed=1, seconds=60)
    assert caught is not None
    assert caught.check == check
