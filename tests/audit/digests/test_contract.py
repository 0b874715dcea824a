"""On a real chain every type's digest is the one the contracts made of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.approvals.domain import SigningDomain
from service.approvals.typed_data import make_typed_data
from service.audit.abi import EVENTS, Contract
from service.audit.digests.contract import ask_contract
from service.audit.digests.document import TypedData, read_typed_data
from service.audit.rpc import Node
from service.audit.signatures import TYPES
from service.chain.devnode import DevNode, start_anvil
from tests.audit.conftest import OFFICERS
from tests.audit.corrected import live_corrected
from tests.audit.scenario import Scenario
from tests.support.deployed import Deployed, account, deploy
from tests.support.world import World

CONSUMED = next(
    "0x" + topic.hex()
    for topic, event in EVENTS[Contract.REGISTRY].items()
    if event.name == "ActionConsumed"
)
BY_ONE_OFFICER = {"BatchHold", "EntryHold", "EmergencyGrant", "GrantCountersignature"}


@pytest.fixture(scope="module")
def corrected(
    anvil: DevNode, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scenario]:
    """A life whose officers sign what the scenario's do not, and every action of the registry."""
    folder = tmp_path_factory.mktemp("digests")
    shutil.copyfile(sqlite_template, folder / "relief.db")
    with start_anvil() as node:
        deployed = deploy(node, officers=OFFICERS)
        world = World(deployed, f"sqlite:///{folder / 'relief.db'}", folder, 0)
        lived = live_corrected(deployed, world, folder)
        registry_actions(lived)
        yield lived
        deployed.rpc.close()


def registry_actions(lived: Scenario) -> None:
    new = bytes.fromhex(account("a second signer").address[2:])
    deployed = lived.deployed

    def act(function: str, name: str, members: dict[str, tuple[str, Any]]) -> None:
        kinds = [(member, kind) for member, (kind, _) in members.items()]
        values = {member: value for member, (_, value) in members.items()}
        signed = lived.quorum("registry", name, kinds, values)
        lived.send("registry", function, *values.values(), *signed)

    signer: dict[str, tuple[str, Any]] = {"signerType": ("uint8", 1), "signer": ("bytes", new)}
    act("addSigner", "SignerAddition", {"officerId": ("uint32", 2), **signer})
    act("removeSigner", "SignerRemoval", signer)
    verifier: dict[str, tuple[str, Any]] = {"verifier": ("address", deployed.token)}
    act("addVerifier", "VerifierAddition", verifier)
    act("removeVerifier", "VerifierRemoval", verifier)
    call = deployed.contracts.encode_call("manager", "grantRole", 1, deployed.lane, 0)
    act("callManager", "ManagerCall", {"data": ("bytes", call)})


def domain_of(deployed: Deployed) -> SigningDomain:
    found = deployed.deployment
    return SigningDomain(
        found.chain_id,
        vault=found.vault,
        registry=found.registry,
        token=found.token,
        lane=found.lane,
    )


def read(deployed: Deployed, name: str, message: dict[str, Any]) -> TypedData:
    document = make_typed_data(domain_of(deployed), name, message)
    reading = read_typed_data(json.dumps(document).encode())
    assert reading.data is not None, reading.differences
    return reading.data


def consumed(deployed: Deployed) -> set[str]:
    """Digests that the contracts made of the actions they carried out."""
    query = {"address": deployed.registry, "topics": [CONSUMED], "fromBlock": "0x0"}
    return {log["data"][:66] for log in deployed.rpc.call("eth_getLogs", query)}


def test_the_digest_of_every_type_is_the_one_the_contracts_took(
    scenario: Scenario, corrected: Scenario
) -> None:
    seen = set()
    for lived in (scenario, corrected):
        on_chain = consumed(lived.deployed)
        for _, name, message, accepted in lived.deployed.signed:
            digest = read(lived.deployed, name, message).digest
            # Each was sent and none reverted: the contracts proved signatures over their digest.
            assert digest == accepted, name
            if "actionId" in message and name not in BY_ONE_OFFICER:
                assert "0x" + digest.hex() in on_chain, name
            seen.add(name)
    assert seen == TYPES.keys()


def test_the_contracts_own_views_agree(scenario: Scenario, corrected: Scenario) -> None:
    compared = {}
    for lived in (scenario, corrected):
        with Node(lived.deployed.node.rpc_url) as node:
            for _, name, message, _ in lived.deployed.signed:
                differences, what, time = ask_contract(read(lived.deployed, name, message), node)
                assert differences == [], name
                assert time == lived.deployed.now()
                compared[name] = what
    domain = ["chain id", "domain (ERC-5267)"]
    views = {
        "BatchApproval": ["digest (approvalDigest)"],
        "EmergencyGrant": ["digest (grantDigest)"],
        "UnpauseTransfers": ["domain separator"],
        "CapIncrease": ["domain separator"],
        "MinterAddition": ["domain separator"],
        "MinterRemoval": ["domain separator"],
    }
    assert compared == {name: domain + views.get(name, []) for name in TYPES}


def last_approval(scenario: Scenario) -> dict[str, Any]:
    return next(m for _, name, m, _ in scenario.deployed.signed if name == "BatchApproval")


def test_a_node_of_another_chain_is_named(scenario: Scenario) -> None:
    data = read(scenario.deployed, "BatchApproval", last_approval(scenario))
    other = TypedData(data.contract, data.primary_type, 1, data.verifying_contract, data.values)
    with Node(scenario.deployed.node.rpc_url) as node:
        (difference,), compared, _ = ask_contract(other, node)
    assert (difference.where, difference.found) == ("chain id of the node", "31337")
    assert compared == []


def test_an_address_without_a_contract_is_named(scenario: Scenario) -> None:
    data = read(scenario.deployed, "BatchApproval", last_approval(scenario))
    nobody = bytes.fromhex(account("nobody").address[2:])
    other = TypedData(data.contract, data.primary_type, data.chain_id, nobody, data.values)
    with Node(scenario.deployed.node.rpc_url) as node:
        (difference,), _, _ = ask_contract(other, node)
    assert (difference.expected, difference.found) == ("a contract", "none")


@pytest.mark.parametrize("contract", ["token", "registry", "manager"])
def test_another_contract_than_the_documents_is_named(scenario: Scenario, contract: str) -> None:
    data = read(scenario.deployed, "BatchApproval", last_approval(scenario))
    address = bytes.fromhex(scenario.deployed.contracts.address(contract)[2:])
    other = TypedData(data.contract, data.primary_type, data.chain_id, address, data.values)
    with Node(scenario.deployed.node.rpc_url) as node:
        differences, _, _ = ask_contract(other, node)
    assert [each.where.split(" of ")[0] for each in differences] == ["domain", "approvalDigest"]
