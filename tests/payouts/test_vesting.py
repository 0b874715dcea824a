"""What a stream has accrued."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.payouts.vesting import Terms, payable_through, vested

DAY = 86_400
TERMS = Terms(start_unix_s=1000, cliff_s=3 * DAY, duration_s=90 * DAY, cadence_s=DAY)


def test_before_the_start_nothing_is_payable() -> None:
    assert payable_through(TERMS, 999) == 0


def test_before_the_cliff_nothing_is_payable_and_then_all_of_it() -> None:
    assert payable_through(TERMS, 1000 + 3 * DAY - 1) == 0
    assert payable_through(TERMS, 1000 + 3 * DAY) == 3 * DAY


def test_payment_moves_in_whole_steps() -> None:
    assert payable_through(TERMS, 1000 + 5 * DAY - 1) == 4 * DAY


def test_from_the_end_on_everything_is_payable() -> None:
    terms = Terms(start_unix_s=0, cliff_s=0, duration_s=100, cadence_s=30)

    assert payable_through(terms, 99) == 90
    assert payable_through(terms, 100) == 100
    assert payable_through(terms, 10**9) == 100


@given(
    st.integers(0, 2**64 - 1),
    st.integers(1, 2**31 - 2),
    st.lists(st.integers(0, 2**31 - 2), max_size=8),
)
def test_paying_in_parts_loses_nothing_to_rounding(
    total: int, duration: int, moments: list[int]
) -> None:
    paid, through = 0, 0
    for moment in sorted(min(moment, duration) for moment in [*moments, duration]):
        paid += vested(total, moment, duration) - vested(total, through, duration)
        through = moment

    assert paid == total
