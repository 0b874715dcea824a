"""``relief bench replay``: an auditor's replay beside others who read the same chain.

All in one run, on one node: an anvil of its own, full of payouts that officers signed and chunks
paid (:mod:`service.bench.payout_chain`). Each reader is a process of its own.

``ours``
    ``relief audit replay --no-views``: blocks linked, receipts proven, every signature and rule
    checked, all of it from events.
``ours_with_views``
    The same and every balance compared with the contracts' views besides, which the node must
    compute: two calls for each wallet, and each payout has a wallet of its own here.
``parquet_duckdb``
    ``relief audit replay --archive``: the same checks over the archive that a replay of the chain
    left, by DuckDB, the hashes of its files held against the manifest first. Archives of as many
    payouts, a tenth and ten times as many are made besides (:mod:`service.bench.made_archive`):
    memory must not grow with them.
``raw``
    ``eth_getLogs`` and JSON, nothing else, the better of two runs around ours: what no reader of
    logs can be much faster than.
``web3``, ``ethereum_etl``, ``cryo``
    web3.py's ``get_logs`` with decoding, ethereum-etl's token transfers to CSV, cryo's logs to
    Parquet. The slow two read the first blocks alone, to :data:`SLOW_EVENTS` events.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from service.bench.chains import BenchChain, account, start_chain
from service.bench.made_archive import make_archive
from service.bench.payout_chain import fill
from service.bench.results import write_result
from service.config import PROJECT_ROOT, Settings
from service.errors import IntegrityError

SLOW_EVENTS = 100_000
PEERS = ("ethereum-etl", "cryo")
"""Names of their environments, ``.venv-<name>``; `make bench-replay` makes them."""

CRYO = """
import sys, cryo
url, last, folder = sys.argv[1:]
cryo.freeze("logs", rpc=url, blocks=[f"0:{last}"], output_dir=folder, no_verbose=True)
"""
ETHEREUM_ETL = """
import inspect, warnings
warnings.simplefilter("ignore")
inspect.getargspec = lambda f: inspect.getfullargspec(f)[:4]  # gone since Python 3.11
from ethereumetl.cli import cli
cli()
"""
_KIB_A_MIB = 1024

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ArchiveResult:
    """What the replay of one archive took, its process's start included."""

    events: int
    events_per_second: float
    peak_rss_mib: float


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What one run measured; see the module's text.

    Attributes
    ----------
    events
        Logs of our contracts on the chain.
    events_per_second
        By reader; None for one that is not installed.
    ratio_to_raw, ratio_to_ethereum_etl
        Ours to theirs.
    cpu_seconds
        Of our process.
    peak_rss_mib
        Most memory that our process ever held.
    archives
        Replays of made archives, of a tenth, as many, and ten times as many payouts.
    """

    events: int
    events_per_second: dict[str, float | None]
    ratio_to_raw: float
    ratio_to_ethereum_etl: float | None
    cpu_seconds: float
    peak_rss_mib: float
    archives: list[ArchiveResult] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Ran:
    said: str
    seconds: float
    cpu_seconds: float
    peak_rss_mib: float


def bench_replay(
    count: int,
    *,
    artifacts_dir: Path | None = None,
    out: Path | None = None,
    say: Say = lambda _: None,
) -> ReplayResult:
    """Build a chain of `count` payouts and read it by each reader.

    Parameters
    ----------
    artifacts_dir
        Compiled contracts; the settings' when None.
    out
        File that the result is written to.
    say
        Told what happens.

    Raises
    ------
    IntegrityError
        When the replay finds a difference, or readers count other logs.
    """
    folder = artifacts_dir or Settings().artifacts_dir
    with start_chain(folder, account("relayer").address, history=False) as chain:
        say(f"paying {count} payouts")
        fill(chain, count)
        result = _Readers(chain, say).measure()
    sizes = (count // 10, count, count * 10)
    result = replace(result, archives=[_replay_made(folder, size, say) for size in sizes])
    write_result(result.as_dict(), out)
    return result


def _replay_made(artifacts_dir: Path, count: int, say: Say) -> ArchiveResult:
    """Make an archive of so many payouts and replay it.

    Raises
    ------
    IntegrityError
        When the replay finds a difference.
    """
    say(f"an archive of {count} payouts")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        make_archive(made, artifacts_dir, count)
        ran = _audit("--archive", str(made))
    events: int = json.loads(ran.said)["events"]
    rate = round(events / ran.seconds, 1)
    return ArchiveResult(events, rate, round(ran.peak_rss_mib, 1))


class _Readers:
    def __init__(self, chain: BenchChain, say: Say) -> None:
        self._url = chain.node.rpc_url
        names = ("token", "vault", "registry", "manager", "lane")
        self._token, *_ = addresses = [chain.contracts.address(name) for name in names]
        self._addresses = ",".join(addresses)
        self._vault = addresses[1]
        self._last = int(chain.rpc.call("eth_blockNumber"), 16)
        self._say = say

    def measure(self) -> ReplayResult:
        first = self._raw()
        self._say("replaying")
        ours = self._replay("--no-views")
        whole = self._replay()
        events: int = json.loads(ours.said)["events"]
        raw = min(first, self._raw(), key=lambda ran: ran.seconds)
        if int(raw.said) != events:
            raise IntegrityError(f"the replay read {events} logs, eth_getLogs gives {raw.said}")
        archived = self._archived(ours)
        rates = {
            "ours": events / ours.seconds,
            "ours_with_views": events / whole.seconds,
            "parquet_duckdb": events / archived.seconds,
            "raw": events / raw.seconds,
            "web3": self._web3(events),
            "ethereum_etl": self._ethereum_etl(events),
            "cryo": self._cryo(events),
        }
        etl = rates["ethereum_etl"]
        return ReplayResult(
            events=events,
            events_per_second={
                name: None if rate is None else round(rate, 1) for name, rate in rates.items()
            },
            ratio_to_raw=round(raw.seconds / ours.seconds, 3),
            ratio_to_ethereum_etl=None if etl is None else round(events / ours.seconds / etl, 1),
            cpu_seconds=round(ours.cpu_seconds, 3),
            peak_rss_mib=round(ours.peak_rss_mib, 1),
        )

    # ---- readers ---------------------------------------------------------------------------------

    def _archived(self, chain: _Ran) -> _Ran:
        """Replay an archive of the chain; its state must be the chain's."""
        self._say("replaying from an archive")
        with tempfile.TemporaryDirectory() as folder:
            made = str(Path(folder) / "made")
            self._replay("--no-views", "--out", made, "--format", "archive")
            ran = _audit("--archive", made)
        if json.loads(ran.said)["state_digest"] != json.loads(chain.said)["state_digest"]:
            raise IntegrityError("the archive gives another state than the chain")
        return ran

    def _replay(self, *flags: str) -> _Ran:
        return _audit("--rpc", self._url, "--vault", self._vault, *flags)

    def _raw(self) -> _Ran:
        self._say("reading logs alone")
        return _python(
            "service.bench.log_readers", "raw", self._url, self._addresses, str(self._last)
        )

    def _web3(self, events: int) -> float:
        self._say("reading by web3.py")
        last = self._early(events)
        ran = _python("service.bench.log_readers", "web3", self._url, self._addresses, str(last))
        return int(ran.said) / ran.seconds

    def _ethereum_etl(self, events: int) -> float | None:
        program = PROJECT_ROOT / ".venv-ethereum-etl" / "bin" / "python"
        if not program.exists():
            return None
        self._say("reading by ethereum-etl")
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "transfers.csv"
            ran = _run(
                [
                    *(str(program), "-c", ETHEREUM_ETL, "export_token_transfers"),
                    *("--provider-uri", self._url),
                    *("--start-block", "0", "--end-block", str(self._early(events))),
                    *("--tokens", self._token, "--output", str(out)),
                ]
            )
            with out.open() as lines:
                return (sum(1 for _ in lines) - 1) / ran.seconds

    def _cryo(self, events: int) -> float | None:
        program = PROJECT_ROOT / ".venv-cryo" / "bin" / "python"
        if not program.exists():
            return None
        self._say("reading by cryo")
        with tempfile.TemporaryDirectory() as folder:
            ran = _run([str(program), "-c", CRYO, self._url, str(self._last + 1), folder])
        return events / ran.seconds

    def _early(self, events: int) -> int:
        """Return the last block for readers that would take too long over all."""
        return self._last if events <= SLOW_EVENTS else self._last * SLOW_EVENTS // events


def _audit(*arguments: str) -> _Ran:
    """Replay, in a process of its own.

    Raises
    ------
    IntegrityError
        When it finds a difference.
    """
    ran = _python("service.audit", "replay", "--json", *arguments)
    differences = json.loads(ran.said)["differences"]
    if differences:
        raise IntegrityError(f"the replay found {differences} differences")
    return ran


def _python(module: str, *arguments: str) -> _Ran:
    return _run([sys.executable, "-m", module, *arguments])


def _run(command: Sequence[str]) -> _Ran:
    """Run a command to its end and measure it.

    Raises
    ------
    IntegrityError
        When it fails.
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            command, cwd=PROJECT_ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=complained
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (said, complained):
            stream.seek(0)
        if process.returncode:
            why = complained.read().decode(errors="replace")[-500:]
            raise IntegrityError(f"{Path(command[0]).name} failed: {why}")
        return _Ran(
            said.read().decode().strip(),
            seconds,
            used.ru_utime + used.ru_stime,
            used.ru_maxrss / _KIB_A_MIB,
        )
