"""Look for known weaknesses in the contracts with Slither: ``make slither``.

Slither reads the build that forge made under ``build/slither``. What it finds must be listed in
``slither.toml`` with the reason why it is none; anything else fails, and so does an entry that
Slither no longer finds.
"""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

PROJECT_ROOT = Path(__file__).resolve().parents[1]
ACCEPTED = PROJECT_ROOT / "slither.toml"
BUILD = PROJECT_ROOT / "build" / "slither" / "out"
SLITHER = PROJECT_ROOT / ".venv-slither" / "bin" / "slither"

Finding = tuple[str, str]
"""Detector, and where: contract and function, such as ``AllowanceVault.withdraw``."""


def run_slither() -> list[dict[str, Any]]:
    """Run every detector and return what Slither tells of each finding.

    Raises
    ------
    SystemExit
        When Slither failed; its own words say why.
    """
    ran = subprocess.run(
        [
            *(str(SLITHER), ".", "--json", "-", "--fail-none"),
            *("--compile-force-framework", "foundry", "--ignore-compile"),
            *("--foundry-out-directory", str(BUILD.relative_to(PROJECT_ROOT))),
            *("--filter-paths", "node_modules/"),
        ],
        cwd=PROJECT_ROOT,
        env=os.environ
        | {
            "HOME": str(PROJECT_ROOT / ".home"),
            "PATH": os.pathsep.join(
                [str(PROJECT_ROOT / "node_modules" / ".bin"), os.environ.get("PATH", os.defpath)]
            ),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer = json.loads(ran.stdout)
    except ValueError:
        answer = {"success": False, "error": ran.stderr[-2000:]}
    if not answer["success"]:
        raise SystemExit(f"Slither failed: {answer['error']}")
    found: list[dict[str, Any]] = answer["results"].get("detectors", [])
    return found


def place(element: Mapping[str, Any]) -> str:
    """Return where an element of a finding stands: contract and function, or the contract."""
    names: list[str] = []
    current: Mapping[str, Any] | None = element
    while current is not None:
        if current["type"] in ("function", "contract"):
            names.append(current["name"])
        current = current.get("type_specific_fields", {}).get("parent")
    return ".".join(reversed(names))


def complaints(
    found: Iterable[Mapping[str, Any]], accepted: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Compare what Slither found with what is accepted; a line each, none when they agree.

    Parameters
    ----------
    found
        Slither's findings: ``check``, ``impact``, ``description``, ``elements``.
    accepted
        Entries of ``slither.toml``: ``detector``, ``reason``, and ``where``, a list of places; an
        entry without it accepts the detector's findings everywhere.
    """
    everywhere = {entry["detector"] for entry in accepted if "where" not in entry}
    listed: set[Finding] = {
        (entry["detector"], where) for entry in accepted for where in entry.get("where", [])
    }
    lines, seen = [], set()
    for finding in found:
        detector = finding["check"]
        where = place(finding["elements"][0])
        seen |= {(detector, where), (detector, "")}
        if detector not in everywhere and (detector, where) not in listed:
            lines.append(f"{finding['impact']}: {detector} in {where}\n{finding['description']}")
    gone = (listed | {(detector, "") for detector in everywhere}) - seen
    for detector, where in sorted(gone):
        lines.append(f"slither.toml: {detector} is no longer found in {where or 'any place'}")
    return lines


def main() -> None:
    """Run Slither and exit with 1 when something is not accepted."""
    found = run_slither()
    accepted = tomllib.loads(ACCEPTED.read_text())["accepted"]
    lines = complaints(found, accepted)
    if lines:
        raise SystemExit("\n".join(lines))
    print(f"{len(found)} findings, each accepted with its reason in {ACCEPTED.name}")


if __name__ == "__main__":
    main()
