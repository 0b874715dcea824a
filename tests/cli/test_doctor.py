from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from service.application.doctor.code import without_immutables
from tests.cli.conftest import Cli, keep
from tests.support.deployed import Deployed, account
from tests.support.documents import check_document


def _by_name(document: Any) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in document["checks"]}


@pytest.fixture(autouse=True)
def _migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    from service.application.doctor import machine

    monkeypatch.setattr(machine, "head_revision", lambda _url: "newest")
    monkeypatch.setattr(machine, "current_revision", lambda _engine: "newest")


def test_everything_in_order_is_healthy(chain_cli: Cli) -> None:
    ran = chain_cli("doctor", "--json")
    assert ran.code == 0, ran.out
    assert ran.json["healthy"]
    assert ran.json["counts"]["failed"] == 0
    checks = _by_name(ran.json)
    assert checks["administrator"]["detail"] == "the registry"
    assert checks["functions and delays"]["status"] == "ok"
    assert checks["caps and limits"]["status"] == "ok"
    assert checks["code of vault"]["status"] == "ok"
    found = re.fullmatch(r"newest block (.{20})(, .* clock)?", checks["block time"]["detail"])
    assert found is not None
    check_document(found[1])


def test_other_code_than_deployed_fails(chain_cli: Cli, deployed: Deployed) -> None:
    deployed.node.rpc("anvil_setCode", deployed.vault, "0x6001")
    ran = chain_cli("doctor", "--json")
    assert ran.code == 1
    assert _by_name(ran.json)["code of vault"]["status"] == "failed"


def test_code_that_is_not_the_compiled_one_fails(
    chain_cli: Cli, deployed: Deployed, tmp_path: Path
) -> None:
    from eth_utils.crypto import keccak

    deployed.node.rpc("anvil_setCode", deployed.token, "0x6001")
    content = json.loads((tmp_path / "deployment.json").read_text())
    content["contracts"]["token"]["runtime_code_hash"] = "0x" + keccak(hexstr="6001").hex()
    (tmp_path / "deployment.json").write_text(json.dumps(content))
    check = _by_name(chain_cli("doctor", "--json").json)["code of token"]
    assert check["status"] == "failed"
    assert "make compile" in check["detail"]


def test_a_second_administrator_fails(chain_cli: Cli, deployed: Deployed) -> None:
    deployed.node.rpc("anvil_impersonateAccount", deployed.registry)
    deployed.fund(deployed.registry)
    data = deployed.contracts.encode_call("manager", "grantRole", 0, deployed.deployer.address, 0)
    deployed.node.rpc(
        "eth_sendTransaction",
        {
            "from": deployed.registry,
            "to": deployed.deployment.manager,
            "data": "0x" + data.hex(),
            "gas": hex(1_000_000),
        },
    )
    deployed.mine()
    ran = chain_cli("doctor", "--json")
    assert ran.code == 1
    check = _by_name(ran.json)["administrator"]
    assert deployed.deployer.address in check["detail"]


def test_it_says_what_the_emergency_lane_may_still_grant(chain_cli: Cli) -> None:
    check = _by_name(chain_cli("doctor", "--json").json)["emergency lane"]
    assert check["status"] == "ok"
    assert check["detail"].startswith("1000000.00 of 1000000.00 left to grant, 0.00 not")


def test_a_paused_lane_is_a_warning(chain_cli: Cli, deployed: Deployed) -> None:
    deployed.send(deployed.roles["guardian"], "lane", "pause")
    check = _by_name(chain_cli("doctor", "--json").json)["running"]
    assert (check["status"], check["detail"]) == ("warning", "paused: emergency grants")


def test_a_vault_in_its_sunset_is_a_warning(chain_cli: Cli, deployed: Deployed) -> None:
    action, deadline = bytes(31) + b"\x02", deployed.now() + 3_600
    members = [("actionId", "bytes32"), ("deadline", "uint40")]
    message = {"actionId": action, "deadline": deadline}
    signed = deployed.sign_action("vault", "Sunset", members, message, [1, 2])
    deployed.send(deployed.roles["guardian"], "vault", "beginSunset", action, deadline, signed)
    assert _by_name(chain_cli("doctor", "--json").json)["sunset"]["status"] == "warning"


def test_a_removed_verifier_is_a_warning(chain_cli: Cli, deployed: Deployed) -> None:
    check = _by_name(chain_cli("doctor", "--json").json)["verifiers"]
    assert (check["status"], check["detail"]) == (
        "ok",
        "officers can sign with P-256 keys and passkeys",
    )
    verifier = deployed.deployment.passkey_verifier
    action, deadline = bytes(31) + b"\x01", deployed.now() + 3_600
    members = [("verifier", "address"), ("actionId", "bytes32"), ("deadline", "uint40")]
    message = {"verifier": verifier, "actionId": action, "deadline": deadline}
    signed = deployed.sign_action("registry", "VerifierRemoval", members, message, [1, 2])
    sender = deployed.roles["guardian"]
    deployed.send(sender, "registry", "removeVerifier", verifier, action, deadline, signed)
    check = _by_name(chain_cli("doctor", "--json").json)["verifiers"]
    assert check["status"] == "warning"
    assert "removed the verifier of passkeys:" in check["detail"]


def test_a_lane_that_is_no_minter_any_more_fails(chain_cli: Cli, deployed: Deployed) -> None:
    action, deadline = bytes(31) + b"\x01", deployed.now() + 3_600
    members = [("minter", "address"), ("actionId", "bytes32"), ("deadline", "uint40")]
    message = {"minter": deployed.lane, "actionId": action, "deadline": deadline}
    signed = deployed.sign_action("token", "MinterRemoval", members, message, [1, 2])
    sender = deployed.roles["guardian"]
    deployed.send(sender, "token", "removeMinter", deployed.lane, action, deadline, signed)
    ran = chain_cli("doctor", "--json")
    assert ran.code == 1
    checks = _by_name(ran.json)
    assert checks["joined"]["detail"] == "the lane is no minter of the token"
    assert checks["minter lane"]["status"] == "warning"


def test_a_key_open_to_others_fails(chain_cli: Cli) -> None:
    (chain_cli.app.settings.resolved_keys_dir / "attestor.json").chmod(0o644)
    ran = chain_cli("doctor", "--json")
    assert ran.code == 1
    assert "attestor.json" in _by_name(ran.json)["private"]["detail"]


def test_gas_money_is_measured_by_what_a_lane_sends(chain_cli: Cli, deployed: Deployed) -> None:
    relayer = account("relayer")
    keep(chain_cli.app, "relayer-1", relayer.key)
    chain_cli.ok("worker", "run", "--until-idle")
    node = deployed.node
    node.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    node.rpc("evm_mine")
    price = int(node.rpc("eth_gasPrice"), 16)
    attestor, manager = (deployed.roles[role].address for role in ("attestor", "programme_manager"))
    deployed.fund(relayer.address, 100 * 2**24 * price)
    deployed.fund(attestor, 100 * 250_000 * price)
    deployed.fund(manager, 100 * 250_000 * price - 1)

    checks = _by_name(chain_cli("doctor", "--json").json)
    # Not part of the state that the node puts back.
    node.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")

    statuses = {address: checks[f"lane {address}"]["status"] for address in (attestor, manager)}
    assert statuses == {attestor: "ok", manager: "warning"}
    lane = checks[f"lane {relayer.address}"]
    assert lane["status"] == "ok"
    assert "of the chain's coin, enough for 100 of the largest" in lane["detail"]
    assert "wei" not in lane["detail"]


def test_without_a_node_the_other_checks_are_still_made(cli: Cli, tmp_path: Path) -> None:
    ran = cli("doctor", "--json")
    assert ran.code == 1
    areas = {(check["area"], check["status"]) for check in ran.json["checks"]}
    assert ("chain", "failed") in areas
    assert ("database", "ok") in areas


def test_only_immutables_may_differ_from_the_compiled_code() -> None:
    compiled = bytes.fromhex("7f" + "00" * 32 + "6000")
    word = bytes.fromhex("11" * 32)
    assert without_immutables(b"\x7f" + word + b"\x60\x00", compiled) == (compiled, [word])
    other = b"\x7f" + word + b"\x60\x01"
    assert without_immutables(other, compiled)[0] != compiled
    assert without_immutables(compiled + b"\x00", compiled) == (compiled + b"\x00", [])
