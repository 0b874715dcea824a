"""What is changed in a source: each operator, on a contract that has one of each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.mutation.compiler import Compiler, NotCompiled
from scripts.mutation.mutants import Mutant, mutants_of

SOURCE = b"""// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

interface IUnwalked {
    function f(uint256 a) external returns (uint256);
}

contract Sample {
    uint256 private constant CAP = 2 days;
    bytes32 private constant HASH = keccak256("Sample(uint256 a)"); // \xe2\x82\xac, two bytes more
    uint256 private total;

    event Added(uint256 a);

    function add(uint256 a, uint256 b) external {
        require(a < b && b != CAP);
        total += a;
        emit Added(a);
    }

    function pick(bool which) external view returns (uint256) {
        for (uint256 i; i < 3; ++i) {
            if (!which) break;
        }
        return which ? total : total % 0x0f;
    }

    function raw(uint256 a) external pure returns (uint256 b) {
        assembly {
            if iszero(a) { b := and(a, add(a, 1)) }
        }
    }
}
"""

CHANGES = {
    ("Sample.CAP", "constant", "= 3 days;"),
    ("Sample.CAP", "constant", "= 1 days;"),
    ("Sample.HASH", "constant", '= keccak256("Sample(uint256 a)X"); // €, two bytes more'),
    ("Sample.add", "deletion", "{}"),
    ("Sample.add", "boundary", "require(a <= b && b != CAP);"),
    ("Sample.add", "clause", "require(a < b);"),
    ("Sample.add", "clause", "require(b != CAP);"),
    ("Sample.add", "equality", "require(a < b && b == CAP);"),
    ("Sample.add", "assignment", "total -= a;"),
    ("Sample.pick", "condition", "for (uint256 i; false; ++i) {"),
    ("Sample.pick", "constant", "for (uint256 i; i < 4; ++i) {"),
    ("Sample.pick", "arithmetic", "for (uint256 i; i < 3; --i) {"),
    ("Sample.pick", "condition", "if (true) break;"),
    ("Sample.pick", "condition", "if (false) break;"),
    ("Sample.pick", "negation", "if (which) break;"),
    ("Sample.pick", "deletion", "if (!which) {}"),
    ("Sample.pick", "condition", "return total;"),
    ("Sample.pick", "condition", "return total % 0x0f;"),
    ("Sample.pick", "arithmetic", "return which ? total : total / 0x0f;"),
    ("Sample.pick", "constant", "return which ? total : total % 0x10;"),
    ("Sample.raw", "condition", "if 1 { b := and(a, add(a, 1)) }"),
    ("Sample.raw", "negation", "if a { b := and(a, add(a, 1)) }"),
    ("Sample.raw", "assembly", "if iszero(a) { b := or(a, add(a, 1)) }"),
    ("Sample.raw", "assembly", "if iszero(a) { b := and(a, sub(a, 1)) }"),
    ("Sample.raw", "clause", "if iszero(a) { b := a }"),
    ("Sample.raw", "deletion", "if iszero(a) { {} }"),
}


@pytest.fixture(scope="module")
def compiler() -> Iterator[Compiler]:
    with Compiler() as compiler:
        yield compiler


@pytest.fixture(scope="module")
def mutants(compiler: Compiler) -> list[Mutant]:
    return mutants_of("sample.sol", SOURCE, compiler.parse({"sample.sol": SOURCE})["sample.sol"])


@pytest.mark.parametrize(("place", "operator", "after"), sorted(CHANGES))
def test_a_change_is_tried(mutants: list[Mutant], place: str, operator: str, after: str) -> None:
    assert any(
        (mutant.place, mutant.operator) == (place, operator) and mutant.after.endswith(after)
        for mutant in mutants
    )


def test_arguments_of_one_type_are_exchanged_and_others_are_not(compiler: Compiler) -> None:
    source = b"""contract C {
    function f(uint256 a, uint256 b, bool c) private {}
    function g(uint256 x, uint256 y) external { f(x, y, true); }
}"""
    tree = compiler.parse({"c.sol": source})["c.sol"]
    exchanged = [m.replacement for m in mutants_of("c.sol", source, tree) if "arg" in m.operator]
    assert exchanged == ["y, x"]


def test_every_change_leaves_the_rest_and_has_a_name_of_its_own(mutants: list[Mutant]) -> None:
    for mutant in mutants:
        changed = mutant.apply(SOURCE)
        assert changed != SOURCE
        assert changed.startswith(SOURCE[: mutant.start])
        assert changed.endswith(SOURCE[mutant.end :])
    assert len({mutant.key for mutant in mutants}) == len(mutants)


def test_almost_every_change_compiles(compiler: Compiler, mutants: list[Mutant]) -> None:
    refused = []
    for mutant in mutants:
        try:
            compiler.parse({"sample.sol": mutant.apply(SOURCE)})
        except NotCompiled:
            refused.append(mutant.key)
    assert refused == []


def test_a_private_function_is_tested_where_it_is_called_from(compiler: Compiler) -> None:
    assert compiler.entries["Vesting.step"] >= {"withdraw", "withdrawChunk", "cancelStreams"}
    assert compiler.entries["BenefitToken.transfer"] == {"transfer"}


def test_who_is_compiled_from_a_library(compiler: Compiler) -> None:
    assert set(compiler.users("contracts/libraries/Vesting.sol")) == {
        "AllowanceVault",
        "VaultAdministration",
        "VaultCorrections",
    }
    assert compiler.users("contracts/libraries/OverdueDays.sol") == ["EmergencyLane"]
