"""What rows are compared with is found by indexes, however many cases there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session

from service.cases.conflicts import _Keys, _live_cases
from service.intake.programmes import ProgrammeRef
from service.intake.rows import CheckedRow
from service.regions import Region
from tests.conftest import create_all_tables


def test_cases_that_count_are_found_by_their_commitment(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'relief.db'}"
    create_all_tables(url)
    engine = create_engine(url)
    asked: list[tuple[str, Any]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _listen(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    row = CheckedRow(1, programme=ProgrammeRef(1, "flood", "Flood relief", Region(51, 2)))
    with Session(engine) as session:
        assert _live_cases(session, [_Keys(row, None, "ab" * 32)]) == {}
        ((statement, parameters),) = asked
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        found = "SEARCH cases USING INDEX uq_cases_live_commitment"
        assert any(step[-1].startswith(found) for step in plan)
    engine.dispose()
