"""Many views in one call: told apart byte by byte, and the same as each by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.audit.balances import Balances
from service.audit.decode import hex_text
from service.audit.findings import Code
from service.audit.report import ReplayReport
from service.audit.rpc import Node
from service.audit.view_batches import comparing_code, fitting
from service.audit.views import calldata
from tests.audit.checking import Replayed
from tests.audit.lying_node import lying_node
from tests.audit.scenario import Scenario, payee

Audit = Callable[..., ReplayReport]


@pytest.fixture
def ask(scenario: Scenario) -> Callable[..., list[int]]:
    """Compares views of the token in one call."""

    def compared(views: list[tuple[bytes, bytes]]) -> list[int]:
        token = bytes.fromhex(scenario.deployed.contracts.address("token")[2:])
        with Node(scenario.deployed.node.rpc_url) as node:
            said = node.call("eth_call", {"data": hex_text(comparing_code(token, views))}, "latest")
        return list(bytes.fromhex(said[2:]))

    return compared


def balance_view(scenario: Scenario, number: int, more: int = 0) -> tuple[bytes, bytes]:
    holder = payee(number).address
    balance = scenario.deployed.read("token", "balanceOf", holder) + more
    return calldata("balanceOf(address)", bytes.fromhex(holder[2:])), balance.to_bytes(32, "big")


def test_each_answer_has_a_byte_of_its_own(
    scenario: Scenario, ask: Callable[..., list[int]]
) -> None:
    right, wrong = balance_view(scenario, 0), balance_view(scenario, 1, more=1)
    assert ask([right]) == [1]
    assert ask([wrong]) == [0]
    assert ask([right, wrong, right, right, wrong]) == [1, 0, 1, 1, 0]


def test_as_many_as_fit_are_answered(scenario: Scenario, ask: Callable[..., list[int]]) -> None:
    most = fitting(36, 32)
    assert most > 700
    right, wrong = balance_view(scenario, 0), balance_view(scenario, 0, more=1)
    assert ask([right] * (most - 1) + [wrong]) == [1] * (most - 1) + [0]
    with pytest.raises(ValueError, match=f"{most + 1} views"):
        comparing_code(bytes(20), [right] * (most + 1))


def test_a_call_that_reverts_differs_whatever_is_expected(ask: Callable[..., list[int]]) -> None:
    unknown = bytes.fromhex("deadbeef")
    assert ask([(unknown, b""), (unknown, b"")]) == [0, 0]


def test_an_answer_of_another_length_differs(
    scenario: Scenario, ask: Callable[..., list[int]]
) -> None:
    call, balance = balance_view(scenario, 0)
    attestation = calldata("attestation()")
    whole = scenario.deployed.read("token", "attestation")
    first = whole["amount"].to_bytes(32, "big")
    assert ask([(attestation, first)]) == [0]
    assert ask([(call, balance + bytes(32))]) == [0]


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="unpack"):
        comparing_code(bytes(20), [(b"a", b"b"), (b"aa", b"b")])


def test_a_wrong_balance_among_many_is_named_and_no_other(replayed: Replayed) -> None:
    holder = bytes.fromhex(payee(0).address[2:])
    records = [
        account + (amount + (account == holder)).to_bytes(16, "big")
        for account, amount in replayed.state.token.balances.items()
    ]
    token = replace(replayed.state.token, balances=Balances(b"".join(records)))
    state = replace(replayed.state, token=token)
    (finding,) = replayed.against_views(state)
    assert (finding.code, payee(0).address in finding.message) == (Code.VIEW_MISMATCH, True)


def test_without_such_calls_as_many_views_are_compared(scenario: Scenario, audit: Audit) -> None:
    asked: list[dict[str, Any]] = []

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_call":
            asked.append(params[0])
            return "0x" if "to" not in params[0] else result
        return result

    honest = audit()
    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        report = audit(rpc=url)
    assert (report.findings, report.views) == ([], honest.views)
    assert sum("to" in call for call in asked) > report.views
