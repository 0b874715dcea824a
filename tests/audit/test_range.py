"""Part of the chain: the state of an earlier block, and blocks that begin too late."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from service.audit.findings import Code
from service.audit.report import ReplayReport
from tests.audit.checking import Replayed
from tests.audit.scenario import Scenario

Audit = Callable[..., ReplayReport]


@pytest.mark.parametrize("name", ["BatchApproved", "PayoutSkipped", "StreamsOpened", "Redeemed"])
def test_an_earlier_block_gives_the_state_of_then(
    replayed: Replayed, audit: Audit, name: str
) -> None:
    block = next(event.block for event in replayed.events if event.name == name)
    report = audit(to_block=block)
    _, state = replayed.against_rules([e for e in replayed.events if e.block <= block])
    assert report.findings == []
    assert report.to_block == block
    assert report.state_digest == state.digest()
    assert report.state_digest != replayed.state.digest()


def test_any_first_block_before_the_deployment_gives_the_same_state(
    replayed: Replayed, audit: Audit
) -> None:
    first = replayed.events[0].block
    for from_block in (0, 1, first):
        report = audit(from_block=from_block)
        assert (report.findings, report.state_digest) == ([], replayed.state.digest())


@pytest.mark.parametrize("name", ["OfficerAdded", "ProgrammeCreated", "Redeemed"])
def test_blocks_that_begin_after_the_deployment_are_one_clear_finding(
    scenario: Scenario, replayed: Replayed, audit: Audit, name: str
) -> None:
    block = 1 + next(event.block for event in replayed.events if event.name == name)
    report = audit(from_block=block, database=scenario.database_url, manifests=scenario.manifests)
    (finding,) = report.findings
    assert finding.code is Code.DEPLOYMENT_NOT_READ
    assert finding.place.block == block
    assert report.differences == 1
    assert (report.views, report.database_rows) == (0, None)


def test_no_event_at_all_is_that_finding_too(replayed: Replayed, audit: Audit) -> None:
    report = audit(from_block=replayed.last)
    assert [finding.code for finding in report.findings] == [Code.DEPLOYMENT_NOT_READ]


def test_a_database_ahead_of_the_last_block_is_not_compared_and_says_so(
    scenario: Scenario, replayed: Replayed, audit: Audit
) -> None:
    report = audit(to_block=replayed.last - 10, database=scenario.database_url)
    assert {finding.code for finding in report.findings} == {Code.DATABASE_AHEAD}


def test_a_database_behind_the_chain_is_compared_where_it_is(
    scenario: Scenario, audit: Audit
) -> None:
    """Blocks that the worker has not read are no difference, and are told."""
    node = scenario.deployed.node
    snapshot = node.rpc("evm_snapshot")
    scenario.execute(scenario.batches["waiting"], 1)
    report = audit(database=scenario.database_url)
    node.rpc("evm_revert", snapshot)
    assert [finding.code for finding in report.findings] == [Code.DATABASE_BEHIND]
    assert report.differences == 0
    assert report.totals.payouts_paid == 10
