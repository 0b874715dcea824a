"""The alert rules and the dashboard: they read what is exported, and fire when they should."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import promql_parser as promql
import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from service.application.survey.chain import ChainFigures, ReserveFigures
from service.application.survey.figures import BudgetFigures, Figures, LaneFigures, Position
from service.application.survey.gauges import Survey, SurveyCollector
from service.config import PROJECT_ROOT
from service.confirmations.alarms import AlarmKind
from service.payouts.queries import StateSum
from service.payouts.states import PayoutState
from service.telemetry import metrics
from service.telemetry.metrics import REGISTRY
from tests.support.promql import Scrapes

FOLDER = PROJECT_ROOT / "docs" / "operations"
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
PANELS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
EXPRESSIONS = [rule["expr"] for rule in RULES] + PANELS
NOT_OURS = {"up": {"job", "instance"}}
"""What Prometheus itself adds."""

ADDED_LABELS = {"job", "instance", "le"}
LANE = "0x" + "ab" * 20
NOW = datetime.now(UTC)
TOKEN = 10**6


def well() -> Survey:
    """A survey of a deployment where nothing needs anybody."""
    now_s = int(NOW.timestamp())
    return Survey(
        figures=Figures(
            at=NOW,
            payouts={PayoutState.PAID: StateSum(1000, 600_000 * TOKEN)},
            batches={"done": 2},
            queue_since=NOW - timedelta(seconds=20),
            next_deadline_unix_s=now_s + 10 * 86_400,
            lanes=[LaneFigures(LANE, "host:1", 7, False, {"sent": 2}, 5)],
            refused=0,
            events=Position(100, now_s - 2),
            final=Position(90, now_s - 30),
            posted=Position(90, now_s - 30),
            alarms={},
            grants={"outstanding": 1},
            requests={"planned": 1},
            budgets=[BudgetFigures(1, "flood", 10**6 * TOKEN, 4 * 10**5 * TOKEN)],
        ),
        seconds=0.1,
        chain=ChainFigures(
            head=100,
            timestamp_unix_s=now_s - 2,
            gas_price_wei=10**9,
            balances_wei={LANE: 10 * 10**18},
            nonces={LANE: 5},
            affordable={LANE: 500},
            reserve=ReserveFigures(
                5 * 10**6 * TOKEN, 10**6 * TOKEN, 10**6 * TOKEN, 10**8 * TOKEN, now_s + 30 * 86_400
            ),
        ),
        difference_base_units=0,
        compared_unix_s=float(now_s - 60),
    )


def figures(**changes: Any) -> Survey:
    survey = well()
    return replace(survey, figures=replace(survey.figures, **changes))


def lane(**changes: Any) -> Survey:
    return figures(lanes=[replace(well().figures.lanes[0], **changes)])


def chain(**changes: Any) -> Survey:
    survey = well()
    assert survey.chain is not None
    return replace(survey, chain=replace(survey.chain, **changes))


def reserve(**changes: Any) -> Survey:
    survey = well()
    assert survey.chain is not None
    return chain(reserve=replace(survey.chain.reserve, **changes))


def call(status: str, seconds: float, times: int = 100) -> None:
    for _ in range(times):
        metrics.API_SECONDS.labels("GET", "/v1/batches", status).observe(seconds)


Change = Survey | None | Callable[[], object]
UNTOUCHED = "untouched"

FIRES: dict[str, Change | str] = {
    "ReliefLedgerDiffers": replace(well(), difference_base_units=1),
    "ReliefLedgerNotCompared": replace(well(), compared_unix_s=NOW.timestamp() - 7200),
    "ReliefAlarmOpen": figures(alarms={"sequence_gap": 1}),
    "ReliefQueueOld": figures(queue_since=NOW - timedelta(hours=2)),
    "ReliefDeadlineNear": figures(next_deadline_unix_s=int(NOW.timestamp()) + 3600),
    "ReliefPayoutsSkipped": figures(payouts={PayoutState.SKIPPED: StateSum(1, TOKEN)}),
    "ReliefReserveLow": reserve(supply_base_units=38 * 10**5 * TOKEN),
    "ReliefReserveStale": reserve(stale_after_unix_s=int(NOW.timestamp()) + 86_400),
    "ReliefBudgetLow": figures(budgets=[BudgetFigures(1, "flood", 10**6 * TOKEN, TOKEN)]),
    "ReliefGrantsOverdue": figures(grants={"overdue": 2}),
    "ReliefProcessDown": UNTOUCHED,
    "ReliefWorkerStands": lambda: metrics.LAST_ROUND.set(NOW.timestamp() - 600),
    "ReliefRoundsBrokenOff": lambda: metrics.ROUNDS.labels("chain_unavailable").inc(30),
    "ReliefSurveyStale": None,
    "ReliefNoLaneHeld": lane(owner=None),
    "ReliefLaneOutOfFunds": lane(out_of_funds=True),
    "ReliefLaneGasLow": chain(affordable={LANE: 99}),
    "ReliefNonceGap": lane(next_nonce=9),
    "ReliefTransactionsRefused": figures(refused=1),
    "ReliefReverts": lambda: metrics.count_step("execute_chunk", "reverted"),
    "ReliefReplacements": lambda: metrics.count_step("execute_chunk", "replaced", 11),
    "ReliefConfirmationSlow": lambda: [
        metrics.CONFIRMATION_SECONDS.labels("included").observe(500) for _ in range(5)
    ],
    "ReliefIndexerLag": figures(events=Position(100, int(NOW.timestamp()) - 1000)),
    "ReliefHeadStale": chain(timestamp_unix_s=int(NOW.timestamp()) - 3600),
    "ReliefDeepReorg": lambda: metrics.REORGS.observe(20),
    "ReliefNodeErrors": lambda: metrics.RPC_ERRORS.labels("n", "eth_call", "unavailable").inc(60),
    "ReliefApiErrors": lambda: call("503", 0.01),
    "ReliefApiSlow": lambda: call("200", 9.0),
}


def scrape(survey: Survey | None) -> str:
    registry = CollectorRegistry()
    collector = SurveyCollector()
    collector.survey = survey
    registry.register(collector)
    return (generate_latest(REGISTRY) + generate_latest(registry)).decode()


def scraped(change: Change, *, up: int = 1) -> Scrapes:
    """Two scrapes a minute apart; what is to be seen happens in between."""
    scrapes = Scrapes()
    metrics.LAST_ROUND.set(NOW.timestamp())
    state = f'# TYPE up gauge\nup{{job="relief-worker",instance="a"}} {up}\n'
    scrapes.add(NOW.timestamp() - 60, scrape(well()) + state)
    seen = well() if callable(change) else change
    if callable(change):
        change()
    call("200", 0.01, times=1)
    scrapes.add(NOW.timestamp(), scrape(seen) + state)
    return scrapes


def test_no_alert_fires_where_all_is_well() -> None:
    scrapes = scraped(well())
    assert [rule["alert"] for rule in RULES if scrapes.holds(rule["expr"])] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_fires_when_what_it_watches_goes_wrong(rule: dict[str, Any]) -> None:
    change = FIRES[rule["alert"]]
    scrapes = scraped(well(), up=0) if isinstance(change, str) else scraped(change)
    assert scrapes.holds(rule["expr"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_has_words_a_severity_and_a_section_of_the_runbook(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("Relief")
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"].endswith(".")
    document, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert anchor == re.sub(r"(?<!^)(?=[A-Z])", "-", rule["alert"]).lower()
    headings = re.findall(r"^#+ (.+)$", (PROJECT_ROOT / document).read_text(), re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


def exported() -> dict[str, set[str]]:
    """The labels of each sample that may be exported, by its name."""
    labels: dict[str, set[str]] = {}
    for collector in set(REGISTRY._collector_to_names):
        for family in collector.collect():
            names = set(getattr(collector, "_labelnames", ()))
            suffixes = {
                "counter": ["_total"],
                "histogram": ["_bucket", "_count", "_sum"],
            }.get(family.type, [""])
            for suffix in suffixes:
                labels[family.name + suffix] = names
    collector = SurveyCollector()
    collector.survey = well()
    for family in collector.collect():
        labels[family.name] = {name for sample in family.samples for name in sample.labels}
    return labels | NOT_OURS


def selectors(node: Any) -> Iterator[tuple[str, set[str]]]:
    """The metrics an expression reads, each with the labels that it is matched or grouped by."""
    kind = type(node).__name__
    if kind == "VectorSelector":
        yield node.name, {matcher.name for matcher in node.matchers.matchers}
    elif kind == "MatrixSelector":
        yield from selectors(node.vector_selector)
    elif kind == "AggregateExpr":
        by = set(node.modifier.labels) if node.modifier is not None else set()
        for name, matched in selectors(node.expr):
            yield name, matched | by
    elif kind == "BinaryExpr":
        yield from selectors(node.lhs)
        yield from selectors(node.rhs)
    elif kind == "Call":
        for argument in node.args:
            yield from selectors(argument)
    elif kind == "ParenExpr":
        yield from selectors(node.expr)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_rules_and_dashboard_read_metrics_and_labels_that_are_exported(expression: str) -> None:
    known = exported()
    for name, labels in selectors(promql.parse(expression.replace("$__rate_interval", "5m"))):
        assert name in known
        assert labels <= known[name] | ADDED_LABELS, name


def test_no_two_panels_overlap_and_each_has_a_title() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        assert panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_kind_of_alarm_is_explained_in_the_handbook() -> None:
    text = (PROJECT_ROOT / "docs" / "operations.md").read_text()
    assert [kind for kind in AlarmKind if f"`{kind}`" not in text] == []


def test_every_metric_is_listed_in_the_handbook() -> None:
    text = (PROJECT_ROOT / "docs" / "operations.md").read_text()
    names = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported()}
    missing = {n for n in names if n.startswith("relief_") and f"`{n}`" not in text}
    assert missing == set()


def test_no_metric_has_a_label_with_values_without_bound() -> None:
    allowed = {
        *("state", "kind", "step", "stage", "method", "route", "status", "node", "reason"),
        *("outcome", "reader", "lane", "programme", "contract", "version", "python"),
    }
    names = exported()
    ours = {label for name in names if name.startswith("relief_") for label in names[name]}
    assert ours <= allowed
