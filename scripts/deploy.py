"""Deploy the contracts: ``.venv/bin/python scripts/brownie.py run deploy --network NAME``.

Reads who the officers and the holders of housekeeping roles are from the JSON file named by
``RELIEF_DEPLOY_CONFIG`` (the format is in docs/deployment.md) and writes the addresses the
service reads to ``RELIEF_DEPLOYMENT_FILE``. The deployer is the node's own first account on a
local chain, else the Brownie account named by ``RELIEF_DEPLOYER``; it ends with no role.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from brownie import (  # type: ignore[import-not-found]
    AllowanceVault,
    BenefitToken,
    OfficerRegistry,
    RoleManager,
    accounts,
    chain,
    web3,
)

MINED_WITHIN_S = 60
ADMIN_ROLE = 0
EOA_SIGNER = 1
ROLE_BITS = {"maker": 1, "reviewer": 2, "emergency": 4, "governor": 8}

# Role number, then the functions it may call: (contract key, function name, argument types).
HOUSEKEEPING = {
    "guardian": (1, [("vault", "pause(uint8)"), ("token", "pauseTransfers()")]),
    "freezer": (2, [("token", "freeze(address)"), ("token", "unfreeze(address)")]),
    "attestor": (3, [("token", "attestReserve(uint80,uint80,uint40,bytes32)")]),
    "treasurer": (4, [("token", "lowerCap(uint80)")]),
    "programme_manager": (
        5,
        [
            (
                "vault",
                "createProgramme(uint32,uint24,uint8,uint80,uint64,(uint80,uint8,uint32)[],bytes32)",
            ),
            ("vault", "scheduleBudgetIncrease(uint32,uint80)"),
            ("vault", "decreaseBudget(uint32,uint80)"),
        ],
    ),
}


def main() -> None:
    """Deploy, hand every role over, and write the deployment file last."""
    config = json.loads(Path(os.environ["RELIEF_DEPLOY_CONFIG"]).read_text())
    target = Path(os.environ["RELIEF_DEPLOYMENT_FILE"])
    _settle_before_answering(web3.provider)
    deployer = _deployer()
    sender = {"from": deployer}
    first_block = len(chain)

    manager = RoleManager.deploy(deployer, sender)
    officers = [_new_officer(officer) for officer in config["officers"]]
    registry = OfficerRegistry.deploy(manager, config["quorum"], officers, sender)
    # The token names its first minter for good at birth, so the vault's address is worked out from
    # the deployer's nonce: the token takes the next one, the vault the one after.
    vault_address = deployer.get_deployment_address(deployer.nonce + 1)
    cap = int(config["token_cap_base_units"])
    token = BenefitToken.deploy(manager, registry, vault_address, cap, sender)
    vault = AllowanceVault.deploy(manager, token, registry, sender)
    if vault.address != vault_address:
        raise RuntimeError(f"the vault stands at {vault.address}, not at {vault_address}")

    contracts = {"vault": vault, "token": token, "registry": registry, "manager": manager}
    roles = _hand_over_roles(contracts, config["roles"], deployer, sender)
    deployment = {
        "chain_id": chain.id,
        "deployment_block": first_block,
        "finality_depth_blocks": config["finality_depth_blocks"],
        "contracts": {key: _described(contract) for key, contract in contracts.items()},
        "roles": roles,
    }
    target.parent.mkdir(parents=True, exist_ok=True)
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


def _deployer() -> Any:
    name = os.environ.get("RELIEF_DEPLOYER")
    return accounts.load(name) if name else accounts[0]


def _new_officer(officer: dict[str, Any]) -> tuple[Any, ...]:
    roles = 0
    for role in officer["roles"]:
        roles |= ROLE_BITS[role]
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
    for name, (number, functions) in HOUSEKEEPING.items():
        for key, signature in functions:
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
