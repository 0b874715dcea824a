"""docs/audit-tables.md says what the tables are."""

from __future__ import annotations

from service.audit.blocks import Evidence
from service.audit.exports.reference import reference
from service.audit.exports.table import Kind
from service.audit.exports.tables import EVIDENCE, TABLES, TOTALS
from service.audit.report import Totals
from service.config import PROJECT_ROOT


def test_the_reference_is_that_of_the_tables() -> None:
    assert (PROJECT_ROOT / "docs" / "audit-tables.md").read_text() == reference()


def test_every_total_and_all_evidence_is_a_column_of_the_report() -> None:
    assert list(TOTALS) == list(Totals.__dataclass_fields__)
    assert list(EVIDENCE) == list(Evidence.__dataclass_fields__)


def test_names_are_used_once_and_amounts_say_their_unit() -> None:
    assert len({table.name for table in TABLES}) == len(TABLES)
    for table in TABLES:
        assert len(set(table.names)) == len(table.names)
        for column in table.columns:
            assert (column.kind is Kind.AMOUNT) == column.name.endswith("_base_units"), column
        named = {name for index in table.indexes for name in index}
        assert named <= set(table.names)
        assert table.partition is None or table.partition.column in table.names
