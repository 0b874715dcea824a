"""The figures of database and node as Prometheus gauges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.application.survey.chain import WEI_PER_COIN, ChainFigures
from service.application.survey.figures import OVERDUE, Figures
from service.confirmations.alarms import AlarmKind
from service.payouts.states import (
    BatchState,
    GrantState,
    PayoutState,
    RequestState,
)
from service.transactions.states import IN_FLIGHT, State
from service.units import BASE_UNITS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class Survey:
    """Both, as one surveyor found them; None is not known yet, or the node did not answer.

    Attributes
    ----------
    seconds
        How long asking the database took.
    difference_base_units, compared_unix_s
        By how much ledger and contracts differed when they were compared last, and when.
    """

    figures: Figures
    seconds: float
    chain: ChainFigures | None = None
    difference_base_units: int | None = None
    compared_unix_s: float | None = None


class SurveyCollector(Collector):
    """Shows the newest survey at each scrape; it asks nobody anything.

    One worker surveys for all, so only one process shows these: sums over processes are right.
    """

    def __init__(self) -> None:
        self.survey: Survey | None = None

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name nothing beforehand."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every gauge."""
        survey = self.survey
        if survey is None:
            return
        yield _one(
            "survey_timestamp_seconds",
            "When the database was asked last, by its clock.",
            survey.figures.at.timestamp(),
        )
        yield _one("survey_seconds", "How long asking the database took.", survey.seconds)
        yield from _of_database(survey.figures)
        if survey.chain is not None:
            yield from _of_chain(survey.figures, survey.chain)
        if survey.difference_base_units is not None:
            yield _one(
                "reconciliation_difference_tokens",
                "By how much ledger and contracts differ, all accounts' differences added up.",
                _tokens(survey.difference_base_units),
            )
        if survey.compared_unix_s is not None:
            yield _one(
                "reconciliation_timestamp_seconds",
                "When ledger and contracts were compared last.",
                survey.compared_unix_s,
            )


def _of_database(f: Figures) -> Iterator[GaugeMetricFamily]:
    sums = {state.value: f.payouts.get(state) for state in PayoutState}
    yield _many(
        "payouts",
        "Payouts by state.",
        "state",
        {state: found.count if found else 0 for state, found in sums.items()},
    )
    yield _many(
        "payouts_amount_tokens",
        "Their amounts; the ledger has them exactly.",
        "state",
        {s: _tokens(found.amount_base_units) if found else 0 for s, found in sums.items()},
    )
    yield _many("batches", "Batches by state.", "state", _all(f.batches, BatchState))
    now = f.at.timestamp()
    waited = now - f.queue_since.timestamp() if f.queue_since else 0
    yield _one(
        "queue_age_seconds",
        "How long the batch waits that could have been paid longest and is not paid through.",
        max(waited, 0),
    )
    if f.next_deadline_unix_s is not None:
        yield _one(
            "batch_deadline_seconds",
            "Until the nearest time that a released batch must be executed by; negative: over.",
            f.next_deadline_unix_s - now,
        )
    yield _one(
        "transactions_refused",
        "Transactions that a node or contract refused and that are tried again.",
        f.refused,
    )
    depth = _family("lane_transactions", "Transactions of a lane by state.", ["lane", "state"])
    broke = _family("lane_out_of_funds", "1: the node refused for want of gas money.", ["lane"])
    held = _family("lane_held", "1: a worker holds the lane.", ["lane"])
    for lane in f.lanes:
        for state in (State.BUILT, *IN_FLIGHT, State.INCLUDED):
            depth.add_metric([lane.sender, state.value], lane.transactions.get(state.value, 0))
        broke.add_metric([lane.sender], float(lane.out_of_funds))
        held.add_metric([lane.sender], float(lane.owner is not None))
    yield from (depth, broke, held)
    positions = {"events": f.events, "final": f.final, "ledger": f.posted}
    yield _many(
        "position_block",
        "Newest block that was read, is final, was posted.",
        "reader",
        {name: place.block for name, place in positions.items() if place},
    )
    # With 0 where there is none, so that an alert has something to look at before the first.
    alarms = dict.fromkeys(map(str, AlarmKind), 0) | dict(f.alarms)
    yield _many("alarms_open", "Alarms that no person has settled.", "kind", alarms)
    grants = {state.value: 0 for state in GrantState} | {OVERDUE: 0} | dict(f.grants)
    yield _many("emergency_grants", "Emergency grants by state.", "state", grants)
    requests = {s.value: 0 for s in RequestState if s is not RequestState.DONE}
    yield _many(
        "chain_requests", "Requests that are open or failed.", "state", {**requests, **f.requests}
    )
    budgets = _family("programme_budget_tokens", "Budget of a programme.", ["programme"])
    left = _family(
        "programme_budget_left_tokens",
        "What batches, drafts included, leave of a programme's budget.",
        ["programme"],
    )
    for budget in f.budgets:
        budgets.add_metric([str(budget.programme)], _tokens(budget.budget_base_units))
        left.add_metric([str(budget.programme)], _tokens(budget.left_base_units))
    yield from (budgets, left)


def _of_chain(f: Figures, chain: ChainFigures) -> Iterator[GaugeMetricFamily]:
    yield _one("chain_head_block", "Newest block of the node.", chain.head)
    yield _one("chain_head_timestamp_seconds", "Time of that block.", chain.timestamp_unix_s)
    if f.events is not None:
        yield _one(
            "indexer_lag_blocks",
            "Blocks of the node that were not read yet.",
            max(chain.head - f.events.block, 0),
        )
        if f.events.timestamp_unix_s is not None:
            yield _one(
                "indexer_lag_seconds",
                "Between the times of the newest block read and of the node's newest.",
                max(chain.timestamp_unix_s - f.events.timestamp_unix_s, 0),
            )
    balances = _family("lane_balance_coins", "Gas money of a lane, coins of 1e18 wei.", ["lane"])
    gaps = _family(
        "lane_nonce_gap",
        "Nonces of a lane that the chain waits for and no transaction has.",
        ["lane"],
    )
    for lane in f.lanes:
        if lane.sender in chain.balances_wei:
            balances.add_metric([lane.sender], chain.balances_wei[lane.sender] / WEI_PER_COIN)
            gaps.add_metric([lane.sender], nonce_gap(chain.nonces[lane.sender], f, lane.sender))
    yield from (balances, gaps)
    affordable = _family(
        "lane_affordable_transactions",
        "For how many of its largest transactions a lane has gas money; none where gas is free.",
        ["lane"],
    )
    for sender, count in chain.affordable.items():
        affordable.add_metric([sender], count)
    yield affordable
    yield _one(
        "gas_price_wei", "Price of gas at the node; 0 where gas is free.", chain.gas_price_wei
    )
    reserve = chain.reserve
    yield _one(
        "reserve_headroom_tokens",
        "What may still be approved: reserve in force (or cap, where lower) less supply and "
        "commitments.",
        _tokens(reserve.headroom_base_units),
    )
    yield _one("reserve_tokens", "Reserve in force.", _tokens(reserve.in_force_base_units))
    yield _one("supply_tokens", "Money in wallets.", _tokens(reserve.supply_base_units))
    yield _one("committed_tokens", "Approved, not paid.", _tokens(reserve.committed_base_units))
    if reserve.stale_after_unix_s is not None:
        yield _one(
            "reserve_stale_timestamp_seconds",
            "From then on the attestation is too old for anything to be approved.",
            reserve.stale_after_unix_s,
        )


def nonce_gap(chain_nonce: int, figures: Figures, sender: str) -> int:
    """Return how many nonces below the lane's next one neither chain nor any transaction has."""
    (lane,) = (lane for lane in figures.lanes if lane.sender == sender)
    return max(lane.next_nonce - chain_nonce - lane.in_flight, 0)


def _all(counts: Mapping[str, int], states: type[BatchState]) -> dict[str, int]:
    return {state.value: counts.get(state.value, 0) for state in states}


def _tokens(base_units: int) -> float:
    """To Prometheus' floating point, which shows and never counts."""
    return float(base_units / BASE_UNITS_PER_TOKEN)


def _family(name: str, words: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"relief_{name}", words, labels=labels)


def _one(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"relief_{name}", words, value=value)


def _many(name: str, words: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = _family(name, words, [label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
