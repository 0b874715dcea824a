"""The replay of a whole life: clean, and equal to the contracts' own views."""

from __future__ import annotations

from collections.abc import Callable

from service.audit.report import ReplayReport
from service.audit.state import PayoutStatus
from tests.audit.scenario import Scenario

Audit = Callable[..., ReplayReport]


def test_an_honest_chain_database_and_manifests_have_no_finding(
    scenario: Scenario, audit: Audit
) -> None:
    report = audit(database=scenario.database_url, manifests=scenario.manifests)
    assert report.findings == []
    assert report.notes == []
    assert report.views > 100
    assert report.manifests_checked == 5
    assert report.database_rows is not None
    assert report.database_rows > 60
