"""The contracts that belong together, found from the vault's address alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eth_hash.auto import keccak

from service.audit.abi import Contract
from service.audit.decode import address_text, hex_text
from service.audit.rpc import Node, NodeRefused
from service.audit.signatures import Domain, domain
from service.audit.views import as_address, calldata
from service.errors import InvalidInput

WORD_BYTES = 32

PARTS = ("administration", "corrections")
"""Views of the vault that name the contracts whose code it runs on its own storage."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The contracts that belong together, as the vault names them.

    Attributes
    ----------
    addresses
        Of each contract, bytes.
    code_hashes
        Keccak-256 of the code of each contract and of each part of the vault, 0x-hex: the auditor
        compares them with a build.
    quorum
        Officers a quorum action needs, a constant of the deployed registry.
    """

    chain_id: int
    addresses: dict[Contract, bytes]
    code_hashes: dict[str, str]
    quorum: int

    def domains(self) -> dict[Contract, Domain]:
        """EIP-712 domains of the contracts that officers sign for."""
        return {
            contract: domain(contract, self.chain_id, address)
            for contract, address in self.addresses.items()
            if contract is not Contract.MANAGER
        }


def discover(node: Node, vault: bytes, block: int) -> Deployment:
    """Ask the vault for its token and registry, these for emergency lane and manager.

    Raises
    ------
    ChainUnavailable, NodeRefused
        When the node does not answer.
    InvalidInput
        When there is no vault of ours at that address.
    """

    def ask(address: bytes, name: str) -> bytes:
        try:
            answer = node.view(hex_text(address), calldata(f"{name}()"), block)
        except NodeRefused as error:
            if "revert" not in str(error):
                raise
            answer = b""
        if len(answer) != WORD_BYTES:
            raise InvalidInput(
                f"there is no AllowanceVault at {address_text(vault)} in block {block}"
            )
        return answer

    token = as_address(ask(vault, "token"))
    registry = as_address(ask(vault, "registry"))
    addresses = {
        Contract.VAULT: vault,
        Contract.TOKEN: token,
        Contract.REGISTRY: registry,
        Contract.MANAGER: as_address(ask(registry, "manager")),
        Contract.LANE: as_address(ask(token, "emergencyLane")),
    }
    coded = {contract.value: address for contract, address in addresses.items()}
    coded |= {part: as_address(ask(vault, part)) for part in PARTS}
    return Deployment(
        chain_id=int(node.call("eth_chainId"), 16),
        addresses=addresses,
        code_hashes=code_hashes(node, coded, block),
        quorum=int.from_bytes(ask(registry, "quorum"), "big"),
    )


def code_hashes(node: Node, addresses: Mapping[str, bytes], block: int) -> dict[str, str]:
    """Hash the code at some addresses, 0x-hex, by the same names.

    Raises
    ------
    ChainUnavailable, NodeRefused
        When the node does not answer.
    """
    asked = [(hex_text(address), hex(block)) for address in addresses.values()]
    codes = node.batch("eth_getCode", asked)
    return {
        name: hex_text(keccak(bytes.fromhex(code[2:])))
        for name, code in zip(addresses, codes, strict=True)
    }
