"""Peers for streaming: Sablier Lockup and Sablier Flow, in their packages' bytecode.

Both lock OpenZeppelin tokens of a payer and hand each stream out as an NFT. Their comptroller asks
for no fee. A stream runs 90 days without a cliff; Lockup's default granularity, a second.

============================  ==========================================  ========================
operation                     Lockup                                      Flow
============================  ==========================================  ========================
stream_open                   ``BatchLockup.createWithTimestampsLL``      ``batch`` of
                                                                          ``createAndDeposit``
withdraw_self                 ``withdrawMax`` by the recipient            the same
withdraw_relayed              ``withdrawMultiple`` by a stranger          ``batch`` of
                                                                          ``withdrawMax``
cancel                        ``cancelMultiple`` by the sender            ``batch`` of ``void`` and
                                                                          ``refundMax``
============================  ==========================================  ========================

Where 500 do not fit a transaction of 2^24 gas, they are sent in as few as do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from service.config import PROJECT_ROOT
from tests.gas.chain import (
    DAY_S,
    SINGLE_GAS,
    UNIT,
    Call,
    Contract,
    GasChain,
    linked,
    named_address,
    read_artifact,
    wallets,
)
from tests.gas.relief import SIZES, STREAM_DAYS, Gas
from tests.gas.tokens import PAYER, create_token

PACKAGES = PROJECT_ROOT / "tests" / "gas" / "peers" / "node_modules" / "@sablier"
STRANGER = named_address("anyone")
NOBODY = "0x" + "00" * 20
RATE_UNIT = 10**18
"""Flow's rates are whole tokens a second with 18 decimals."""


def _artifact(package: str, name: str) -> dict[str, Any]:
    return read_artifact(PACKAGES / package / "artifacts" / f"{name}.json")


class _Streams:
    """What Lockup and Flow have in common: numbered streams of a token of the payer's."""

    AT_ONCE: ClassVar[dict[str, int]]
    """Streams that fit one transaction of 2^24 gas, by operation."""

    def __init__(self, chain: GasChain) -> None:
        self.chain = chain
        self.token = create_token(chain, "OpenZeppelinToken")
        logic = chain.create(PAYER, _artifact("evm-utils", "SablierComptroller"), PAYER)
        initialize = logic.data("initialize", PAYER, 0, 0, 0, 0, NOBODY)
        proxy = _artifact("evm-utils", "ERC1967Proxy")
        self.comptroller = chain.create(PAYER, proxy, logic.address, initialize)
        self.streams = self._deploy()

    def _deploy(self) -> Contract:
        raise NotImplementedError

    def _opening(self, entries: Sequence[tuple[str, int]], start: int) -> Call:
        raise NotImplementedError

    def _withdrawal(self, ids: Sequence[int], payees: Sequence[str]) -> Call:
        raise NotImplementedError

    def _cancelling(self, ids: Sequence[int]) -> Call:
        raise NotImplementedError

    def measure(self) -> Gas:
        """Measure each operation for each number of payees."""
        gas: Gas = {}
        for payees in SIZES:
            self._measure(payees, lambda name, charged, n=payees: _put(gas, name, n, charged))
        return gas

    def _measure(self, payees: int, put: Callable[[str, int], None]) -> None:
        entries = wallets(payees)
        with self.chain.undone():
            # One stream and one payee of before, so that the counter of streams is not new.
            self.open([(PAYER, 10 * UNIT)])
            for held in ("fresh", "existing"):
                with self.chain.undone():
                    if held == "existing":
                        self._hand_out(entries)
                    start, opened = self.open(entries)
                    ids = list(range(2, 2 + payees))
                    with self.chain.undone():
                        self.chain.mine_at(start + DAY_S)
                        put(f"withdraw_self_{held}", self._withdraw_each(ids, entries))
                    self.chain.mine_at(start + DAY_S)
                    first = self._withdraw_all(ids, entries)
                    if held == "fresh":
                        put("stream_open", opened)
                        put("withdraw_relayed_fresh", first)
                        continue
                    put("withdraw_relayed_existing_first", first)
                    self.chain.mine_at(start + 2 * DAY_S)
                    put("withdraw_relayed_existing", self._withdraw_all(ids, entries))
            start, _ = self.open(entries)
            self.chain.mine_at(start + DAY_S // 2)
            put("cancel", self._cancel_all(list(range(2, 2 + payees))))

    def _hand_out(self, entries: Sequence[tuple[str, int]]) -> None:
        payees, amounts = zip(*entries, strict=True)
        minting = self.token.data("mintBatch", payees, amounts)
        self.chain.send(PAYER, self.token, minting)

    def open(self, entries: Sequence[tuple[str, int]]) -> tuple[int, int]:
        """Open a stream each, from a fixed second of the future on; when, and the gas."""
        start = self.chain.now() + 60
        return start, self.chain.send_all(
            [self._opening(part, start) for part in _parts(entries, self.AT_ONCE["open"])]
        )

    def _withdraw_each(self, ids: Sequence[int], entries: Sequence[tuple[str, int]]) -> int:
        return self.chain.send_all(
            [
                Call(
                    payee,
                    self.streams.address,
                    self.streams.data("withdrawMax", number, payee),
                    SINGLE_GAS,
                )
                for number, (payee, _) in zip(ids, entries, strict=True)
            ]
        )

    def _withdraw_all(self, ids: Sequence[int], entries: Sequence[tuple[str, int]]) -> int:
        payees = [payee for payee, _ in entries]
        parts = zip(
            _parts(ids, self.AT_ONCE["withdraw"]),
            _parts(payees, self.AT_ONCE["withdraw"]),
            strict=True,
        )
        calls = [self._withdrawal(*part) for part in parts]
        before = self._held_by(payees)
        gas = self.chain.send_all(calls)
        # Lockup passes over a withdrawal that fails, with an event.
        assert all(now > then for now, then in zip(self._held_by(payees), before, strict=True))
        return gas

    def _held_by(self, payees: Sequence[str]) -> list[int]:
        held = self.chain.views(self.token, "balanceOf", [[payee] for payee in payees])
        return [balance for (balance,) in held]

    def _cancel_all(self, ids: Sequence[int]) -> int:
        parts = _parts(ids, self.AT_ONCE["cancel"])
        return self.chain.send_all([self._cancelling(part) for part in parts])

    def _approve(self, spender: Contract) -> None:
        approving = self.token.data("approve", spender.address, 2**256 - 1)
        self.chain.send(PAYER, self.token, approving)


class Lockup(_Streams):
    """Sablier Lockup's linear streams, opened through its batch contract."""

    AT_ONCE: ClassVar = {"open": 95, "withdraw": 250, "cancel": 250}

    def _deploy(self) -> Contract:
        libraries = {
            name: str(self.chain.create(PAYER, _artifact("lockup", f"libraries/{name}")).address)
            for name in ("LockupHelpers", "LockupMath")
        }
        artifact = linked(_artifact("lockup", "SablierLockup"), libraries)
        lockup = self.chain.create(PAYER, artifact, self.comptroller.address, NOBODY)
        self.batch = self.chain.create(PAYER, _artifact("lockup", "SablierBatchLockup"))
        self._approve(self.batch)
        return lockup

    def _opening(self, entries: Sequence[tuple[str, int]], start: int) -> Call:
        span = (start, start + STREAM_DAYS * DAY_S)
        items = [
            (PAYER, payee, amount, True, False, span, 0, (0, 0), 0, "") for payee, amount in entries
        ]
        lockup, token = self.streams.address, self.token.address
        data = self.batch.data("createWithTimestampsLL", lockup, token, items)
        return Call(PAYER, self.batch.address, data)

    def _withdrawal(self, ids: Sequence[int], payees: Sequence[str]) -> Call:
        due = self.chain.views(self.streams, "withdrawableAmountOf", [[one] for one in ids])
        amounts = [amount for (amount,) in due]
        data = self.streams.data("withdrawMultiple", ids, amounts)
        return Call(STRANGER, self.streams.address, data)

    def _cancelling(self, ids: Sequence[int]) -> Call:
        data = self.streams.data("cancelMultiple", ids)
        return Call(PAYER, self.streams.address, data)


class Flow(_Streams):
    """Sablier Flow's open-ended streams, each opened with its whole deposit."""

    AT_ONCE: ClassVar = {"open": 120, "withdraw": 200, "cancel": 200}

    def _deploy(self) -> Contract:
        artifact = _artifact("flow", "SablierFlow")
        flow = self.chain.create(PAYER, artifact, self.comptroller.address, NOBODY)
        self._approve(flow)
        return flow

    def _opening(self, entries: Sequence[tuple[str, int]], start: int) -> Call:
        return self._batch(
            PAYER,
            [
                self.streams.data(
                    "createAndDeposit",
                    PAYER,
                    payee,
                    amount * RATE_UNIT // UNIT // (STREAM_DAYS * DAY_S),
                    start,
                    self.token.address,
                    False,
                    amount,
                )
                for payee, amount in entries
            ],
        )

    def _withdrawal(self, ids: Sequence[int], payees: Sequence[str]) -> Call:
        return self._batch(
            STRANGER,
            [
                self.streams.data("withdrawMax", number, payee)
                for number, payee in zip(ids, payees, strict=True)
            ],
        )

    def _cancelling(self, ids: Sequence[int]) -> Call:
        return self._batch(
            PAYER,
            [
                self.streams.data(function, number)
                for number in ids
                for function in ("void", "refundMax")
            ],
        )

    def _batch(self, sender: str, calls: Sequence[bytes]) -> Call:
        return Call(sender, self.streams.address, self.streams.data("batch", calls))


def _parts(items: Sequence[Any], at_once: int) -> list[Sequence[Any]]:
    return [items[at : at + at_once] for at in range(0, len(items), at_once)]


def _put(gas: Gas, operation: str, payees: int, charged: int) -> None:
    gas.setdefault(operation, {})[payees] = round(charged / payees)
