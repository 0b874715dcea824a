"""The line of levels: bounded, and no minimum is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.audit.reports.headroom import HeadroomLine, Level, thinned

LEVELS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 1000)),
    min_size=1,
    max_size=300,
)


def line_of(steps: list[tuple[int, int, int, int]]) -> tuple[HeadroomLine, list[Level]]:
    line, levels, block = HeadroomLine(), [], 1
    for ahead, supply, committed, reserve in steps:
        block += ahead
        levels.append(Level(block, block * 5, supply, committed, reserve))
        line.see(*levels[-1])
    line.close()
    return line, levels


@given(LEVELS)
def test_the_lowest_of_all_levels_is_kept_however_few_spans_there_are(
    steps: list[tuple[int, int, int, int]],
) -> None:
    line, levels = line_of(steps)
    lowest = min(reserve - supply - committed for _, supply, committed, reserve in steps)
    assert line.lowest is not None
    assert line.lowest.headroom == lowest
    few = thinned(line.spans, 3)
    assert len(few) <= 3
    assert min(span.lowest.headroom for span in few) == lowest
    assert few[-1].last[2:] == levels[-1][2:]


def test_a_dip_within_a_block_is_seen() -> None:
    line, _ = line_of([(1, 0, 0, 100), (1, 0, 90, 100), (0, 0, 10, 100)])
    assert [(span.lowest.headroom, span.last.headroom) for span in line.spans] == [
        (100, 100),
        (10, 90),
    ]


def test_a_block_that_changes_nothing_is_no_span() -> None:
    line, _ = line_of([(1, 5, 0, 100), (1, 5, 0, 100), (1, 6, 0, 100)])
    assert [span.first_block for span in line.spans] == [2, 4]


def test_a_hundred_thousand_blocks_are_fewer_than_two_thousand_spans() -> None:
    line = HeadroomLine()
    for block in range(1, 100_001):
        line.see(block, block, block % 7, 0, 50 if block != 77_777 else 3)
    line.close()
    assert len(line.spans) < 2_000
    assert line.lowest is not None
    assert (line.lowest.block, line.lowest.headroom) == (77_777, 3 - 77_777 % 7)


def test_before_any_attestation_there_is_no_lowest() -> None:
    line, _ = line_of([(1, 0, 0, 0)])
    assert line.lowest is None
