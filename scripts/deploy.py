"""Deploy the contracts: ``.venv/bin/python scripts/brownie.py run deploy --network NAME``.

Reads who the officers and the holders of housekeeping roles are from the JSON file named by
``RELIEF_DEPLOY_CONFIG`` (the format is in docs/deployment.md) and writes the addresses the
service reads to ``RELIEF_DEPLOYMENT_FILE``. The deployer is the account whose keystore
``RELIEF_DEPLOYER`` names, opened with the passphrase in ``RELIEF_KEY_PASSPHRASE_FILE``, else the
node's own first account, which only a development chain has; it ends with no role.

Everything it is told is checked before anything is sent.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from brownie import (  # type: ignore[import-not-found]
    AllowanceVault,
    BenefitToken,
    EmergencyLane,
    OfficerRegistry,
    P256Verifier,
    PasskeyVerifier,
    RoleManager,
    VaultAdministration,
    VaultCorrections,
    accounts,
    chain,
    web3,
)
from brownie._config import CONFIG  # type: ignore[import-not-found]

from scripts.deploy_config import (
    EMERGENCY_LIMITS,
    HOUSEKEEPING_ROLES,
    OFFICER_ROLES,
    BadConfig,
    read_config,
)
from service.chain.signers import read_passphrase
from service.errors import ReliefError

MINED_WITHIN_S = 60

# Gas, measured with two officers and six holders of roles (20,966,297 in all) and rounded up.
CONTRACTS_AND_FUNCTIONS_GAS = 20_700_000
OFFICER_GAS = 60_000
ROLE_HOLDER_GAS = 54_000

ADMIN_ROLE = 0
EOA_SIGNER = 1

# The functions that each housekeeping role may call: (contract key, function name, argument types).
HOUSEKEEPING = {
    "guardian": [("vault", "pause(uint8)"), ("token", "pauseTransfers()"), ("lane", "pause()")],
    "freezer": [("token", "freeze(address)"), ("token", "unfreeze(address)")],
    "attestor": [("token", "attestReserve(uint80,uint80,uint40,bytes32)")],
    "treasurer": [
        ("token", "lowerCap(uint80)"),
        ("lane", "lowerLimits((uint64,uint80,uint80,uint32" + ",uint80" * 7 + "))"),
        ("lane", "lowerRegionCap(uint24,uint8,uint80)"),
    ],
    "programme_manager": [
        (
            "vault",
            "createProgramme(uint32,uint24,uint8,uint80,uint64,(uint80,uint8,uint32)[],bytes32)",
        ),
        ("vault", "scheduleBudgetIncrease(uint32,uint80)"),
        ("vault", "decreaseBudget(uint32,uint80)"),
    ],
}


def main() -> None:
    """Check everything, deploy, hand every role over, and write the deployment file last."""
    target = _named_file("RELIEF_DEPLOYMENT_FILE")
    _refuse_another_chain()
    deployer = _deployer()
    plan = _plan(deployer)
    _refuse_to_overwrite(target)
    _refuse_without_gas_money(deployer, plan)
    _settle_before_answering(web3.provider)
    sender = {"from": deployer}
    first_block = len(chain)

    manager = RoleManager.deploy(deployer, sender)
    officers = [_new_officer(officer) for officer in plan["officers"]]
    p256, passkeys = P256Verifier.deploy(sender), PasskeyVerifier.deploy(sender)
    registry = OfficerRegistry.deploy(manager, plan["quorum"], [p256, passkeys], officers, sender)
    # The token names its two minters for good at birth, so their addresses are worked out from the
    # deployer's nonce: the token takes the next one, the vault's two parts the two after, then come
    # the vault and the lane.
    minters = [deployer.get_deployment_address(deployer.nonce + i) for i in (3, 4)]
    emergency = plan["emergency"]
    caps = int(plan["token_cap_base_units"]), int(emergency["cap_base_units"])
    token = BenefitToken.deploy(manager, registry, *minters, *caps, sender)
    administration = VaultAdministration.deploy(manager, token, registry, sender)
    corrections = VaultCorrections.deploy(manager, token, registry, sender)
    vault = AllowanceVault.deploy(manager, token, registry, administration, corrections, sender)
    limits = tuple(int(emergency["limits"][name]) for name in EMERGENCY_LIMITS)
    lane = EmergencyLane.deploy(manager, token, registry, limits, sender)
    if [vault.address, lane.address] != minters:
        raise RuntimeError(
            f"vault and lane stand at {vault.address} and {lane.address}, not at {minters}"
        )

    contracts = {
        "vault": vault,
        "token": token,
        "registry": registry,
        "manager": manager,
        "lane": lane,
        "p256_verifier": p256,
        "passkey_verifier": passkeys,
        "administration": administration,
        "corrections": corrections,
    }
    roles = _hand_over_roles(contracts, plan["roles"], deployer, sender)
    deployment = {
        "chain_id": chain.id,
        "deployment_block": first_block,
        "finality_depth_blocks": plan["finality_depth_blocks"],
        "contracts": {key: _described(contract) for key, contract in contracts.items()},
        "roles": roles,
        # What doctor holds the contracts against; no secrets are in it.
        "configuration": {name: plan[name] for name in plan if name != "roles"},
    }
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(deployment, indent=2) + "\n")
    partial.replace(target)
    print(f"Deployed to chain {chain.id}; addresses are in {target}")


def _settle_before_answering(provider: Any) -> None:
    """Let the answer to a sent transaction come once its receipt is there.

    A development node counts a sender's nonce a moment before it shows the transaction. Asked in
    that moment, Brownie takes the transaction for a dropped one and stops.
    """
    ask = provider.make_request

    def make_request(method: str, params: Any) -> Any:
        answer = ask(method, params)
        if method == "eth_sendTransaction" and "result" in answer:
            deadline = time.monotonic() + MINED_WITHIN_S
            while ask("eth_getTransactionReceipt", [answer["result"]])["result"] is None:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not mined within {MINED_WITHIN_S} s: {answer['result']}")
                time.sleep(0.01)
        return answer

    provider.make_request = make_request
    provider._request_func_cache = (None, None)  # noqa: SLF001 - where web3 keeps the former one


def _refuse(*lines: str) -> NoReturn:
    """End with exit code 1 and these words on stderr; nothing was sent."""
    sys.exit("\n  ".join(["Nothing was deployed.", *lines]))


def _named_file(variable: str) -> Path:
    name = os.environ.get(variable)
    if not name:
        _refuse(f"{variable} names no file: docs/deployment.md says what it is")
    return Path(name)


def _refuse_another_chain() -> None:
    """Refuse a node on another chain than the network chosen is; Brownie does not look."""
    network, planned = CONFIG.active_network["id"], CONFIG.active_network.get("chainid")
    if planned is not None and int(planned) != chain.id:
        _refuse(f"the node is on chain {chain.id}, the network {network} is chain {planned}")


def _deployer() -> Any:
    keystore = os.environ.get("RELIEF_DEPLOYER")
    if not keystore:
        if not len(accounts):
            _refuse("RELIEF_DEPLOYER names no keystore, and the node has no account of its own")
        return accounts[0]
    if not Path(keystore).is_file():
        _refuse(f"RELIEF_DEPLOYER: there is no keystore {keystore}")
    passphrase_file = os.environ.get("RELIEF_KEY_PASSPHRASE_FILE")
    try:
        # Without a passphrase Brownie asks for it.
        passphrase = read_passphrase(Path(passphrase_file)) if passphrase_file else None
        return accounts.load(keystore, passphrase)
    except ReliefError as error:
        _refuse(f"RELIEF_KEY_PASSPHRASE_FILE: {error}")
    except (KeyError, TypeError, ValueError):
        _refuse(f"RELIEF_DEPLOYER: {keystore} is no V3 keystore, or the passphrase is wrong")


def _plan(deployer: Any) -> dict[str, Any]:
    file = _named_file("RELIEF_DEPLOY_CONFIG")
    try:
        return read_config(file, deployer=deployer.address)
    except BadConfig as error:
        _refuse(f"{file} will not do:", *error.problems)


def _refuse_to_overwrite(target: Path) -> None:
    """Refuse a deployment file that is there: its contracts' money would be out of sight."""
    if target.exists():
        _refuse(f"{target} is there already: move it away, or name another RELIEF_DEPLOYMENT_FILE")
    if not os.access(target.parent, os.W_OK):
        _refuse(f"{target} cannot be written: no folder, or no right to write there")


def _refuse_without_gas_money(deployer: Any, plan: dict[str, Any]) -> None:
    holders = sum(map(len, plan["roles"].values()))
    gas = CONTRACTS_AND_FUNCTIONS_GAS + OFFICER_GAS * len(plan["officers"])
    gas += ROLE_HOLDER_GAS * holders
    # Twice the price of now, since it may rise meanwhile; 0 where gas is free.
    needed_wei = 2 * web3.eth.gas_price * gas
    if deployer.balance() < needed_wei:
        _refuse(
            f"{deployer.address}, the deployer, has {int(deployer.balance())} wei; about {gas}"
            f" gas is needed, up to {needed_wei} wei: send it gas money"
        )


def _new_officer(officer: dict[str, Any]) -> tuple[Any, ...]:
    roles = 0
    for role in officer["roles"]:
        roles |= OFFICER_ROLES[role]
    return (
        officer["officer_id"],
        roles,
        officer["region_code"],
        officer["region_digits"],
        EOA_SIGNER,
        officer["signer"],
    )


def _hand_over_roles(
    contracts: dict[str, Any],
    holders: dict[str, list[str]],
    deployer: Any,
    sender: dict[str, Any],
) -> dict[str, Any]:
    """Set which role may call what, grant the roles, and give administration to the registry."""
    manager = contracts["manager"]
    written = {}
    for name, number in HOUSEKEEPING_ROLES.items():
        for key, signature in HOUSEKEEPING[name]:
            selector = web3.keccak(text=signature)[:4]
            manager.setTargetFunctionRole(contracts[key], [selector], number, sender)
        for account in holders[name]:
            manager.grantRole(number, account, 0, sender)
        written[name] = {"id": number, "accounts": holders[name]}
    manager.grantRole(ADMIN_ROLE, contracts["registry"], 0, sender)
    manager.renounceRole(ADMIN_ROLE, deployer, sender)
    return written


def _described(contract: Any) -> dict[str, str]:
    code = web3.eth.get_code(contract.address)
    return {
        "name": contract._name,  # noqa: SLF001 - a Brownie contract tells its name nowhere else
        "address": contract.address,
        "runtime_code_hash": "0x" + web3.keccak(code).hex().removeprefix("0x"),
    }
