"""A reader who types a document's commands as they stand, with real processes on a real chain.

Only what a reader would choose too is put in: folders, the node, the database. Where the document
waits for days (``sleep 2d``) the chain's clock is moved, and where it asks for gas money
(``# … end gas money to NAMES``) that is sent to the keystores named.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from service.config import PROJECT_ROOT

LIMIT_S = 1200
GAS_MONEY = re.compile(r"^# .*[Ss]end gas money to (?P<names>.+)$", re.MULTILINE)

HABITS = """\
set -euo pipefail
export PATH="$PWD/.venv/bin:$PATH"
ask_node() {
    python - "$1" "$2" <<'ASK'
import json, os, sys
from service.chain.devnode import call_rpc
call_rpc(os.environ["RELIEF_RPC_URL"], sys.argv[1], json.loads(sys.argv[2]))
ASK
}
sleep() {
    case $1 in
        *d) ask_node evm_increaseTime "[$((${1%d} * 86400))]"; ask_node evm_mine "[]" ;;
        *) command sleep "$1" ;;
    esac
}
address_of() {
    relief keys show "$1" --json |
        python -c 'import json, sys; print(json.load(sys.stdin)["address"])'
}
fund() {
    for name in "$@"; do
        ask_node anvil_setBalance "[\\"$(address_of "$name")\\", \\"0x1bc16d674ec80000\\"]"
    done
}
"""
"""What bash is told first; ``fund`` gives two ether."""


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of one language in a Markdown text, in order."""
    found: list[str] = re.findall(
        rf"^```{language}\n(.*?)^```$", document, re.MULTILINE | re.DOTALL
    )
    return found


def type_commands(commands: str, folder: Path, settings: Mapping[str, str] = {}) -> str:
    """Type commands into bash, in the project's folder, and return all that was said.

    Parameters
    ----------
    folder
        Where what was said is kept.
    settings
        More environment variables; those of the service that are set here are left out.
    """
    commands = GAS_MONEY.sub(r"\g<0>\nfund \g<names>", commands)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RELIEF_")}
    with (folder / "said").open("w+") as output:
        reader = subprocess.Popen(
            ["/bin/bash", "-c", HABITS + commands],
            cwd=PROJECT_ROOT,
            env=clean | {"PYTHONPATH": str(PROJECT_ROOT)} | settings,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            exit_code = reader.wait(LIMIT_S)
        finally:
            # What a reader who stumbled leaves running, too.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(reader.pid, signal.SIGKILL)
        output.seek(0)
        said = output.read()
    assert exit_code == 0, said[-8000:]
    return said
