"""Change the contracts in small ways and see whether their tests notice: ``make mutate``.

A change in a library meets its property tests first, then, like every other, Brownie's tests of
the contracts that it reaches. A change that leaves the bytecode as it was is no change. What no
test notices must be listed in ``mutation.toml`` with the reason why it does no harm; anything else
fails, and so does an entry that tests notice or that matches no change any more.

What was found is kept in ``var/mutation/report.json`` as it is found, and not tried again while the
sources and tests that it depends on stand.
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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.mutation.compiler import PROJECT_ROOT, Bytecode, Compiler, NotCompiled
from scripts.mutation.judges import TIME, BrownieJudge, ForgeJudge
from scripts.mutation.mutants import Mutant, mutants_of

ACCEPTED = PROJECT_ROOT / "mutation.toml"
FOLDER = PROJECT_ROOT / "var" / "mutation"
TESTS = "tests/contracts"
PARTS_OF = {"VaultAdministration": "AllowanceVault", "VaultCorrections": "AllowanceVault"}
"""Contracts that are tested through another one."""
VERIFIERS_OF = {"P256Verifier": "OfficerRegistry", "PasskeyVerifier": "OfficerRegistry"}


class Run:
    """One run: the compiler, the judges, and what is known already.

    Parameters
    ----------
    compiler
        The running compiler.
    report
        Where the results are kept.
    """

    def __init__(self, compiler: Compiler, brownie: BrownieJudge, report: Path) -> None:
        self._compiler = compiler
        self._brownie = brownie
        self._forge = ForgeJudge(report.parent / "forge", compiler)
        self._report = report
        self.results: dict[str, dict[str, Any]] = (
            json.loads(report.read_text()) if report.exists() else {}
        )
        self._tests = _digest(PROJECT_ROOT / "tests" / part for part in ("contracts", "forge"))

    def mutants(self) -> list[Mutant]:
        """Return every mutant of every source."""
        return [
            mutant
            for path, source in self._compiler.sources.items()
            for mutant in mutants_of(path, source, self._compiler.trees[path])
        ]

    def judge(self, mutant: Mutant) -> dict[str, Any]:
        """Return what became of a mutant, found now or before, and keep it."""
        sources = self._digest_of(mutant.path)
        known = self.results.get(mutant.key)
        stands = known and (known["outcome"] != "survived" or known["tests"] == self._tests)
        if known and stands and known["sources"] == sources:
            return known
        started = time.monotonic()
        outcome, killer = self._outcome(mutant)
        self.results[mutant.key] = {
            "path": mutant.path,
            "line": mutant.line,
            "place": mutant.place,
            "operator": mutant.operator,
            "before": mutant.before,
            "after": mutant.after,
            "outcome": outcome,
            "killer": killer,
            "seconds": round(time.monotonic() - started, 1),
            "sources": sources,
            "tests": self._tests,
        }
        draft = self._report.with_suffix(".draft")
        draft.write_text(json.dumps(self.results, indent=1))
        draft.replace(self._report)
        return self.results[mutant.key]

    def check_unchanged(self, mutants: Iterable[Mutant]) -> None:
        """Make sure that the tests pass with the bytecode that mutants are compared with.

        Raises
        ------
        SystemExit
            When one fails.
        """
        paths = {mutant.path for mutant in mutants}
        contracts = {name for path in paths for name in self._compiler.users(path)}
        code = self._compiler.original(contracts)
        killer = self._brownie.killer(code, self._tests_of(contracts), [])
        if killer:
            raise SystemExit(f"without any change this test fails: {killer}")

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
        entries = self._compiler.entries.get(mutant.place, frozenset())
        tests = self._tests_of(changed, entries)
        killer = self._noticed(changed, tests, self._likely(mutant))
        return ("killed", killer) if killer else ("survived", None)

    def _noticed(self, code: Bytecode, tests: list[str], likely: list[str]) -> str | None:
        """Return the test that fails, and fails again where it was not a likely one.

        On a busy machine a test may fail by chance.
        """
        while True:
            killer = self._brownie.killer(code, tests, likely)
            if killer is None or killer == TIME or killer in likely:
                return killer
            if self._brownie.killer(code, [killer], []):
                return killer

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
        """Return the tests that noticed other changes of this function, the most frequent first."""
        killers = Counter(
            result["killer"]
            for result in self.results.values()
            if result["place"] == mutant.place and result["killer"]
        )
        return [killer for killer, _ in killers.most_common(5)]

    def _digest_of(self, path: str) -> str:
        parts = (PROJECT_ROOT / part for part in self._compiler.imported(path))
        return _digest(parts)


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
        run = Run(compiler, brownie, FOLDER / "report.json")
        everything, accepted = run.mutants(), accepted_mutants()
        left_out = {entry["mutant"] for entry in accepted if not arguments.accepted}
        mutants = [
            mutant
            for mutant in chosen(everything, arguments.seed, arguments.sample)
            if mutant.key not in left_out
            and (not arguments.only or mutant.place.startswith(tuple(arguments.only)))
        ]
        print(f"{len(mutants)} of {len(everything)} mutants")
        if not arguments.skip_unchanged:
            run.check_unchanged(mutants)
        results = {}
        for place, mutant in enumerate(mutants, 1):
            results[mutant.key] = result = run.judge(mutant)
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
        help="trust that the tests pass without a change, which is otherwise tried first",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
