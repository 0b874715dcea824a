"""``relief doctor --governance`` names whatever was changed behind the contracts' own rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from service.chain.contracts import load_bytecode
from service.chain.devcontracts import mined
from tests.cli.conftest import Cli
from tests.support.deployed import ARTIFACTS_DIR, Deployed, account, selector, send

STRANGER = account("a stranger").address


@pytest.fixture
def governed(chain_cli: Cli) -> Callable[[], Any]:
    """Runs the command; returns its document."""

    def run() -> Any:
        ran = chain_cli("doctor", "--governance", "--json")
        document = ran.json
        assert ran.code == (0 if document["healthy"] else 1), ran.out
        return document

    return run


def _of(document: Any, subject: str) -> dict[str, str]:
    (found,) = [one for one in document["comparisons"] if one["subject"] == subject]
    return dict(found)


def _differing(document: Any) -> dict[str, str]:
    return {
        one["subject"]: one["status"] for one in document["comparisons"] if one["status"] != "ok"
    }


def _as(deployed: Deployed, sender: str, to: str, data: bytes) -> None:
    """Send as an account whose key nobody has: what the contracts' own rules would not do."""
    node = deployed.node
    node.rpc("anvil_impersonateAccount", sender)
    deployed.fund(sender)
    call = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(1_000_000)}
    receipt = mined(node.rpc, node.rpc("eth_sendTransaction", call))
    assert receipt["status"] == "0x1"


def _behind_the_governors(deployed: Deployed, function: str, *args: Any) -> None:
    """Have the manager called by its administrator without governors' signatures."""
    data = deployed.contracts.encode_call("manager", function, *args)
    _as(deployed, deployed.registry, deployed.deployment.manager, data)


def _by_governors(deployed: Deployed, function: str, *args: Any) -> None:
    data = deployed.contracts.encode_call("manager", function, *args)
    action, deadline = keccak(data), deployed.now() + 3_600
    members = [("data", "bytes"), ("actionId", "bytes32"), ("deadline", "uint40")]
    message = {"data": data, "actionId": action, "deadline": deadline}
    signed = deployed.sign_action("registry", "ManagerCall", members, message, [1, 2])
    sender = deployed.roles["guardian"]
    deployed.send(sender, "registry", "callManager", data, action, deadline, signed)


def _change_file(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    file = folder / "deployment.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def _store(deployed: Deployed, key: str, slot: int, change: Callable[[int], int]) -> None:
    """Change a contract's storage, as no function of it does."""
    address, place = deployed.contracts.address(key), "0x" + slot.to_bytes(32, "big").hex()
    word = change(int(deployed.node.rpc("eth_getStorageAt", address, place, "latest"), 16))
    deployed.node.rpc("anvil_setStorageAt", address, place, "0x" + word.to_bytes(32, "big").hex())
    deployed.mine()


def test_a_deployment_is_as_its_file_and_the_build_say(governed: Callable[[], Any]) -> None:
    document = governed()
    assert document["healthy"]
    assert _differing(document) == {}
    subjects = [one["subject"] for one in document["comparisons"]]
    assert len(set(subjects)) == len(subjects) == document["counts"]["ok"]
    for key in (
        *("vault", "token", "registry", "manager", "lane", "administration", "corrections"),
        *("p256_verifier", "passkey_verifier"),
    ):
        assert {f"code of {key}, as deployed", f"code of {key}, as compiled"} <= set(subjects)
    assert _of(document, "lane.perGrant")["found"] == "1000.00 tokens"
    assert _of(document, "token.freeze")["found"] == "freezer"


def test_what_the_manager_does_without_the_governors_is_named(
    governed: Callable[[], Any], deployed: Deployed
) -> None:
    token, vault = deployed.token, deployed.vault
    for function, *args in (
        ("grantRole", 2, STRANGER, 0),
        ("grantRole", 5, deployed.deployer.address, 0),
        ("grantRole", 9, STRANGER, 0),
        ("grantRole", 1, deployed.roles["guardian"].address, 3_600),
        ("setRoleGuardian", 3, 2),
        ("setRoleAdmin", 4, 5),
        ("setGrantDelay", 1, 86_400),
        ("setTargetAdminDelay", token, 86_400),
        ("setTargetClosed", deployed.lane, True),
        ("setTargetFunctionRole", vault, [selector("vault", "pause")], 5),
        ("setTargetFunctionRole", token, [selector("token", "commit")], 3),
        ("setTargetFunctionRole", deployed.registry, [b"abcd"], 3),
    ):
        _behind_the_governors(deployed, function, *args)
    deployed.advance(5 * 86_400 + 1)  # a delay holds only after the manager's setback
    document = governed()
    subjects = {
        *("freezer", "programme_manager", "role 9", "guardian"),
        *("rules of attestor", "rules of treasurer", "rules of guardian"),
        f"roles of the deployer, {deployed.deployer.address}",
        *("guarded functions of token", "guarded functions of lane"),
        *("vault.pause", "token.commit", "registry.0x61626364"),
    }
    assert _differing(document) == dict.fromkeys(subjects, "failed")
    assert STRANGER in _of(document, "freezer")["found"]
    assert "waits 1 hour" in _of(document, "guardian")["found"]
    rules = _of(document, "rules of guardian")
    assert "a grant holds after 1 day" in rules["found"]
    assert "a grant holds after 0 seconds" in rules["expected"]


def test_what_governors_decided_is_expected_and_said(
    governed: Callable[[], Any], deployed: Deployed
) -> None:
    _by_governors(deployed, "grantRole", 2, STRANGER, 0)
    _by_governors(deployed, "revokeRole", 2, deployed.roles["freezer"].address)
    both = [
        deployed.contracts.encode_call("manager", "setRoleGuardian", 3, 1),
        deployed.contracts.encode_call(
            "manager", "setTargetFunctionRole", deployed.token, [selector("token", "freeze")], 1
        ),
    ]
    _by_governors(deployed, "multicall", both)
    _by_governors(deployed, "setGrantDelay", 5, 86_400)
    document = governed()
    changed = dict.fromkeys(("rules of attestor", "token.freeze"), "warning")
    assert _differing(document) == changed
    freezer = _of(document, "freezer")
    assert freezer["found"] == STRANGER
    assert deployed.roles["freezer"].address in freezer["note"]
    deployed.advance(5 * 86_400 + 1)
    assert _differing(governed()) == changed | {"rules of programme_manager": "warning"}


def test_a_role_that_its_holder_gave_up_is_a_warning(
    governed: Callable[[], Any], deployed: Deployed
) -> None:
    attestor = deployed.roles["attestor"]
    deployed.send(attestor, "manager", "renounceRole", 3, attestor.address)
    assert _differing(governed()) == {"attestor": "warning"}


def test_another_manager_is_named(governed: Callable[[], Any], deployed: Deployed) -> None:
    code = load_bytecode(ARTIFACTS_DIR, "RoleManager") + encode(["address"], [STRANGER])
    receipt = send(deployed.rpc, deployed.deployer, None, code)
    other = to_checksum_address(receipt["contractAddress"])
    _by_governors(deployed, "updateAuthority", deployed.token, other)
    document = governed()
    assert _differing(document) == {"token.authority()": "failed"}
    assert _of(document, "token.authority()")["found"] == other


def test_other_code_is_named_also_of_a_part_and_of_a_verifier(
    governed: Callable[[], Any], deployed: Deployed, tmp_path: Path
) -> None:
    node, contracts = deployed.node, deployed.deployment.contracts
    verifier, corrections = contracts["passkey_verifier"], contracts["corrections"].address
    code = bytes.fromhex(node.rpc("eth_getCode", verifier.address, "latest")[2:])
    changed = code[:-60] + bytes([code[-60] ^ 1]) + code[-59:]
    node.rpc("anvil_setCode", verifier.address, "0x" + changed.hex())
    # One contract that the code names takes another's place; the file was made to agree.
    token, registry = (
        bytes.fromhex(address[2:]) for address in (deployed.token, deployed.registry)
    )
    code = bytes.fromhex(node.rpc("eth_getCode", corrections, "latest")[2:])
    assert token in code
    swapped = code.replace(token, registry)
    node.rpc("anvil_setCode", corrections, "0x" + swapped.hex())
    code_hash = {"runtime_code_hash": "0x" + keccak(swapped).hex()}
    _change_file(tmp_path, lambda content: content["contracts"]["corrections"].update(code_hash))
    assert _differing(governed()) == {
        "code of passkey_verifier, as deployed": "failed",
        "code of passkey_verifier, as compiled": "failed",
        "contracts named in the code of corrections": "failed",
    }


def test_a_limit_that_no_event_explains_is_named(
    governed: Callable[[], Any], deployed: Deployed
) -> None:
    deployed.create_programme(7, budget=10**12, payout_cap=10**9)
    assert _differing(governed()) == {}
    _store(deployed, "token", 3, lambda word: word + (1 << 160))  # the cap, from byte 20 on
    _store(deployed, "lane", 4, lambda word: word + 1)  # the cap of a grant
    officers, programmes = (
        int.from_bytes(keccak(encode(["uint256", "uint256"], pair)), "big")
        for pair in ((2, 3), (7, 4))
    )
    _store(deployed, "registry", officers, lambda word: word | 15)  # officer 2's roles
    _store(deployed, "vault", programmes, lambda word: word + 1)  # the budget
    document = governed()
    assert _differing(document) == dict.fromkeys(
        ("token.cap()", "lane.perGrant", "officer 2", "programme 7"), "failed"
    )
    assert _of(document, "lane.perGrant")["found"] == "1000.000001 tokens"


def test_what_the_rules_changed_is_expected_and_a_minter_to_come_is_a_warning(
    governed: Callable[[], Any], deployed: Deployed
) -> None:
    deployed.send(deployed.roles["treasurer"], "token", "lowerCap", 10**15)
    action, deadline = bytes(31) + b"\x01", deployed.now() + 3_600
    members = [
        *(("minter", "address"), ("cap", "uint80")),
        *(("actionId", "bytes32"), ("deadline", "uint40")),
    ]
    message = {"minter": STRANGER, "cap": 10**9, "actionId": action, "deadline": deadline}
    signed = deployed.sign_action("token", "MinterAddition", members, message, [1, 2])
    sender = deployed.roles["guardian"]
    deployed.send(sender, "token", "scheduleMinter", STRANGER, 10**9, action, deadline, signed)
    document = governed()
    planned = f"minter {STRANGER}, or a higher cap of it, planned"
    assert _differing(document) == {planned: "warning"}
    cap = _of(document, "token.cap()")
    assert (cap["expected"], cap["found"]) == ("1000000000.00 tokens", "1000000000.00 tokens")
    assert cap["note"].startswith("changed by the rules since the deployment: 6044629")


def test_another_configuration_than_was_deployed_is_named(
    governed: Callable[[], Any], tmp_path: Path
) -> None:
    def change(content: dict[str, Any]) -> None:
        content["configuration"]["quorum"] = 3
        content["configuration"]["emergency"]["limits"]["country_base_units"] = "1"
        content["configuration"]["officers"].pop()

    _change_file(tmp_path, change)
    assert _differing(governed()) == dict.fromkeys(
        (
            *("registry.quorum()", "limits of the lane at the deployment"),
            *("officers at the deployment", "signers at the deployment"),
        ),
        "failed",
    )


def test_a_file_without_a_configuration_is_a_warning(
    governed: Callable[[], Any], tmp_path: Path
) -> None:
    _change_file(tmp_path, lambda content: content.pop("configuration"))
    assert _differing(governed()) == {"configuration": "warning"}


def test_a_damaged_configuration_is_a_failure_that_stops_nothing_else(
    governed: Callable[[], Any], tmp_path: Path
) -> None:
    _change_file(tmp_path, lambda content: content["configuration"].pop("emergency"))
    document = governed()
    assert _differing(document) == {"everything": "failed"}
    assert "configuration" in _of(document, "everything")["found"]
    assert _of(document, "token.freeze")["status"] == "ok"


def test_for_people_it_is_a_table(chain_cli: Cli) -> None:
    ran = chain_cli("doctor", "--governance")
    assert ran.code == 0
    assert "expected" in ran.out
    assert "lane.perGrant" in ran.out
