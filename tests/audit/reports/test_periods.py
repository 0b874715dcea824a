"""Periods of a chart's axis."""

from __future__ import annotations

import pytest

from service.audit.reports.periods import MOST, period_text, periods

THE_19TH = 20_776
"""2026-11-19, a Thursday, in days since 1970-01-01."""


def test_without_days_there_are_no_periods() -> None:
    assert periods([]) == ("day", {})


def test_days_between_are_there_too() -> None:
    kind, first_of = periods([THE_19TH, THE_19TH + 3])
    assert kind == "day"
    assert sorted(first_of) == [THE_19TH + more for more in range(4)]
    assert period_text(kind, THE_19TH) == "2026-11-19"


@pytest.mark.parametrize(
    ("span", "kind", "first"),
    [(100, "week", "2026-11-16"), (1_000, "month", "2026-11"), (10_000, "year", "2026")],
)
def test_a_longer_time_is_parted_into_longer_periods(span: int, kind: str, first: str) -> None:
    found, first_of = periods([THE_19TH, THE_19TH + span])
    assert found == kind
    assert period_text(kind, first_of[THE_19TH]) == first
    assert len(set(first_of.values())) <= MOST


def test_a_chain_of_impossible_times_has_periods_too() -> None:
    kind, first_of = periods([1, 2**40 // 86_400, 2**63])
    assert (kind, len(set(first_of.values()))) == ("year", 2)
