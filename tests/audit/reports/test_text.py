"""What is shown of text, times and amounts."""

from __future__ import annotations

import pytest

from service.audit.reports.text import (
    amount_text,
    latin,
    moment,
    region_text,
    short_amount,
    visible,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("\u202eevil", "\\u202eevil"),
        ("a\u0301\u0301", "a\\u0301\\u0301"),
        ("\x00\x1b[2J", "\\u0000\\u001b[2J"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("<b> & \"'", "<b> & \"'"),
        ("中", "中"),
    ],
)
def test_a_character_that_does_not_show_as_itself_is_spelled(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_what_latin_1_lacks_is_spelled_for_paper() -> None:
    assert latin("é 中 \U0001f600") == "é \\u4e2d \\U0001f600"


def test_times_of_no_calendar_are_seconds() -> None:
    assert moment(0) == "1970-01-01T00:00:00Z"
    assert moment(2**40) == "second 1099511627776"


@pytest.mark.parametrize(
    ("amount", "exact", "short"),
    [
        (0, "0.00", "0"),
        (1, "0.000001", "0.000001"),
        (-1, "-0.000001", "-0.000001"),
        (1_234_500_000, "1,234.50", "1.23 k"),
        (500_000_000, "500.00", "500"),
        (-2_000_000_000_000, "-2,000,000.00", "-2 M"),
        (7 * 10**18, "7,000,000,000,000.00", "7 T"),
    ],
)
def test_amounts_are_exact_in_tables_and_short_in_charts(
    amount: int, exact: str, short: str
) -> None:
    assert (amount_text(amount), short_amount(amount)) == (exact, short)


def test_regions_keep_their_digits() -> None:
    assert [region_text(region) for region in ((51, 2), (510722, 6), (0, 0))] == [
        "51",
        "510722",
        "whole country",
    ]
