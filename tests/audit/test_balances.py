"""Balances and overdrafts as SQL has them, against one wallet after the other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.audit.abi import Contract
from service.audit.balances import Balances
from service.audit.decode import Event, LogPlace
from service.audit.overdrafts import PAYERS_AT_A_TIME, Overdraft, overdrafts
from service.audit.transfer_rows import TransferRows
from service.audit.transfers import TransferRun
from service.audit.wallets import AMOUNT_BYTES

ZERO = bytes(20)
WALLETS = [ZERO, *(bytes([number]) * 20 for number in (1, 2, 0x7F, 0x80, 0xFF))]


@dataclass
class Model:
    """What a wallet holds, one transfer after the other."""

    held: defaultdict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    overdrafts: list[Overdraft] = field(default_factory=list)

    def take(self, block: int, source: bytes, target: bytes, value: int) -> None:
        if source != ZERO:
            if self.held[source] < value:
                tx = bytes([block]) * 32
                self.overdrafts.append(Overdraft(source, block, tx, self.held[source], value))
            self.held[source] -= value
        if target != ZERO or source == ZERO:
            self.held[target] += value


moves = st.tuples(
    st.sampled_from(WALLETS),
    st.sampled_from(WALLETS),
    st.one_of(st.integers(0, 50), st.integers(2**64 - 2, 2**67)),
)
blocks = st.lists(st.lists(moves, min_size=1, max_size=6), min_size=1, max_size=6)


def transfer(block: int, log_index: int, source: bytes, target: bytes, value: int) -> Event:
    args = {"from": source, "to": target, "value": value}
    return Event(
        Contract.TOKEN, "Transfer", args, block, 0, bytes(32), bytes([block]) * 32, 0, log_index
    )


def assert_same(balances: Balances, model: Model) -> None:
    held = sorted(model.held.items())
    assert list(balances.items()) == held
    wallets = balances.wallets()
    assert wallets.total == sum(model.held.values())
    assert wallets.holders == sum(bool(v) for _, v in held)
    assert b"".join(balances.packed()) == b"".join(
        account + amount.to_bytes(AMOUNT_BYTES, "big", signed=True)
        for account, amount in held
        if amount
    )


@given(blocks, st.integers(1, 8), st.sets(st.integers(0, 5)))
def test_balances_and_overdrafts_are_those_of_each_wallet_by_itself(
    chain: list[list[tuple[bytes, bytes, int]]], rows_a_file: int, kept_after: set[int]
) -> None:
    """Whatever is on disk, and wherever it was kept and gone on from."""
    balances, model = Balances(rows=TransferRows(rows_a_file=rows_a_file)), Model()
    found: list[Overdraft] = []
    for number, transfers in enumerate(chain):
        for position, move in enumerate(transfers):
            balances.add(transfer(number, position, *move))
            model.take(number, *move)
        if number in kept_after:
            found += balances.overdrafts()
            assert_same(balances, model)
            opening = b"".join(balances.packed(empty=True))
            balances = Balances(opening, TransferRows(rows_a_file=rows_a_file), balances.checked)
    found += balances.overdrafts()
    assert found == model.overdrafts
    assert list(balances.overdrafts()) == []
    assert_same(balances, model)


def test_a_run_of_transfers_counts_like_each_of_them() -> None:
    one, many = Balances(), Balances()
    place = LogPlace(3, 0, bytes(32), bytes([3]) * 32, 1, 7)
    moves = [(ZERO, WALLETS[1], 5), (ZERO, WALLETS[2], 2**64 - 1), (WALLETS[1], WALLETS[2], 6)]
    entries = b"".join(target + value.to_bytes(8, "big") for _, target, value in moves)
    run = TransferRun(place, b"".join(source for source, _, _ in moves), entries)
    many.add_run(run)
    for event in run.events():
        one.add(event)
    assert list(one.items()) == list(many.items()) == [(WALLETS[1], -1), (WALLETS[2], 2**64 + 5)]
    expected = [Overdraft(WALLETS[1], 3, place.tx, 5, 6)]
    assert list(one.overdrafts()) == list(many.overdrafts()) == expected
    assert one.rows.waiting() == many.rows.waiting()


@pytest.mark.parametrize("others", [set(), {WALLETS[0]}, {WALLETS[2], WALLETS[5]}, {*WALLETS}])
def test_others_stand_where_they_would_by_account(others: set[bytes]) -> None:
    balances = Balances()
    balances.add(transfer(1, 0, ZERO, WALLETS[1], 5))
    balances.add(transfer(1, 1, ZERO, WALLETS[4], 6))
    held = {WALLETS[1]: 5, WALLETS[4]: 6}
    expected = sorted((dict.fromkeys(others, 0) | held).items())
    assert list(balances.with_others(others)) == expected


def test_a_wallet_asked_alone() -> None:
    balances = Balances()
    balances.add(transfer(1, 0, ZERO, WALLETS[1], 5))
    assert (balances.of(WALLETS[1]), balances.of(WALLETS[2])) == (5, 0)


@given(blocks, st.integers(1, 4))
def test_overdrafts_are_the_same_however_many_passes_it_takes(
    chain: list[list[tuple[bytes, bytes, int]]], shares: int
) -> None:
    balances, model = Balances(rows=TransferRows(rows_a_file=3)), Model()
    for number, transfers in enumerate(chain):
        for position, move in enumerate(transfers):
            balances.add(transfer(number, position, *move))
            model.take(number, *move)
    payers = shares * PAYERS_AT_A_TIME
    found = list(overdrafts(balances.rows.reads(), list, payers))
    assert sorted(found, key=repr) == sorted(model.overdrafts, key=repr)


def test_streams_are_merged_in_the_chains_order() -> None:
    """As an archive's are: its files, and transfers too large for them."""
    early, late = TransferRows(), TransferRows()
    late.add_one(place(1), ZERO, WALLETS[1], 2**70)
    early.add_one(place(0), ZERO, WALLETS[1], 5)
    early.add_one(place(2), WALLETS[1], WALLETS[2], 2**63)
    late.add_one(place(3), WALLETS[1], WALLETS[2], 2**70)
    reads = [*early.reads(), *late.reads()]
    (found,) = overdrafts(reads, list, 1)
    assert (found.held, found.spent) == (2**70 + 5 - 2**63, 2**70)


def place(log_index: int) -> LogPlace:
    return LogPlace(1, 0, bytes(32), b"\1" * 32, 0, log_index)
