"""geth's transaction pool: what it takes, in geth's own words, and what can be mined.

anvil takes replacements that geth refuses and forgets the pool at a re-org, so the proxy keeps this
pool and hands anvil only what goes into the next block.

Source: go-ethereum 1.16, ``core/txpool/validation.go``, ``core/txpool/legacypool/list.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import rlp
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

PRICE_BUMP_PER_CENT = 10
"""``DefaultConfig.PriceBump``."""

ACCOUNT_QUEUE = 64
"""Transactions behind a gap that are kept for an account (``DefaultConfig.AccountQueue``)."""

TRANSACTION_GAS_CAP = 2**24
"""EIP-7825."""


class Refused(Exception):
    """The pool does not take a transaction; the message is geth's."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """A decoded transaction.

    Attributes
    ----------
    max_fee, tip
        Wei a gas; of a legacy transaction both are the gas price.
    """

    raw: bytes
    tx_hash: str
    sender: str
    nonce: int
    gas: int
    max_fee: int
    tip: int
    value: int
    to: str
    data: bytes
    chain_id: int

    @property
    def cost(self) -> int:
        """The most that its sender may have to pay, wei."""
        return self.value + self.gas * self.max_fee


def decode(raw: bytes) -> Pooled:
    """Read signed bytes.

    Raises
    ------
    Refused
        If they are no transaction.
    """
    try:
        sender = str(Account.recover_transaction(raw))
        if raw[:1] == b"\x02":
            fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
            max_fee, tip = int(fields["maxFeePerGas"]), int(fields["maxPriorityFeePerGas"])
            return Pooled(
                raw,
                "0x" + keccak(raw).hex(),
                sender,
                int(fields["nonce"]),
                int(fields["gas"]),
                max_fee,
                tip,
                int(fields["value"]),
                "0x" + bytes(fields["to"]).hex(),
                bytes(fields["data"]),
                int(fields["chainId"]),
            )
        nonce, price, gas, to, value, data, v, _, _ = rlp.decode(raw)
    except Exception as error:
        raise Refused(f"rlp: {error}") from error
    price_wei = int.from_bytes(price, "big")
    return Pooled(
        raw,
        "0x" + keccak(raw).hex(),
        sender,
        int.from_bytes(nonce, "big"),
        int.from_bytes(gas, "big"),
        price_wei,
        price_wei,
        int.from_bytes(value, "big"),
        "0x" + to.hex(),
        data,
        (int.from_bytes(v, "big") - 35) // 2,
    )


def intrinsic_gas(data: bytes) -> int:
    """Gas before the first instruction, with the floor for calldata (EIP-2028, EIP-7623)."""
    zeros = data.count(0)
    others = len(data) - zeros
    return max(21_000 + 4 * zeros + 16 * others, 21_000 + 10 * (zeros + 4 * others))


class GethPool:
    """Transactions by sender and nonce.

    Parameters
    ----------
    chain_id
        EIP-155.
    minimum_tip
        ``--txpool.pricelimit``: 1 wei in geth, 0 on gas-free chains.
    """

    def __init__(self, chain_id: int, *, minimum_tip: int = 0) -> None:
        self.chain_id = chain_id
        self.minimum_tip = minimum_tip
        self._by_sender: dict[str, dict[int, Pooled]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_sender.values()))

    def __contains__(self, tx_hash: str) -> bool:
        return any(tx.tx_hash == tx_hash for tx in self.all())

    def all(self) -> list[Pooled]:
        """Everything in it, by sender and nonce."""
        return [txs[n] for _, txs in sorted(self._by_sender.items()) for n in sorted(txs)]

    def clear(self) -> None:
        """Forget everything."""
        self._by_sender.clear()

    def add(self, tx: Pooled, *, state_nonce: int, balance: int) -> None:
        """Take a transaction, or replace one of the same nonce.

        Parameters
        ----------
        state_nonce, balance
            Of its sender at the newest block.

        Raises
        ------
        Refused
            In the order in which geth looks.
        """
        if tx.tx_hash in self:
            raise Refused("already known")
        self._check_by_itself(tx)
        if tx.nonce < state_nonce:
            raise Refused(f"nonce too low: next nonce {state_nonce}, tx nonce {tx.nonce}")
        held = self._by_sender.get(tx.sender, {})
        cost = tx.cost
        spent = sum(t.cost for n, t in held.items() if n != tx.nonce)
        if balance < cost + spent:
            raise Refused(
                f"insufficient funds for gas * price + value: balance {balance}, "
                f"tx cost {cost}, overshot {cost + spent - balance}"
            )
        old = held.get(tx.nonce)
        if old is not None and not _outbids(tx, old):
            raise Refused("replacement transaction underpriced")
        free = _first_free(held, state_nonce)
        gapped = [n for n in held if n > free]
        if old is None and tx.nonce > free and len(gapped) >= ACCOUNT_QUEUE:
            raise Refused("account limit exceeded: queue is full")
        self._by_sender.setdefault(tx.sender, {})[tx.nonce] = tx

    def _check_by_itself(self, tx: Pooled) -> None:
        """What needs no look at the chain."""
        if tx.chain_id != self.chain_id:
            raise Refused(f"invalid chain id for signer: have {tx.chain_id} want {self.chain_id}")
        if tx.gas > TRANSACTION_GAS_CAP:
            raise Refused(
                f"transaction gas limit too high (cap: {TRANSACTION_GAS_CAP}, tx: {tx.gas})"
            )
        if tx.tip > tx.max_fee:
            raise Refused(
                "max priority fee per gas higher than max fee per gas: "
                f"maxPriorityFeePerGas: {tx.tip}, maxFeePerGas: {tx.max_fee}"
            )
        needed = intrinsic_gas(tx.data)
        if tx.gas < needed:
            raise Refused(f"intrinsic gas too low: gas {tx.gas}, minimum needed {needed}")
        if tx.tip < self.minimum_tip:
            raise Refused(
                f"transaction underpriced: gas tip cap {tx.tip}, minimum needed {self.minimum_tip}"
            )

    def put_back(self, tx: Pooled) -> None:
        """Take what a re-org returned, without asking whether it pays enough."""
        self._by_sender.setdefault(tx.sender, {}).setdefault(tx.nonce, tx)

    def drop(self, tx_hash: str) -> None:
        """Forget one."""
        for txs in self._by_sender.values():
            for nonce, tx in list(txs.items()):
                if tx.tx_hash == tx_hash:
                    del txs[nonce]

    def drop_used(self, nonces: Mapping[str, int]) -> None:
        """Forget what the chain has used up: nonces below those given, by sender."""
        for sender, used in nonces.items():
            txs = self._by_sender.get(sender, {})
            for nonce in [n for n in txs if n < used]:
                del txs[nonce]

    def drop_unpayable(self, balances: Mapping[str, int]) -> None:
        """Forget what costs more than its sender has now (``list.Filter`` at each new block)."""
        for sender, balance in balances.items():
            txs = self._by_sender.get(sender, {})
            for nonce in [n for n, tx in txs.items() if tx.cost > balance]:
                del txs[nonce]

    def senders(self) -> list[str]:
        """Whoever has something in it."""
        return sorted(sender for sender, txs in self._by_sender.items() if txs)

    def executable(
        self, nonces: Mapping[str, int], *, base_fee: int, gas_limit: int
    ) -> list[Pooled]:
        """What goes into the next block: best tip first, each sender's in the order of nonces."""
        heads = {
            sender: self._by_sender.get(sender, {}).get(nonce) for sender, nonce in nonces.items()
        }
        chosen: list[Pooled] = []
        left = gas_limit
        while True:
            ready = [
                tx
                for tx in heads.values()
                if tx is not None and tx.max_fee >= base_fee and tx.gas <= left
            ]
            if not ready:
                return chosen
            best = max(ready, key=lambda t: (min(t.tip, t.max_fee - base_fee), t.tx_hash))
            chosen.append(best)
            left -= best.gas
            heads[best.sender] = self._by_sender[best.sender].get(best.nonce + 1)

    def pending_nonce(self, sender: str, state_nonce: int) -> int:
        """The nonce after what can be mined, as ``eth_getTransactionCount … pending`` tells."""
        return _first_free(self._by_sender.get(sender, {}), state_nonce)


def _first_free(held: Mapping[int, Pooled], state_nonce: int) -> int:
    nonce = state_nonce
    while nonce in held:
        nonce += 1
    return nonce


def _outbids(new: Pooled, old: Pooled) -> bool:
    """``list.Add``: both fees higher, and by at least the price bump (rounded down)."""
    if old.max_fee >= new.max_fee or old.tip >= new.tip:
        return False
    bump = 100 + PRICE_BUMP_PER_CENT
    return new.max_fee >= old.max_fee * bump // 100 and new.tip >= old.tip * bump // 100
