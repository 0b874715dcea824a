"""Three kinds of charts, drawn from numbers: bars over periods, bars side by side, step lines.

Each is drawn for a width, so that a phone gets a chart of its own rather than a small picture of a
large one. Amounts are integers; only coordinates are floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.audit.reports.shapes import Anchor, Dot, Drawing, Line, Rect, Text, text_width

SIZE = 12
SMALL = 11
PLOT_HEIGHT = 220
RIGHT_MARGIN = 8
NAMED_FROM = 600.0
"""Pixels across from which lines are named beside their ends, not in the legend alone."""
NAME_GAP = 8
"""Between a line's end and its name."""
WIDEST_FONT = 1.25
"""How much wider than reckoned a name may be: what is beyond the drawing's edge is cut off."""
WIDEST_BAR = 56.0
BAR_OF_SLOT = 0.75
ROW_BAR = 20
GAP = 1
"""Of the page's own colour between parts of a bar that are wide enough to spare it."""
SPARES_GAP = 3
ROOM = 5
"""Beside a text upon a bar, so that the bar's colour shows on each side of it."""
DASHES: tuple[tuple[float, ...], ...] = ((), (7, 3), (2, 3), (14, 4))
"""Strokes of lines: colour is never all that tells them apart."""

Label = Callable[[int], str]
"""Writes a number of an axis."""


@dataclass(frozen=True, slots=True)
class Values:
    """One series of a chart of bars.

    Attributes
    ----------
    name, short
        In the legend, and upon the bar.
    values
        One for each period or row.
    """

    name: str
    short: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """One line: each value holds from its time until the next one's."""

    name: str
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of a line that is named."""

    time: int
    value: int
    words: str


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis of values says: its unit, and how it writes a number."""

    unit: str
    label: Label


def _legend(drawing: Drawing, names: Sequence[str], *, dashed: bool) -> float:
    """Draw the names of the series on top; return where the next thing may stand."""
    x, y = 0.0, float(SIZE)
    for number, name in enumerate(names):
        width = 22 + text_width(name, SIZE) + 14
        if x and x + width > drawing.width:
            x, y = 0.0, y + 20
        role = f"s{number}"
        if dashed:
            dash = DASHES[number % len(DASHES)]
            drawing.add(Line(((x, y - 4), (x + 17, y - 4)), role, 2.5, dash))
        else:
            drawing.add(Rect(x, y - 10, 12, 12, role))
        drawing.add(Text(x + (22 if dashed else 18), y, name))
        x += width
    return y + 14


def _nice_step(span: int) -> int:
    """Return a step of 1, 2 or 5 times a power of ten that divides a span in three to six."""
    least = max(1, -(-span // 5))
    power: int = 10 ** (len(str(least)) - 1)
    return next(times * power for times in (1, 2, 5, 10) if times * power >= least)


def _ticks(low: int, high: int) -> list[int]:
    step = _nice_step(high - low)
    first = low // step
    return [step * number for number in range(first, -(-high // step) + 1)]


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where values and positions stand on a drawing."""

    left: float
    right: float
    top: float
    bottom: float
    low: int
    high: int

    def y(self, value: int) -> float:
        return self.bottom - (value - self.low) * (self.bottom - self.top) / (self.high - self.low)


def _axes(
    drawing: Drawing,
    top: float,
    values: Sequence[int],
    axis: Axis,
    right_margin: float = RIGHT_MARGIN,
) -> _Plot:
    """Draw the axis of values, zero among them, with its unit on top."""
    ticks = _ticks(min((0, *values)), max((0, *values)))
    if len(ticks) == 1:
        ticks.append(ticks[0] + 1)
    labels = [axis.label(tick) for tick in ticks]
    left = max(text_width(label, SMALL) for label in labels) + 8
    drawing.add(Text(0, top + SMALL, axis.unit, SMALL, role="muted"))
    plot = _Plot(
        left,
        drawing.width - right_margin,
        top + 26,
        top + 26 + PLOT_HEIGHT,
        ticks[0],
        ticks[-1],
    )
    for tick, label in zip(ticks, labels, strict=True):
        y = plot.y(tick)
        role = "axis" if tick == 0 else "grid"
        drawing.add(Line(((left, y), (plot.right, y)), role))
        drawing.add(Text(left - 6, y + 4, label, SMALL, Anchor.END, "muted"))
    drawing.height = plot.bottom + 28
    return plot


def _place_labels(
    drawing: Drawing, plot: _Plot, labels: Sequence[tuple[float, str]], least_gap: float = 16
) -> None:
    """Write as many labels below the plot as fit, the first and the last among them."""
    if not labels:
        return
    y = plot.bottom + 18
    widest = max(text_width(words, SMALL) for _, words in labels) + least_gap
    fit = max(2, int((plot.right - plot.left) // widest))
    every = max(1, -(-(len(labels) - 1) // max(1, fit - 1)))
    end = float("-inf")
    chosen = [labels[at] for at in range(0, len(labels), every)]
    if chosen[-1] is not labels[-1]:
        last_left = labels[-1][0] - widest
        chosen = [label for label in chosen if label[0] <= last_left] + [labels[-1]]
    for x, words in chosen:
        half = text_width(words, SMALL) / 2
        x_inside = min(max(x, plot.left - 6 + half), drawing.width - half)
        if x_inside - half < end:
            continue
        end = x_inside + half + least_gap / 2
        drawing.add(Line(((x, plot.bottom), (x, plot.bottom + 5)), "axis"))
        drawing.add(Text(x_inside, y, words, SMALL, Anchor.MIDDLE, "muted"))


def bars_over_time(
    width: float, periods: Sequence[str], series: Sequence[Values], axis: Axis
) -> Drawing:
    """Draw a stacked bar for each period; values are not negative."""
    drawing = Drawing(width)
    top = _legend(drawing, [each.name for each in series], dashed=False)
    sums = [sum(values) for values in zip(*(each.values for each in series), strict=True)]
    plot = _axes(drawing, top, sums, axis)
    slot = (plot.right - plot.left) / max(1, len(periods))
    bar = min(WIDEST_BAR, slot * BAR_OF_SLOT)
    centres = [plot.left + slot * (number + 0.5) for number in range(len(periods))]
    named: list[Text] = []
    bases = [0] * len(periods)
    for number, each in enumerate(series):
        largest = max(range(len(periods)), key=lambda at, e=each: e.values[at], default=None)  # type: ignore[misc]
        for at, value in enumerate(each.values):
            if not value:
                continue
            y, below = plot.y(bases[at] + value), plot.y(bases[at])
            gap = GAP if below - y > SPARES_GAP else 0
            drawing.add(
                Rect(centres[at] - bar / 2, y, bar, max(below - y - gap, 0.8), f"s{number}")
            )
            fits = text_width(each.short, SMALL) + 2 * ROOM <= bar and below - y >= SMALL + 2 * ROOM
            if at == largest and fits:
                middle = (y + below) / 2 + 4
                named.append(
                    Text(centres[at], middle, each.short, SMALL, Anchor.MIDDLE, backed=True)
                )
            bases[at] += value
    drawing.add(*named)
    _place_labels(drawing, plot, list(zip(centres, periods, strict=True)))
    return drawing


def bars_by_row(width: float, rows: Sequence[str], series: Sequence[Values], axis: Axis) -> Drawing:
    """Draw a bar of parts for each row, with its sum; values are not negative."""
    drawing = Drawing(width)
    y = _legend(drawing, [each.name for each in series], dashed=False) + 6
    sums = [sum(values) for values in zip(*(each.values for each in series), strict=True)]
    most = max(sums, default=0) or 1
    for at, row in enumerate(rows):
        total = f"{axis.label(sums[at])} {axis.unit}"
        drawing.add(Text(0, y + SIZE, row, bold=True))
        drawing.add(Text(width, y + SIZE, total, SIZE, Anchor.END, "muted"))
        y += 18
        drawing.add(Rect(0, y, width, ROW_BAR, "track"))
        x = 0.0
        for number, each in enumerate(series):
            value = each.values[at]
            if not value:
                continue
            part = width * value / most
            gap = GAP if part > SPARES_GAP else 0
            drawing.add(Rect(x, y, max(part - gap, 1), ROW_BAR, f"s{number}"))
            words = axis.label(value)
            if text_width(words, SMALL) + 4 * ROOM <= part:
                middle = x + part / 2
                drawing.add(Text(middle, y + 14, words, SMALL, Anchor.MIDDLE, backed=True))
            x += part
        y += 34
    drawing.height = y
    return drawing


def step_lines(
    width: float,
    lines: Sequence[Steps],
    axis: Axis,
    time_label: Callable[[int], str],
    *,
    until: int,
    mark: Mark | None = None,
) -> Drawing:
    """Draw lines that hold a value until the next, up to `until` or the last of their times."""
    drawing = Drawing(width)
    top = _legend(drawing, [line.name for line in lines], dashed=True)
    values = [value for line in lines for _, value in line.points]
    named = width >= NAMED_FROM
    widest = max(text_width(line.name, SMALL) for line in lines)
    margin = WIDEST_FONT * widest + NAME_GAP if named else RIGHT_MARGIN
    plot = _axes(drawing, top, values, axis, margin)
    times = [time for line in lines for time, _ in line.points]
    first, until = min(times, default=until), max((until, *times))
    span = max(until - first, 1)

    def x_of(time: int) -> float:
        return plot.left + (time - first) * (plot.right - plot.left) / span

    for number, line in enumerate(lines):
        points: list[tuple[float, float]] = []
        for time, value in line.points:
            if points:
                points.append((x_of(time), points[-1][1]))
            points.append((x_of(time), plot.y(value)))
        if points:
            points.append((x_of(until), points[-1][1]))
            dash = DASHES[number % len(DASHES)]
            drawing.add(Line(tuple(points), f"s{number}", 2.5, dash))
    if named:
        _name_lines(drawing, plot, lines)
    if mark is not None:
        _draw_mark(drawing, plot, mark, x_of(mark.time))
    ticks = sorted({first + span * part // 6 for part in range(7)})
    labels: list[tuple[float, str]] = []
    for tick in ticks:
        words = time_label(tick)
        if not labels or labels[-1][1] != words:
            labels.append((x_of(tick), words))
    _place_labels(drawing, plot, labels)
    return drawing


def _name_lines(drawing: Drawing, plot: _Plot, lines: Sequence[Steps]) -> None:
    """Write each line's name beside its end, none upon another nor below the plot."""
    ends = sorted((plot.y(line.points[-1][1]), line.name) for line in lines if line.points)
    lowest, places = plot.bottom + 4, []
    for y, _ in reversed(ends):
        places.append(min(y + 4, lowest))
        lowest = places[-1] - SMALL - 3
    for at, (_, name) in zip(reversed(places), ends, strict=True):
        drawing.add(Text(plot.right + NAME_GAP, at, name, SMALL))


def _draw_mark(drawing: Drawing, plot: _Plot, mark: Mark, x: float) -> None:
    y = plot.y(mark.value)
    half = text_width(mark.words, SMALL) / 2
    middle = min(max(x, plot.left + half), plot.right - half)
    below = y + 18 if y + 22 < plot.bottom else y - 10
    drawing.add(
        Dot(x, y, 4, "ink"),
        Text(middle, below, mark.words, SMALL, Anchor.MIDDLE, bold=True, backed=True),
    )
