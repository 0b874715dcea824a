"""The bare limit: the same calls signed, sent and mined by a loop that writes nothing down.

It is as quick as we could make it: coincurve signs, JSON-RPC batches go over one kept connection,
and the next batches are signed while the node mines. It reads no events, keeps no bytes, and would
pay nobody twice only because nothing goes wrong.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from service.chain.fees import Fees
from service.chain.rpc import Rpc, RpcError
from service.chain.signers import LocalSigner
from service.errors import ChainRefused
from service.processes import wait_until

CALLS_A_BATCH = 4
"""What fits a block of 60 million gas, of chunks to 500 new wallets."""

BATCHES_AHEAD = 8
"""So many wait in the pool while the node mines one: as many blocks as the service sends ahead."""

TIMEOUT_S = 3_600.0
RECEIPT_TIMEOUT_S = 10.0
PAUSE_S = 0.005


@dataclass(frozen=True, slots=True)
class BareCall:
    """One call as the service had sent it."""

    target: str
    calldata: bytes
    gas_limit: int


def send_all(
    rpc: Rpc,
    key: LocalAccount,
    chain_id: int,
    calls: Sequence[BareCall],
    *,
    at_once: int = CALLS_A_BATCH,
) -> float:
    """Sign, send and have mined all calls, in order; returns the seconds it took.

    Raises
    ------
    ChainRefused
        If one is not taken, not mined, or reverts.
    """
    began = time.perf_counter()
    first = int(rpc.call("eth_getTransactionCount", key.address, "latest"), 16)
    hashes: list[str] = []
    for start in range(0, len(calls), at_once):
        raws = [
            "0x" + _sign(key, chain_id, first + start + offset, call).hex()
            for offset, call in enumerate(calls[start : start + at_once])
        ]
        _wait_for_nonce(rpc, key.address, first + start - at_once * BATCHES_AHEAD)
        answers = rpc.batch([("eth_sendRawTransaction", (raw,)) for raw in raws])
        for answer in answers:
            if isinstance(answer, RpcError):
                raise ChainRefused(f"the bare loop's transaction was not taken: {answer.message}")
        hashes += answers
    _wait_for_nonce(rpc, key.address, first + len(calls))
    seconds = time.perf_counter() - began
    _refuse_reverted(rpc, hashes)
    return seconds


def _sign(key: LocalAccount, chain_id: int, nonce: int, call: BareCall) -> bytes:
    fields = {
        "chainId": chain_id,
        "nonce": nonce,
        "to": call.target,
        "value": 0,
        "data": call.calldata,
        "gas": call.gas_limit,
        **Fees(0, 0).transaction_fields(),
    }
    return LocalSigner(key).sign_transaction(fields)


def _wait_for_nonce(rpc: Rpc, address: str, nonce: int) -> None:
    """Wait until the chain has used every nonce below."""
    deadline = time.perf_counter() + TIMEOUT_S
    while int(rpc.call("eth_getTransactionCount", address, "latest"), 16) < nonce:
        if time.perf_counter() > deadline:
            raise ChainRefused("the bare loop's transactions are not mined")
        time.sleep(PAUSE_S)


def _refuse_reverted(rpc: Rpc, hashes: Sequence[str]) -> None:
    for tx_hash in hashes:
        if _receipt(rpc, tx_hash)["status"] != "0x1":
            raise ChainRefused("a call that the service had made reverted in the bare loop")


def _receipt(rpc: Rpc, tx_hash: str) -> Any:
    """Wait for a receipt: for a moment the node counts a nonce that it has no receipt of yet."""
    found: list[Any] = []

    def there() -> bool:
        receipt = rpc.call("eth_getTransactionReceipt", tx_hash)
        found.extend([receipt] if receipt else [])
        return bool(found)

    wait_until(there, RECEIPT_TIMEOUT_S, f"the receipt of {tx_hash}")
    return found[0]
