"""Child processes of this program: how one is started, told its settings, waited for and ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import IO

from service.config import PREFIX, PROJECT_ROOT, Settings

POLL_S = 0.02
END_TIMEOUT_S = 60.0
"""Patience with a child that was asked to end; a worker finishes its round."""

_RELIEF = ("-c", "from service.cli.entry import main; main()")


def start_relief(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    stdout: IO[bytes] | int | None = None,
    stderr: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``relief …`` as a child; see :func:`start_python`."""
    return start_python(*_RELIEF, *arguments, environment=environment, stdout=stdout, stderr=stderr)


def start_python(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    stdout: IO[bytes] | int | None = None,
    stderr: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start this interpreter in the project's folder, without anything to read.

    Parameters
    ----------
    arguments
        Of the interpreter.
    environment
        All of the child's; this process's when None.
    stdout, stderr
        As ``subprocess.Popen`` takes them; this process's when None.
    """
    return subprocess.Popen(  # noqa: S603 - our own programs with our own arguments
        [sys.executable, *arguments],
        cwd=PROJECT_ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """Return this process's environment with these settings in the place of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    given = {
        f"{PREFIX}{name.upper()}": str(value)
        for name, value in settings.model_dump(exclude_defaults=True).items()
        if value is not None
    }
    return kept | given


def end_process(process: subprocess.Popen[bytes], seconds: float = END_TIMEOUT_S) -> int:
    """Ask a child to end (SIGTERM) and wait for it; after the time-out end it by force.

    Returns
    -------
    int
        Its exit code, that of before if it has ended already; minus the signal's number if a
        signal ended it.
    """
    process.terminate()  # does nothing where it has ended
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def wait_until(
    condition: Callable[[], bool], seconds: float, what: str, *, poll_s: float = POLL_S
) -> None:
    """Wait until a condition holds.

    Parameters
    ----------
    seconds
        Patience.
    what
        What is waited for, for the error.
    poll_s
        Pause between two looks.

    Raises
    ------
    TimeoutError
        If it takes longer.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(poll_s)
