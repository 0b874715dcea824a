"""Figures of money: paid over time, given back, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from service.audit.arithmetic import DAY_S
from service.audit.report import ReplayReport
from service.audit.reports.charts import Axis, Steps, Values, bars_over_time, step_lines
from service.audit.reports.figure import TOKENS, Figure, and_drawn, bars_of, day_of
from service.audit.reports.periods import period_text, periods
from service.audit.reports.series import OUTFLOWS, Cell, Flow, Series, Standing
from service.audit.reports.shapes import SERIES
from service.audit.reports.text import amount_text, region_text, short_amount

Name = tuple[str, str]
"""In full, and as short as it fits upon a bar."""


def paid_by_programme(series: Series) -> Figure:
    """Money paid in each period, parted by programme."""
    return _paid(series, "programme", _programme_of)


def paid_by_region(series: Series) -> Figure:
    """Money paid in each period, parted by province."""
    return _paid(series, "region", _province_of)


def _programme_of(cell: Cell) -> Name:
    if cell.programme is None:
        return "emergency lane", "lane"
    return f"programme {cell.programme}", str(cell.programme)


def _province_of(cell: Cell) -> Name:
    """Regions by their first two digits, the province's."""
    code, digits = cell.region
    if digits == 0:
        return "whole country", "all"
    text = region_text((code // 10 ** max(0, digits - 2), min(2, digits)))
    return f"region {text}", text


def _paid(series: Series, by: str, name_of: Callable[[Cell], Name]) -> Figure:
    """Money paid in each period, parted by programme or region."""
    paid = {
        cell: amount
        for cell, sums in series.money.items()
        if (amount := sum(sums.get(flow, 0) for flow in OUTFLOWS))
    }
    kind, first_of = periods(cell.day for cell in paid)
    columns = sorted(set(first_of.values()))
    sums: dict[Name, dict[int, int]] = {}
    for cell, amount in paid.items():
        of_name = sums.setdefault(name_of(cell), {})
        first = first_of[cell.day]
        of_name[first] = of_name.get(first, 0) + amount
    parts = [
        Values(*name, tuple(of_name.get(first, 0) for first in columns))
        for name, of_name in _largest(sums)
    ]
    labels = [period_text(kind, first) for first in columns]
    rows = [
        (label, *(amount_text(part.values[at]) for part in parts), _sum_at(parts, at))
        for at, label in enumerate(labels)
    ]
    total = ("total", *(amount_text(sum(part.values)) for part in parts), _sum_of(parts))
    return Figure(
        f"Money paid by {by}",
        f"Tokens paid out a {kind}, parted by {by}"
        + (" (the first two digits of its code)" if by == "region" else "")
        + ": one-off payouts, withdrawals from streams, and emergency grants"
        + ("; grants are the emergency lane's own part." if by == "programme" else "."),
        (kind, *(part.name for part in parts), "total"),
        (*rows, total) if rows else (),
        partial(
            bars_over_time,
            periods=labels,
            series=parts,
            axis=Axis(f"tokens a {kind}", short_amount),
        )
        if rows
        else None,
    )


def _largest(sums: dict[Name, dict[int, int]]) -> Iterator[tuple[Name, dict[int, int]]]:
    """Yield the largest parts, as many as there are colours, and the rest as one."""
    ranked = sorted(sums.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    if len(ranked) <= SERIES:
        yield from ranked
        return
    yield from ranked[: SERIES - 1]
    rest: dict[int, int] = {}
    for _, of_name in ranked[SERIES - 1 :]:
        for first, amount in of_name.items():
            rest[first] = rest.get(first, 0) + amount
    yield (f"{len(ranked) - SERIES + 1} others", "others"), rest


def _sum_at(parts: Sequence[Values], at: int) -> str:
    return amount_text(sum(part.values[at] for part in parts))


def _sum_of(parts: Sequence[Values]) -> str:
    return amount_text(sum(sum(part.values) for part in parts))


def flows(report: ReplayReport, series: Series) -> Figure:
    """What was approved, and where it went, as running totals."""
    kind, first_of = periods(cell.day for cell in series.money)
    columns = sorted(set(first_of.values()))
    sums = {first: dict.fromkeys(Flow, 0) for first in columns}
    for cell, moved in series.money.items():
        for flow, amount in moved.items():
            sums[first_of[cell.day]][flow] += amount
    by_day: dict[int, dict[Flow, int]] = {}
    for cell, moved in series.money.items():
        day = by_day.setdefault(cell.day, dict.fromkeys(Flow, 0))
        for flow, amount in moved.items():
            day[flow] += amount
    lines = [
        ("approved", (Flow.APPROVED,)),
        ("paid", OUTFLOWS),
        ("returned", (Flow.RETURNED,)),
        ("expired", (Flow.EXPIRED,)),
    ]
    steps = [Steps(name, tuple(_running(by_day, flows))) for name, flows in lines]
    rows = [
        (period_text(kind, first), *(amount_text(sums[first][flow]) for flow in Flow))
        for first in columns
    ]
    total = ("total", *(amount_text(series.total(flow)) for flow in Flow))
    return Figure(
        "Money approved, paid and given back",
        f"Running totals in tokens, day by day: approved by officers, paid out (once, from streams "
        f"and as grants), returned to budgets by cancelling, and expired. The table has each {kind}"
        " by itself.",
        (kind, *(flow.value for flow in Flow)),
        (*rows, total) if rows else (),
        partial(step_lines, lines=steps, axis=TOKENS, time_label=day_of, until=report.timestamp)
        if rows
        else None,
    )


def _running(
    by_day: dict[int, dict[Flow, int]], flows: Sequence[Flow]
) -> Iterator[tuple[int, int]]:
    total = 0
    for day in sorted(by_day):
        total += sum(by_day[day][flow] for flow in flows)
        yield day * DAY_S, total


def standing(series: Series) -> Figure:
    """What became of all that was approved, by programme."""
    names = ("paid", "skipped", "accrued", "still to accrue", "not run yet", "returned", "expired")
    of_programme: dict[int, tuple[int, ...]] = {}
    for number in sorted(series.standing):
        stands: Standing = series.standing[number]
        of_programme[number] = (
            series.programme_total(number, Flow.PAID, Flow.WITHDRAWN),
            stands.skipped,
            stands.accrued,
            stands.accruing,
            stands.waiting,
            series.programme_total(number, Flow.RETURNED),
            series.programme_total(number, Flow.EXPIRED),
        )
    table: dict[str, tuple[int, ...]] = {
        f"programme {number}": (series.programme_total(number, Flow.APPROVED), *parts)
        for number, parts in of_programme.items()
    }
    if table:
        table["total"] = tuple(map(sum, zip(*table.values(), strict=True)))
    rows = {f"programme {number}": parts for number, parts in of_programme.items()}
    return Figure(
        "Where approved money stands",
        "Of all tokens approved in a programme: paid (once, or withdrawn from a stream), skipped "
        "and waiting for a retry, accrued in a stream and not withdrawn, still to accrue, in "
        "chunks not run yet, returned to the budget by cancelling, and expired." + and_drawn(rows),
        ("programme", "approved", *names),
        tuple((name, *map(amount_text, parts)) for name, parts in table.items()),
        bars_of(rows, names, TOKENS),
    )
