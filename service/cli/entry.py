"""What the command ``relief`` runs first: it imports the rest.

That takes most of a second, in which an interrupt is to end the command as quietly as later.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the signal's number, as shells have it."""


def main() -> None:
    """Run the command line."""
    # A handler of Python's would raise in the middle of an import, where some modules swallow it.
    # One that the caller set (ignored: a job in the background) stays.
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        from service.cli.main import app
    except ModuleNotFoundError as error:
        sys.exit(
            f"{error.name} is not installed: relief needs the extra of the server, "
            "pip install '.[server]' in a clone; for auditors there is relief-audit"
        )

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app()
    finally:
        gc.freeze()  # what is left goes with the process: nobody need look through it first
