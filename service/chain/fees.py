"""What a transaction offers for its gas, and how a replacement must outbid it.

Three kinds of network: EIP-1559 with a base fee, legacy with a gas price, and gas-free ones
(permissioned chains), where the offer is zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.chain.rpc import Rpc, RpcError
from service.errors import LimitExceeded

REPLACEMENT_BUMP_PER_MILLE = 125
"""A replacement raises both fees by 12.5 %: geth asks for 10 %, some pools for 12.5 %."""

BASE_FEE_HEADROOM = 2
"""The offer covers a doubled base fee: six full blocks in a row (EIP-1559: ⅛ a block)."""


@dataclass(frozen=True, slots=True)
class Fees:
    """An offer, wei per gas.

    Attributes
    ----------
    max_fee_per_gas
        The most that is paid; the gas price on a legacy chain.
    priority_fee_per_gas
        The block producer's part; the gas price too on a legacy chain.
    legacy
        The chain knows no EIP-1559 transactions.
    """

    max_fee_per_gas: int
    priority_fee_per_gas: int
    legacy: bool = False

    @property
    def free(self) -> bool:
        """Whether nothing is offered, so that nothing can outbid it."""
        return self.max_fee_per_gas == 0

    def transaction_fields(self) -> dict[str, int]:
        """Return the members of a transaction to sign."""
        if self.legacy:
            return {"gasPrice": self.max_fee_per_gas}
        return {
            "type": 2,
            "maxFeePerGas": self.max_fee_per_gas,
            "maxPriorityFeePerGas": self.priority_fee_per_gas,
        }


def suggest(rpc: Rpc, *, cap_wei: int, newest: Mapping[str, Any] | None = None) -> Fees:
    """Return what to offer now, never above the cap.

    Parameters
    ----------
    cap_wei
        Of the price per gas.
    newest
        The newest block's header; the node is asked for it where None.

    Raises
    ------
    ChainUnavailable
        If the node does not answer.
    LimitExceeded
        If even the current base fee is above the cap: the offer could not be mined.
    """
    newest = newest or rpc.header("latest")
    base_fee_hex = (newest or {}).get("baseFeePerGas")
    if base_fee_hex is None:
        price = int(rpc.call("eth_gasPrice"), 16)
        if price > cap_wei:
            raise LimitExceeded(f"the gas price is {price} wei, the cap {cap_wei}")
        return Fees(price, price, legacy=True)
    base_fee = int(base_fee_hex, 16)
    if base_fee == 0:
        # A gas-free network: a tip would only spend gas money that nobody asked for.
        return Fees(0, 0)
    if base_fee > cap_wei:
        raise LimitExceeded(f"the base fee is {base_fee} wei per gas, the cap {cap_wei}")
    try:
        tip = int(rpc.call("eth_maxPriorityFeePerGas"), 16)
    except RpcError:
        tip = 0
    max_fee = min(base_fee * BASE_FEE_HEADROOM + tip, cap_wei)
    return Fees(max_fee, min(tip, max_fee))


def outbid(previous: Fees, market: Fees, *, cap_wei: int) -> Fees | None:
    """Return an offer that pools accept in the place of `previous`.

    Both fees rise by at least 12.5 %, to the market's where that is higher.

    Returns
    -------
    Fees or None
        None where no offer within the cap, or on a gas-free chain, would be accepted.
    """
    if previous.free and market.free:
        return None
    max_fee = max(_bumped(previous.max_fee_per_gas), market.max_fee_per_gas)
    tip = max(_bumped(previous.priority_fee_per_gas), market.priority_fee_per_gas)
    if max_fee > cap_wei:
        return None
    return Fees(max_fee, min(tip, max_fee), legacy=previous.legacy)


def _bumped(fee: int) -> int:
    """`fee` + 12.5 %, rounded up, and by at least one wei."""
    return fee + max(1, -(-fee * REPLACEMENT_BUMP_PER_MILLE // 1000))
