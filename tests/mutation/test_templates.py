"""A template does what each of its mutants does, and with none chosen what the source does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.mutation.compiler import Compiler
from scripts.mutation.judges import BrownieJudge
from scripts.mutation.mutants import Mutant, mutants_of
from scripts.mutation.templates import MARK, Template, address_of, templates

TOKEN = "contracts/BenefitToken.sol"
REGISTRY = "contracts/OfficerRegistry.sol"
FREEZE = "tests/contracts/BenefitToken/test_freeze.py"


@pytest.fixture(scope="module")
def compiler() -> Iterator[Compiler]:
    with Compiler() as compiler:
        yield compiler


def mutants(compiler: Compiler, path: str, place: str) -> list[Mutant]:
    every = mutants_of(path, compiler.sources[path], compiler.trees[path])
    return [mutant for mutant in every if mutant.place.startswith(place)]


def compiled(compiler: Compiler, tried: list[Mutant]) -> Template:
    (template,) = templates(compiler, tried)
    return template


def test_each_mutant_of_a_function_has_a_number_and_code_of_its_own(compiler: Compiler) -> None:
    tried = mutants(compiler, TOKEN, "BenefitToken.freeze")
    template = compiled(compiler, tried)
    assert list(template.numbers) == [mutant.key for mutant in tried]
    assert list(template.numbers.values()) == list(range(1, len(tried) + 1))
    codes = [template.code(address_of(one))["BenefitToken"] for one in range(len(tried) + 1)]
    assert len(set(codes)) == len(codes)
    assert all(set(runtime) <= set("0123456789abcdef") for _, runtime in codes)


def test_a_change_of_a_constant_or_of_a_constructor_is_in_no_template(compiler: Compiler) -> None:
    constants = mutants(compiler, REGISTRY, "OfficerRegistry.ADDITION_DELAY")
    tried = constants + mutants(compiler, REGISTRY, "OfficerRegistry.constructor")
    assert constants
    assert len(tried) > len(constants)
    assert list(templates(compiler, tried)) == []


def test_what_does_not_compile_is_left_out_and_the_rest_stays(compiler: Compiler) -> None:
    tried = mutants(compiler, TOKEN, "BenefitToken.freeze")
    wrong = Mutant(
        *(TOKEN, "BenefitToken.freeze", "wrong", tried[0].start, tried[0].end, "nonsense;"),
        *(tried[0].line, tried[0].before, "nonsense;", 0),
    )
    template = compiled(compiler, [tried[0], wrong, *tried[1:]])
    assert list(template.numbers) == [mutant.key for mutant in tried]


@pytest.mark.chain
def test_a_test_judges_by_the_number_as_it_judges_the_mutants_alone(
    tmp_path: Path, compiler: Compiler
) -> None:
    # Of two functions, the later one first: a number is its mutant's whatever the order.
    tried = [
        mutant
        for place in ("BenefitToken.unfreeze", "BenefitToken.freeze")
        for mutant in mutants(compiler, TOKEN, place)
    ]
    template = compiled(compiler, tried)
    with BrownieJudge(tmp_path / "log") as judge:
        assert judge.killer(template.code(address_of(0)), [FREEZE], []) is None
        killers = []
        for mutant in tried:
            mutated = mutant.apply(compiler.sources[TOKEN])
            alone = compiler.compile(["BenefitToken"], {TOKEN: mutated})
            killers.append(judge.killer(alone, [FREEZE], []))
            chosen = address_of(template.numbers[mutant.key])
            assert judge.killer(template.code(chosen), [FREEZE], []) == killers[-1]
        for mutant, killer in zip(tried, killers, strict=True):
            chosen = address_of(template.numbers[mutant.key])
            assert judge.killer(template.code(MARK), [FREEZE], [], number=chosen) == killer
        assert judge.killer(template.code(MARK), [FREEZE], [], number=address_of(0)) is None
    assert any(killers)


@pytest.mark.chain
def test_what_each_test_calls_is_known_and_what_all_share(
    tmp_path: Path, compiler: Compiler
) -> None:
    names = {selector: name for name, own in compiler.selectors.items() for selector in own}
    with BrownieJudge(tmp_path / "log") as judge:
        code = compiler.original(["BenefitToken"])
        killer, calls = judge.calls(code, [FREEZE], names)
    assert killer is None
    called = {test: {names[selector] for selector in own} for test, own in calls.items()}
    announced = f"{FREEZE}::test_a_freeze_is_announced_and_leaves_the_balance"
    assert "freeze" in called[announced]
    assert "withdrawChunk" not in called[announced]
    assert {"createProgramme", "attestReserve"} <= called[""]
    assert not {"approveBatch", "withdraw", "redeem"} & called[""]
