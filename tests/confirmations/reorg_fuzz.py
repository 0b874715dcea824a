"""The long run of the re-org fuzz: ``python -m tests.confirmations.reorg_fuzz --runs 1000``.

Prints the seed of a history that fails and goes on; ends with exit code 1 if any did.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from service.chain.devnode import start_anvil
from service.confirmations.projections import _UNDOERS
from tests.confirmations.test_reorg_fuzz import STEPS, deploy_for_fuzz, run_history
from tests.conftest import create_all_tables


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, help="how many histories")
    parser.add_argument("--seed", type=int, default=1_000, help="of the first; then one more each")
    parser.add_argument("--steps", type=int, default=STEPS, help="happenings in each")
    given = parser.parse_args()
    logging.disable(logging.ERROR)
    undone: Counter[str] = Counter()
    depths: Counter[int] = Counter()
    failed: list[int] = []
    began = time.monotonic()
    with start_anvil() as node, tempfile.TemporaryDirectory() as temporary:
        template = Path(temporary) / "template.db"
        create_all_tables(f"sqlite:///{template}")
        deployed = deploy_for_fuzz(node)
        for seed in range(given.seed, given.seed + given.runs):
            folder = Path(temporary) / str(seed)
            folder.mkdir()
            try:
                history = run_history(deployed, template, folder, seed, given.steps)
            except Exception as error:  # noqa: BLE001 # told, and the next seed is tried
                failed.append(seed)
                say(f"seed {seed}: {type(error).__name__}: {str(error)[:3000]}")
                continue
            finally:
                for file in folder.iterdir():
                    file.unlink()
            undone += history.live.undone
            depths.update(history.live.rewound)
        deployed.rpc.close()
    seconds = time.monotonic() - began
    say(f"{given.runs} histories in {seconds:.0f} s, {len(failed)} failed: {failed}")
    deepest = max(depths, default=0)
    say(f"{sum(depths.values())} re-orgs, to depth {deepest}, {depths[deepest]} of that depth")
    say(f"undone: {dict(sorted(undone.items()))}")
    say(f"never undone: {sorted({name for _, name in _UNDOERS} - set(undone))}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
