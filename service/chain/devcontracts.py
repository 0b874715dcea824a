"""The contracts on a development chain, deployed from their artifacts in half a second.

For the benchmark and the tests; a deployment that holds money is made by ``scripts/deploy.py``,
which asks for more and checks more. Gas must be free on the chain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from service.chain.contracts import load_abi, load_bytecode
from service.chain.rpc import Rpc
from service.errors import ChainRefused, ChainUnavailable

GAS = 15_000_000
MINING_TIMEOUT_S = 10.0
MINING_PAUSE_S = 0.002

TOKENS = 10**6
EMERGENCY_LIMITS = {
    "perGrant": 1_000 * TOKENS,
    "perOfficer": 10_000 * TOKENS,
    "outstanding": 20_000 * TOKENS,
    "countersignWindow": 5 * 86_400,
    "perCounty": 10_000 * TOKENS,
    "perCity": 20_000 * TOKENS,
    "perProvince": 30_000 * TOKENS,
    "country": 40_000 * TOKENS,
    "countyOverdue": 1_500 * TOKENS,
    "cityOverdue": 3_000 * TOKENS,
    "provinceOverdue": 6_000 * TOKENS,
}
"""Of the emergency lane, in the contract's order, base units and seconds."""

LIMITS_IN_CONFIGURATION = (
    *("per_grant_base_units", "per_officer_base_units", "outstanding_base_units"),
    *("countersign_window_s", "per_county_base_units", "per_city_base_units"),
    *("per_province_base_units", "country_base_units", "county_overdue_base_units"),
    *("city_overdue_base_units", "province_overdue_base_units"),
)
"""The same as the deployment's configuration names them."""

OFFICER_ROLES = {"maker": 1, "reviewer": 2, "emergency": 4, "governor": 8}
"""Bits of ``IOfficerRegistry``."""

HOUSEKEEPING = {
    "guardian": (1, [("vault", "pause"), ("token", "pauseTransfers"), ("lane", "pause")]),
    "freezer": (2, [("token", "freeze"), ("token", "unfreeze")]),
    "attestor": (3, [("token", "attestReserve")]),
    "treasurer": (
        4,
        [("token", "lowerCap"), ("lane", "lowerLimits"), ("lane", "lowerRegionCap")],
    ),
    "programme_manager": (
        5,
        [
            ("vault", "createProgramme"),
            ("vault", "scheduleBudgetIncrease"),
            ("vault", "decreaseBudget"),
        ],
    ),
}
"""Number of each housekeeping role, and the functions it may call."""

_ARTIFACT = {"vault": "AllowanceVault", "token": "BenefitToken", "lane": "EmergencyLane"}


def deploy_contracts(
    rpc: Rpc,
    artifacts_dir: Path,
    deployer: LocalAccount,
    *,
    officers: Mapping[int, tuple[int, int, int]],
    signers: Mapping[int, str],
    roles: Mapping[str, str],
    quorum: int = 2,
    token_cap: int = 2**79,
    lane_cap: int = 10**6 * TOKENS,
    finality_depth_blocks: int = 0,
) -> dict[str, Any]:
    """Deploy the contracts, grant the housekeeping roles, and give up administration.

    The same deployer on an equal chain gives the same addresses.

    Parameters
    ----------
    officers
        By number: roles (bits), region code, region digits.
    signers
        Account of each officer.
    roles
        Account of each role of :data:`HOUSEKEEPING`.
    quorum
        Officers that a quorum action needs.
    token_cap, lane_cap
        Base units.

    Returns
    -------
    dict
        The deployment, as its file has it (docs/deployment.md).

    Raises
    ------
    ChainRefused
        If a transaction reverts.
    ConfigurationError
        If an artifact is missing.
    """
    chain_id = int(rpc.call("eth_chainId"), 16)
    first_block = rpc.block_number() + 1

    def create(name: str, types: Sequence[str], *args: Any) -> str:
        code = load_bytecode(artifacts_dir, name) + encode(types, args)
        receipt = send_and_wait(rpc, deployer, None, code)
        if receipt["status"] != "0x1":
            raise ChainRefused(f"{name} was not deployed")
        return str(to_checksum_address(receipt["contractAddress"]))

    new_officers = [
        (number, *facts, 1, bytes.fromhex(signers[number][2:]))
        for number, facts in officers.items()
    ]
    manager = create("RoleManager", ["address"], deployer.address)
    p256_verifier = create("P256Verifier", [])
    passkey_verifier = create("PasskeyVerifier", [])
    registry = create(
        "OfficerRegistry",
        ["address", "uint256", "address[]", "(uint32,uint16,uint24,uint8,uint8,bytes)[]"],
        manager,
        quorum,
        [p256_verifier, passkey_verifier],
        new_officers,
    )
    nonce = int(rpc.call("eth_getTransactionCount", deployer.address, "latest"), 16)
    vault_address = contract_address(deployer.address, nonce + 3)
    lane_address = contract_address(deployer.address, nonce + 4)
    token = create(
        "BenefitToken",
        ["address", "address", "address", "address", "uint80", "uint80"],
        manager,
        registry,
        vault_address,
        lane_address,
        token_cap,
        lane_cap,
    )
    common = (["address"] * 3, manager, token, registry)
    administration = create("VaultAdministration", *common)
    corrections = create("VaultCorrections", *common)
    vault = create(
        "AllowanceVault",
        ["address"] * 5,
        manager,
        token,
        registry,
        administration,
        corrections,
    )
    lane = create(
        "EmergencyLane",
        ["address", "address", "address", "(uint64,uint80,uint80,uint32" + ",uint80" * 7 + ")"],
        manager,
        token,
        registry,
        tuple(EMERGENCY_LIMITS.values()),
    )
    if (vault, lane) != (vault_address, lane_address):
        raise ChainRefused("somebody else sent with the deployer's key meanwhile")

    names = {
        "vault": ("AllowanceVault", vault),
        "token": ("BenefitToken", token),
        "registry": ("OfficerRegistry", registry),
        "manager": ("RoleManager", manager),
        "lane": ("EmergencyLane", lane),
        "p256_verifier": ("P256Verifier", p256_verifier),
        "passkey_verifier": ("PasskeyVerifier", passkey_verifier),
        "administration": ("VaultAdministration", administration),
        "corrections": ("VaultCorrections", corrections),
    }

    def manage(function: str, types: Sequence[str], *args: Any) -> None:
        data = keccak(text=f"{function}({','.join(types)})")[:4] + encode(types, args)
        receipt = send_and_wait(rpc, deployer, manager, data)
        if receipt["status"] != "0x1":
            raise ChainRefused(f"{function} reverted")

    grant = ["uint64", "address", "uint32"]
    for name, (number, functions) in HOUSEKEEPING.items():
        for key, function in functions:
            selectors = [selector(artifacts_dir, key, function)]
            types = ["address", "bytes4[]", "uint64"]
            manage("setTargetFunctionRole", types, names[key][1], selectors, number)
        manage("grantRole", grant, number, roles[name], 0)
    manage("grantRole", grant, 0, registry, 0)
    manage("renounceRole", ["uint64", "address"], 0, deployer.address)
    return {
        "chain_id": chain_id,
        "deployment_block": first_block,
        "finality_depth_blocks": finality_depth_blocks,
        "contracts": {
            key: {
                "name": name,
                "address": address,
                "runtime_code_hash": "0x"
                + keccak(hexstr=rpc.call("eth_getCode", address, "latest")).hex(),
            }
            for key, (name, address) in names.items()
        },
        "roles": {
            name: {"id": number, "accounts": [roles[name]]}
            for name, (number, _) in HOUSEKEEPING.items()
        },
        "configuration": {
            "quorum": quorum,
            "token_cap_base_units": str(token_cap),
            "emergency": {
                "cap_base_units": str(lane_cap),
                "limits": dict(
                    zip(LIMITS_IN_CONFIGURATION, map(str, EMERGENCY_LIMITS.values()), strict=True)
                ),
            },
            "officers": [
                {
                    "officer_id": number,
                    "roles": [name for name, bit in OFFICER_ROLES.items() if roles_of & bit],
                    "region_code": code,
                    "region_digits": digits,
                    "signer": signers[number],
                }
                for number, (roles_of, code, digits) in officers.items()
            ],
        },
    }


def selector(artifacts_dir: Path, key: str, function: str) -> bytes:
    """Selector of a function of the vault, the token or the lane, from its artifact."""
    (entry,) = [
        item
        for item in load_abi(artifacts_dir, _ARTIFACT[key])
        if item["type"] == "function" and item["name"] == function
    ]

    def kind(parameter: Mapping[str, Any]) -> str:
        if parameter["type"].startswith("tuple"):
            inner = ",".join(kind(component) for component in parameter["components"])
            return f"({inner}){parameter['type'].removeprefix('tuple')}"
        return str(parameter["type"])

    return keccak(text=f"{function}({','.join(kind(i) for i in entry['inputs'])})")[:4]


def contract_address(deployer: str, nonce: int) -> str:
    """Address of the contract that `deployer` creates with `nonce`."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    encoded_nonce = number if 0 < nonce < 0x80 else bytes([0x80 + len(number)]) + number  # noqa: PLR2004 - RLP: a small number is itself
    body = b"\x94" + bytes.fromhex(deployer[2:]) + encoded_nonce
    return str(to_checksum_address(keccak(bytes([0xC0 + len(body)]) + body)[12:]))


def send_and_wait(rpc: Rpc, sender: LocalAccount, to: str | None, data: bytes) -> dict[str, Any]:
    """Sign and send a transaction on a gas-free chain and return its receipt.

    Raises
    ------
    ChainUnavailable
        If it is not mined within 10 s.
    """
    nonce = int(rpc.call("eth_getTransactionCount", sender.address, "pending"), 16)
    transaction: dict[str, Any] = {
        "chainId": int(rpc.call("eth_chainId"), 16),
        "nonce": nonce,
        "gas": GAS,
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
        "value": 0,
        "data": data,
        "type": 2,
    }
    if to is not None:
        transaction["to"] = to
    raw = sender.sign_transaction(transaction).raw_transaction
    return mined(rpc.call, rpc.call("eth_sendRawTransaction", "0x" + bytes(raw).hex()))


def mined(ask: Callable[..., Any], tx_hash: str) -> dict[str, Any]:
    """Wait for a transaction's receipt: the node mines it a moment after it answered.

    Parameters
    ----------
    ask
        Calls a method of the node with its parameters.

    Raises
    ------
    ChainUnavailable
        If it is not mined within 10 s.
    """
    deadline = time.monotonic() + MINING_TIMEOUT_S
    while True:
        receipt: dict[str, Any] | None = ask("eth_getTransactionReceipt", tx_hash)
        if receipt is not None:
            return receipt
        if time.monotonic() > deadline:
            raise ChainUnavailable("not mined: the node must mine a block a transaction")
        time.sleep(MINING_PAUSE_S)
