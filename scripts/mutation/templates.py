"""Many mutants in one compilation: each a copy of its function, chosen by a number in the bytecode.

Compiling a contract through the intermediate representation takes longer than its tests need to
notice most mutants. A template is the source with, for each mutant, the function that it changes
once more, changed; the function itself begins by going on in the copy whose number is chosen. The
number stands where a library's address would, which only who deploys knows, so the optimizer cannot
decide by it: with 0 the template does what the source does, with any other number what that mutant
does.

A template is larger and costs more gas than what it stands for, so it only accuses: a test that
fails with a mutant's number must pass with 0, and what no test notices is compiled by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.mutation.compiler import Bytecode, Compiler, NotCompiled
from scripts.mutation.mutants import Mutant

MOST_MUTANTS = 32
MOST_BYTES = 56_000
"""Creation code that can be deployed with the 2^24 gas that a transaction has (EIP-7825)."""

LIBRARY = "MutantNumber"
CHOSEN = f"uint160(address({LIBRARY}))"
MARK = "c0de" * 10
"""Chooses no mutant, and is found in code that is deployed, to be replaced by a number."""
PLACE_OF_ADDRESS = re.compile(r"__\$[0-9a-f]{34}\$__")


@dataclass(frozen=True, eq=False)
class Template:
    """Bytecode of the deployed contracts that a source reaches, with some of its mutants.

    Attributes
    ----------
    bytecode
        As compiled, with places for the number.
    numbers
        Which number chooses which mutant, by its key; from 1.
    """

    bytecode: Bytecode
    numbers: Mapping[str, int]

    def code(self, address: str) -> Bytecode:
        """Return the bytecode with a number chosen, as `address_of` or `MARK`."""
        return {
            name: (PLACE_OF_ADDRESS.sub(address, creation), PLACE_OF_ADDRESS.sub(address, runtime))
            for name, (creation, runtime) in self.bytecode.items()
        }


def address_of(number: int) -> str:
    """Return a number as it stands in the bytecode, 0 for no mutant."""
    return f"{number:040x}"


def templates(compiler: Compiler, mutants: Sequence[Mutant]) -> Iterator[Template]:
    """Compile mutants of one source, as many at a time as fit.

    Left out are those that do not compile so: in a constant or a constructor, or not at all.
    """
    inside = [mutant for mutant in mutants if _function_of(compiler, mutant) is not None]
    for start in range(0, len(inside), MOST_MUTANTS):
        yield from _compiled(compiler, inside[start : start + MOST_MUTANTS])


def _compiled(compiler: Compiler, mutants: Sequence[Mutant]) -> Iterator[Template]:
    """Compile them together, or without those that the compiler refuses, or in halves."""
    if not mutants:
        return
    path = mutants[0].path
    text, copies = _template(compiler, mutants)
    try:
        bytecode = compiler.compile(compiler.users(path), {path: text})
    except NotCompiled as refused:
        wrong = {
            key
            for key, (start, end) in copies.items()
            if any(where == path and start <= at < end for where, at in refused.places)
        }
        left = [mutant for mutant in mutants if mutant.key not in wrong]
        if wrong:
            yield from _compiled(compiler, left)
            return
    else:
        if all(len(creation) <= 2 * MOST_BYTES for creation, _ in bytecode.values()):
            yield Template(bytecode, {one.key: number for number, one in enumerate(mutants, 1)})
            return
    if len(mutants) > 1:
        half = len(mutants) // 2
        yield from _compiled(compiler, mutants[:half])
        yield from _compiled(compiler, mutants[half:])


def _template(
    compiler: Compiler, mutants: Sequence[Mutant]
) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """Return the source with a copy for each mutant, and where each copy stands, by its key."""
    source = compiler.sources[mutants[0].path]
    text, copies, done = b"", dict[str, tuple[int, int]](), 0
    numbered: dict[int, list[tuple[int, Mutant]]] = {}
    functions: dict[int, Mapping[str, Any]] = {}
    for number, mutant in enumerate(mutants, 1):
        function = _function_of(compiler, mutant)
        assert function is not None
        functions[function["id"]] = function
        numbered.setdefault(function["id"], []).append((number, mutant))
    for function in sorted(functions.values(), key=lambda function: _span(function)[0]):
        own = numbered[function["id"]]
        body, end = _span(function["body"])[0] + 1, _span(function)[1]
        text += source[done:body]
        text += b"".join(_branch(function, number) for number, _ in own)
        text += source[body:end]
        for number, mutant in own:
            start = len(text)
            text += _copy(function, number, mutant, source)
            copies[mutant.key] = (start, len(text))
        done = end
    return text + source[done:] + f"\nlibrary {LIBRARY} {{}}\n".encode(), copies


def _branch(function: Mapping[str, Any], number: int) -> bytes:
    """Return what goes on in the copy with a number, where that is chosen."""
    arguments = ", ".join(one["name"] for one in function["parameters"]["parameters"])
    call = f"{_name(function, number)}({arguments})"
    returns = function["returnParameters"]["parameters"]
    goes_on = f"return {call};" if returns else f"{{ {call}; return; }}"
    return f"if ({CHOSEN} == {number}) {goes_on} ".encode()


def _copy(function: Mapping[str, Any], number: int, mutant: Mutant, source: bytes) -> bytes:
    """Return a function once more, under another name, with a mutant's change."""
    start, end = _span(function["body"])
    changed = source[start : mutant.start] + mutant.replacement.encode() + source[mutant.end : end]
    declared, returned = (
        source[slice(*_span(function[part]))].decode()
        for part in ("parameters", "returnParameters")
    )
    mutability = function["stateMutability"].replace("nonpayable", "")
    returns = f"returns {returned}" if function["returnParameters"]["parameters"] else ""
    head = f" function {_name(function, number)}{declared} private {mutability} {returns} "
    return head.encode() + changed


def _name(function: Mapping[str, Any], number: int) -> str:
    return f"{function['name']}__{number}"


def _function_of(compiler: Compiler, mutant: Mutant) -> Mapping[str, Any] | None:
    """Return the function in whose body a mutant stands, None for another place.

    Also none where a copy could not be called: an argument has no name, or money comes along.
    """
    for contract in compiler.trees[mutant.path]["nodes"]:
        for member in contract.get("nodes", []):
            if member["nodeType"] != "FunctionDefinition" or not member.get("body"):
                continue
            start, end = _span(member["body"])
            named = all(one["name"] for one in member["parameters"]["parameters"])
            if start <= mutant.start < end:
                callable_ = member["kind"] == "function" and named
                return member if callable_ and member["stateMutability"] != "payable" else None
    return None


def _span(node: Mapping[str, Any]) -> tuple[int, int]:
    start, length, _ = map(int, node["src"].split(":"))
    return start, start + length
