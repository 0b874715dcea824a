"""``relief bench payouts``: from approved cases to the posted ledger, beside the bare limit.

Measured in one run, on one machine:

``prepare_seconds``
    Import of a case file, decision, building, the officers' signatures, release: by the service's
    own functions, one after the other.
``service_seconds``
    The worker's way from the released batches to the ledger in which each of their payments is
    posted. The worker is a process of its own, as in production; the batches wait in the database
    when it starts, and the time begins when it says that it has started.
``bare_seconds``
    The very calls that the service has made (same target, calldata, gas limit), signed, sent and
    mined on an equal chain by a loop that keeps nothing (:mod:`service.bench.bare`).
``ratio``
    bare ÷ service: 1 is a service that costs no time beside the node.
``ratio_with_preparing``
    bare ÷ (prepare + service).
``recovery_seconds``
    From ``kill -9`` of a worker in the middle of a batch to the first transaction that the next
    worker, started at once, has handed over or found mined; its start is part of it.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

from service.application.context import Application
from service.application.database import current_revision, migrate_to_head
from service.application.reading import reading
from service.bench.bare import BareCall, send_all
from service.bench.case_files import write_case_files
from service.bench.chains import PROGRAMME_CODE, BenchChain, account, start_chain
from service.bench.ledger_watch import LedgerWatch
from service.bench.preparing import prepare
from service.bench.results import write_result
from service.bench.worker_process import WorkerProcess, wait_while
from service.chain.signers import LocalSigner, import_keystore
from service.clock import StageTimes
from service.config import Settings
from service.errors import Conflict, IntegrityError
from service.ledger.reconcile import reconcile
from service.ledger.worker import Worker
from service.privacy.keyring import Keyring
from service.processes import wait_until

SECONDS_A_PAYOUT = 0.02
"""Patience: many times what a payout takes."""

PATIENCE_S = 120.0

BLOCKS_AHEAD = 8.0
"""The chain mines one block after the other, so it has the next ones' transactions in time."""
MAX_RECOVERY_COUNT = 10_000
_KIB_A_MIB = 1024
_PASSPHRASE = "a passphrase of benchmarks"  # noqa: S105 - protects nothing

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PayoutsResult:
    """What one run measured; see the module's text.

    Attributes
    ----------
    count
        Payouts paid.
    database
        ``sqlite`` or ``postgresql``.
    node_history
        Whether the node kept the state after each block: much work for it, and nothing that a
        payout needs.
    payments_per_second
        By the service: count ÷ service_seconds.
    cpu_seconds_per_payment
        Of the worker's process, within service_seconds.
    peak_rss_mib
        Most memory that the worker's process ever held.
    prepare_peak_rss_mib
        The same of the process that prepared.
    seconds_by_stage
        ``import``, ``decide``, ``build`` and ``approve`` are prepare_seconds; ``chain_approval``
        (until every batch is on chain), ``chunks`` (until every chunk was run) and ``posting``
        service_seconds; ``worker`` has what the worker itself spent on each step of its round.
    """

    count: int
    database: str
    node_history: bool
    bare_seconds: float
    service_seconds: float
    ratio: float
    ratio_with_preparing: float
    payments_per_second: float
    cpu_seconds_per_payment: float
    peak_rss_mib: float
    prepare_peak_rss_mib: float
    prepare_seconds: float
    recovery_seconds: float | None
    seconds_by_stage: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON."""
        return asdict(self)


def bench_payouts(
    count: int,
    *,
    database_url: str | None = None,
    recovery: bool = True,
    history: bool = True,
    artifacts_dir: Path | None = None,
    out: Path | None = None,
    say: Say = lambda _: None,
) -> PayoutsResult:
    """Pay `count` payouts through the whole service and measure it.

    Parameters
    ----------
    count
        How many one-off payouts.
    database_url
        An empty database; a SQLite file in a temporary folder when None.
    recovery
        Whether to measure a recovery after ``kill -9`` too.
    history
        Whether the node keeps the state after each block, as anvil does unless told otherwise.
    artifacts_dir
        Compiled contracts; the settings' when None.
    out
        File that the result is written to.
    say
        Told what happens.

    Raises
    ------
    Conflict
        When the database is not empty.
    IntegrityError
        When not every payout was paid once, or ledger and chain differ.
    TimeoutError
        When the worker does not get on.
    """
    with tempfile.TemporaryDirectory(prefix="relief-bench-") as name:
        bench = _Bench(Path(name), database_url, artifacts_dir, say, history=history)
        try:
            result = bench.run(count, recovery=recovery)
        finally:
            bench.app.close()
    write_result(result.as_dict(), out)
    return result


class _Bench:
    def __init__(
        self,
        folder: Path,
        database_url: str | None,
        artifacts_dir: Path | None,
        say: Say,
        *,
        history: bool,
    ) -> None:
        self._folder = folder
        self._history = history
        self._say = say
        settings: dict[str, Any] = {
            "data_dir": folder,
            "database_url": database_url or f"sqlite:///{folder / 'relief.db'}",
            "key_passphrase_file": folder / "passphrase",
            "blocks_ahead": BLOCKS_AHEAD,
        }
        if artifacts_dir is not None:
            settings["artifacts_dir"] = artifacts_dir
        self._settings = Settings(**settings)
        self.app = Application(self._settings)
        self._relayer = account("relayer")
        self._log = folder / "worker.log"
        self._cases = 0

    def run(self, count: int, *, recovery: bool) -> PayoutsResult:
        with self._start_chain() as chain:
            self._settle_in(chain)
            times = StageTimes()
            batches = self._prepare(count, times)
            prepared_mib = getrusage(RUSAGE_SELF).ru_maxrss / _KIB_A_MIB
            watch = LedgerWatch(self.app.engine)
            try:
                service = self._serve(watch, batches, count)
                self._check(chain, watch, batches, count)
                calls = [BareCall(*call) for call in watch.calls(batches)]
                recovered = None
                if recovery:
                    recovered = self._recover(chain, watch, min(count, MAX_RECOVERY_COUNT))
            finally:
                watch.close()
        bare_seconds = self._bare(calls)
        return PayoutsResult(
            count=count,
            database=self.app.engine.dialect.name,
            node_history=self._history,
            bare_seconds=round(bare_seconds, 3),
            service_seconds=round(service["seconds"], 3),
            ratio=round(bare_seconds / service["seconds"], 3),
            ratio_with_preparing=round(bare_seconds / (times.total + service["seconds"]), 3),
            payments_per_second=round(count / service["seconds"], 1),
            cpu_seconds_per_payment=round(service["cpu_seconds"] / count, 7),
            peak_rss_mib=round(service["peak_rss_mib"], 1),
            prepare_peak_rss_mib=round(prepared_mib, 1),
            prepare_seconds=round(times.total, 3),
            recovery_seconds=None if recovered is None else round(recovered, 3),
            seconds_by_stage={name: round(s, 3) for name, s in times.seconds.items()}
            | service["seconds_by_stage"],
        )

    def _start_chain(self) -> AbstractContextManager[BenchChain]:
        return start_chain(
            self._settings.artifacts_dir, self._relayer.address, history=self._history
        )

    def _settle_in(self, chain: BenchChain) -> None:
        """Make the database, the keys and the deployment's file, and read the chain so far."""
        self._settings.rpc_url = chain.node.rpc_url
        self._settings.resolved_deployment_file.write_text(json.dumps(chain.content))
        passphrase = self._folder / "passphrase"
        passphrase.touch(mode=0o600)
        passphrase.write_text(_PASSPHRASE)
        if current_revision(self.app.engine) is not None:
            raise Conflict("the database of a benchmark must be empty: it holds tables of Relief")
        migrate_to_head(self.app.engine)
        Keyring.create(self.app.keyring_path, _PASSPHRASE)
        keys = self._settings.resolved_keys_dir
        import_keystore(keys, "relayer", bytes(self._relayer.key), _PASSPHRASE)
        with Worker(self._settings, [LocalSigner(self._relayer)]) as worker:
            worker.run_until_idle()

    def _prepare(self, count: int, times: StageTimes) -> list[str]:
        today = date.today()  # noqa: DTZ011 - the start of made-up cases
        files = write_case_files(
            self._folder / "cases", self._cases, count, programme=PROGRAMME_CODE, start=today
        )
        self._cases += count
        self._say(f"preparing {count} payouts")
        batches = prepare(self.app, files, times)
        for file in files:
            file.unlink()
        return batches

    # ---- the service ---------------------------------------------------------------------------

    def _serve(self, watch: LedgerWatch, batches: Sequence[str], count: int) -> dict[str, Any]:
        chunks = watch.chunks(batches)
        patience = PATIENCE_S + SECONDS_A_PAYOUT * count
        self._say(f"paying {count} payouts in {chunks} chunks")
        with WorkerProcess(self._settings, self._log) as worker:
            began = worker.wait_for("started")
            before = worker.cost()
            wait_while(worker, lambda: watch.batches_on_chain(batches) == len(batches), patience)
            on_chain = time.perf_counter()
            wait_while(worker, lambda: watch.executed_chunks(batches) == chunks, patience)
            executed = time.perf_counter()
            wait_while(worker, lambda: watch.posted_chunks(batches) == chunks, patience)
            posted = time.perf_counter()
            after = worker.cost()
            last = worker.stop()
        return {
            "seconds": posted - began,
            "cpu_seconds": after.cpu_seconds - before.cpu_seconds,
            "peak_rss_mib": after.peak_rss_mib,
            "seconds_by_stage": {
                "chain_approval": round(on_chain - began, 3),
                "chunks": round(executed - on_chain, 3),
                "posting": round(posted - executed, 3),
                "worker": last.get("seconds_by_stage", {}),
            },
        }

    def _check(
        self, chain: BenchChain, watch: LedgerWatch, batches: Sequence[str], count: int
    ) -> None:
        """See that each payout was paid once, by our rows, the chain's logs and its views."""
        wait_until(lambda: watch.unpaid(batches) == 0, PATIENCE_S, "every payout to be paid")
        paid = watch.paid_exactly_once(batches, chain.mints())
        if paid != count:
            raise IntegrityError(f"{paid} of {count} payouts were paid once, with their amount")
        with Worker(self._settings, [LocalSigner(self._relayer)]) as worker:
            worker.run_until_idle()
        with reading(self.app) as session:
            differences = reconcile(session, self.app.rpc, self.app.contracts)
        if differences:
            raise IntegrityError(f"ledger and chain differ: {differences}")

    def _recover(self, chain: BenchChain, watch: LedgerWatch, count: int) -> float | None:
        """Kill a worker in the middle of a batch; return how long until the next one gets on.

        None when so few chunks are all done before the kill.
        """
        batches = self._prepare(count, StageTimes())
        chunks = watch.chunks(batches)
        self._say("killing a worker")
        with WorkerProcess(self._settings, self._log) as worker:
            wait_while(worker, lambda: watch.executed_chunks(batches) >= chunks // 3, PATIENCE_S)
            killed = worker.kill()

        def done() -> int:
            return watch.submitted() + watch.posted_chunks(batches)

        if watch.posted_chunks(batches) == chunks:
            self._say("nothing was left to recover: take a higher count")
            return None
        left_at = done()
        with WorkerProcess(self._settings, self._log) as worker:
            wait_while(worker, lambda: done() > left_at, PATIENCE_S)
            recovered = time.perf_counter()
            wait_while(worker, lambda: watch.posted_chunks(batches) == chunks, PATIENCE_S)
            worker.stop()
        self._check(chain, watch, batches, count)
        return recovered - killed

    # ---- the bare limit ------------------------------------------------------------------------

    def _bare(self, calls: Sequence[BareCall]) -> float:
        self._say("the bare limit")
        with self._start_chain() as chain:
            return send_all(chain.rpc, self._relayer, chain.node.chain_id, calls)
