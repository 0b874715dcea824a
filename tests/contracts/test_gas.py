"""What each operation costs a payee, for 500 payees as one chunk of a batch of eight.

Gas is deterministic, so the ceilings are asserted: a change that makes payments dearer shows here.
The table stands at the end of the test run's output.
"""

from dataclasses import dataclass
from typing import Any

import pytest
from clock import DAY, next_transaction_at
from deployment import Relief
from eth_utils import keccak, to_checksum_address

CHUNK = 500
CHUNKS = 8

CEILINGS = {
    # Operation: what the design aims at, what the contracts keep to now. Gas, a payee unless it
    # says otherwise. Where the second is higher, the aim was missed; it must not get worse.
    "approval with two officers, a batch": (200_000, 197_500),
    "mint to a fresh wallet": (24_900, 24_900),
    "mint to a wallet with a balance": (7_800, 7_800),
    "stream opened, approval included": (7_300, 6_700),
    "range withdrawal with a balance, first": (7_600, 7_350),
    "range withdrawal with a balance, later": (7_600, 7_350),
    "range withdrawal to a fresh wallet": (24_800, 24_450),
    "range withdrawal, 3 of 500 frozen": (9_100, 8_400),
    "range withdrawal after a cancel": (9_100, 8_000),
    "cancelling a stream, nothing paid yet": (4_000, 4_000),
    "own withdrawal with a balance": (65_000, 64_900),
}


@dataclass
class Meter:
    """Batches of realistic wallets, and what their transactions cost."""

    relief: Relief
    entries: list[tuple[str, int]]

    def prepare(self, prepare: Any) -> Any:
        """A batch of eight chunks, not approved yet."""
        return prepare(self.entries, chunk_size=CHUNK)

    def withdraw(self, batch: Any, day: int) -> float:
        """Gas a payee of a range withdrawal from chunk 0 on a day of the streams."""
        next_transaction_at(batch.approval["start"] + day * DAY)
        transaction = self.relief.vault.withdrawChunk(batch.id, 0, {"from": self.relief.anyone})
        return transaction.gas_used / CHUNK


@pytest.fixture
def meter(relief):
    """4,000 random wallets, 600 to 3,300 tokens each; the county was paid before."""
    relief.pay([(relief.payees(1)[0], 10**6)])
    entries = []
    for i in range(CHUNK * CHUNKS):
        digest = keccak(text=f"wallet {i}")
        amount = (600 + digest[20] % 28 * 100) * 10**6
        entries.append((to_checksum_address(digest[:20]), amount))
    return Meter(relief, entries)


def _give_balances(meter: Meter) -> None:
    """Pay each wallet of chunk 0 something before."""
    meter.relief.pay(meter.entries[:CHUNK])


def _measure_one_off(meter: Meter) -> dict[str, float]:
    batch = meter.prepare(meter.relief.batch)
    approval = meter.relief.approve(batch).gas_used
    meter.relief.execute(batch, 0)  # the first chunk opens the bitmap's word, 34 gas a payee
    fresh = meter.relief.execute(batch, 1).gas_used / CHUNK
    again = meter.prepare(meter.relief.batch)
    meter.relief.approve(again)
    meter.relief.execute(again, 0)
    held = meter.relief.execute(again, 1).gas_used / CHUNK
    return {
        "approval with two officers, a batch": approval,
        "mint to a fresh wallet": fresh,
        "mint to a wallet with a balance": held,
    }


def _open(meter: Meter) -> tuple[Any, float]:
    """A batch of streams with chunk 0 open, and what that cost a stream."""
    batch = meter.prepare(meter.relief.stream_batch)
    approval = meter.relief.approve(batch).gas_used
    meter.relief.execute(batch, 1)
    opened = meter.relief.execute(batch, 0).gas_used
    return batch, opened / CHUNK + approval / (CHUNK * CHUNKS)


def _measure_streams(meter: Meter) -> dict[str, float]:
    fresh, opened = _open(meter)
    to_fresh = meter.withdraw(fresh, 1)
    held, _ = _open(meter)
    first, later = meter.withdraw(held, 1), meter.withdraw(held, 2)
    next_transaction_at(held.approval["start"] + 3 * DAY)
    anyone = {"from": meter.relief.anyone}
    meter.relief.vault.withdraw(held.id, 6, anyone)  # opens the word that eight streams share
    own = meter.relief.vault.withdraw(held.id, 7, anyone).gas_used
    return {
        "stream opened, approval included": opened,
        "range withdrawal to a fresh wallet": to_fresh,
        "range withdrawal with a balance, first": first,
        "range withdrawal with a balance, later": later,
        "own withdrawal with a balance": own,
    }


def _measure_frozen(meter: Meter) -> dict[str, float]:
    _give_balances(meter)
    batch, _ = _open(meter)
    for index in (3, 200, 450):
        meter.relief.freeze(meter.entries[index][0])
    worst = max(meter.withdraw(batch, day) for day in (1, 2, 3))
    return {"range withdrawal, 3 of 500 frozen": worst}


def _measure_cancelled(meter: Meter) -> dict[str, float]:
    _give_balances(meter)
    batch, _ = _open(meter)
    next_transaction_at(batch.approval["start"] + DAY // 2)
    meter.relief.cancel_streams(batch, [3])
    worst = max(meter.withdraw(batch, day) for day in (1, 2))
    whole, _ = _open(meter)
    cut = meter.relief.cancel_streams(whole, range(CHUNK)).gas_used / CHUNK
    return {
        "range withdrawal after a cancel": worst,
        "cancelling a stream, nothing paid yet": cut,
    }


@pytest.mark.parametrize(
    "measure", [_measure_one_off, _measure_streams, _measure_frozen, _measure_cancelled]
)
def test_an_operation_costs_no_more_than_its_ceiling(meter, measure, gas_report):
    measured = measure(meter)
    for name, gas in measured.items():
        gas_report.append((name, gas, CEILINGS[name][0]))
    assert {name: gas for name, gas in measured.items() if gas > CEILINGS[name][1]} == {}
