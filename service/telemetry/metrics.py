"""The metrics that this process counts itself; what the database says is measured elsewhere.

Names follow Prometheus' habits: ``relief_`` first, base units (seconds, blocks, gas) last,
``_total`` for what only grows. Labels have few values: kinds, states, methods, our own lanes; never
a wallet, a case or a batch. ``docs/operations.md`` lists them all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from platform import python_version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
)

REGISTRY = CollectorRegistry(auto_describe=True)
"""Of this process; the library's own global one is left alone."""

ProcessCollector(registry=REGISTRY)

_SECONDS_OF_A_CALL = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SECONDS_TO_CONFIRM = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 14_400)
_DEPTHS = (1, 2, 3, 5, 8, 16, 32, 64, 128)

BUILD = Gauge(
    "relief_build_info",
    "Always 1; the labels say which Relief and which Python run.",
    ["version", "python"],
    registry=REGISTRY,
    multiprocess_mode="max",
)
BUILD.labels(version("relief"), python_version()).set(1)

# ---- Transactions --------------------------------------------------------------------------------

TRANSACTION_STEPS = Counter(
    "relief_transaction_steps_total",
    "Transactions that came to a step: planned, signed, replaced, sent, included, reverted, "
    "superseded, closed, refused, final.",
    ["kind", "step"],
    registry=REGISTRY,
)
CONFIRMATION_SECONDS = Histogram(
    "relief_confirmation_seconds",
    "From first handing a transaction to the node until its receipt was seen (stage included), "
    "and until its block was final (stage final).",
    ["stage"],
    buckets=_SECONDS_TO_CONFIRM,
    registry=REGISTRY,
)
GAS_USED = Counter(
    "relief_gas_used_total", "Gas of mined transactions of ours.", ["kind"], registry=REGISTRY
)
GAS_SPENT = Counter(
    "relief_gas_spent_wei_total",
    "What that gas cost, wei of the chain's coin.",
    ["kind"],
    registry=REGISTRY,
)

# ---- Events, finality, ledger --------------------------------------------------------------------

BLOCKS_READ = Counter("relief_blocks_read_total", "Blocks read for events.", registry=REGISTRY)
EVENTS_READ = Counter(
    "relief_events_read_total", "Contract events read.", ["contract"], registry=REGISTRY
)
REORGS = Histogram(
    "relief_reorg_depth_blocks",
    "Blocks that each re-org took back; its count is the number of re-orgs.",
    buckets=_DEPTHS,
    registry=REGISTRY,
)
POSTINGS = Counter("relief_ledger_postings_total", "Postings to the ledger.", registry=REGISTRY)
ALARMS_RAISED = Counter(
    "relief_alarms_raised_total", "Alarms written for a person.", ["kind"], registry=REGISTRY
)

# ---- The node ------------------------------------------------------------------------------------

RPC_CALLS = Counter(
    "relief_rpc_calls_total", "Calls answered by a node.", ["node", "method"], registry=REGISTRY
)
RPC_ERRORS = Counter(
    "relief_rpc_errors_total",
    "Calls without a result: refused (the node answered with an error) or unavailable (no usable "
    "answer).",
    ["node", "method", "reason"],
    registry=REGISTRY,
)
RPC_SECONDS = Histogram(
    "relief_rpc_seconds",
    "How long a node took for a request; calls of several methods in one are the method batch.",
    ["node", "method"],
    buckets=_SECONDS_OF_A_CALL,
    registry=REGISTRY,
)

# ---- The worker's rounds -------------------------------------------------------------------------

ROUNDS = Counter(
    "relief_worker_rounds_total",
    "Rounds of the worker's loop: done, or why one was broken off.",
    ["outcome"],
    registry=REGISTRY,
)
STAGE_SECONDS = Histogram(
    "relief_worker_stage_seconds",
    "How long each stage of a round took.",
    ["stage"],
    buckets=_SECONDS_OF_A_CALL,
    registry=REGISTRY,
)
LAST_ROUND = Gauge(
    "relief_worker_last_round_timestamp_seconds",
    "When the worker's last round ended, this machine's clock.",
    registry=REGISTRY,
    multiprocess_mode="max",
)

# ---- The API -------------------------------------------------------------------------------------

API_SECONDS = Histogram(
    "relief_api_request_seconds",
    "How long the API took, by route (as a template) and status.",
    ["method", "route", "status"],
    buckets=_SECONDS_OF_A_CALL,
    registry=REGISTRY,
)


def count_step(kind: str, step: str, count: int = 1) -> None:
    """Count transactions that came to a step."""
    TRANSACTION_STEPS.labels(kind, step).inc(count)


def count_read(blocks: int, events_by_contract: Mapping[str, int]) -> None:
    """Count blocks read, and the events in them."""
    BLOCKS_READ.inc(blocks)
    for contract, count in events_by_contract.items():
        EVENTS_READ.labels(contract).inc(count)


@contextmanager
def timed(histogram: Histogram) -> Iterator[None]:
    """Observe how long the block takes, also when it raises."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        histogram.observe(time.perf_counter() - begun)
