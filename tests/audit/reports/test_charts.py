"""Drawings: everything inside, bars as long as their numbers, minima drawn."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.audit.reports.charts import (
    Axis,
    Mark,
    Steps,
    Values,
    bars_by_row,
    bars_over_time,
    step_lines,
)
from service.audit.reports.shapes import Drawing, Line, Rect, Text

AXIS = Axis("tokens", str)
WIDTHS = (330.0, 720.0)


def require_inside(drawing: Drawing) -> None:
    for shape in drawing.shapes:
        if isinstance(shape, Text):
            spans = [(shape.left, shape.y), (shape.left + shape.width, shape.y)]
        elif isinstance(shape, Rect):
            spans = [(shape.x, shape.y), (shape.x + shape.width, shape.y + shape.height)]
        else:
            assert isinstance(shape, Line)
            spans = list(shape.points)
        for x, y in spans:
            assert -0.5 <= x <= drawing.width + 0.5, shape
            assert 0 <= y <= drawing.height, shape


NUMBERS = st.lists(st.integers(0, 10**24), min_size=1, max_size=48)


@given(NUMBERS, st.sampled_from(WIDTHS))
def test_bars_over_time_stay_inside(numbers: list[int], width: float) -> None:
    periods = [f"2026-{at:02d}" for at in range(len(numbers))]
    series = [Values("one", "1", tuple(numbers)), Values("two", "2", tuple(reversed(numbers)))]
    axis = Axis("tokens", lambda value: f"{value:.1e}")
    require_inside(bars_over_time(width, periods, series, axis))


@given(NUMBERS, st.sampled_from(WIDTHS))
def test_bars_by_row_stay_inside(numbers: list[int], width: float) -> None:
    rows = [f"officer {at}" for at in range(len(numbers))]
    axis = Axis("tokens", lambda value: f"{value:.1e}")
    require_inside(bars_by_row(width, rows, [Values("one", "1", tuple(numbers))], axis))


@given(
    st.lists(st.tuples(st.integers(0, 10**10), st.integers(-(10**24), 10**24)), max_size=40),
    st.sampled_from(WIDTHS),
)
def test_step_lines_stay_inside(points: list[tuple[int, int]], width: float) -> None:
    axis = Axis("tokens", lambda value: f"{value:.1e}")
    line = Steps("headroom", tuple(sorted(points)))
    require_inside(step_lines(width, [line, line], axis, lambda time: f"{time:.1e}", until=5))


@pytest.mark.parametrize("name", ["headroom", "supply and commitments"])
def test_a_lines_name_has_room_in_a_font_a_fifth_wider(name: str) -> None:
    drawing = step_lines(720, [Steps(name, ((0, 100),))], AXIS, str, until=100)
    texts = [shape for shape in drawing.shapes if isinstance(shape, Text) and shape.words == name]
    beside = max(texts, key=lambda text: text.left)
    assert beside.left + 1.2 * beside.width <= 720


@pytest.mark.parametrize("width", WIDTHS)
def test_parts_of_a_bar_are_as_long_as_their_numbers(width: float) -> None:
    series = [Values("paid", "paid", (75, 30)), Values("skipped", "skipped", (25, 0))]
    drawing = bars_by_row(width, ["programme 1", "programme 2"], series, AXIS)
    bars = {
        (shape.role, round(shape.x + shape.width, 1))
        for shape in drawing.shapes
        if isinstance(shape, Rect) and shape.role in ("s0", "s1") and shape.height == 20
    }
    # A pixel between the parts is the page's own.
    assert bars == {
        ("s0", round(width * 0.75 - 1, 1)),
        ("s1", round(width - 1, 1)),
        ("s0", round(width * 0.3 - 1, 1)),
    }
    words = [shape.words for shape in drawing.shapes if isinstance(shape, Text)]
    assert {"paid", "skipped", "programme 1", "100 tokens", "30 tokens"} <= set(words)


def test_a_line_holds_its_value_until_the_next_and_is_marked_at_its_lowest() -> None:
    drawing = step_lines(
        720,
        [Steps("headroom", ((0, 100), (50, 20), (60, 100)))],
        AXIS,
        str,
        until=100,
        mark=Mark(50, 20, "lowest: 20"),
    )
    (line,) = [
        s
        for s in drawing.shapes
        if isinstance(s, Line) and s.role == "s0" and s.width > 2 and len(s.points) > 2
    ]
    xs, ys = [x for x, _ in line.points], [y for _, y in line.points]
    left, right = xs[0], xs[-1]
    assert [round((x - left) / (right - left), 2) for x in xs] == [0, 0.5, 0.5, 0.6, 0.6, 1]
    assert ys[0] == ys[1] == ys[4] == ys[5] < ys[2] == ys[3]
    assert "lowest: 20" in {s.words for s in drawing.shapes if isinstance(s, Text)}


def test_lines_are_told_apart_by_more_than_their_colour() -> None:
    lines = [Steps(name, ((0, at),)) for at, name in enumerate("abcd")]
    drawing = step_lines(720, lines, AXIS, str, until=9)
    dashes = {s.role: s.dash for s in drawing.shapes if isinstance(s, Line) and s.width > 2}
    assert len(set(dashes.values())) == 4
    names = [s.words for s in drawing.shapes if isinstance(s, Text) and s.words in "abcd"]
    assert sorted(names) == sorted("aabbccdd"), "in the legend and beside the line"


@given(st.lists(st.integers(0, 100), min_size=4, max_size=4))
def test_names_beside_lines_stand_apart_and_within(ends: list[int]) -> None:
    lines = [Steps(f"line {at}", ((0, end),)) for at, end in enumerate(ends)]
    drawing = step_lines(720, lines, AXIS, str, until=9)
    names = [s for s in drawing.shapes if isinstance(s, Text) and s.words.startswith("line")]
    beside = sorted(s.y for s in names if s.x > 600)
    assert len(beside) == 4
    assert all(later - one >= 14 for one, later in pairwise(beside))
    assert beside[-1] <= drawing.height - 24
