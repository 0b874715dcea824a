"""The contracts really deployed on a development chain, and what officers do with them in tests.

Usage::

    deployed = deploy(node, keys)             # once a session; snapshot afterwards
    deployed.attest(10**12)
    deployed.create_programme(1, budget=10**12, payout_cap=10**9)   # and moves time past the delay
    signatures = deployed.sign_batch(approval, maker=1, reviewers=[2, 3])

Keys are derived from fixed words; they must never hold anything of value.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from service.chain.contracts import Contracts, load_abi, load_bytecode
from service.chain.deployment import Deployment, parse_deployment
from service.chain.devnode import DevNode
from service.chain.rpc import Rpc
from service.config import PROJECT_ROOT
from tests.support.wallets import wallet_bytecode

ARTIFACTS_DIR = PROJECT_ROOT / "build" / "contracts"
GAS = 15_000_000
MINING_TIMEOUT_S = 10.0
TWO_DAYS_S = 2 * 86_400
BATCH_APPROVAL_TYPE = [
    ("programme", "uint32"),
    ("programmeVersion", "uint32"),
    ("batchId", "bytes32"),
    ("maker", "uint32"),
    ("kind", "uint8"),
    ("regionCode", "uint24"),
    ("regionDigits", "uint8"),
    ("chunkSize", "uint16"),
    ("chunksRoot", "bytes32"),
    ("manifestHash", "bytes32"),
    ("count", "uint32"),
    ("total", "uint80"),
    ("start", "uint40"),
    ("cliff", "uint32"),
    ("duration", "uint32"),
    ("cadence", "uint32"),
    ("executeBefore", "uint40"),
    ("expiresAt", "uint40"),
]


@lru_cache(maxsize=64)
def account(name: str) -> LocalAccount:
    """A throw-away key derived from a name."""
    made: LocalAccount = Account.from_key(keccak(text=f"relief test key: {name}"))
    return made


def default_officers() -> dict[int, tuple[int, int, int]]:
    """Officer id → (roles, region code, region digits).

    1 makes, 2 and 3 review, 3 grants in an emergency, all govern.
    """
    return {1: (1 | 8, 0, 0), 2: (2 | 8, 0, 0), 3: (2 | 4 | 8, 0, 0)}


@dataclass
class Deployed:
    """The contracts on a development chain, with the keys of everybody concerned.

    Attributes
    ----------
    roles
        Key of each housekeeping role: ``guardian, freezer, attestor, treasurer,
        programme_manager``.
    """

    node: DevNode
    rpc: Rpc
    content: dict[str, Any]
    deployment: Deployment
    contracts: Contracts
    deployer: LocalAccount
    officers: dict[int, LocalAccount]
    roles: dict[str, LocalAccount] = field(default_factory=dict)

    @property
    def vault(self) -> str:
        return self.deployment.vault

    @property
    def token(self) -> str:
        return self.deployment.token

    @property
    def registry(self) -> str:
        return self.deployment.registry

    @property
    def lane(self) -> str:
        return self.deployment.lane

    def write(self, path: Path) -> Path:
        """Write the deployment file as scripts/deploy.py does."""
        path.write_text(json.dumps(self.content))
        return path

    def read(self, key: str, function: str, *args: Any, block: int | str = "latest") -> Any:
        """Call a view."""
        return self.contracts.read(self.rpc, key, function, *args, block=block)

    def send(self, sender: LocalAccount, key: str, function: str, *args: Any) -> dict[str, Any]:
        """Send a call from a key, mine it, and return the receipt; a revert raises."""
        data = self.contracts.encode_call(key, function, *args)
        receipt = send(self.rpc, sender, self.contracts.address(key), data)
        assert receipt["status"] == "0x1", f"{function} reverted"
        return receipt

    def now(self) -> int:
        """Timestamp of the newest block."""
        header = self.rpc.header("latest")
        assert header is not None
        return int(header["timestamp"], 16)

    def advance(self, seconds: int) -> None:
        """Move the chain's clock and mine a block."""
        self.node.rpc("evm_increaseTime", seconds)
        self.node.rpc("evm_mine")

    def mine(self, blocks: int = 1) -> None:
        """Mine empty blocks."""
        for _ in range(blocks):
            self.node.rpc("evm_mine")

    def fund(self, address: str, wei: int = 10**20) -> None:
        """Give an account gas money."""
        self.node.rpc("anvil_setBalance", address, hex(wei))

    def attest(self, amount: int) -> None:
        """Attest a reserve as of now."""
        redeemed = self.read("token", "redeemedTotal")
        self.send(
            self.roles["attestor"],
            "token",
            "attestReserve",
            amount,
            redeemed,
            self.now(),
            bytes(32),
        )

    def create_programme(
        self,
        number: int,
        *,
        budget: int,
        payout_cap: int,
        region_code: int = 0,
        region_digits: int = 0,
        tiers: Sequence[tuple[int, int, int]] | None = None,
        wait: bool = True,
    ) -> None:
        """Create a programme and, unless told otherwise, wait until it is in force."""
        self.send(
            self.roles["programme_manager"],
            "vault",
            "createProgramme",
            number,
            region_code,
            region_digits,
            budget,
            payout_cap,
            list(tiers or [(2**80 - 1, 1, 0)]),
            bytes(32),
        )
        if wait:
            self.advance(TWO_DAYS_S)

    def freeze(self, address: str) -> None:
        """Freeze a wallet."""
        self.send(self.roles["freezer"], "token", "freeze", address)

    def unfreeze(self, address: str) -> None:
        """Unfreeze a wallet."""
        self.send(self.roles["freezer"], "token", "unfreeze", address)

    # ---- what officers sign ----------------------------------------------------------------------

    def domain(self, key: str) -> dict[str, Any]:
        """EIP-712 domain of a contract."""
        names = {
            "vault": "Relief AllowanceVault",
            "token": "Relief Benefit Token",
            "registry": "Relief OfficerRegistry",
            "lane": "Relief EmergencyLane",
        }
        return {
            "name": names[key],
            "version": "1",
            "chainId": self.deployment.chain_id,
            "verifyingContract": self.contracts.address(key),
        }

    def digest(
        self,
        key: str,
        primary_type: str,
        members: Sequence[tuple[str, str]],
        message: Mapping[str, Any],
    ) -> bytes:
        """What is signed of EIP-712 typed data in a contract's domain: 32 bytes."""
        types = {primary_type: [{"name": name, "type": kind} for name, kind in members]}
        signable = encode_typed_data(self.domain(key), types, dict(message))
        return keccak(b"\x19" + signable.version + signable.header + signable.body)

    def sign(
        self,
        signer: LocalAccount,
        key: str,
        primary_type: str,
        members: Sequence[tuple[str, str]],
        message: Mapping[str, Any],
    ) -> bytes:
        """Sign EIP-712 typed data in a contract's domain: 65 bytes."""
        digest = self.digest(key, primary_type, members, message)
        return bytes(signer.unsafe_sign_hash(digest).signature)

    def sign_batch(
        self, approval: Mapping[str, Any], *, maker: int, reviewers: Sequence[int]
    ) -> bytes:
        """Packed records of the maker and reviewers over a batch approval."""
        return pack(
            {
                officer: (
                    self.officers[officer].address,
                    self.sign(
                        self.officers[officer],
                        "vault",
                        "BatchApproval",
                        BATCH_APPROVAL_TYPE,
                        approval,
                    ),
                )
                for officer in [maker, *reviewers]
            }
        )

    def sign_action(
        self,
        key: str,
        primary_type: str,
        members: Sequence[tuple[str, str]],
        message: Mapping[str, Any],
        officers: Sequence[int],
    ) -> bytes:
        """Packed records of officers over a quorum action."""
        return pack(
            {
                officer: (
                    self.officers[officer].address,
                    self.sign(self.officers[officer], key, primary_type, members, message),
                )
                for officer in officers
            }
        )

    def grant(self, name: str, payee: str, amount: int, **members: Any) -> dict[str, Any]:
        """Have an emergency officer grant, by default officer 5 in county 510722."""
        given = {
            "grantId": keccak(text=f"grant {name}"),
            "officer": 5,
            "payee": payee,
            "amount": amount,
            "regionCode": 510722,
            "regionDigits": 6,
            "caseCommitment": keccak(text=f"emergency case {name}"),
            "validUntil": self.now() + 86_400,
            **members,
        }
        officer = given["officer"]
        key = self.officers[officer]
        signature = self.sign(key, "lane", "EmergencyGrant", EMERGENCY_GRANT_TYPE, given)
        signatures = pack({officer: (key.address, signature)})
        self.send(self.deployer, "lane", "grant", tuple(given.values()), signatures)
        return given

    def countersign(self, given: Mapping[str, Any], officer: int) -> None:
        """Have a reviewer countersign a grant."""
        message = {name: given[name] for name in ("grantId", "payee", "amount")}
        message["deadline"] = self.now() + 86_400
        key = self.officers[officer]
        signature = self.sign(key, "lane", "GrantCountersignature", COUNTERSIGNATURE_TYPE, message)
        signatures = pack({officer: (key.address, signature)})
        grant_id, deadline = given["grantId"], message["deadline"]
        self.send(self.deployer, "lane", "countersign", grant_id, deadline, signatures)

    def approval_tuple(self, approval: Mapping[str, Any]) -> tuple[Any, ...]:
        """The struct as the ABI encoder wants it."""
        return tuple(approval[name] for name, _ in BATCH_APPROVAL_TYPE)


EMERGENCY_GRANT_TYPE = [
    ("grantId", "bytes32"),
    ("officer", "uint32"),
    ("payee", "address"),
    ("amount", "uint64"),
    ("regionCode", "uint24"),
    ("regionDigits", "uint8"),
    ("caseCommitment", "bytes32"),
    ("validUntil", "uint40"),
]
COUNTERSIGNATURE_TYPE = [
    ("grantId", "bytes32"),
    ("payee", "address"),
    ("amount", "uint64"),
    ("deadline", "uint40"),
]


def pack(signatures: Mapping[int, tuple[str, bytes]]) -> bytes:
    """Pack records of accounts' signatures, ascending."""
    return b"".join(
        record(officer, 1, bytes.fromhex(address[2:]), signature)
        for officer, (address, signature) in sorted(signatures.items())
    )


def record(officer: int, signer_type: int, signer: bytes, signature: bytes) -> bytes:
    """Pack one record: officerId (4) | type (1) | lengths (2, 2) | signer | signature."""
    packed = officer.to_bytes(4, "big") + signer_type.to_bytes(1, "big")
    packed += len(signer).to_bytes(2, "big") + len(signature).to_bytes(2, "big")
    return packed + signer + signature


def deploy_wallet(deployed: Deployed, owner: LocalAccount) -> str:
    """Deploy a contract account (ERC-1271) that signs as its owner does."""
    code = wallet_bytecode() + encode(["address", "uint8"], [owner.address, 0])
    receipt = send(deployed.rpc, deployed.deployer, None, code)
    assert receipt["status"] == "0x1", "the wallet was not deployed"
    return str(to_checksum_address(receipt["contractAddress"]))


def send(rpc: Rpc, sender: LocalAccount, to: str | None, data: bytes) -> dict[str, Any]:
    """Sign and send a transaction on a gas-free chain and return its receipt."""
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
    """
    deadline = time.monotonic() + MINING_TIMEOUT_S
    while True:
        receipt: dict[str, Any] | None = ask("eth_getTransactionReceipt", tx_hash)
        if receipt is not None:
            return receipt
        assert time.monotonic() < deadline, "not mined: the node must mine a block a transaction"
        time.sleep(0.002)


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
"""Of the emergency lane, in the contract's order."""

LIMITS_IN_CONFIGURATION = (
    *("per_grant_base_units", "per_officer_base_units", "outstanding_base_units"),
    *("countersign_window_s", "per_county_base_units", "per_city_base_units"),
    *("per_province_base_units", "country_base_units", "county_overdue_base_units"),
    *("city_overdue_base_units", "province_overdue_base_units"),
)
"""The same as the deployment's configuration names them."""

OFFICER_ROLES = {"maker": 1, "reviewer": 2, "emergency": 4, "governor": 8}


def deploy(
    node: DevNode,
    *,
    officers: Mapping[int, tuple[int, int, int]] | None = None,
    quorum: int = 2,
    token_cap: int = 2**79,
    lane_cap: int = 10**6 * TOKENS,
    finality_depth_blocks: int = 0,
) -> Deployed:
    """Deploy the contracts, grant the housekeeping roles, and give up administration."""
    rpc = Rpc(node.rpc_url)
    deployer = account("deployer")
    keys = {number: account(f"officer {number}") for number in (officers or default_officers())}
    roles = {name: account(name) for name in HOUSEKEEPING}
    first_block = rpc.block_number() + 1
    for key in (deployer, *roles.values()):
        node.rpc("anvil_setBalance", key.address, hex(10**21))

    def create(name: str, types: Sequence[str], *args: Any) -> str:
        receipt = send(
            rpc, deployer, None, load_bytecode(ARTIFACTS_DIR, name) + encode(types, args)
        )
        assert receipt["status"] == "0x1", f"{name} was not deployed"
        return str(to_checksum_address(receipt["contractAddress"]))

    new_officers = [
        (number, *facts, 1, bytes.fromhex(keys[number].address[2:]))
        for number, facts in (officers or default_officers()).items()
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
    assert (vault, lane) == (vault_address, lane_address)

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
    content: dict[str, Any] = {
        "chain_id": node.chain_id,
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
            name: {"id": number, "accounts": [roles[name].address]}
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
                    "signer": keys[number].address,
                }
                for number, (roles_of, code, digits) in (officers or default_officers()).items()
            ],
        },
    }
    deployment = parse_deployment(content)
    made = Deployed(
        node=node,
        rpc=rpc,
        content=content,
        deployment=deployment,
        contracts=Contracts(deployment, ARTIFACTS_DIR),
        deployer=deployer,
        officers=keys,
        roles=roles,
    )
    for name, (number, functions) in HOUSEKEEPING.items():
        for key, function in functions:
            made.send(
                deployer,
                "manager",
                "setTargetFunctionRole",
                made.contracts.address(key),
                [selector(key, function)],
                number,
            )
        made.send(deployer, "manager", "grantRole", number, roles[name].address, 0)
    made.send(deployer, "manager", "grantRole", 0, registry, 0)
    made.send(deployer, "manager", "renounceRole", 0, deployer.address)
    return made


def selector(key: str, function: str) -> bytes:
    """Selector of a function, from its artifact."""
    name = {"vault": "AllowanceVault", "token": "BenefitToken", "lane": "EmergencyLane"}[key]
    (entry,) = [
        item
        for item in load_abi(ARTIFACTS_DIR, name)
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
    encoded_nonce = number if 0 < nonce < 0x80 else bytes([0x80 + len(number)]) + number
    body = b"\x94" + bytes.fromhex(deployer[2:]) + encoded_nonce
    return str(to_checksum_address(keccak(bytes([0xC0 + len(body)]) + body)[12:]))
