"""What signatures are made for: one chain and our contracts on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

ContractKey = Literal["vault", "registry", "token", "lane"]

_NAMES: dict[ContractKey, str] = {
    "vault": "Relief AllowanceVault",
    "registry": "Relief OfficerRegistry",
    "token": "Relief Benefit Token",
    "lane": "Relief EmergencyLane",
}
_VERSION = "1"


@dataclass(frozen=True, slots=True)
class SigningDomain:
    """Chain id and addresses (EIP-55) that go into every EIP-712 domain."""

    chain_id: int
    vault: str
    registry: str
    token: str
    lane: str

    def of(self, contract: ContractKey) -> dict[str, Any]:
        """Return the EIP-712 domain of one contract, as its constructor fixed it."""
        return {
            "name": _NAMES[contract],
            "version": _VERSION,
            "chainId": self.chain_id,
            "verifyingContract": getattr(self, contract),
        }
