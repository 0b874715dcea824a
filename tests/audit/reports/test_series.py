"""What is collected while the scenario is replayed, against its end."""

from __future__ import annotations

from collections.abc import Callable

from service.audit.report import ReplayReport
from service.audit.reports.series import OUTFLOWS, Flow, Signed
from tests.audit.reports.conftest import Told

UNIT = 10**6


def test_listening_changes_nothing(told: Told, audit: Callable[..., ReplayReport]) -> None:
    report = audit()
    assert report.state_digest == told.report.state_digest
    assert report.as_json() == told.report.as_json()


def test_what_was_paid_is_what_was_minted(told: Told) -> None:
    paid = sum(told.series.total(flow) for flow in OUTFLOWS)
    assert paid == told.report.totals.minted_base_units
    assert told.series.total(Flow.GRANTED) == told.report.totals.granted_base_units == 2_100_000_001


def test_what_was_approved_is_what_officers_signed(told: Told) -> None:
    # plain, waiting, served, cancelled, streams
    signed = 3_010 * UNIT + 10, 2_800 * UNIT, 20 * UNIT, 50 * UNIT, 1_080 * UNIT + 462
    assert told.series.total(Flow.APPROVED) == sum(signed)


def test_approved_money_is_paid_given_back_or_stands_somewhere(told: Told) -> None:
    series = told.series
    (number,) = series.standing
    stands = series.standing[number]
    given_back = series.programme_total(number, Flow.RETURNED, Flow.EXPIRED)
    paid = series.programme_total(number, Flow.PAID, Flow.WITHDRAWN)
    standing = stands.waiting + stands.skipped + stands.accrued + stands.accruing
    assert paid + given_back + standing == series.programme_total(number, Flow.APPROVED)
    assert standing == told.report.totals.committed_base_units
    assert (stands.waiting, stands.skipped) == (700 * UNIT, 700 * UNIT)
    assert stands.accrued > 0
    assert stands.accruing > 0


def test_who_signed_what(told: Told) -> None:
    signed = told.series.signed
    assert {number: (each.made, each.reviewed) for number, each in signed.items()} == {
        1: (5, 0),
        2: (0, 5),
        3: (0, 2),
        5: (0, 0),
        6: (0, 0),
    }
    assert signed[2].countersigned_sum == 100 * UNIT
    assert signed[6] == Signed(granted=1, granted_sum=300 * UNIT)
    assert signed[3].reviewed_sum == 3_010 * UNIT + 10 + 2_800 * UNIT


def test_the_last_level_is_the_states(told: Told) -> None:
    totals, last = told.report.totals, told.series.headroom.spans[-1].last
    assert (last.supply, last.committed, last.reserve) == (
        totals.supply_base_units,
        totals.committed_base_units,
        totals.reserve_base_units,
    )


def test_the_lanes_last_day_is_the_states(told: Told) -> None:
    *_, last = told.series.lane.days(told.report.timestamp)
    assert (last.closing, last.overdue_closing) == (1_800 * UNIT, 300 * UNIT)
    assert last.overdue_highest == 500 * UNIT + 1
