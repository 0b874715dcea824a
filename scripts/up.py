"""Serve the demo's data until stopped: ``make up``.

Runs the demo first where it has not run. Then: the embedded chain with its saved state on
127.0.0.1:8545, a worker, and the REST API on 127.0.0.1:8000. Ctrl-C ends all three.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from scripts.demo_parts import DemoChain, WorkerProcess, read_environment
from service.config import PROJECT_ROOT
from service.errors import ChainUnavailable
from service.processes import end_process, start_relief

FOLDER = PROJECT_ROOT / "var" / "demo"
CHAIN_PORT = 8545
BLOCK_TIME_S = 4
"""Runs for days: every block stays in memory and in the file."""
API_PORT = 8000


def main() -> int:
    """Serve until interrupted."""
    if not (FOLDER / "summary.json").exists():
        ran = subprocess.run([sys.executable, "-m", "scripts.demo"], cwd=PROJECT_ROOT, check=False)
        if ran.returncode:
            return ran.returncode
    os.environ.update(read_environment(FOLDER))
    os.environ["RELIEF_RPC_URL"] = f"http://127.0.0.1:{CHAIN_PORT}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with _chain(), WorkerProcess(FOLDER):
            return _serve()
    except ChainUnavailable as error:
        print(f"The chain did not start: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _chain() -> DemoChain:
    return DemoChain(FOLDER / "chain.json", port=CHAIN_PORT, block_time_s=BLOCK_TIME_S)


def _serve() -> int:
    vault = json.loads((FOLDER / "deployment.json").read_text())["contracts"]["vault"]["address"]
    api = start_relief("serve", "--port", str(API_PORT))
    print(
        f"""
Serving the demo's data until you press Ctrl-C.

  REST API      http://127.0.0.1:{API_PORT}/docs   (a token: .venv/bin/relief token issue NAME)
  chain         http://127.0.0.1:{CHAIN_PORT}   vault {vault}
  command line  set -a; . {os.path.relpath(FOLDER)}/environment; set +a; .venv/bin/relief batch list
  audit         .venv/bin/relief audit replay --rpc http://127.0.0.1:{CHAIN_PORT} --vault {vault}
""",
        flush=True,
    )
    try:
        return api.wait()
    finally:
        end_process(api)


if __name__ == "__main__":
    sys.exit(main())
