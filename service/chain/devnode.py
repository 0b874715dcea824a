"""A development chain as a child process: start anvil, wait until it answers, end it.

Used by the demonstration, by ``make up`` and by the tests. The node listens on the loopback
interface only and is ended by its process id, so that no other chain on the machine is touched.
Its accounts come from the well-known test mnemonic and must never hold anything of value.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.config import PROJECT_ROOT
from service.errors import ChainUnavailable, ConfigurationError
from service.processes import end_process

DEV_CHAIN_ID = 31337
BLOCK_GAS_LIMIT = 60_000_000
STARTUP_TIMEOUT_S = 20.0
STARTUP_TIMEOUT_S_PER_MB = 0.5
"""More patience for each megabyte of a chain that is loaded from its file."""
SHUTDOWN_TIMEOUT_S = 20.0
"""It saves its state."""
KEPT_STATES = 128
"""Blocks behind the head at which a saved chain can still be read. Left to itself, the node keeps
the whole state once a block for ever, in memory and in its file."""
BLOCKS_UNTIL_FINALIZED = 2
"""How far this node's ``finalized`` tag stays behind the head."""
POLL_INTERVAL_S = 0.02
PORT_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class DevNode:
    """A running development chain.

    Attributes
    ----------
    rpc_url
        JSON-RPC address on the loopback interface.
    pid
        Process id of the node.
    chain_id
        Chain id (EIP-155).
    """

    rpc_url: str
    pid: int
    chain_id: int

    def rpc(self, method: str, *params: Any) -> Any:
        """Call one JSON-RPC method and return its result.

        Meant for the node's own controls (``evm_snapshot``, ``anvil_reorg``, ``evm_mine``), which
        the service's client rightly does not know.

        Raises
        ------
        ChainUnavailable
            If the node does not answer, or answers with an error.
        """
        return call_rpc(self.rpc_url, method, params)


def call_rpc(rpc_url: str, method: str, params: Sequence[Any] = (), timeout_s: float = 30.0) -> Any:
    """Call one JSON-RPC method of a node on the loopback interface.

    Raises
    ------
    ChainUnavailable
        If the node does not answer, or answers with an error.
    """
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    request = urllib.request.Request(  # noqa: S310 - the caller started this http:// server
        rpc_url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    # No proxy of the environment may stand between us and the loopback interface.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout_s) as response:
            answer = json.load(response)
    except (OSError, ValueError) as error:
        raise ChainUnavailable(f"{rpc_url} does not answer {method}: {error}") from error
    if "error" in answer:
        raise ChainUnavailable(f"{method}: {answer['error'].get('message', answer['error'])}")
    return answer["result"]


def anvil_program() -> Path:
    """Return the anvil that `make setup` installed, or the one on the PATH.

    Raises
    ------
    ConfigurationError
        If there is none.
    """
    installed = PROJECT_ROOT / "node_modules" / ".bin" / "anvil"
    if installed.exists():
        return installed
    on_path = shutil.which("anvil")
    if on_path is None:
        raise ConfigurationError("no anvil in node_modules or on the PATH: run `make setup`")
    return Path(on_path)


def free_loopback_port() -> int:
    """Return a TCP port on 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Work beside a ``with`` block, in a thread that is told of the block's end and waited for."""
    ended = threading.Event()
    thread = threading.Thread(target=work, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def start_anvil(
    *,
    port: int | None = None,
    chain_id: int = DEV_CHAIN_ID,
    state_file: Path | None = None,
    state_interval_s: int = 15,
    block_time_s: int | None = None,
    hardfork: str = "osaka",
    extra_arguments: Sequence[str] = (),
) -> Iterator[DevNode]:
    """Run a development chain for the length of a ``with`` block.

    It mines a block a transaction, charges no base fee (as permissioned chains do), follows the
    Osaka rules with their cap of 2**24 gas a transaction (EIP-7825), and its ``safe`` and
    ``finalized`` tags stay one and two blocks behind the head.

    The file of a saved chain holds the blocks, the receipts and the newest state, not the states of
    the past: after a start from it a few empty blocks are mined, so that the finalized block can be
    read, and only blocks from there on can be.

    Parameters
    ----------
    port
        TCP port on 127.0.0.1; a free one when None.
    chain_id
        Chain id of the node.
    state_file
        File that the chain is loaded from, where it exists, and saved to when the node ends and
        every `state_interval_s` seconds. The chain is forgotten when None.
    state_interval_s
        Seconds between two saves.
    block_time_s
        Mine a block each that many seconds instead of one a transaction.
    hardfork
        Rules that the chain follows; an earlier fork than ours shows what a contract does there.
    extra_arguments
        Further arguments for anvil, such as ``("--no-mining",)``.

    Yields
    ------
    DevNode
        The node, which has answered once.

    Raises
    ------
    ConfigurationError
        If anvil is not installed.
    ChainUnavailable
        If it ends at once or does not answer; the message carries its last words.
    """
    arguments = [
        *("--chain-id", str(chain_id)),
        *("--hardfork", hardfork),
        *("--slots-in-an-epoch", "1"),
        *("--block-base-fee-per-gas", "0"),
        *("--gas-limit", str(BLOCK_GAS_LIMIT)),
        "--enable-tx-gas-limit",
        *("--accounts", "20"),
        "--quiet",
    ]
    if state_file is not None:
        state_file.parent.mkdir(parents=True, exist_ok=True)
        arguments += ["--state", str(state_file), "--state-interval", str(state_interval_s)]
        arguments += ["--prune-history", str(KEPT_STATES)]
    if block_time_s is not None:
        arguments += ["--block-time", str(block_time_s)]
    arguments += extra_arguments

    loaded = state_file is not None and state_file.exists()
    timeout_s = STARTUP_TIMEOUT_S
    if state_file is not None and loaded:
        timeout_s += STARTUP_TIMEOUT_S_PER_MB * state_file.stat().st_size / 1e6
    with tempfile.TemporaryFile() as last_words:
        told = f", loading {state_file}" if loaded else ""
        process, used_port = _launch(arguments, port, timeout_s, told, last_words)
        try:
            node = DevNode(f"http://127.0.0.1:{used_port}", process.pid, chain_id)
            if loaded:
                _go_on_from_loaded_state(node)
            yield node
        finally:
            end_process(process, SHUTDOWN_TIMEOUT_S)


def _go_on_from_loaded_state(node: DevNode) -> None:
    """Set the clock of a loaded chain and bring its finalized block to where it can be read.

    The node goes on by the machine's clock, which lies behind the newest block once that chain's
    clock was moved forward; block times must not go back.
    """
    newest = int(node.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    ahead_s = newest - int(time.time())
    if ahead_s > 0:
        node.rpc("evm_increaseTime", hex(ahead_s + 1))
    for _ in range(BLOCKS_UNTIL_FINALIZED):
        node.rpc("evm_mine")


def _launch(
    arguments: Sequence[str], port: int | None, timeout_s: float, told: str, last_words: Any
) -> tuple[subprocess.Popen[bytes], int]:
    """Start anvil and wait for its first answer; with `port` None, try a few free ports.

    Between finding a free port and listening on it another process may take it.
    """
    attempts = PORT_ATTEMPTS if port is None else 1
    for attempt in range(1, attempts + 1):
        used_port = free_loopback_port() if port is None else port
        if _listens(used_port):
            raise ChainUnavailable(f"port {used_port} is taken: something else listens there")
        process = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
            [str(anvil_program()), "--host", "127.0.0.1", "--port", str(used_port), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=last_words,
            stderr=last_words,
        )
        try:
            _wait_until_it_answers(process, used_port, timeout_s)
        except ChainUnavailable as error:
            end_process(process, SHUTDOWN_TIMEOUT_S)
            last_words.seek(0)
            words = last_words.read().decode(errors="replace").strip()[-500:]
            last_words.truncate(0)
            if attempt < attempts:
                continue
            raise ChainUnavailable(f"{error.detail}{told}: {words or 'it said nothing'}") from error
        except BaseException:
            end_process(process, SHUTDOWN_TIMEOUT_S)
            raise
        return process, used_port
    raise AssertionError("unreachable: the last attempt returns or raises")


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, timeout_s: float) -> None:
    """Poll the node until it answers; give up when it ended or after the timeout."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ChainUnavailable(f"anvil ended at once with exit code {process.returncode}")
        if _listens(port):
            call_rpc(f"http://127.0.0.1:{port}", "eth_chainId", timeout_s=timeout_s)
            if process.poll() is None:
                return
        time.sleep(POLL_INTERVAL_S)
    raise ChainUnavailable(f"anvil did not answer within {timeout_s:.0f} s")


def _listens(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
