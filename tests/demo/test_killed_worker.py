"""The whole demo while its worker is killed again and again: the end is the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.config import PROJECT_ROOT

KILLS = 10
CASES = 200
DEMO_LIMIT_S = 300


def worker_pid(folder: Path) -> int | None:
    """Process id of the worker that runs now; None before the first and between two."""
    try:
        pid = int((folder / "worker.pid").read_text())
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    return pid


def kill_at_random_moments(demo: subprocess.Popen[str], folder: Path, seed: int) -> int:
    """Kill the worker (SIGKILL) ten times while the demo runs; return how often."""
    moments = random.Random(seed)
    killed = 0
    while demo.poll() is None and killed < KILLS:
        # Opening its keystores takes the worker some seconds; a kill may fall into that too.
        time.sleep(moments.uniform(0.1, 5))
        pid = worker_pid(folder)
        if pid is not None and demo.poll() is None:
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed


@pytest.mark.chain
def test_ten_kills_at_random_moments_leave_the_same_end_state(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    folder = tmp_path / "demo"
    with (tmp_path / "output").open("w+") as output:
        demo = subprocess.Popen(
            [
                *(sys.executable, "-m", "scripts.demo"),
                *("--cases", str(CASES), "--folder", str(folder)),
            ],
            cwd=PROJECT_ROOT,
            stdout=output,
            stderr=output,
            text=True,
        )
        try:
            killed = kill_at_random_moments(demo, folder, seed)
            exit_code = demo.wait(DEMO_LIMIT_S)
        finally:
            demo.kill()
        output.seek(0)
        said = output.read()
    assert exit_code == 0, f"seed {seed}: {said[-4000:]}"
    assert killed == KILLS, f"seed {seed}: the demo ended after {killed} kills"
    summary = json.loads((folder / "summary.json").read_text())
    expected = {
        "payouts_approved": 160,
        "payouts_paid": 157,
        "payouts_skipped": 3,
        "streams_opened": 40,
        "withdrawals": 40,
        "streams_cancelled": 3,
        "redemptions": 5,
    }
    assert {key: summary[key] for key in expected} == expected, f"seed {seed}"
    assert summary["replay"]["differences"] == 0, f"seed {seed}: {summary['replay']}"
