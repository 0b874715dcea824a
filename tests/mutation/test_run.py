"""What survives is accepted by name, with a reason, or fails; what is judged, on the real tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.mutation.compiler import Compiler
from scripts.mutation.judges import BrownieJudge, ForgeJudge
from scripts.mutation.mutants import Mutant, mutants_of
from scripts.mutation.run import accepted_mutants, chosen, complaints

TOKEN = "contracts/BenefitToken.sol"
VESTING = "contracts/libraries/Vesting.sol"


@pytest.fixture(scope="module")
def compiler() -> Iterator[Compiler]:
    with Compiler() as compiler:
        yield compiler


@pytest.fixture(scope="module")
def everything(compiler: Compiler) -> list[Mutant]:
    return [
        mutant
        for path, source in compiler.sources.items()
        for mutant in mutants_of(path, source, compiler.trees[path])
    ]


def result(outcome: str) -> dict[str, Any]:
    return {"outcome": outcome, "path": "contracts/A.sol", "line": 7}


def test_what_no_test_notices_is_told_with_its_line() -> None:
    assert complaints({"a": result("survived")}, [], ["a"]) == [
        "no test notices, contracts/A.sol:7: a"
    ]


@pytest.mark.parametrize("outcome", ["killed", "equivalent", "refused"])
def test_what_is_noticed_or_no_change_is_no_complaint(outcome: str) -> None:
    assert complaints({"a": result(outcome)}, [], ["a"]) == []


def test_what_is_accepted_is_no_complaint_tried_or_not() -> None:
    accepted = [{"mutant": "a", "reason": "looked at"}, {"mutant": "b", "reason": "too"}]
    assert complaints({"a": result("survived")}, accepted, ["a", "b"]) == []


def test_an_acceptance_that_tests_contradict_fails() -> None:
    accepted = [{"mutant": "a", "reason": "looked at"}]
    (line,) = complaints({"a": result("killed")}, accepted, ["a"])
    assert line == "mutation.toml: killed now: a"


def test_every_acceptance_has_a_reason_and_is_of_a_change_to_the_contracts_as_they_are(
    everything: list[Mutant],
) -> None:
    accepted = accepted_mutants()
    assert all(entry["reason"] for entry in accepted)
    assert complaints({}, accepted, (mutant.key for mutant in everything)) == []


def test_a_sample_has_every_change_of_a_library_and_grows_without_losing_any(
    everything: list[Mutant],
) -> None:
    small, large = (chosen(everything, 1, size) for size in (2, 5))
    assert set(small) < set(large) < set(chosen(everything, 1, None)) == set(everything)
    assert sum(mutant.path == TOKEN for mutant in small) == 2
    assert {m for m in everything if m.path == VESTING} <= set(small)
    assert set(small) != set(chosen(everything, 2, 2))


def test_a_library_is_judged_by_its_property_tests(tmp_path: Path, compiler: Compiler) -> None:
    judge = ForgeJudge(tmp_path / "forge", compiler)
    source = compiler.sources[VESTING]
    rounded = source.replace(b"(total * elapsed) / duration", b"(total * elapsed) / duration + 1")
    assert rounded != source
    killer = judge.killer(VESTING, rounded)
    assert killer
    assert killer.startswith("tests/forge/libraries/Vesting.t.sol::testFuzz_")
    assert judge.killer(VESTING, source) is None


@pytest.mark.chain
def test_a_contract_is_judged_by_brownies_tests_one_mutant_after_another(
    tmp_path: Path, compiler: Compiler
) -> None:
    source = compiler.sources[TOKEN]
    silent = source.replace(b"emit Frozen(account);", b"")
    assert silent != source
    tests = ["tests/contracts/BenefitToken/test_freeze.py"]
    original = compiler.original(["BenefitToken"])
    with BrownieJudge(tmp_path / "log") as judge:
        for _ in range(2):
            mutant = compiler.compile(["BenefitToken"], {TOKEN: silent})
            assert judge.killer(mutant, tests, []) == (
                f"{tests[0]}::test_a_freeze_is_announced_and_leaves_the_balance"
            )
            assert judge.killer(original, tests, []) is None
