"""What an operation costs is what officers, payees and auditors were told, to half a percent."""

from __future__ import annotations

import re

import pytest

from tests.gas.bench import NAMES, PAGE, by_operation
from tests.gas.chain import Call, gas_chain, named_address
from tests.gas.relief import OPERATIONS
from tests.gas.snapshot import dearer, measure_relief, read_snapshot
from tests.gas.tokens import schedule_floor


@pytest.mark.chain
def test_no_operation_got_dearer_by_more_than_half_a_percent() -> None:
    measured, agreed = measure_relief(), read_snapshot()
    lines = dearer(measured, agreed)
    assert not lines, "\n".join([*lines, "if it is meant, run `make bench-gas-snapshot`"])
    assert measured.keys() == agreed.keys(), "run `make bench-gas-snapshot`"


@pytest.mark.chain
def test_gas_is_what_the_transaction_is_charged_with_the_floor_of_its_calldata() -> None:
    """EIP-7623: at least 21,000 and 40 a byte of calldata that is not zero."""
    sender, nobody = named_address("sender"), named_address("nobody")
    with gas_chain() as chain:
        call = Call(sender, nobody, b"\x01" * 1_000)
        assert chain.send_all([call]) == 61_000
        assert chain.send_all([call] * 7) == 7 * 61_000


@pytest.mark.parametrize(("gas", "lines"), [(20_100, 0), (20_101, 1), (19_000, 0)])
def test_half_a_percent_is_let_pass_and_a_gas_more_is_not(gas: int, lines: int) -> None:
    assert len(dearer({"cancel": {500: gas}}, {"cancel": {500: 20_000}})) == lines


def test_what_got_dearer_is_told_with_both_figures() -> None:
    assert dearer({"cancel": {500: 4_100}}, {"cancel": {500: 4_000}}) == [
        "cancel, 500 payees: 4,100 gas, +2.5 % on 4,000"
    ]


def test_an_operation_that_nobody_agreed_to_is_told() -> None:
    assert dearer({"cancel": {1: 5, 500: 4_000}}, {"cancel": {500: 4_000}}) == [
        "cancel, 1 payees: 5 gas, not in the snapshot"
    ]


def test_the_floor_of_a_mint_to_a_new_wallet_is_the_schedule_s() -> None:
    """21,000 + 5,000 + 22,100 + 1,756 and an entry of 28 bytes, of which 20 to 28 are not zero."""
    floor = schedule_floor()["schedule_floor"]
    assert 49_856 + 20 * 16 < floor["mint_fresh"][1] < 49_856 + 28 * 16
    assert floor["mint_fresh"][1] - floor["mint_existing"][1] == 17_100
    assert floor["withdraw_relayed_existing"] == {1: 32_756, 100: 7_016, 500: 6_808}


def test_the_page_tells_what_the_snapshot_says() -> None:
    page = PAGE.read_text()
    for operation, by_payees in read_snapshot().items():
        (row,) = re.findall(rf"^\| `{operation}`(?:, a batch)? \| [*\d].*$", page, re.MULTILINE)
        told = {figure.replace(",", "") for figure in re.findall(r"[\d,]+", row)}
        assert {str(gas) for gas in by_payees.values()} <= told


def test_the_result_lists_each_implementation_under_the_operation() -> None:
    gas = {1: 3, 100: 2, 500: 1}
    ours = dict.fromkeys(OPERATIONS, gas)
    others = {name: {} for name in NAMES} | {"schedule_floor": {"mint_fresh": gas}}
    listed = by_operation({**others, "relief": ours})
    assert listed["mint_fresh"] == {"relief": gas, "schedule_floor": gas}
    assert listed["cancel"] == {"relief": gas}
