"""A peer for streaming: Superfluid's constant flow agreement (CFA), in its package's bytecode.

Its framework is deployed as the package's own steps for local chains do it: host and agreements
without the proxies that its public deployments have, so each call is a little cheaper here. The
payer's tokens are wrapped; what streams is a balance of the wrapped token that its holder may spend
at once, and ``downgrade`` turns it into the plain token.

=====================  ============================================================================
operation              what is measured
=====================  ============================================================================
stream_open            ``batchCall`` of ``createFlow`` by the payer
withdraw_self          ``downgrade`` of a day's allowance by the payee, to the plain token
withdraw_relayed       nothing: a flow is its payee's balance, and nobody else can turn it
cancel                 ``batchCall`` of ``deleteFlow`` by the payer
=====================  ============================================================================

Where 500 do not fit a transaction of 2^24 gas, they are sent in as few as do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode

from service.config import PROJECT_ROOT
from tests.gas.chain import (
    DAY_S,
    SINGLE_GAS,
    UNIT,
    Call,
    Contract,
    GasChain,
    linked,
    read_artifact,
    wallets,
)
from tests.gas.relief import SIZES, STREAM_DAYS, Gas
from tests.gas.tokens import PAYER

PACKAGE = PROJECT_ROOT / "tests/gas/peers/node_modules/@superfluid-finance/ethereum-contracts"
REGISTRY = PACKAGE / "dev-scripts" / "artifacts" / "ERC1820Registry.json"
REGISTRY_ADDRESS = "0x1820a4B7618BdE71Dce8cdc73aAB6C95905faD24"
"""Where ERC-1820 puts the registry on every chain."""
NOBODY = "0x" + "00" * 20
CALLBACK_GAS = 3_000_000
LIQUIDATION_PERIOD_S, PATRICIAN_PERIOD_S = 4 * 3_600, 30 * 60
SEMI_UPGRADABLE = 1
"""``ISuperTokenFactory.Upgradability``, as the package's own deployment chooses."""
CALL_AGREEMENT = 201
"""``BatchOperation.OPERATION_TYPE_SUPERFLUID_CALL_AGREEMENT``."""
WRAPPED_PER_BASE_UNIT = 10**12
"""The wrapped token has 18 decimals, the plain one 6."""
OPEN_AT_ONCE = 60
CANCEL_AT_ONCE = 75


def _artifact(path: str) -> dict[str, Any]:
    folder, _, name = path.rpartition("/")
    built = PACKAGE / "build" / "hardhat" / "contracts"
    return read_artifact(built / folder / f"{name}.sol" / f"{name}.json")


class Superfluid:
    """Flows of a wrapped token from a payer to payees."""

    def __init__(self, chain: GasChain) -> None:
        self.chain = chain
        self._deploy_registry()
        self.host, self.governance = self._deploy_host()
        self.flows = self._register_agreements()
        self.plain, self.wrapped = self._deploy_tokens()

    # ---- deploying, in the order of the package's SuperfluidFrameworkDeploymentSteps ------------

    def _create(self, path: str, *arguments: Any) -> Contract:
        return self.chain.create(PAYER, _artifact(path), *arguments)

    def _send(self, target: Contract, function: str, *arguments: Any) -> int:
        return self.chain.send(PAYER, target, target.data(function, *arguments))

    def _deploy_registry(self) -> None:
        code = json.loads(REGISTRY.read_text())["bin"]
        made = self.chain.create(PAYER, {"abi": [], "bytecode": code})
        runtime = self.chain.rpc.call("eth_getCode", made.address, "latest")
        self.chain.node.rpc("anvil_setCode", REGISTRY_ADDRESS, runtime)

    def _deploy_host(self) -> tuple[Contract, Contract]:
        governance = self._create("utils/TestGovernance")
        forwarders = [
            self._create(f"utils/{name}") for name in ("SimpleForwarder", "ERC2771Forwarder")
        ]
        self.acl = self._create("utils/SimpleACL")
        helpers = [helper.address for helper in (*forwarders, self.acl)]
        host = self._create("superfluid/Superfluid", True, False, CALLBACK_GAS, *helpers)
        for forwarder in forwarders:
            self._send(forwarder, "transferOwnership", host.address)
        self._send(host, "initialize", governance.address)
        periods = (LIQUIDATION_PERIOD_S, PATRICIAN_PERIOD_S)
        self._send(governance, "initialize", host.address, PAYER, *periods, [])
        return host, governance

    def _register_agreements(self) -> Contract:
        """Deploy and register the three agreements; an account's balance asks each of them."""
        pools = "agreements/gdav1"
        libraries = {
            "SlotsBitmapLibrary": self._create("libs/SlotsBitmapLibrary").address,
            "SuperfluidPoolDeployerLibrary": self._create(
                f"{pools}/SuperfluidPoolDeployerLibrary"
            ).address,
        }
        flows = self._create("agreements/ConstantFlowAgreementV1", self.host.address)
        instant = linked(_artifact("agreements/InstantDistributionAgreementV1"), libraries)
        pool = self._create(f"{pools}/SuperfluidPool", NOBODY)
        beacon = self._create("upgradability/SuperfluidUpgradeableBeacon", pool.address)
        general = linked(_artifact(f"{pools}/GeneralDistributionAgreementV1"), libraries)
        self.pools = self.chain.create(PAYER, general, self.host.address, beacon.address)
        agreements = [
            flows,
            self.chain.create(PAYER, instant, self.host.address),
            self.pools,
        ]
        for agreement in agreements:
            self._send(
                self.governance, "registerAgreementClass", self.host.address, agreement.address
            )
        return flows

    def _deploy_tokens(self) -> tuple[Contract, Contract]:
        """Deploy a plain token and its wrapper, and wrap the payer's."""
        admin_nft = self._create(
            "agreements/gdav1/PoolAdminNFT", self.host.address, self.pools.address
        )
        logic = self._create("superfluid/SuperToken", self.host.address, admin_nft.address)
        factory = self._create(
            "superfluid/SuperTokenFactory",
            self.host.address,
            logic.address,
            admin_nft.address,
            NOBODY,
        )
        self._send(
            self.governance,
            "updateContracts",
            *(self.host.address, NOBODY, [], factory.address, NOBODY),
        )
        limit = 10**18 * UNIT
        plain = self._create("utils/TestToken", "Peer", "PEER", 6, limit)
        created = "createERC20Wrapper(address,uint8,uint8,string,string,address)"
        arguments = (plain.address, 6, SEMI_UPGRADABLE, "Wrapped", "PEERx", NOBODY)
        (address,) = self.chain.view(factory, created, *arguments)
        self._send(factory, created, *arguments)
        wrapped = Contract(_artifact("superfluid/SuperToken")["abi"], f"0x{address:040x}")
        self._send(plain, "mint", PAYER, 10**12 * UNIT)
        self._send(plain, "approve", wrapped.address, 2**256 - 1)
        self._send(wrapped, "upgrade", 10**11 * UNIT * WRAPPED_PER_BASE_UNIT)
        return plain, wrapped

    # ---- measuring ----------------------------------------------------------------------------

    def measure(self) -> Gas:
        """Measure each operation for each number of payees."""
        gas: Gas = {}
        for payees in SIZES:
            for operation, charged in self._measure(wallets(payees)).items():
                gas.setdefault(operation, {})[payees] = round(charged / payees)
        return gas

    def _measure(self, entries: Sequence[tuple[str, int]]) -> dict[str, int]:
        gas = {}
        with self.chain.undone():
            # The payer's first flow writes what its later ones update.
            self._open([(wallets(len(entries) + 1)[-1][0], UNIT * 1_000)])
            for held in ("fresh", "existing"):
                with self.chain.undone():
                    if held == "existing":
                        self._hand_out(entries)
                    gas["stream_open"] = self._open(entries)
                    self.chain.mine_at(self.chain.now() + DAY_S)
                    gas[f"withdraw_self_{held}"] = self._downgrade_each(entries)
            self._open(entries)
            self.chain.mine_at(self.chain.now() + DAY_S // 2)
            gas["cancel"] = self._cancel(entries)
        return gas

    def _hand_out(self, entries: Sequence[tuple[str, int]]) -> None:
        self.chain.send_all(
            [
                Call(PAYER, self.plain.address, self.plain.data("mint", *entry), SINGLE_GAS)
                for entry in entries
            ]
        )

    def _open(self, entries: Sequence[tuple[str, int]]) -> int:
        calls = [
            self.flows.data("createFlow", self.wrapped.address, payee, _rate(amount), b"")
            for payee, amount in entries
        ]
        return self._batch(calls, OPEN_AT_ONCE)

    def _downgrade_each(self, entries: Sequence[tuple[str, int]]) -> int:
        calls = []
        for payee, amount in entries:
            day = _rate(amount) * DAY_S // WRAPPED_PER_BASE_UNIT * WRAPPED_PER_BASE_UNIT
            data = self.wrapped.data("downgrade", day)
            calls.append(Call(payee, self.wrapped.address, data, SINGLE_GAS))
        return self.chain.send_all(calls)

    def _cancel(self, entries: Sequence[tuple[str, int]]) -> int:
        calls = [
            self.flows.data("deleteFlow", self.wrapped.address, PAYER, payee, b"")
            for payee, _ in entries
        ]
        return self._batch(calls, CANCEL_AT_ONCE)

    def _batch(self, calls: Sequence[bytes], at_once: int) -> int:
        operations = [
            (CALL_AGREEMENT, self.flows.address, encode(["bytes", "bytes"], [call, b""]))
            for call in calls
        ]
        parts = [operations[at : at + at_once] for at in range(0, len(operations), at_once)]
        return self.chain.send_all(
            [Call(PAYER, self.host.address, self.host.data("batchCall", part)) for part in parts]
        )


def _rate(amount: int) -> int:
    """Return the flow rate, wrapped units a second, that pays an amount in 90 days."""
    return amount * WRAPPED_PER_BASE_UNIT // (STREAM_DAYS * DAY_S)
