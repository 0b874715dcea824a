"""A check whose loops were cut short has proven nothing, whatever Halmos says of it."""

from __future__ import annotations

from typing import Any

from scripts.halmos import cut_short


def result(name: str, bounded_loops: int) -> dict[str, Any]:
    return {"name": name, "exitcode": 0, "num_bounded_loops": bounded_loops}


def test_checks_whose_loops_were_followed_to_their_end_are_no_complaint() -> None:
    assert cut_short({"tests/A.sol:ACheck": [result("check_a()", 0)]}) == []


def test_a_check_whose_loops_were_cut_short_is_named() -> None:
    results = {
        "tests/A.sol:ACheck": [result("check_a()", 0), result("check_b(uint256)", 2)],
        "tests/B.sol:BCheck": [result("check_c()", 0)],
    }
    assert cut_short(results) == ["ACheck.check_b(uint256): loops cut short, raise --loop"]
