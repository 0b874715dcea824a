"""What Relief's operations cost when somebody last looked and agreed, in ``snapshot.json``."""

from __future__ import annotations

import json
from pathlib import Path

from tests.gas.chain import gas_chain
from tests.gas.relief import Gas, Relief

SNAPSHOT = Path(__file__).with_name("snapshot.json")
TOLERATED_PER_MILLE = 5


def measure_relief() -> Gas:
    """Measure every operation and function of ours on a chain of its own: four seconds."""
    with gas_chain() as chain, Relief(chain) as relief:
        return relief.measure() | relief.measure_features()


def read_snapshot() -> Gas:
    """Read the snapshot."""
    content = json.loads(SNAPSHOT.read_text())
    return {
        operation: {int(payees): gas for payees, gas in by_payees.items()}
        for operation, by_payees in content.items()
    }


def dearer(measured: Gas, agreed: Gas) -> list[str]:
    """Tell what got dearer by more than 0.5 %, or was not in the snapshot, a line each."""
    lines = []
    for operation, by_payees in measured.items():
        for payees, gas in by_payees.items():
            former = agreed.get(operation, {}).get(payees)
            if former is None:
                lines.append(f"{operation}, {payees} payees: {gas:,} gas, not in the snapshot")
            elif 1_000 * gas > (1_000 + TOLERATED_PER_MILLE) * former:
                change = 100 * (gas / former - 1)
                lines.append(
                    f"{operation}, {payees} payees: {gas:,} gas, {change:+.1f} % on {former:,}"
                )
    return lines
