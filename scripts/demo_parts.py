"""The parts the demo runs on: its chain, its worker process, and commands run in this process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from service.application.context import Application
from service.chain.devnode import DevNode, start_anvil
from service.config import PROJECT_ROOT, Settings
from service.processes import end_process, start_relief

BLOCK_TIME_S = 1
"""Of the demo, which waits for what it did to become final."""
FINALITY_DEPTH_BLOCKS = 2
SUPERVISOR_PAUSE_S = 0.2
SEED = "relief-demo"
"""Of the case files and of the wallets in them."""

TOKEN = 10**6
EMERGENCY_LIMITS = {
    "per_grant_base_units": str(2_000 * TOKEN),
    "per_officer_base_units": str(20_000 * TOKEN),
    "outstanding_base_units": str(100_000 * TOKEN),
    "countersign_window_s": 5 * 86_400,
    "per_county_base_units": str(50_000 * TOKEN),
    "per_city_base_units": str(100_000 * TOKEN),
    "per_province_base_units": str(200_000 * TOKEN),
    "country_base_units": str(300_000 * TOKEN),
    "county_overdue_base_units": str(5_000 * TOKEN),
    "city_overdue_base_units": str(10_000 * TOKEN),
    "province_overdue_base_units": str(20_000 * TOKEN),
}
"""What the emergency lane may do, amounts in base units."""

ROLE_KEYS = {
    "guardian": "guardian",
    "freezer": "guardian",
    "attestor": "treasurer",
    "treasurer": "treasurer",
    "programme_manager": "programme-manager",
}
"""Which keystore holds each housekeeping role."""


class DemoChain:
    """An embedded anvil that keeps its state in a file.

    It mines a block for each transaction at once, and one each `block_time_s` seconds besides, so
    that there is always a next block for what went before to become final.
    """

    def __init__(
        self, state_file: Path, *, port: int | None = None, block_time_s: int = BLOCK_TIME_S
    ) -> None:
        self._starting: AbstractContextManager[DevNode] = start_anvil(
            port=port,
            state_file=state_file,
            block_time_s=block_time_s,
            extra_arguments=("--mixed-mining",),
        )

    def __enter__(self) -> Self:
        self._node = self._starting.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._starting.__exit__(kind, error, trace)

    @property
    def rpc_url(self) -> str:
        """JSON-RPC address."""
        return self._node.rpc_url

    def now(self) -> datetime:
        """Time of the newest block."""
        block = self._node.rpc("eth_getBlockByNumber", "latest", False)
        return datetime.fromtimestamp(int(block["timestamp"], 16), UTC)

    def advance(self, seconds: int) -> None:
        """Move the chain's clock forward and mine a block at the new time."""
        self._node.rpc("evm_increaseTime", hex(seconds))
        self._node.rpc("evm_mine")

    def deploy(self, folder: Path, addresses: dict[str, str]) -> None:
        """Deploy the contracts with Brownie; officers 1 and 2 of Sichuan, each role its key."""
        config = {
            "quorum": 2,
            "token_cap_base_units": str(10**9 * TOKEN),
            "emergency": {"cap_base_units": str(1_000_000 * TOKEN), "limits": EMERGENCY_LIMITS},
            "finality_depth_blocks": FINALITY_DEPTH_BLOCKS,
            "officers": [
                {
                    "officer_id": number,
                    "roles": ["maker", "reviewer", "governor"],
                    "region_code": 51,
                    "region_digits": 2,
                    "signer": addresses[f"officer-{number}"],
                }
                for number in (1, 2)
            ],
            "roles": {role: [addresses[key]] for role, key in ROLE_KEYS.items()},
        }
        config_file = folder / "deploy-config.json"
        config_file.write_text(json.dumps(config, indent=2) + "\n")
        deployed = subprocess.run(
            [
                sys.executable,
                str(PROJECT_ROOT / "scripts" / "brownie.py"),
                *("run", "deploy", "--network", "relief-local"),
            ],
            env=os.environ
            | {
                "RELIEF_RPC_URL": self.rpc_url,
                "RELIEF_DEPLOY_CONFIG": str(config_file),
                "RELIEF_DEPLOYMENT_FILE": str(folder / "deployment.json"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        (folder / "deploy.log").write_text(deployed.stdout + deployed.stderr)
        # Brownie exits 0 even when its script raised.
        if deployed.returncode or not (folder / "deployment.json").exists():
            sys.stderr.write(deployed.stdout[-2000:] + deployed.stderr[-2000:])
            raise subprocess.CalledProcessError(deployed.returncode or 1, "brownie run deploy")


class CaseFiles:
    """The demo's two case files, made by a process of its own while other things are set up."""

    def __init__(self, folder: Path, cases: int, start: date) -> None:
        self._making = subprocess.Popen(
            [
                *(sys.executable, str(PROJECT_ROOT / "scripts" / "demo_cases.py")),
                *("--cases", str(cases), "--seed", SEED, "--out", str(folder)),
                *("--start-date", start.isoformat()),
            ],
            stdout=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        """Wait until both files are there.

        Raises
        ------
        subprocess.CalledProcessError
            When they could not be made; the reason is on stderr.
        """
        if code := self._making.wait():
            raise subprocess.CalledProcessError(code, "scripts/demo_cases.py")


class ReliefCommand:
    """Runs ``relief …`` in this process, shows the command, and returns its ``--json`` result."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._application = Application(Settings())

    def __call__(self, *arguments: str, expect: int | None = 0, quiet: bool = False) -> Any:
        """Run one command.

        Parameters
        ----------
        expect
            Exit code it must have; None for any.
        quiet
            Do not show the command.

        Raises
        ------
        subprocess.CalledProcessError
            When it ends with another exit code; its words are on stderr.
        """
        from service.cli.main import app

        if not quiet:
            self._console.print(f"  $ relief {_shown(arguments)}", style="cyan", soft_wrap=True)
        data, notes = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(data), contextlib.redirect_stderr(notes):
            try:
                code = app(
                    ["--quiet", *arguments, "--json"],
                    standalone_mode=False,
                    obj=self._application,
                )
            except SystemExit as stop:
                code = stop.code
        if expect is not None and (code or 0) != expect:
            sys.stderr.write(notes.getvalue() + data.getvalue())
            raise subprocess.CalledProcessError(int(code or 0), f"relief {_shown(arguments)}")
        return json.loads(data.getvalue())


class WorkerProcess:
    """``relief worker run`` as a child process, started again when it died, as a supervisor would.

    The process id that runs now is in ``worker.pid`` in the demo's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        self._log = (self._folder / "worker.log").open("ab")
        self._start()
        self._supervisor = threading.Thread(target=self._supervise)
        self._supervisor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._supervisor.join()
        end_process(self._process)
        (self._folder / "worker.pid").unlink()
        self._log.close()

    def _start(self) -> None:
        self._process = start_relief("worker", "run", stdout=self._log, stderr=self._log)
        (self._folder / "worker.pid").write_text(str(self._process.pid))

    def _supervise(self) -> None:
        while not self._stopping.wait(SUPERVISOR_PAUSE_S):
            if self._process.poll() is not None:
                self._start()


def read_environment(folder: Path) -> dict[str, str]:
    """Return the demo's settings that :func:`write_environment` left in `folder`."""
    lines = (folder / "environment").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def write_environment(folder: Path) -> None:
    """Leave the demo's settings as a file that a shell or a supervisor can read."""
    settings = {
        "RELIEF_DATA_DIR": str(folder),
        "RELIEF_KEY_PASSPHRASE_FILE": str(folder / "passphrase"),
    }
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    (folder / "environment").write_text(text)


def _shown(arguments: tuple[str, ...]) -> str:
    return shlex.join(
        os.path.relpath(argument) if argument.startswith("/") else argument
        for argument in arguments
    )
