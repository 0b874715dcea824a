"""``relief worker run`` as a process of its own, as in production, and what it costs."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from service.config import Settings
from service.processes import end_process, environment_of, start_relief, wait_until

LOOK_EVERY_S = 0.05
START_TIMEOUT_S = 60.0
_KIB_A_MIB = 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process has used up to a moment.

    Attributes
    ----------
    cpu_seconds
        User and system time.
    peak_rss_mib
        Most memory it ever held.
    """

    cpu_seconds: float
    peak_rss_mib: float


class WorkerProcess:
    """A worker that is started and ended by a benchmark.

    Parameters
    ----------
    settings
        What the worker is told; handed over by its environment.
    log
        File that its log is added to.
    """

    def __init__(self, settings: Settings, log: Path) -> None:
        self._settings = settings
        self._log = log
        self._lines: list[tuple[float, dict[str, Any]]] = []

    def __enter__(self) -> Self:
        self.spawned_at = time.perf_counter()
        self._process = start_relief(
            *("worker", "run"),
            environment=environment_of(self._settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end_process(self._process)
        self._reader.join()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._log.open("ab") as log:
            for raw in self._process.stderr:
                at = time.perf_counter()
                log.write(raw)
                log.flush()
                if raw.startswith(b"{"):
                    self._lines.append((at, json.loads(raw)))

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait_for(self, event: str) -> float:
        """Wait until the worker logs an event; returns when that was, by ``perf_counter``.

        Raises
        ------
        TimeoutError
            If it does not within a minute, or has ended.
        """

        def found() -> bool:
            return self._first(event) is not None or not self.running

        wait_until(found, START_TIMEOUT_S, f"the worker to say {event!r}")
        first = self._first(event)
        if first is None:
            raise TimeoutError(f"the worker ended: see {self._log}")
        return first[0]

    def stop(self) -> dict[str, Any]:
        """Ask it to finish its round and end; returns what it said at the end."""
        end_process(self._process)
        self._reader.join()
        last = self._first("stopped")
        return {} if last is None else last[1]

    def kill(self) -> float:
        """Kill it as ``kill -9`` does; returns when, by ``perf_counter``."""
        at = time.perf_counter()
        self._process.kill()
        self._process.wait()
        return at

    def cost(self) -> Cost:
        """What it has used until now (Linux only: from ``/proc``)."""
        folder = Path(f"/proc/{self._process.pid}")
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])  # utime and stime, proc(5)
        status = (folder / "status").read_text()
        (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return Cost(ticks / os.sysconf("SC_CLK_TCK"), int(peak.split()[1]) / _KIB_A_MIB)

    def _first(self, event: str) -> tuple[float, dict[str, Any]] | None:
        for at, line in list(self._lines):
            if line.get("event") == event:
                return at, line
        return None


def wait_while(process: WorkerProcess, condition: Callable[[], bool], seconds: float) -> None:
    """Wait until a condition holds while a worker runs.

    Raises
    ------
    TimeoutError
        If it takes longer, or the worker ends.
    """
    # A look costs the two processors something that worker, database and node want.
    patience, poll_s = seconds, LOOK_EVERY_S
    wait_until(lambda: condition() or not process.running, patience, "the worker", poll_s=poll_s)
    if not process.running:
        raise TimeoutError("the worker ended before its time")
