"""docs/contracts-reference.md and docs/contracts.md say all of the contracts, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from eth_utils.crypto import keccak

from scripts.contracts_reference import ARGUMENTS, reference
from service.application.doctor.authority import HOUSEKEEPING
from service.chain.devnode import DevNode
from service.config import PROJECT_ROOT
from tests.support.deployed import Deployed, deploy

PAGE = (PROJECT_ROOT / "docs" / "contracts-reference.md").read_text()
CONTRACTS = {
    "vault": "AllowanceVault",
    "token": "BenefitToken",
    "lane": "EmergencyLane",
    "registry": "OfficerRegistry",
    "manager": "RoleManager",
    "p256_verifier": "P256Verifier",
    "passkey_verifier": "PasskeyVerifier",
}


@cache
def _artifact(contract: str) -> dict[str, Any]:
    path = PROJECT_ROOT / "build" / "contracts" / f"{contract}.json"
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _rows(contract: str, *titles: str) -> Iterator[list[str]]:
    for title in titles:
        _, heading, text = PAGE.partition(f"### {contract}: {title}\n")
        for line in text.partition("\n#")[0].splitlines()[3:] if heading else ():
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_the_page_is_what_the_compiler_says() -> None:
    assert reference() == PAGE, (
        "run `python -m scripts.contracts_reference > docs/contracts-reference.md`"
    )


def test_nothing_stands_there_without_a_meaning() -> None:
    silent = [line for line in PAGE.splitlines() if re.search(r"\|\s*\|$", line)]
    assert silent == []


def _canonical(entry: dict[str, Any]) -> str:
    kind: str = entry["type"]
    if not kind.startswith("tuple"):
        return kind
    return "(" + ",".join(map(_canonical, entry["components"])) + ")" + kind[5:]


@pytest.mark.parametrize("contract", CONTRACTS.values())
@pytest.mark.parametrize(
    ("kind", "digits", "titles"),
    [
        ("function", 8, ("functions that change something", "views")),
        ("event", 64, ("events",)),
        ("error", 8, ("errors",)),
    ],
)
def test_each_function_event_and_error_of_the_compiled_contract_is_listed_and_no_other(
    contract: str, kind: str, digits: int, titles: tuple[str, ...]
) -> None:
    compiled = {
        "0x" + keccak(text=f"{e['name']}({','.join(map(_canonical, e['inputs']))})").hex()[:digits]
        for e in _artifact(contract)["abi"]
        if e["type"] == kind
    }
    listed = [re.findall(r"`(0x[0-9a-f]+)`", row[0])[0] for row in _rows(contract, *titles)]
    assert sorted(compiled) == sorted(listed)


@pytest.mark.parametrize("contract", CONTRACTS.values())
def test_each_argument_of_an_event_has_a_meaning(contract: str) -> None:
    dark = [
        f"{event.partition('(')[0]}: {name}"
        for event, meaning in _rows(contract, "events")
        for name in re.findall(r"(\w+)[,)]", event)
        if name not in ARGUMENTS and f"`{name}`:" not in meaning
    ]
    assert dark == []


# ---- docs/contracts.md ---------------------------------------------------------------------------


def _who_may_call() -> list[tuple[str, str]]:
    text = (PROJECT_ROOT / "docs" / "contracts.md").read_text()
    section = text.partition("## Who may call what\n")[2].partition("\n## ")[0]
    return [
        (who.strip(), function)
        for who, functions in re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)
        for function in re.findall(r"`(\w+\.\w+)`", functions)
    ]


def test_every_function_that_changes_something_stands_once_in_who_may_call_what() -> None:
    changing = [
        f"{key}.{entry['name']}"
        for key, contract in CONTRACTS.items()
        for entry in _artifact(contract)["abi"]
        if entry["type"] == "function" and entry["stateMutability"] in ("nonpayable", "payable")
    ]
    assert sorted(function for _, function in _who_may_call()) == sorted(changing)


def test_who_may_call_what_gives_each_role_the_functions_that_the_deployment_gives_it() -> None:
    given = {
        (f"role {role}", f"{key}.{signature.partition('(')[0]}")
        for role, functions in HOUSEKEEPING.items()
        for key, signature in functions
    }
    assert {row for row in _who_may_call() if row[0].startswith("role ")} == given


def test_what_takes_officers_signatures_is_theirs_to_call_and_nothing_else() -> None:
    signed = {
        f"{key}.{entry['name']}"
        for key in ("vault", "token", "lane", "registry")
        for entry in _artifact(CONTRACTS[key])["abi"]
        if entry["type"] == "function"
        and entry["stateMutability"] == "nonpayable"
        and any(argument["name"] == "signatures" for argument in entry["inputs"])
    }
    officers = {
        function for who, function in _who_may_call() if "signing" in who and "holder" not in who
    }
    assert officers | {"registry.consumeQuorum"} == signed


def test_each_test_that_is_named_is_there() -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", (PROJECT_ROOT / "docs" / "contracts.md").read_text())
    assert [path for path in named if not (PROJECT_ROOT / path).exists()] == []


def test_each_invariant_of_the_property_tests_stands_in_their_table() -> None:
    source = (PROJECT_ROOT / "tests/forge/invariants/Payments.t.sol").read_text()
    asked = [
        name
        for body in re.findall(
            r"function invariant_\w+\(\) external view \{(.*?)\n    \}", source, re.DOTALL
        )
        for name in re.findall(r"(_\w+)\(\);", body)
    ]
    text = (PROJECT_ROOT / "docs" / "contracts.md").read_text()
    _, _, table = text.partition("| invariant (`tests/forge/invariants/Payments.t.sol`) | holds |")
    listed = re.findall(r"^\| `(_\w+)` \|", table, re.MULTILINE)
    assert sorted(listed) == sorted(asked) != []


# ---- On a chain ----------------------------------------------------------------------------------


@pytest.fixture
def deployed(chain: DevNode) -> Iterator[Deployed]:
    made = deploy(chain)
    yield made
    made.rpc.close()


def _lies(contract: str, label: str) -> tuple[int, int, int]:
    """Slot, first byte and bytes of a value, as the page has them."""
    within: str | None = None
    for slot, byte, size, what, _ in _rows(contract, "storage"):
        name = what.split("`")[1]
        if not slot.startswith("+"):
            within = slot
        if name == label:
            further = int(slot) if slot.startswith("+") else 0
            return int(within or "0") << 8 | further, int(byte or "0"), int(size)
    raise AssertionError(f"{label} is not in the storage of {contract}")


def _value(deployed: Deployed, key: str, label: str, *keys: int) -> int:
    place, byte, size = _lies(CONTRACTS[key], label)
    slot, further = place >> 8, place & 0xFF
    for each in keys:
        slot = int.from_bytes(keccak(each.to_bytes(32, "big") + slot.to_bytes(32, "big")), "big")
    address = deployed.deployment.contracts[key].address
    word = int(deployed.node.rpc("eth_getStorageAt", address, hex(slot + further), "latest"), 16)
    return word >> (8 * byte) & ((1 << (8 * size)) - 1)


def test_the_slots_hold_what_the_contracts_answer(deployed: Deployed) -> None:
    contracts, rpc = deployed.contracts, deployed.rpc
    vault = int(deployed.vault, 16)
    minter = contracts.read(rpc, "token", "minter", deployed.vault)
    officer = contracts.read(rpc, "registry", "officer", 2)
    limits = contracts.read(rpc, "lane", "limits")
    assert _value(deployed, "token", "_totals.cap") == contracts.read(rpc, "token", "cap") > 0
    assert _value(deployed, "token", "_minters[account].cap", vault) == minter["cap"] > 0
    assert _value(deployed, "registry", "_officers[officerId].roles", 2) == officer["roles"] > 0
    activated = _value(deployed, "registry", "_officers[officerId].activeFrom", 2)
    assert activated == officer["activeFrom"] > 0
    assert _value(deployed, "registry", "seq") == contracts.read(rpc, "registry", "seq") > 0
    assert _value(deployed, "lane", "_limits.country") == limits["country"] > 0
    assert _value(deployed, "lane", "_limits.provinceOverdue") == limits["provinceOverdue"] > 0
    assert _value(deployed, "vault", "_authority") == int(deployed.deployment.manager, 16)
