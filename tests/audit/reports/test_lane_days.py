"""The lane's days against a walk second by second."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.audit.reports.lane_days import LaneDay, LaneDays

DAY = 86_400


def test_a_grant_is_outstanding_until_it_is_ended_and_overdue_from_midnight() -> None:
    lane = LaneDays()
    lane.made(DAY * 10 + 5, 300, DAY * 12)
    lane.made(DAY * 10 + 9, 100, DAY * 12)
    lane.ended(DAY * 11 + 1, 100, DAY * 12)
    lane.ended(DAY * 13 + 7, 300, DAY * 12)
    assert list(lane.days(DAY * 20)) == [
        LaneDay(10, 400, 400, 0, 0),
        LaneDay(11, 400, 300, 0, 0),
        LaneDay(12, 300, 300, 300, 300),
        LaneDay(13, 300, 0, 300, 0),
    ]


def test_what_is_overdue_after_the_last_block_is_not_told() -> None:
    lane = LaneDays()
    lane.made(DAY * 10, 300, 2**40 - 1)
    assert list(lane.days(DAY * 11)) == [LaneDay(10, 300, 300, 0, 0)]


GRANTS = st.lists(
    st.tuples(
        st.integers(0, 10 * 24), st.integers(1, 50), st.integers(1, 4), st.integers(1, 8 * 24)
    ),
    max_size=12,
)


@given(GRANTS)
def test_every_day_is_as_a_walk_hour_by_hour_finds_it(
    grants: list[tuple[int, int, int, int]],
) -> None:
    # made, amount, days until overdue, hours until ended
    hour = DAY // 24
    happenings = []
    for made, amount, days, after in grants:
        overdue_from = (made // 24 + days) * DAY
        happenings.append((made, 0, amount, overdue_from))
        happenings.append((made + after, 1, amount, overdue_from))
    lane = LaneDays()
    for at, ended, amount, overdue_from in sorted(happenings):
        (lane.ended if ended else lane.made)(at * hour, amount, overdue_from)
    seen = {day.day: day for day in lane.days(40 * DAY)}
    outstanding = overdue = 0
    for day in range(40):
        if day in seen:
            outstanding, overdue = seen[day].closing, seen[day].overdue_closing
        end = (day + 1) * 24 - 1
        alive = [g for g in grants if g[0] <= end < g[0] + g[3]]
        assert outstanding == sum(g[1] for g in alive)
        assert overdue == sum(g[1] for g in alive if (g[0] // 24 + g[2]) <= day)
