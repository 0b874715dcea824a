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
from collections.abc import Mapping, Sequence
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

from service.chain import devcontracts
from service.chain.contracts import Contracts
from service.chain.deployment import Deployment, parse_deployment
from service.chain.devcontracts import HOUSEKEEPING, TOKENS, deploy_contracts
from service.chain.devcontracts import send_and_wait as send
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
    signed
        Contract, primary type, message and digest of all that was signed, in order.
    """

    node: DevNode
    rpc: Rpc
    content: dict[str, Any]
    deployment: Deployment
    contracts: Contracts
    deployer: LocalAccount
    officers: dict[int, LocalAccount]
    roles: dict[str, LocalAccount] = field(default_factory=dict)
    signed: list[tuple[str, str, dict[str, Any], bytes]] = field(default_factory=list)

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
        self.signed.append((key, primary_type, dict(message), digest))
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
    facts = dict(officers or default_officers())
    keys = {number: account(f"officer {number}") for number in facts}
    roles = {name: account(name) for name in HOUSEKEEPING}
    for key in (deployer, *roles.values()):
        node.rpc("anvil_setBalance", key.address, hex(10**21))
    content = deploy_contracts(
        rpc,
        ARTIFACTS_DIR,
        deployer,
        officers=facts,
        signers={number: key.address for number, key in keys.items()},
        roles={name: key.address for name, key in roles.items()},
        quorum=quorum,
        token_cap=token_cap,
        lane_cap=lane_cap,
        finality_depth_blocks=finality_depth_blocks,
    )
    deployment = parse_deployment(content)
    return Deployed(
        node=node,
        rpc=rpc,
        content=content,
        deployment=deployment,
        contracts=Contracts(deployment, ARTIFACTS_DIR),
        deployer=deployer,
        officers=keys,
        roles=roles,
    )


def selector(key: str, function: str) -> bytes:
    """Selector of a function, from its artifact."""
    return devcontracts.selector(ARTIFACTS_DIR, key, function)
