"""Figures of what holds money back: officers, the reserve, the emergency lane."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from service.audit.arithmetic import DAY_S
from service.audit.lane_state import GrantState
from service.audit.report import ReplayReport
from service.audit.reports.charts import Axis, Mark, Steps, step_lines
from service.audit.reports.figure import TOKENS, Figure, and_drawn, bars_of, day_of
from service.audit.reports.headroom import Level, thinned
from service.audit.reports.lane_days import LaneDay
from service.audit.reports.periods import MOST, period_text, periods
from service.audit.reports.series import Series, Signed
from service.audit.reports.text import amount_text, moment, short_amount

BATCHES = Axis("batches", str)

LEVELS = ("attested reserve", "supply and commitments", "supply")
"""Lines of the chart of the reserve."""


def officers(series: Series) -> Figure:
    """Who signed how many batches."""
    signed = {number: series.signed[number] for number in sorted(series.signed)}
    sums = [(f"officer {number}", *_signed_cells(each)) for number, each in signed.items()]
    rows: dict[str, tuple[int, ...]] = {
        f"officer {number}": (each.made, each.reviewed)
        for number, each in signed.items()
        if each.made or each.reviewed
    }
    return Figure(
        "Approvals by officer",
        "Batches that each officer signed, as their maker or as a reviewer. The table has the sums "
        "in tokens too, and the emergency grants made and countersigned." + and_drawn(rows),
        (
            *("officer", "made", "tokens made", "reviewed", "tokens reviewed"),
            *("grants", "tokens granted", "countersigned", "tokens countersigned"),
        ),
        tuple(sums),
        bars_of(rows, ("made", "reviewed"), BATCHES),
    )


def _signed_cells(each: Signed) -> Iterator[str]:
    for count, amount in (
        (each.made, each.made_sum),
        (each.reviewed, each.reviewed_sum),
        (each.granted, each.granted_sum),
        (each.countersigned, each.countersigned_sum),
    ):
        yield str(count)
        yield amount_text(amount)


def _levels(series: Series) -> list[Level]:
    """Return the levels that the charts draw: each span's lowest and its last."""
    spans = thinned(series.headroom.spans, MOST)
    return [
        level
        for span in spans
        for level in ((span.lowest, span.last) if span.lowest != span.last else (span.last,))
    ]


def reserve(report: ReplayReport, series: Series) -> Figure:
    """What is minted and committed, and the reserve that must cover it."""
    levels = _levels(series)
    lines = [
        Steps(LEVELS[0], tuple((level.time, level.reserve) for level in levels)),
        Steps(LEVELS[1], tuple((level.time, level.outstanding) for level in levels)),
        Steps(LEVELS[2], tuple((level.time, level.supply) for level in levels)),
    ]
    return Figure(
        "The reserve, and what stands against it",
        "Tokens minted (supply), these with what is approved and not minted yet (supply and "
        "commitments), and the attested reserve that must cover both.",
        ("block", "time", "supply", "commitments", *LEVELS[:1]),
        tuple(
            (
                str(level.block),
                moment(level.time),
                *map(amount_text, (level.supply, level.committed, level.reserve)),
            )
            for level in levels
        ),
        partial(step_lines, lines=lines, axis=TOKENS, time_label=day_of, until=report.timestamp)
        if levels
        else None,
    )


def headroom(report: ReplayReport, series: Series) -> Figure:
    """What might still have been committed, with its lowest named."""
    levels, lowest = _levels(series), series.headroom.lowest
    lines = [Steps("headroom", tuple((level.time, level.headroom) for level in levels))]
    mark = None
    if lowest is not None:
        words = f"lowest: {short_amount(lowest.headroom)}, block {lowest.block}"
        mark = Mark(lowest.time, lowest.headroom, words)
    said = (
        ""
        if lowest is None
        else (f" It was lowest in block {lowest.block} with {amount_text(lowest.headroom)} tokens.")
    )
    return Figure(
        "Reserve headroom",
        "The attested reserve less supply and commitments, at every block where one of them "
        "changed; where many are drawn as one, the lowest is among those drawn." + said,
        ("block", "time", "headroom"),
        tuple(
            (str(level.block), moment(level.time), amount_text(level.headroom)) for level in levels
        ),
        partial(
            step_lines,
            lines=lines,
            axis=TOKENS,
            time_label=day_of,
            until=report.timestamp,
            mark=mark,
        )
        if levels
        else None,
    )


def lane(report: ReplayReport, series: Series) -> Figure:
    """What the emergency lane had outstanding and overdue."""
    days = list(series.lane.days(report.timestamp))
    lines = []
    for name, highest, closing in (("outstanding", 1, 2), ("overdue", 3, 4)):
        points: list[tuple[int, int]] = []
        for day in days:
            points.append((day.day * DAY_S, day[highest]))
            # A day's highest holds for that day; the next begins with what it closed with.
            midnight = (day.day + 1) * DAY_S
            if day[highest] != day[closing] and midnight <= report.timestamp:
                points.append((midnight, day[closing]))
        lines.append(Steps(name, tuple(points)))
    kind, first_of = periods(day.day for day in days)
    by_period: dict[int, LaneDay] = {}
    for day in days:
        first = first_of[day.day]
        by_period[first] = by_period.get(first, day).joined(day)
    return Figure(
        "Emergency lane",
        "Tokens granted and neither countersigned nor written off, and what of them was past the "
        f"time for it; each day at its highest. The table has each {kind} in which something "
        "changed.",
        (kind, "outstanding, highest", "at its end", "overdue, highest", "at its end"),
        tuple(
            (period_text(kind, first), *map(amount_text, sums[1:]))
            for first, sums in sorted(by_period.items())
        ),
        partial(
            step_lines,
            lines=lines,
            axis=TOKENS,
            time_label=day_of,
            until=report.timestamp,
        )
        if days
        else None,
    )


def grants(report: ReplayReport) -> Figure:
    """What became of each officer's grants."""
    states = (
        GrantState.COUNTERSIGNED,
        GrantState.OUTSTANDING,
        GrantState.OVERDUE,
        GrantState.WRITTEN_OFF,
    )
    sums: dict[int, dict[GrantState, int]] = {}
    for grant in report.state.lane.grants.values():
        of_officer = sums.setdefault(grant.officer, dict.fromkeys(states, 0))
        of_officer[grant.state(report.timestamp)] += grant.amount
    table: dict[str, tuple[int, ...]] = {
        f"officer {number}": tuple(sums[number][state] for state in states)
        for number in sorted(sums)
    }
    names = [state.value.replace("_", " ") for state in states]
    rows = dict(table)
    if table:
        table["total"] = tuple(map(sum, zip(*table.values(), strict=True)))
    return Figure(
        "Emergency grants by officer",
        "Tokens that each officer granted, by where the grants stand at the last block."
        + and_drawn(rows),
        ("officer", *names, "granted"),
        tuple((name, *map(amount_text, (*parts, sum(parts)))) for name, parts in table.items()),
        bars_of(rows, names, TOKENS),
    )
