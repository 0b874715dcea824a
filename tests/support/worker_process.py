"""A worker as a process of its own: ``python -m tests.support.worker_process SETTINGS.json``.

It signs with keys of tests, stops itself (SIGSTOP) once when it comes to a point of the engine, and
may have a clock that is wrong.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from service import clock
from service.chain.signers import LocalSigner
from service.config import Settings
from service.ledger.worker import Worker, stop_on_signals
from service.processes import end_process, start_python, wait_until
from tests.support.deployed import account
from tests.support.world import World


def main() -> None:
    """Run until SIGTERM."""
    given = json.loads(Path(sys.argv[1]).read_text())
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    turn_clock(given["clock_offset_s"])
    stopped: list[str] = []

    def hook(point: str) -> None:
        if point == given["stop_at"] and not stopped:
            stopped.append(point)
            os.kill(os.getpid(), signal.SIGSTOP)

    signers = [LocalSigner(account(name)) for name in given["keys"]]
    with (
        Worker(Settings(**given["settings"]), signers, hook=hook) as worker,
        stop_on_signals(worker) as stop,
    ):
        worker.run(stop)


def turn_clock(offset_s: int) -> None:
    """Put this process's clock forward, or back."""
    real = time.time
    time.time = lambda: real() + offset_s

    def now(_: object) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=offset_s)

    clock.SystemClock.now = now  # type: ignore[method-assign]


def start(
    world: World,
    name: str,
    *,
    stop_at: str | None = None,
    clock_offset_s: int = 0,
    keys: tuple[str, ...] = ("relayer",),
) -> subprocess.Popen[bytes]:
    """Start one on a world; what it says is in ``<folder>/<name>.log``."""
    settings: dict[str, Any] = world.settings.model_dump(mode="json", exclude_unset=True)
    given = {
        "settings": settings,
        "stop_at": stop_at,
        "clock_offset_s": clock_offset_s,
        "keys": keys,
    }
    path = world.folder / f"{name}.json"
    path.write_text(json.dumps(given))
    with (world.folder / f"{name}.log").open("wb") as log:
        program = ("-m", "tests.support.worker_process", str(path))
        return start_python(*program, stdout=log, stderr=log)


def wait_until_stopped(process: subprocess.Popen[bytes], limit_s: float = 60) -> None:
    """Wait until the process has stopped itself."""

    def stopped() -> bool:
        assert process.poll() is None, "the worker ended"
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    wait_until(stopped, limit_s, "the worker to come to the point")


def end(process: subprocess.Popen[bytes]) -> int:
    """Let it go on and ask it to stop; returns its exit code."""
    process.send_signal(signal.SIGCONT)
    return end_process(process)


if __name__ == "__main__":
    main()
