"""What the audit states by itself, held to the contracts' sources and artifacts."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from eth_hash.auto import keccak

from service.audit.abi import EVENTS, Contract
from service.audit.signatures import DOMAIN_NAMES, TYPEHASHES, TYPES, TYPES_OF
from service.audit.transaction_rows import SELECTORS
from service.config import PROJECT_ROOT

ARTIFACTS = {
    Contract.VAULT: "AllowanceVault",
    Contract.TOKEN: "BenefitToken",
    Contract.REGISTRY: "OfficerRegistry",
    Contract.MANAGER: "RoleManager",
    Contract.LANE: "EmergencyLane",
}
SOURCES = {
    Contract.VAULT: ("AllowanceVault", "VaultState", "VaultAdministration", "VaultCorrections"),
    Contract.TOKEN: ("BenefitToken",),
    Contract.REGISTRY: ("OfficerRegistry",),
    Contract.LANE: ("EmergencyLane",),
}
COMPILED = {
    Contract.VAULT: ("AllowanceVault", "VaultAdministration", "VaultCorrections"),
    Contract.TOKEN: ("BenefitToken",),
    Contract.REGISTRY: ("OfficerRegistry",),
    Contract.LANE: ("EmergencyLane",),
}
"""Contracts whose code is run at an address; VaultState is a part of the vault's three."""
HOLDERS_TYPES = {
    *("Permit", "TransferWithAuthorization", "ReceiveWithAuthorization"),
    *("CancelAuthorization", "RedeemWithAuthorization"),
}
"""Typed data that holders of tokens sign: no officer's business."""


def abi(contract: Contract) -> list[dict[str, Any]]:
    path = PROJECT_ROOT / "build" / "contracts" / f"{ARTIFACTS[contract]}.json"
    entries: list[dict[str, Any]] = json.loads(path.read_text())["abi"]
    return entries


def canonical(parameter: dict[str, Any]) -> str:
    if not parameter["type"].startswith("tuple"):
        return str(parameter["type"])
    inner = ",".join(canonical(member) for member in parameter["components"])
    return f"({inner}){parameter['type'].removeprefix('tuple')}"


def signature(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(canonical(each) for each in entry['inputs'])})"


@pytest.mark.parametrize("contract", Contract)
def test_the_events_are_those_of_the_compiled_contract(contract: Contract) -> None:
    compiled = {
        signature(entry): [(each["name"], each["indexed"]) for each in entry["inputs"]]
        for entry in abi(contract)
        if entry["type"] == "event"
    }
    stated = {
        event.signature: [(field.name, field.indexed) for field in event.fields]
        for event in EVENTS[contract].values()
    }
    assert stated == compiled


def source_of(contract: Contract) -> str:
    return "".join(
        (PROJECT_ROOT / "contracts" / f"{name}.sol").read_text() for name in SOURCES[contract]
    )


@pytest.mark.parametrize("contract", DOMAIN_NAMES)
def test_the_typed_data_is_that_of_the_source(contract: Contract) -> None:
    source = source_of(contract)
    declared = dict(re.findall(r'"(\w+)\(([^")]*)\)"\s*\)', source))
    assert declared
    for name in declared.keys() - HOLDERS_TYPES:
        assert TYPES[name] == declared[name]
    assert f'EIP712("{DOMAIN_NAMES[contract]}", "1")' in source


@pytest.mark.parametrize("contract", DOMAIN_NAMES)
def test_every_typed_data_stated_is_that_contracts(contract: Contract) -> None:
    source = source_of(contract)
    stated = TYPES_OF[contract]
    assert stated
    assert all(f'"{name}({members})"' in source for name, members in stated.items())


def test_each_type_is_stated_for_one_contract() -> None:
    assert sorted(TYPES) == sorted(name for types in TYPES_OF.values() for name in types)


@pytest.mark.parametrize("contract", DOMAIN_NAMES)
def test_the_type_hashes_are_in_the_compiled_code(contract: Contract) -> None:
    """The compiler puts each hash into the code as it stands: it is pushed as one constant."""
    code = "".join(
        json.loads((PROJECT_ROOT / "build" / "contracts" / f"{name}.json").read_text())["bytecode"]
        for name in COMPILED[contract]
    )
    missing = [name for name in TYPES_OF[contract] if TYPEHASHES[name].hex() not in code]
    assert missing == []


def test_the_calls_of_the_service_are_the_vaults() -> None:
    functions = {e["name"]: e for e in abi(Contract.VAULT) if e["type"] == "function"}
    stated = {"execute_chunk": "executeChunk", "approve_batch": "approveBatch"}
    assert {
        kind: keccak(signature(functions[name]).encode())[:4] for kind, name in stated.items()
    } == SELECTORS
