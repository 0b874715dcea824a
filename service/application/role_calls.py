"""Calls that the holder of a housekeeping role sends with its own keystore: freezing, pausing.

These move no money and can be repeated without harm, so they go straight to the node and not
through the submission engine; the key need not be where the worker runs. A key that is a lane of
the worker is refused: its nonces belong to the engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from service.application.context import Application
from service.chain.fees import suggest
from service.chain.rpc import RpcError
from service.chain.signers import Signer
from service.errors import ChainRefused, ChainUnavailable, Conflict, PermissionDenied
from service.transactions.models import Lane

POLL_S = 0.2
"""Between two looks for a receipt."""

GAS_HEADROOM_PER_CENT = 20
"""More gas than estimated, for state that changes before the call runs."""


@dataclass(frozen=True, slots=True)
class SentCall:
    """A transaction that was handed to the node.

    Attributes
    ----------
    block_number
        Where it was included; None while it waits.
    """

    tx_hash: str
    sender: str
    block_number: int | None


def role_holder_keystore(app: Application, role: str) -> str:
    """Return the name of the keystore here that holds a housekeeping role.

    Raises
    ------
    PermissionDenied
        When none of the keystores does.
    """
    from service.chain.signers import list_keystores

    holders = set(app.deployment.roles.get(role, ()))
    for keystore in list_keystores(app.settings.resolved_keys_dir):
        if keystore.address in holders:
            return keystore.name
    named = ", ".join(sorted(holders)) or "nobody"
    raise PermissionDenied(f"no keystore here holds the role {role} ({named} does): name one")


def send_role_call(
    app: Application,
    signer: Signer,
    contract: str,
    function: str,
    *args: Any,
    wait_s: float = 0,
    sleep: Callable[[float], None] = time.sleep,
) -> SentCall:
    """Try a call, sign it, send it, and wait for its block if asked to.

    Parameters
    ----------
    contract
        Its key: ``token`` or ``vault``.
    wait_s
        Seconds to wait for the receipt at most.

    Raises
    ------
    ChainRefused
        When the contract refuses, with its error's name.
    Conflict
        When the key is a lane of the worker.
    ChainUnavailable
        When the node does not answer.
    """
    with app.sessions() as session:
        if session.get(Lane, (app.deployment.chain_id, signer.address)) is not None:
            message = "is a lane of the worker, whose nonces nobody else may use: take another key"
            raise Conflict(f"{signer.address} {message}")
    data = app.contracts.encode_call(contract, function, *args)
    target = app.contracts.address(contract)
    call = {"from": signer.address, "to": target, "data": "0x" + data.hex()}
    try:
        gas = int(app.rpc.call("eth_estimateGas", call), 16)
    except RpcError as error:
        refusal = app.contracts.refusal(error)
        raise refusal or ChainRefused(error.message) from None
    nonce = int(app.rpc.call("eth_getTransactionCount", signer.address, "pending"), 16)
    fees = suggest(app.rpc, cap_wei=app.settings.max_fee_per_gas_cap_wei)
    raw = signer.sign_transaction(
        {
            "chainId": app.deployment.chain_id,
            "nonce": nonce,
            "to": target,
            "value": 0,
            "data": data,
            "gas": gas + gas * GAS_HEADROOM_PER_CENT // 100,
            **fees.transaction_fields(),
        }
    )
    try:
        tx_hash: str = app.rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
    except RpcError as error:
        raise ChainUnavailable(f"the node did not take the transaction: {error.message}") from None
    return SentCall(tx_hash, signer.address, _included_in(app, tx_hash, wait_s, sleep))


def _included_in(
    app: Application, tx_hash: str, wait_s: float, sleep: Callable[[float], None]
) -> int | None:
    end = time.monotonic() + wait_s
    while True:
        receipt = app.rpc.call("eth_getTransactionReceipt", tx_hash)
        if receipt is not None:
            if receipt["status"] != "0x1":
                raise ChainRefused(f"transaction {tx_hash} was reverted")
            return int(receipt["blockNumber"], 16)
        if time.monotonic() >= end:
            return None
        sleep(POLL_S)
