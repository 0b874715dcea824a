"""Prove what ``tests/forge/symbolic`` states of the contracts: ``make halmos``.

Halmos runs every ``check_`` function on inputs that stand for all inputs, and asks a solver whether
an assertion can fail. Besides what Halmos itself fails on (a counterexample, a solver out of time,
a path that it cannot follow), a check fails whose loops were cut short: Halmos only warns of that.

Arguments are Halmos's own, such as ``--contract VestingCheck``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PROJECT_ROOT = Path(__file__).resolve().parents[1]
BUILD = PROJECT_ROOT / "build" / "halmos"
HALMOS = PROJECT_ROOT / ".venv-halmos" / "bin" / "halmos"


def forget_removed_checks() -> None:
    """Remove what forge once built of checks whose file is gone: Halmos would run them."""
    for artifact in (BUILD / "out").glob("*/*Check.json"):
        source = json.loads(artifact.read_text())["ast"]["absolutePath"]
        if not (PROJECT_ROOT / source).exists():
            artifact.unlink()


def run_halmos(arguments: Sequence[str]) -> int:
    """Run Halmos on the profile ``halmos`` of foundry.toml; its results go to ``build/halmos``.

    Returns
    -------
    int
        Its exit code: 0 where every check holds.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    tools = [HALMOS.parent, PROJECT_ROOT / "node_modules" / ".bin"]
    ran = subprocess.run(
        [
            *(str(HALMOS), "--root", str(PROJECT_ROOT), "--no-status"),
            *("--forge-build-out", str((BUILD / "out").relative_to(PROJECT_ROOT))),
            # Time enough, on a busy machine too, to see that a branch cannot be taken.
            *("--solver-timeout-branching", "200ms"),
            *("--json-output", str(BUILD / "results.json")),
            *arguments,
        ],
        cwd=PROJECT_ROOT,
        env=os.environ
        | {
            "FOUNDRY_PROFILE": "halmos",
            "HOME": str(PROJECT_ROOT / ".home"),
            "PATH": os.pathsep.join([*map(str, tools), os.environ.get("PATH", os.defpath)]),
        },
        check=False,
    )
    return ran.returncode


def cut_short(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return a line for each check some of whose loops Halmos did not follow to their end.

    Parameters
    ----------
    results
        ``test_results`` of Halmos's JSON: the checks of each contract, with ``name`` and
        ``num_bounded_loops``.
    """
    return [
        f"{contract.rpartition(':')[2]}.{check['name']}: loops cut short, raise --loop"
        for contract, checks in results.items()
        for check in checks
        if check["num_bounded_loops"]
    ]


def main() -> None:
    """Run Halmos and exit with 1 when a check does not hold for all inputs."""
    forget_removed_checks()
    failed = run_halmos(sys.argv[1:])
    if failed:
        raise SystemExit(failed)
    lines = cut_short(json.loads((BUILD / "results.json").read_text())["test_results"])
    if lines:
        raise SystemExit("\n".join(lines))


if __name__ == "__main__":
    main()
