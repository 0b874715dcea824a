"""A chain for one measurement: an anvil of its own with the contracts, a reserve and a programme.

Keys follow from fixed words and must never hold anything of value. The same steps in the same order
give the same addresses and the same state each time, so that what was measured on one chain can be
measured on another.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from service.chain.contracts import Contracts
from service.chain.deployment import parse_deployment
from service.chain.devcontracts import HOUSEKEEPING, deploy_contracts, send_and_wait
from service.chain.devnode import DevNode, meanwhile, start_anvil
from service.chain.rpc import Rpc
from service.errors import ChainRefused, ChainUnavailable

PROGRAMME = 1
PROGRAMME_CODE = f"chain-{PROGRAMME}"
"""What the service calls a programme that it knows from its event alone."""

BUDGET_BASE_UNITS = 10**17
PAYOUT_CAP_BASE_UNITS = 10**11
_NO_UPPER_LIMIT = 2**80 - 1
_TWO_DAYS_S = 2 * 86_400
_GAS_MONEY_WEI = 10**21
_MAKER, _REVIEWER, _GOVERNOR = 1, 2, 8

OFFICERS = {1: (_MAKER | _GOVERNOR, 0, 0), 2: (_REVIEWER | _GOVERNOR, 0, 0)}
"""Officer 1 makes, officer 2 reviews, both for the whole country."""

WHEN_TOLD = ("--no-mining",)
"""The node makes a block when it is told to, which it is while anything waits: a chain that never
rests, and the hardest to keep up with. Left to itself it mines on arrival, and leaves lying what
did not fit the block."""

NO_HISTORY = ("--prune-history",)
"""Keep no states of the past: left to itself, anvil copies the whole state with each block, which
costs it the more the more accounts there are."""

LOOK_EVERY_S = 0.003
"""So soon the node is told to mine what comes after it had nothing."""


@lru_cache(maxsize=64)
def account(name: str) -> LocalAccount:
    """A throw-away key derived from a name."""
    made: LocalAccount = Account.from_key(keccak(text=f"relief benchmark key: {name}"))
    return made


@dataclass(frozen=True, slots=True)
class BenchChain:
    """A running chain with the contracts.

    Attributes
    ----------
    content
        The deployment, as its file has it.
    """

    node: DevNode
    rpc: Rpc
    content: dict[str, Any]
    contracts: Contracts

    def mints(self) -> dict[str, tuple[int, ...]]:
        """Return what each wallet was minted by the chain's logs, base units, in their order.

        Wallets are in small letters. Read block by block and by nothing of the service's own.
        """
        found: dict[str, tuple[int, ...]] = {}
        wanted = {
            "address": self.contracts.address("token"),
            "topics": [self.contracts.topic("token", "Transfer"), "0x" + "0" * 64],
        }
        for number in range(1, int(self.rpc.call("eth_blockNumber"), 16) + 1):
            here = {"fromBlock": hex(number), "toBlock": hex(number)}
            for log in self.rpc.call("eth_getLogs", wanted | here):
                wallet = "0x" + log["topics"][2][-40:]
                found[wallet] = (*found.get(wallet, ()), int(log["data"], 16))
        return found


@contextmanager
def start_chain(artifacts_dir: Path, relayer: str, *, history: bool) -> Iterator[BenchChain]:
    """Run a chain on which a programme is in force and a relayer has gas money.

    Parameters
    ----------
    history
        Whether the node keeps the state after each block, as anvil does unless told otherwise.

    Raises
    ------
    ChainRefused, ChainUnavailable, ConfigurationError
        If the node, an artifact or a transaction fails.
    """
    starting = start_anvil(extra_arguments=(*WHEN_TOLD, *(() if history else NO_HISTORY)))
    with starting as node, Rpc(node.rpc_url) as rpc, _mining(node):
        roles = {name: account(name) for name in HOUSEKEEPING}
        for address in (account("deployer").address, relayer, *(k.address for k in roles.values())):
            node.rpc("anvil_setBalance", address, hex(_GAS_MONEY_WEI))
        content = deploy_contracts(
            rpc,
            artifacts_dir,
            account("deployer"),
            officers=OFFICERS,
            signers={number: account(f"officer {number}").address for number in OFFICERS},
            roles={name: key.address for name, key in roles.items()},
            finality_depth_blocks=0,
        )
        chain = BenchChain(node, rpc, content, Contracts(parse_deployment(content), artifacts_dir))
        _begin_programme(chain)
        yield chain


def _mining(node: DevNode) -> AbstractContextManager[None]:
    """Mine one block after the other while any transaction waits, as much as a block holds."""

    def mine(ended: threading.Event) -> None:
        with Rpc(node.rpc_url) as rpc:
            while not ended.is_set():
                try:
                    if int(rpc.call("txpool_status")["pending"], 16):
                        rpc.call("evm_mine")
                        continue
                except ChainUnavailable:
                    pass  # at its end
                ended.wait(LOOK_EVERY_S)

    return meanwhile(mine)


def _begin_programme(chain: BenchChain) -> None:
    manager, attestor = account("programme_manager"), account("attestor")
    tiers = [(_NO_UPPER_LIMIT, 1, 0)]
    limits = (BUDGET_BASE_UNITS, PAYOUT_CAP_BASE_UNITS)
    _call(chain, manager, "vault", "createProgramme", PROGRAMME, 0, 0, *limits, tiers, bytes(32))
    # An hour more: blocks of one second are dated a second apart, ahead of the clock.
    chain.node.rpc("evm_increaseTime", _TWO_DAYS_S + 3_600)
    chain.node.rpc("evm_mine")
    header = chain.rpc.header("latest")
    now = int(header["timestamp"], 16) if header else 0
    _call(chain, attestor, "token", "attestReserve", BUDGET_BASE_UNITS, 0, now, bytes(32))


def _call(chain: BenchChain, key: LocalAccount, contract: str, function: str, *args: Any) -> None:
    data = chain.contracts.encode_call(contract, function, *args)
    receipt = send_and_wait(chain.rpc, key, chain.contracts.address(contract), data)
    if receipt["status"] != "0x1":
        raise ChainRefused(f"{function} reverted")
