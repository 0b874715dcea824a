"""Amounts, times and durations as people read them, and as programs do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from service.units import amounts, format_duration, format_time, format_unix_s


def test_an_amount_is_given_for_people_and_to_count_with() -> None:
    assert amounts(total=1_234_500_000, left="0") == {
        "total": "1234.50",
        "total_base_units": "1234500000",
        "left": "0.00",
        "left_base_units": "0",
    }


def test_times_are_utc_to_the_second() -> None:
    china = timezone(timedelta(hours=8))
    assert format_time(datetime(2026, 11, 1, 8, 0, 0, 999_999, china)) == "2026-11-01T00:00:00Z"
    assert format_unix_s(int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())) == (
        "2026-11-01T00:00:00Z"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (90, "1 minute 30 seconds"),
        (10_368_000, "120 days"),
        (90_061, "1 day 1 hour"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: int, words: str) -> None:
    assert format_duration(seconds) == words
