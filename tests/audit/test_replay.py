"""The replay of a whole life: clean, and equal to the contracts' own views."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import create_engine, text

from service.audit.report import ReplayReport
from tests.audit.scenario import Scenario

Audit = Callable[..., ReplayReport]


def test_an_honest_chain_alone_has_no_finding(audit: Audit) -> None:
    report = audit()
    assert report.findings == []
    assert report.differences == 0
    assert len(report.notes) == 3  # no manifests, no database, no checkpoints


def test_an_honest_chain_database_and_manifests_have_no_finding(
    scenario: Scenario, audit: Audit, database_url: str
) -> None:
    report = audit(database=scenario.copy_into(database_url), manifests=scenario.manifests)
    assert report.findings == []
    assert [note.split(":")[0] for note in report.notes] == ["no checkpoints given"]
    assert report.views > 100
    assert report.manifests_checked == 5
    assert report.database_rows is not None
    assert report.database_rows > 300


def test_an_edit_by_hand_is_named_on_either_database(
    scenario: Scenario, audit: Audit, database_url: str
) -> None:
    url = scenario.copy_into(database_url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text("""UPDATE payouts SET payee = '0x' WHERE batch_id = :batch AND "index" = 1"""),
            {"batch": scenario.batches["plain"].hex},
        )
    engine.dispose()
    (finding,) = audit(database=url).findings
    place = (finding.place.batch, finding.place.index, finding.place.number)
    assert place == (scenario.batches["plain"].hex, 1, 2)
