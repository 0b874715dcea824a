"""The long run of the audit's driver: ``python -m tests.audit.audit_fuzz --runs 1000``.

Prints each seed, what of one that fails must be known to live it again, and at the end how often
each function was called, each event seen and each view compared; exit code 1 if any seed failed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.audit.driving.chain import Driven, driven_chain
from tests.audit.driving.drive import STEPS
from tests.audit.driving.proof import Broken, Outcome, prove

SEEDS_A_NODE = 100
"""A node keeps every block's state in memory, also of those that were taken back."""


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def told(title: str, counted: Counter[str]) -> None:
    """Print counts, the seldom ones first."""
    say(f"\n{title}")
    for name, count in sorted(counted.items(), key=lambda item: (item[1], item[0])):
        say(f"  {count:>8}  {name}")


def main() -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, help="how many seeds")
    parser.add_argument("--seed", type=int, default=1_000, help="the first; then one more each")
    parser.add_argument("--steps", type=int, default=STEPS, help="things that happen in each")
    given = parser.parse_args()
    total, failed = Outcome(), []
    began, used = time.monotonic(), time.process_time()
    seeds = range(given.seed, given.seed + given.runs)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        chain: Driven | None = None
        for at, seed in enumerate(seeds):
            if chain is None or at % SEEDS_A_NODE == 0:
                stack.close()
                chain = stack.enter_context(driven_chain())
            started = time.monotonic()
            folder = Path(temporary) / str(seed)
            folder.mkdir()
            try:
                total += prove(chain, folder, seed, given.steps)
                say(f"seed {seed}: {time.monotonic() - started:.1f} s")
            except Broken as broken:
                failed.append(seed)
                say(str(broken))
                chain = None  # whatever state it is in
            finally:
                shutil.rmtree(folder)
    seconds, used = time.monotonic() - began, time.process_time() - used
    told("called with success", total.done)
    told("refused", total.refused)
    told("events", total.events)
    told("views compared", total.views)
    told("chunks by kind and length", total.chunks)
    say(f"\n{total.went_back} re-orgs, {total.again} earlier blocks replayed to the same digest")
    say(f"{len(seeds)} seeds in {seconds:.0f} s ({used:.0f} s of this process)")
    say(f"{len(failed)} failed: {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
