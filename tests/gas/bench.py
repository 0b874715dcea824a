"""Relief's gas beside every peer's, in one run: ``make bench-gas``.

Prints Markdown tables and writes ``var/bench/gas.json``:
``{operation: {implementation: {"1": gas, "100": gas, "500": gas}}}``, our implementation being
``relief``. With ``--snapshot`` (``make bench-gas-snapshot``) it also rewrites what was agreed to:
``tests/gas/snapshot.json`` and the tables in docs/gas.md.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator

from service.config import PROJECT_ROOT
from tests.gas.chain import gas_chain
from tests.gas.relief import OPERATIONS, Gas, Relief
from tests.gas.sablier import Flow, Lockup
from tests.gas.snapshot import SNAPSHOT
from tests.gas.superfluid import Superfluid
from tests.gas.tokens import measure_tokens, schedule_floor

RESULT = PROJECT_ROOT / "var" / "bench" / "gas.json"
PAGE = PROJECT_ROOT / "docs" / "gas.md"
FROM_HERE = "<!-- `make bench-gas-snapshot` writes from here -->"
TO_HERE = "<!-- to here -->"
NAMES = {
    "relief": "**Relief**",
    "openzeppelin_transfer": "OpenZeppelin ERC-20, a transfer each",
    "openzeppelin_mint_batch": "OpenZeppelin ERC-20, batch mint",
    "solady_transfer": "Solady ERC-20, a transfer each",
    "solady_mint_batch": "Solady ERC-20, batch mint",
    "sablier_lockup": "Sablier Lockup",
    "sablier_flow": "Sablier Flow",
    "superfluid_cfa": "Superfluid CFA",
    "schedule_floor": "schedule floor, computed",
}
REACH = {
    "approval": 200_000,
    "mint_fresh": 24_900,
    "mint_existing": 7_800,
    "stream_open": 7_300,
    "withdraw_self_existing": 65_000,
    "withdraw_relayed_fresh": 24_800,
    "withdraw_relayed_existing_first": 7_600,
    "withdraw_relayed_existing": 7_600,
    "cancel": 4_000,
    "withdraw_relayed_3_frozen": 9_100,
    "withdraw_relayed_after_cancel": 9_100,
}
"""What the design aims at, for 500 payees."""
A_BATCH = ("approval", "officer_signature")
PAYEES_OF_A_BATCH = 4_000


def measure_all() -> tuple[dict[str, Gas], Gas, str]:
    """Measure each implementation on a chain of its own; our other functions; what node it was."""
    with gas_chain() as chain, Relief(chain) as relief:
        measured = {"relief": relief.measure()}
        features = relief.measure_features()
        node = str(chain.node.rpc("web3_clientVersion"))
    with gas_chain() as chain:
        measured |= measure_tokens(chain)
    for name, peer in (
        ("sablier_lockup", Lockup),
        ("sablier_flow", Flow),
        ("superfluid_cfa", Superfluid),
    ):
        with gas_chain() as chain:
            measured[name] = peer(chain).measure()
    return measured | schedule_floor(), features, node


def by_operation(measured: dict[str, Gas]) -> dict[str, Gas]:
    """Turn implementation → operation → payees into operation → implementation → payees."""
    return {
        operation: {
            name: measured[name][operation] for name in NAMES if operation in measured[name]
        }
        for operation in OPERATIONS
    }


def operations_table(operations: dict[str, Gas]) -> Iterator[str]:
    """Yield the lines of the table of operations, ours beside every peer's."""
    yield "| gas a payee | | 1 | 100 | 500 | × Relief | reach at 500 |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for operation, implementations in operations.items():
        ours = implementations["relief"][500]
        shown = f"`{operation}`" + (", a batch" if operation in A_BATCH else "")
        for name, gas in implementations.items():
            figures = " | ".join(f"{gas[payees]:,}" for payees in (1, 100, 500))
            times = "" if name == "relief" else f"{gas[500] / ours:.2f}"
            reach = _reach(operation) if name == "relief" else ""
            yield f"| {shown} | {NAMES[name]} | {figures} | {times} | {reach} |"
            shown = ""


def functions_table(features: Gas) -> Iterator[str]:
    """Yield the lines of the table of our other functions."""
    yield "| Relief's exceptions and other functions | payees | gas a payee | reach |"
    yield "|---|---:|---:|---:|"
    for operation, by_payees in features.items():
        for payees, gas in by_payees.items():
            yield f"| `{operation}` | {payees} | {gas:,} | {_reach(operation)} |"


def costs_table(operations: dict[str, Gas], features: Gas) -> Iterator[str]:
    """Yield the lines of the table of what a feature adds, as differences of what was measured."""
    ours = {operation: names["relief"][500] for operation, names in operations.items()}
    plain = operations["mint_existing"]["openzeppelin_mint_batch"][500]
    held = ours["withdraw_relayed_existing"]
    rows = {
        "officers' approval: signatures, tiers, budget, reserve, commitment": ours["approval"]
        / PAYEES_OF_A_BATCH,
        "one more reviewer": ours["officer_signature"] / PAYEES_OF_A_BATCH,
        "paying from an approved batch (chunk proof, cap, freeze, pause, skip, events) over"
        " OpenZeppelin's batch mint, which checks nothing": ours["mint_existing"] - plain,
        "a stream opened, over a one-off payment to a new wallet": ours["stream_open"]
        - ours["mint_fresh"],
        "a range withdrawal of a stream over a one-off payment": held - ours["mint_existing"],
        "withdrawing alone over with the range": ours["withdraw_self_existing"] - held,
        "3 of 500 frozen, for each of the range": features["withdraw_relayed_3_frozen"][500] - held,
        "a cut stream, for each of the range": features["withdraw_relayed_after_cancel"][500]
        - held,
    }
    yield "| what a feature costs | gas a payee |"
    yield "|---|---:|"
    for feature, gas in rows.items():
        yield f"| {feature} | {gas:+,.0f} |"


def _reach(operation: str) -> str:
    return f"≤ {REACH[operation]:,}" if operation in REACH else ""


def main(arguments: list[str]) -> None:
    """Run the benchmark; with ``--snapshot``, agree to what it measured."""
    if arguments not in ([], ["--snapshot"]):
        raise SystemExit("usage: python -m tests.gas.bench [--snapshot]")
    measured, features, node = measure_all()
    operations = by_operation(measured)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(operations, indent=2) + "\n")
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {node}, Osaka"
    lines = [
        f"Measured on {machine}.",
        "",
        *operations_table(operations),
        "",
        *costs_table(operations, features),
        "",
        *functions_table(features),
    ]
    print("\n".join(lines))
    print(f"\nalso in {RESULT.relative_to(PROJECT_ROOT)}")
    if arguments:
        agreed = measured["relief"] | features
        SNAPSHOT.write_text(json.dumps(agreed, indent=2) + "\n")
        before, _, rest = PAGE.read_text().partition(FROM_HERE)
        after = rest.partition(TO_HERE)[2]
        written = "\n".join([FROM_HERE, "", *lines, "", TO_HERE])
        PAGE.write_text(before + written + after)


if __name__ == "__main__":
    main(sys.argv[1:])
