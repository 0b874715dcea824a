"""The campaign: many runs from one seed, and what they did and found.

Usage::

    make campaign CAMPAIGN_ARGS='--runs 10000 --seed 7'
    make campaign CAMPAIGN_ARGS='--seed 7 --only 4242'          # one run again, with its story

Every run is the seed's and its number's alone: what one found, ``--only`` finds again.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import PostgresServer, start_postgres
from tests.faults.ground import RUNS_AN_ANVIL, Ground, open_ground
from tests.faults.run import Outcome, Run, quiet

POSTGRES_EVERY = 6
"""One run in so many is on PostgreSQL, with up to three workers; it costs three of the others."""

REPORT = Path("var/campaign")
MEMORY = Path("/dev/shm")


@dataclass
class Summary:
    """What all runs together did."""

    seed: int
    runs: int = 0
    payouts: int = 0
    deepest: int = 0
    seconds: float = 0.0
    databases: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, str]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count a run in."""
        self.runs += 1
        self.payouts += outcome.payouts
        self.deepest = max(self.deepest, outcome.deepest)
        name = outcome.database
        self.databases[f"{name}, {outcome.workers} worker(s)"] += 1
        self.faults.update(outcome.faults)
        self.points.update(outcome.points)
        self.violations += [(outcome.number, str(found)) for found in outcome.violations]

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return {
            "seed": self.seed,
            "runs": self.runs,
            "payouts": self.payouts,
            "deepest_reorg": self.deepest,
            "seconds": round(self.seconds, 1),
            "databases": dict(sorted(self.databases.items())),
            "faults": dict(self.faults.most_common()),
            "died_at": dict(self.points.most_common()),
            "violations": [{"run": run, "what": what} for run, what in self.violations],
        }

    def render(self) -> str:
        """For people."""
        lines = [
            (
                f"seed {self.seed}: {self.runs} runs, {self.payouts} payouts, "
                f"{len({run for run, _ in self.violations})} runs with violations, "
                f"{self.seconds:.0f} s"
            ),
            "  " + ", ".join(f"{name}: {n}" for name, n in sorted(self.databases.items())),
            f"  deepest re-org {self.deepest}; workers died at {len(self.points)} different points",
        ]
        lines += [f"  {n:>7} {name}" for name, n in self.faults.most_common()]
        return "\n".join(lines)


def database_of(number: int) -> str:
    """Which database a run is on."""
    return "postgresql" if number % POSTGRES_EVERY == POSTGRES_EVERY - 1 else "sqlite"


@contextmanager
def grounds(postgres: PostgresServer | None) -> Iterator[Iterator[Ground]]:
    """A ground for each run; now and then a new one, since a node keeps all its blocks."""
    with ExitStack() as stack:

        def each() -> Iterator[Ground]:
            while True:
                where = str(MEMORY) if MEMORY.is_dir() else None
                with (
                    tempfile.TemporaryDirectory(prefix="relief-runs-", dir=where) as folder,
                    open_ground(Path(folder), postgres) as ground,
                ):
                    for _ in range(RUNS_AN_ANVIL):
                        yield ground

        made = each()
        stack.callback(made.close)  # type: ignore[attr-defined]
        yield made


def carry_out(
    seed: int,
    numbers: Iterable[int],
    *,
    databases: str = "both",
    seconds: float | None = None,
    stop_at_first: bool = True,
    talk: bool = True,
) -> Summary:
    """Carry out runs.

    Parameters
    ----------
    databases
        ``both``, ``sqlite`` or ``postgresql``.
    seconds
        Begin no run after so many.
    stop_at_first
        End at the first violation.
    """
    quiet()
    # What the collector looks at are all the statements and models, which live for ever.
    gc.collect()
    gc.freeze()
    summary = Summary(seed)
    began = time.monotonic()
    with ExitStack() as stack:
        server = None if databases == "sqlite" else stack.enter_context(start_postgres())
        ground = stack.enter_context(grounds(server))
        for number in numbers:
            if seconds is not None and time.monotonic() - began > seconds:
                break
            database = database_of(number) if databases == "both" else databases
            try:
                outcome = Run(next(ground), seed, number, database).go()
            except KeyboardInterrupt:
                break  # what was done so far is told
            summary.add(outcome)
            summary.seconds = time.monotonic() - began
            if outcome.violations:
                tell(outcome)
                if stop_at_first:
                    break
            if talk and summary.runs % 100 == 0:
                print(f"[campaign] {summary.runs} runs, {summary.seconds:.0f} s", flush=True)
    return summary


def tell(outcome: Outcome, *, target: str = "campaign") -> None:
    """Print what a run found, and by which target it is seen again."""
    print(
        f"run {outcome.number} of seed {outcome.seed} "
        f"({outcome.database}, {outcome.workers} worker(s)):",
        file=sys.stderr,
    )
    print("\n".join(f"    {line}" for line in outcome.story), file=sys.stderr)
    for found in outcome.violations:
        print(f"  {found}", file=sys.stderr)
    print(
        f"  again: make {target} CAMPAIGN_ARGS='--seed {outcome.seed} --only {outcome.number}'",
        file=sys.stderr,
        flush=True,
    )


def argument_parser(description: str | None, *, runs: int) -> argparse.ArgumentParser:
    """Which runs of which seed, and when to end: what every campaign is told."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=runs)
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="default: drawn, and printed"
    )
    parser.add_argument("--first", type=int, default=0, help="number of the first run")
    parser.add_argument("--only", type=int, default=None, help="this run alone, with its story")
    parser.add_argument("--seconds", type=float, default=None, help="begin no run after so long")
    parser.add_argument("--keep-going", action="store_true", help="past the first violation")
    return parser


def numbers_of(options: argparse.Namespace) -> range:
    """Numbers of the runs asked for."""
    if options.only is not None:
        return range(options.only, options.only + 1)
    return range(options.first, options.first + options.runs)


def report(summary: Summary, name: str) -> int:
    """Print and write what a campaign did; returns 1 where something was violated."""
    print(summary.render())
    REPORT.mkdir(parents=True, exist_ok=True)
    path = REPORT / f"{name}.json"
    path.write_text(json.dumps(summary.as_json(), indent=1) + "\n")
    print(f"[campaign] written to {path}")
    return 1 if summary.violations else 0


def main() -> int:
    """Read the arguments, run, report; 1 where something was violated."""
    parser = argument_parser(__doc__, runs=1000)
    parser.add_argument("--database", choices=["both", "sqlite", "postgresql"], default="both")
    options = parser.parse_args()
    print(f"[campaign] seed {options.seed}", flush=True)
    numbers = numbers_of(options)
    databases = options.database
    if options.only is not None and databases == "both":
        databases = database_of(options.only)
    summary = carry_out(
        options.seed,
        numbers,
        databases=databases,
        seconds=options.seconds,
        stop_at_first=not options.keep_going,
    )
    return report(summary, f"{options.seed}-{numbers.start}")


if __name__ == "__main__":
    sys.exit(main())
