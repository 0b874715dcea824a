"""So much of PromQL as the project's alert rules use, on scrapes of real exposition text.

The parser is Prometheus' own grammar (``promql-parser``); ``rate`` and ``increase`` take the first
and the last scrape, without extrapolation.
"""

from __future__ import annotations

import math
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import promql_parser as promql
from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]

ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
}
AGGREGATIONS: Mapping[str, Callable[[Iterable[float]], float]] = {
    "max": max,
    "min": min,
    "sum": math.fsum,
}


@dataclass
class Scrapes:
    """What was scraped, oldest first; each with its time."""

    taken: list[tuple[float, dict[str, Vector]]] = field(default_factory=list)

    def add(self, at_unix_s: float, text: str) -> None:
        """Keep one exposition."""
        samples: dict[str, Vector] = defaultdict(dict)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples[sample.name][frozenset(sample.labels.items())] = sample.value
        self.taken.append((at_unix_s, samples))

    def holds(self, expression: str) -> bool:
        """Tell whether an alert of this expression would be pending now."""
        return bool(self._vector(promql.parse(expression)))

    def value(self, expression: str) -> float:
        """Return the one value of an expression."""
        (value,) = self._vector(promql.parse(expression)).values()
        return value

    # ---- evaluation ----------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return self.taken[-1][0]

    def _vector(self, node: Any) -> Vector:
        found = self._evaluate(node)
        return {frozenset(): found} if isinstance(found, float) else found

    def _evaluate(self, node: Any) -> Vector | float:
        match type(node).__name__:
            case "NumberLiteral":
                return float(node.val)
            case "ParenExpr":
                return self._evaluate(node.expr)
            case "VectorSelector":
                return self._select(node, self.taken[-1][1])
            case "AggregateExpr":
                return self._aggregate(node)
            case "Call":
                return self._call(node)
            case "BinaryExpr":
                return self._binary(node)
        raise NotImplementedError(type(node).__name__)

    def _select(self, node: Any, samples: Mapping[str, Vector]) -> Vector:
        matchers = list(node.matchers.matchers)
        return {
            labels: value
            for labels, value in samples.get(node.name, {}).items()
            if all(_matches(matcher, dict(labels)) for matcher in matchers)
        }

    def _aggregate(self, node: Any) -> Vector:
        by = set(node.modifier.labels) if node.modifier is not None else set()
        groups: dict[Labels, list[float]] = defaultdict(list)
        for labels, value in self._vector(node.expr).items():
            groups[frozenset(pair for pair in labels if pair[0] in by)].append(value)
        combine = AGGREGATIONS[str(node.op)]
        return {labels: combine(values) for labels, values in groups.items()}

    def _call(self, node: Any) -> Vector | float:
        name, args = node.func.name, node.args
        if name == "time":
            return self.now
        if name == "absent":
            return {} if self._vector(args[0]) else {frozenset(): 1.0}
        if name == "scalar":
            values = list(self._vector(args[0]).values())
            return values[0] if len(values) == 1 else math.nan
        if name in ("rate", "increase"):
            return self._increase(args[0], per_second=name == "rate")
        if name == "histogram_quantile":
            return _quantile(float(self._evaluate(args[0])), self._vector(args[1]))  # type: ignore[arg-type]
        raise NotImplementedError(name)

    def _increase(self, matrix: Any, *, per_second: bool) -> Vector:
        (began, first), (ended, last) = self.taken[0], self.taken[-1]
        before = self._select(matrix.vector_selector, first)
        after = self._select(matrix.vector_selector, last)
        seconds = ended - began if per_second else 1.0
        return {
            labels: (value - before.get(labels, 0.0)) / seconds for labels, value in after.items()
        }

    def _binary(self, node: Any) -> Vector | float:
        op = str(node.op)
        left, right = self._evaluate(node.lhs), self._evaluate(node.rhs)
        if op == "or":
            assert isinstance(left, dict)
            assert isinstance(right, dict)
            return {**right, **left}
        if op in ARITHMETIC:
            return _combine(left, right, ARITHMETIC[op])
        compare = COMPARISONS[op]
        assert isinstance(left, dict), "alerts compare a vector"
        return {
            labels: value
            for labels, value in left.items()
            if (other := right if isinstance(right, float) else right.get(labels)) is not None
            and compare(value, other)
        }


def _combine(
    left: Vector | float, right: Vector | float, act: Callable[[float, float], float]
) -> Vector | float:
    if isinstance(left, float) and isinstance(right, float):
        return act(left, right)
    if isinstance(left, float):
        assert isinstance(right, dict)
        return {labels: act(left, value) for labels, value in right.items()}
    if isinstance(right, float):
        return {labels: act(value, right) for labels, value in left.items()}
    return {labels: act(value, right[labels]) for labels, value in left.items() if labels in right}


def _matches(matcher: Any, labels: Mapping[str, str]) -> bool:
    import re

    value, op = labels.get(matcher.name, ""), str(matcher.op)
    if op.endswith("NotEqual"):
        return value != matcher.value
    if op.endswith("Equal"):
        return bool(value == matcher.value)
    found = re.fullmatch(matcher.value, value) is not None
    return not found if op.endswith("NotRe") else found


def _quantile(q: float, buckets: Vector) -> Vector:
    groups: dict[Labels, list[tuple[float, float]]] = defaultdict(list)
    for labels, count in buckets.items():
        plain = frozenset(pair for pair in labels if pair[0] != "le")
        groups[plain].append((float(dict(labels)["le"]), count))
    found: Vector = {}
    for labels, counted in groups.items():
        counted.sort()
        total = counted[-1][1]
        if total == 0:
            continue
        below, lower = 0.0, 0.0
        for bound, count in counted:
            if count >= q * total:
                if math.isinf(bound):
                    found[labels] = lower
                else:
                    share = (q * total - below) / (count - below)
                    found[labels] = lower + (bound - lower) * share
                break
            below, lower = count, bound
    return found
