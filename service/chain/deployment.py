"""Where the contracts stand: the file that the deployment script writes and the service reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.address import is_address, to_checksum_address
from eth_utils.crypto import keccak

from service.chain.rpc import Rpc
from service.errors import ConfigurationError

CONTRACT_KEYS = (
    *("vault", "token", "registry", "manager", "lane"),
    *("p256_verifier", "passkey_verifier"),
)
PART_KEYS = ("administration", "corrections")
"""Contracts whose code the vault runs on its own storage; nobody speaks to them."""


@dataclass(frozen=True, slots=True)
class DeployedContract:
    """One deployed contract.

    Attributes
    ----------
    name
        Name of the artifact, such as ``AllowanceVault``.
    address
        EIP-55 address.
    runtime_code_hash
        Keccak-256 of the code on chain (``eth_getCode``), 0x-hex.
    """

    name: str
    address: str
    runtime_code_hash: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """A set of contracts that belong together on one chain.

    Attributes
    ----------
    deployment_block
        First block that can hold one of their events.
    finality_depth_blocks
        Blocks after which inclusion is final; 0 on a chain with instant finality.
    contracts
        By key: ``vault``, ``token``, ``registry``, ``manager``, ``lane``, the vault's parts
        ``administration`` and ``corrections``, and the two that check officers' keys,
        ``p256_verifier`` and ``passkey_verifier``.
    roles
        Accounts of each housekeeping role, by name (``attestor``, …).
    configuration
        What the contracts were deployed with: ``quorum``, ``token_cap_base_units``, ``emergency``,
        ``officers``, as docs/deployment.md has them; empty where the file does not say.
    """

    chain_id: int
    deployment_block: int
    finality_depth_blocks: int
    contracts: dict[str, DeployedContract]
    roles: dict[str, tuple[str, ...]]
    configuration: dict[str, Any]

    @property
    def vault(self) -> str:
        """Address of the AllowanceVault."""
        return self.contracts["vault"].address

    @property
    def token(self) -> str:
        """Address of the BenefitToken."""
        return self.contracts["token"].address

    @property
    def registry(self) -> str:
        """Address of the OfficerRegistry."""
        return self.contracts["registry"].address

    @property
    def manager(self) -> str:
        """Address of the RoleManager."""
        return self.contracts["manager"].address

    @property
    def lane(self) -> str:
        """Address of the EmergencyLane."""
        return self.contracts["lane"].address

    @property
    def p256_verifier(self) -> str:
        """Address of the P256Verifier."""
        return self.contracts["p256_verifier"].address

    @property
    def passkey_verifier(self) -> str:
        """Address of the PasskeyVerifier."""
        return self.contracts["passkey_verifier"].address


def load_deployment(path: Path, *, finality_depth_blocks: int | None = None) -> Deployment:
    """Read a deployment file.

    Parameters
    ----------
    path
        The JSON file.
    finality_depth_blocks
        Takes the place of the file's value when given.

    Raises
    ------
    ConfigurationError
        If it is missing, is not JSON, or lacks something; the message names what.
    """
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} is missing: deploy the contracts first") from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read as JSON: {error}") from error
    try:
        return parse_deployment(content, finality_depth_blocks=finality_depth_blocks)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error.detail}") from error


def parse_deployment(content: Any, *, finality_depth_blocks: int | None = None) -> Deployment:
    """Build a :class:`Deployment` from the file's content.

    Raises
    ------
    ConfigurationError
        Naming the member that is missing or malformed.
    """
    if not isinstance(content, dict):
        raise ConfigurationError("the deployment is not a JSON object")
    depth = finality_depth_blocks
    if depth is None:
        depth = _count(content, "finality_depth_blocks")
    contracts = {}
    for key in (*CONTRACT_KEYS, *PART_KEYS):
        entry = content.get("contracts", {}).get(key)
        if not isinstance(entry, dict):
            raise ConfigurationError(f"contracts.{key} is missing")
        address, code_hash = entry.get("address"), entry.get("runtime_code_hash")
        if not isinstance(address, str) or not is_address(address):
            raise ConfigurationError(f"contracts.{key}.address is not an address: {address!r}")
        if not isinstance(code_hash, str) or len(code_hash) != len("0x") + 64:
            raise ConfigurationError(f"contracts.{key}.runtime_code_hash is not 32 bytes of hex")
        contracts[key] = DeployedContract(
            str(entry.get("name", "")), to_checksum_address(address), code_hash.lower()
        )
    roles = {
        str(name): tuple(str(to_checksum_address(account)) for account in role.get("accounts", ()))
        for name, role in content.get("roles", {}).items()
    }
    configuration = content.get("configuration", {})
    if not isinstance(configuration, dict):
        raise ConfigurationError("configuration is not a JSON object")
    return Deployment(
        _count(content, "chain_id"),
        _count(content, "deployment_block"),
        depth,
        contracts,
        roles,
        configuration,
    )


def check_chain(rpc: Rpc, deployment: Deployment) -> None:
    """Refuse a node of another chain.

    Raises
    ------
    ConfigurationError
        If it is on another.
    ChainUnavailable
        If it does not answer.
    """
    chain_id = int(rpc.call("eth_chainId"), 16)
    if chain_id != deployment.chain_id:
        raise ConfigurationError(
            f"the node is on chain {chain_id}, the contracts are on chain {deployment.chain_id}"
        )


def check_deployment(rpc: Rpc, deployment: Deployment) -> None:
    """Refuse a node of another chain, or contracts whose code is not what was deployed.

    Raises
    ------
    ConfigurationError
        Naming what differs.
    ChainUnavailable
        If the node does not answer.
    """
    check_chain(rpc, deployment)
    codes = rpc.batch(
        [("eth_getCode", (c.address, "latest")) for c in deployment.contracts.values()]
    )
    for (key, contract), code in zip(deployment.contracts.items(), codes, strict=True):
        if isinstance(code, Exception):
            raise code
        if code == "0x":
            raise ConfigurationError(f"there is no contract at {contract.address} ({key})")
        found = "0x" + keccak(hexstr=code).hex()
        if found != contract.runtime_code_hash:
            raise ConfigurationError(
                f"the code of {key} at {contract.address} hashes to {found}, "
                f"not to {contract.runtime_code_hash} as deployed"
            )


def _count(content: dict[str, Any], name: str) -> int:
    value = content.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigurationError(f"{name} is missing or not a whole number: {value!r}")
    return value
