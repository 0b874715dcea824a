"""Change the contracts in small ways and see whether their tests notice: ``make mutate``.

A change in a library meets its property tests first, then, like every other, Brownie's tests of
the contracts that it reaches. A change that leaves the bytecode as it was is no change. What no
test notices must be listed in ``mutation.toml`` with the reason why it does no harm; anything else
fails, and so does an entry that tests notice or that matches no change any more.

What was found is kept in ``tests/mutation/judged.jsonl`` as it is found, and not tried again while
the sources and tests that it depends on stand.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.mutation.compiler import (
    ANYWHERE,
    PROJECT_ROOT,
    Bytecode,
    Compiler,
    NotCompiled,
)
from scripts.mutation.judges import TIME, BrownieJudge, ForgeJudge
from scripts.mutation.mutants import Mutant, mutants_of
from scripts.mutation.record import Record, Result
from scripts.mutation.templates import MARK, Template, address_of, templates

ACCEPTED = PROJECT_ROOT / "mutation.toml"
JUDGED = PROJECT_ROOT / "tests" / "mutation" / "judged.jsonl"
FOLDER = PROJECT_ROOT / "var" / "mutation"
TESTS = "tests/contracts"
PARTS_OF = {"VaultAdministration": "AllowanceVault", "VaultCorrections": "AllowanceVault"}
"""Contracts that are tested through another one."""
NOT_CALLED = ("constructor", "fallback", "receive")
"""Functions without a selector, which any test may run."""
MOST_LIKELY = 8
MOST_NEAR = 6
VERIFIERS_OF = {"P256Verifier": "OfficerRegistry", "PasskeyVerifier": "OfficerRegistry"}


class Run:
    """One run: the compiler, the judges, and what is known already.

    Parameters
    ----------
    compiler
        The running compiler.
    record
        Where the results are kept.
    folder
        For what else a run leaves behind.
    """

    def __init__(
        self, compiler: Compiler, brownie: BrownieJudge, record: Record, folder: Path
    ) -> None:
        self._compiler = compiler
        self._brownie = brownie
        self._forge = ForgeJudge(folder / "forge", compiler)
        self._record = record
        self._tests = _digest(PROJECT_ROOT / "tests" / part for part in ("contracts", "forge"))
        self._names_of_selectors = {
            selector: name for name, own in compiler.selectors.items() for selector in own
        }
        self._calls_file = folder / "calls.json"
        self._calls_of = [self._tests, _digest([PROJECT_ROOT / "contracts"])]
        self._calls = self._known_calls()
        self._digests: dict[str, str] = {}
        self._passed: dict[tuple[Template, str], bool] = {}

    def mutants(self) -> list[Mutant]:
        """Return every mutant of every source."""
        return [
            mutant
            for path, source in self._compiler.sources.items()
            for mutant in mutants_of(path, source, self._compiler.trees[path])
        ]

    def judge(
        self, mutants: Sequence[Mutant], *, skip_unchanged: bool = False
    ) -> Iterator[tuple[Mutant, Result]]:
        """Yield what became of each mutant, found now or before, and keep it.

        First those that a test near them notices, then, more slowly, the others.

        Parameters
        ----------
        skip_unchanged
            Whether to trust that the tests pass without a change; else see `check_unchanged`.
        """
        left = []
        for mutant in mutants:
            if known := self._known(mutant):
                yield mutant, known
            else:
                left.append(mutant)
        noticed = set()
        for mutant, result in self._noticed_near(left):
            noticed.add(mutant.key)
            yield mutant, result
        left = [mutant for mutant in left if mutant.key not in noticed]
        if left and not skip_unchanged:
            self.check_unchanged(left)
        for mutant in left:
            started = time.monotonic()
            outcome, killer = self._outcome(mutant)
            yield mutant, self._keep(mutant, outcome, killer, started)

    def _noticed_near(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, Result]]:
        """Yield those that a test near them notices, in a template of their source."""
        for path in dict.fromkeys(mutant.path for mutant in mutants):
            if self._forge.tests(path):
                continue
            own = {mutant.key: mutant for mutant in mutants if mutant.path == path}
            for template in templates(self._compiler, list(own.values())):
                for key, number in template.numbers.items():
                    started = time.monotonic()
                    killer = self._accused(own[key], template, number)
                    if killer:
                        yield own[key], self._keep(own[key], "killed", killer, started)

    def _known(self, mutant: Mutant) -> Result | None:
        """Return what was found before and still stands."""
        known = self._record.results.get(mutant.key)
        stands = known and known.get("tests") in (None, self._tests)
        return known if known and stands and known["sources"] == self._digest_of(mutant) else None

    def _keep(self, mutant: Mutant, outcome: str, killer: str | None, started: float) -> Result:
        result: Result = {
            "mutant": mutant.key,
            "path": mutant.path,
            "line": mutant.line,
            "place": mutant.place,
            "outcome": outcome,
            "killer": killer,
            "seconds": round(time.monotonic() - started, 1),
            "sources": self._digest_of(mutant),
        }
        if outcome == "survived":
            result["tests"] = self._tests
        self._record.keep(result)
        return result

    def check_unchanged(self, mutants: Iterable[Mutant]) -> None:
        """Make sure that the tests pass with the bytecode that mutants are compared with.

        Raises
        ------
        SystemExit
            When one fails.
        """
        paths = {mutant.path for mutant in mutants}
        contracts = {name for path in paths for name in self._compiler.users(path)}
        code, tests = self._compiler.original(contracts), self._tests_of(contracts)
        killer, calls = self._brownie.calls(code, tests, frozenset(self._names_of_selectors))
        if killer:
            raise SystemExit(f"without any change this test fails: {killer}")
        self._calls |= {
            test: {self._names_of_selectors[selector] for selector in selectors}
            for test, selectors in calls.items()
        }
        kept = {"of": self._calls_of, "calls": self._calls}
        self._calls_file.write_text(json.dumps(kept, default=sorted, indent=1))

    def _known_calls(self) -> dict[str, set[str]]:
        """Return what each test was seen to call, where contracts and tests are those of then."""
        if not self._calls_file.exists():
            return {}
        kept = json.loads(self._calls_file.read_text())
        calls: dict[str, list[str]] = kept["calls"] if kept["of"] == self._calls_of else {}
        return {test: set(called) for test, called in calls.items()}

    def _outcome(self, mutant: Mutant) -> tuple[str, str | None]:
        mutated = mutant.apply(self._compiler.sources[mutant.path])
        users = self._compiler.users(mutant.path)
        if self._forge.tests(mutant.path):
            try:
                killer = self._forge.killer(mutant.path, mutated)
            except NotCompiled:
                return "refused", None
            if killer:
                return "killed", killer
        try:
            code = self._compiler.compile(users, {mutant.path: mutated})
        except NotCompiled:
            return "refused", None
        original = self._compiler.original(users)
        changed = {name: new for name, new in code.items() if new != original[name]}
        if not changed:
            return "equivalent", None
        killer = self._noticed(changed, mutant)
        return ("killed", killer) if killer else ("survived", None)

    def _accused(self, mutant: Mutant, template: Template, number: int) -> str | None:
        """Return the test near a mutant that fails with it and passes with none, in a template."""
        entries, likely, chosen = self._entries(mutant), self._likely(mutant), address_of(number)
        near = self._near(self._compiler.users(mutant.path), entries)
        at_once = bool(entries & self._of_deployment)
        code, later = template.code(chosen if at_once else MARK), None if at_once else chosen
        killer = self._brownie.killer(code, near, likely, number=later)
        if killer is None or killer == TIME:
            return None
        sure = killer in likely or self._brownie.killer(code, [killer], [], number=later)
        return killer if sure and self._passes(template, killer) else None

    @cached_property
    def _of_deployment(self) -> set[str]:
        """The names of the functions that the deployment for the tests calls, or may call."""
        names, code = self._names_of_selectors, self._compiler.original(["RoleManager"])
        _, calls = self._brownie.calls(code, self._tests_of(["RoleManager"])[:1], frozenset(names))
        return {names[selector] for selector in calls[""]} | {ANYWHERE, *NOT_CALLED}

    def _passes(self, template: Template, test: str) -> bool:
        """Whether a test passes with a template and none of its mutants; tried once."""
        asked = (template, test)
        if asked not in self._passed:
            code, none = template.code(MARK), address_of(0)
            self._passed[asked] = self._brownie.killer(code, [test], [], number=none) is None
        return self._passed[asked]

    def _noticed(self, code: Bytecode, mutant: Mutant) -> str | None:
        """Return the test that fails, and fails again where it was not a likely one.

        On a busy machine a test may fail by chance.
        """
        entries, likely = self._entries(mutant), self._likely(mutant)
        tests, without = self._tests_of(code, entries), self._not_reaching(entries)
        while True:
            killer = self._brownie.killer(code, tests, likely, without)
            if killer is None or killer == TIME or killer in likely:
                return killer
            if self._brownie.killer(code, [killer], []):
                return killer

    def _entries(self, mutant: Mutant) -> frozenset[str]:
        """Return the names of the functions through which a mutant runs."""
        return self._compiler.entries.get(mutant.place, frozenset({ANYWHERE}))

    def _not_reaching(self, entries: frozenset[str]) -> set[str]:
        """Return the tests that call none of these functions, nor does what all tests share."""
        shared = self._calls.get("", set())
        if entries & (shared | {ANYWHERE, *NOT_CALLED}):
            return set()
        return {test for test, called in self._calls.items() if test and not called & entries}

    def _near(self, contracts: Iterable[str], functions: frozenset[str]) -> list[str]:
        """Return a few tests of contracts, named after a function or else naming one."""
        tests = self._tests_of(contracts, functions)
        near = [test for test in tests if any(name in Path(test).name for name in functions)]
        text = {test: (PROJECT_ROOT / test).read_text() for test in tests}
        named = [test for test in tests if any(name in text[test] for name in functions)]
        return (near or named)[:MOST_NEAR]

    def _tests_of(
        self, contracts: Iterable[str], functions: frozenset[str] = frozenset()
    ) -> list[str]:
        """Return the tests of contracts, first those that name a function."""
        tested = {(PARTS_OF | VERIFIERS_OF).get(name, name) for name in contracts}
        folders = [*(PROJECT_ROOT / TESTS / name for name in sorted(tested)), PROJECT_ROOT / TESTS]
        files = [path for folder in folders for path in sorted(folder.glob("test_*.py"))]
        text = {path: path.read_text() for path in files}
        files.sort(key=lambda path: not any(name in text[path] for name in functions))
        files.sort(key=lambda path: not any(name in path.name for name in functions))
        return [str(path.relative_to(PROJECT_ROOT)) for path in files]

    def _likely(self, mutant: Mutant) -> list[str]:
        """Return the tests that noticed other changes of this function, the nearest first."""
        noticed = [
            result
            for result in self._record.results.values()
            if result["place"] == mutant.place and result["killer"] not in (None, TIME)
        ]
        noticed.sort(key=lambda result: abs(result["line"] - mutant.line))
        return list(dict.fromkeys(result["killer"] for result in noticed))[:MOST_LIKELY]

    def _digest_of(self, mutant: Mutant) -> str:
        """Return what stands for all that the mutant's source is compiled from."""
        if mutant.path not in self._digests:
            parts = self._compiler.imported(mutant.path)
            self._digests[mutant.path] = _digest(PROJECT_ROOT / part for part in parts)
        return self._digests[mutant.path]


def _digest(parts: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for part in sorted(parts):
        for path in sorted(part.rglob("*")) if part.is_dir() else [part]:
            if path.suffix in (".py", ".sol"):
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def chosen(mutants: Sequence[Mutant], seed: int, sample: int | None) -> list[Mutant]:
    """Return the mutants to try: of the libraries all, of each other source a sample.

    Parameters
    ----------
    mutants
        All there are.
    seed
        The same one gives the same sample, and a larger sample contains the smaller one.
    sample
        How many of each source, all when None. What checks or moves something is three times as
        likely as an event or a text.
    """
    draw = random.Random(seed)  # noqa: S311 - a sample that can be drawn again
    order = {
        mutant.key: draw.random() ** (1 / (1 if _is_told(mutant) else 3)) for mutant in mutants
    }
    taken: list[Mutant] = []
    for path in dict.fromkeys(mutant.path for mutant in mutants):
        own = [mutant for mutant in mutants if mutant.path == path]
        if not path.startswith(ForgeJudge.LIBRARIES):
            own = sorted(own, key=lambda mutant: -order[mutant.key])[:sample]
        taken += sorted(own, key=lambda mutant: mutant.start)
    return taken


def _is_told(mutant: Mutant) -> bool:
    """Whether a change is in what is told only: an event, a text, an error's arguments."""
    return mutant.before.startswith("emit ") or '"' in mutant.before


def complaints(
    results: Mapping[str, Mapping[str, Any]],
    accepted: Sequence[Mapping[str, str]],
    possible: Iterable[str],
) -> list[str]:
    """Compare what survived with what is accepted; a line each, none when they agree.

    Parameters
    ----------
    results
        What became of the mutants that were tried, by key.
    accepted
        Entries of ``mutation.toml``: ``mutant``, a key, and ``reason``.
    possible
        The keys of all mutants.
    """
    listed, there = {entry["mutant"] for entry in accepted}, set(possible)
    lines = [
        f"no test notices, {result['path']}:{result['line']}: {key}"
        for key, result in results.items()
        if result["outcome"] == "survived" and key not in listed
    ]
    for key in sorted(listed):
        if key not in there:
            lines.append(f"{ACCEPTED.name}: no such change any more: {key}")
        elif key in results and results[key]["outcome"] != "survived":
            lines.append(f"{ACCEPTED.name}: {results[key]['outcome']} now: {key}")
    return lines


def accepted_mutants() -> list[dict[str, str]]:
    """Return the entries of ``mutation.toml``."""
    entries: list[dict[str, str]] = tomllib.loads(ACCEPTED.read_text())["accepted"]
    return entries


def main() -> None:
    """Try mutants and exit with 1 when one survives that is not accepted."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Compiler() as compiler, BrownieJudge(FOLDER / "brownie.log") as brownie:
        record = Record(JUDGED)
        run = Run(compiler, brownie, record, FOLDER)
        everything, accepted = run.mutants(), accepted_mutants()
        record.forget_all_but({mutant.key for mutant in everything})
        left_out = {entry["mutant"] for entry in accepted if not arguments.accepted}
        mutants = [
            mutant
            for mutant in chosen(everything, arguments.seed, arguments.sample)
            if mutant.key not in left_out
            and (not arguments.only or mutant.place.startswith(tuple(arguments.only)))
        ]
        print(f"{len(mutants)} of {len(everything)} mutants")
        results = {}
        judged = run.judge(mutants, skip_unchanged=arguments.skip_unchanged)
        for place, (mutant, result) in enumerate(judged, 1):
            results[mutant.key] = result
            print(f"{place:5} {result['outcome']:10} {result['seconds']:6} s  {mutant.key}")
    print(dict(Counter(result["outcome"] for result in results.values())))
    lines = complaints(results, accepted, (mutant.key for mutant in everything))
    if lines:
        raise SystemExit("\n".join(lines))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutate MUTATE_ARGS=...", description=__doc__)
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument(
        "--sample",
        type=int,
        default=25,
        metavar="N",
        help="try N mutants of each source beside the libraries (25)",
    )
    how_many.add_argument(
        "--all", dest="sample", action="store_const", const=None, help="try every mutant"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="draw another sample (1)")
    parser.add_argument(
        "--only",
        action="append",
        metavar="PLACE",
        help="only in this contract, or CONTRACT.FUNCTION; may be given again",
    )
    parser.add_argument(
        "--accepted",
        action="store_true",
        help="try those too that mutation.toml explains, which no test should notice",
    )
    parser.add_argument(
        "--skip-unchanged",
        action="store_true",
        help="trust that the tests pass without a change, which is otherwise tried",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
