"""What became of each mutant that was tried, in a file that is kept with the sources.

A whole run takes hours. So what one run found is there for the next, on whatever machine, as long
as the sources that the mutant is compiled from stand; and who reads the tests sees what each change
of the contracts is noticed by. Two files that runs beside each other wrote are joined by writing
one behind the other: of what both hold the later line counts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

Result = dict[str, Any]
"""``mutant`` (its key), ``path``, ``line``, ``place``, ``outcome``, ``killer``, ``seconds``, and
digests: ``sources``, and of what survived ``tests``."""


class Record:
    """Results by the mutants' keys, in a file of JSON Lines, in the order of the sources.

    Parameters
    ----------
    path
        The file; none is there at first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else []
        results = [json.loads(line) for line in lines]
        self._results: dict[str, Result] = {result["mutant"]: result for result in results}

    @property
    def results(self) -> Mapping[str, Result]:
        """What is known."""
        return self._results

    def keep(self, result: Result) -> None:
        """Write a result down, in place of what was known of its mutant."""
        self._results[result["mutant"]] = result
        self._write()

    def forget_all_but(self, keys: Collection[str]) -> None:
        """Forget mutants that there are no more."""
        left = {key: result for key, result in self._results.items() if key in keys}
        if left != self._results:
            self._results = left
            self._write()

    def _write(self) -> None:
        ordered = sorted(
            self._results.values(), key=lambda one: (one["path"], one["line"], one["mutant"])
        )
        draft = self._path.with_suffix(".draft")
        draft.write_text("".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in ordered))
        draft.replace(self._path)
