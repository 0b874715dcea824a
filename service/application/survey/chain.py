"""What the node says of where money stands: its head, the lanes' gas money, the reserve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from service.chain.contracts import Contracts
from service.chain.deployment import Deployment
from service.chain.rpc import Rpc, RpcError
from service.ledger.reconcile import reconcile

WEI_PER_COIN = 10**18
"""Units of gas money that make one coin."""

LOW_TRANSACTIONS = 100
"""Gas money for fewer transactions of the largest size is worth saying."""

LARGEST_TRANSACTION_GAS = 2**24
"""No transaction may use more (EIP-7825)."""

LARGEST_ROLE_TRANSACTION_GAS = 250_000
"""Lanes of role holders relay nothing: a programme with four tiers, their largest, uses 215,363."""


@dataclass(frozen=True, slots=True)
class ReserveFigures:
    """What is attested and what it carries, base units.

    Attributes
    ----------
    headroom_base_units
        What may still be approved: the reserve in force, or the cap where that is lower, less
        supply and commitments.
    stale_after_unix_s
        From then on the attestation is too old and nothing more is approved; None before the first.
    """

    in_force_base_units: int
    supply_base_units: int
    committed_base_units: int
    cap_base_units: int
    stale_after_unix_s: int | None

    @property
    def headroom_base_units(self) -> int:
        """What may still be approved."""
        most = min(self.in_force_base_units, self.cap_base_units)
        return max(most - self.supply_base_units - self.committed_base_units, 0)


@dataclass(frozen=True, slots=True)
class ChainFigures:
    """What the node said at one moment.

    Attributes
    ----------
    gas_price_wei
        0 where gas is free.
    balances_wei, nonces
        Of each lane, at the newest block.
    affordable
        For how many of the largest transactions that it sends a lane has gas money; empty where
        gas is free.
    """

    head: int
    timestamp_unix_s: int
    gas_price_wei: int
    balances_wei: Mapping[str, int]
    nonces: Mapping[str, int]
    affordable: Mapping[str, int]
    reserve: ReserveFigures


def take_chain_figures(rpc: Rpc, contracts: Contracts, senders: Sequence[str]) -> ChainFigures:
    """Ask the node for all of it.

    Raises
    ------
    ChainUnavailable, RpcError
        When the node does not answer, or refuses.
    """
    header = rpc.call("eth_getBlockByNumber", "latest", False)
    head = int(header["number"], 16)
    free = int(header.get("baseFeePerGas") or "0x0", 16) == 0
    asked = [("eth_getBalance", (sender, "latest")) for sender in senders]
    asked += [("eth_getTransactionCount", (sender, "latest")) for sender in senders]
    answers = [_number(answer) for answer in rpc.batch([("eth_gasPrice", ()), *asked])]
    price, balances, nonces = answers[0], answers[1 : len(senders) + 1], answers[len(senders) + 1 :]
    gas_price_wei = 0 if free else price
    return ChainFigures(
        head=head,
        timestamp_unix_s=int(header["timestamp"], 16),
        gas_price_wei=gas_price_wei,
        balances_wei=dict(zip(senders, balances, strict=True)),
        nonces=dict(zip(senders, nonces, strict=True)),
        affordable={
            sender: balance // (gas_price_wei * largest_gas(contracts.deployment, sender))
            for sender, balance in zip(senders, balances, strict=True)
            if gas_price_wei
        },
        reserve=reserve_figures(rpc, contracts, head),
    )


def largest_gas(deployment: Deployment, sender: str) -> int:
    """Return the gas of the largest transaction that a lane sends."""
    role_holders = {holder for holders in deployment.roles.values() for holder in holders}
    return LARGEST_ROLE_TRANSACTION_GAS if sender in role_holders else LARGEST_TRANSACTION_GAS


def reserve_figures(rpc: Rpc, contracts: Contracts, block: int) -> ReserveFigures:
    """Ask the token for reserve, supply and commitments at one block."""

    def read(function: str) -> int:
        return int(contracts.read(rpc, "token", function, block=block))

    as_of = contracts.read(rpc, "token", "attestation", block=block)["asOf"]
    return ReserveFigures(
        in_force_base_units=read("reserve"),
        supply_base_units=read("totalSupply"),
        committed_base_units=read("committed"),
        cap_base_units=read("cap"),
        stale_after_unix_s=as_of + read("RESERVE_MAX_AGE") if as_of else None,
    )


def ledger_difference_base_units(session: Session, rpc: Rpc, contracts: Contracts) -> int:
    """Return by how much ledger and contracts differ, all accounts' differences added up.

    Raises
    ------
    ChainUnavailable, RpcError
        As :func:`service.ledger.reconcile.reconcile`.
    """
    differences = reconcile(session, rpc, contracts)
    return sum(abs(d.ledger_base_units - d.chain_base_units) for d in differences)


def _number(answer: object) -> int:
    if isinstance(answer, RpcError):
        raise answer
    return int(str(answer), 16)
