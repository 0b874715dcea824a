"""Seconds by stage: each second is one stage's."""

from __future__ import annotations

import time

import pytest

from service.clock import StageTimes


def test_a_stage_is_not_charged_for_what_a_stage_within_it_took() -> None:
    ended: list[tuple[str, float]] = []
    times = StageTimes(on_end=lambda name, seconds: ended.append((name, seconds)))
    began = time.perf_counter()
    with times.stage("submit"):
        with times.stage("store"):
            time.sleep(0.1)
        with times.stage("store"):
            time.sleep(0.05)
    whole = time.perf_counter() - began

    assert times.seconds["store"] >= 0.15
    assert times.seconds["submit"] < 0.1
    assert times.total == pytest.approx(whole, abs=0.01)
    assert [name for name, _ in ended] == ["store", "store", "submit"]
    assert sum(seconds for _, seconds in ended) == pytest.approx(times.total)


def test_a_stage_that_fails_is_counted_too() -> None:
    times = StageTimes()
    with pytest.raises(ZeroDivisionError), times.stage("a"), times.stage("b"):
        raise ZeroDivisionError
    with times.stage("a"):
        pass
    assert set(times.seconds) == {"a", "b"}
    assert all(seconds < 1 for seconds in times.seconds.values())
