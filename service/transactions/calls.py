"""Rows turned into contract calls: approvals, chunks, quorum actions and requested transactions.

The calldata comes from the rows and nothing else; a row changed behind the officers' backs gives a
call that the contract refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.approvals.models import ActionKind, QuorumAction
from service.chain.contracts import Contracts
from service.payouts.models import Batch, ChainRequest, RequestKind

KIND_NUMBER = {"one_off": 0, "stream": 1}
"""``IAllowanceVault.Kind``."""

ACTION_FUNCTIONS: dict[ActionKind, tuple[str, str]] = {
    ActionKind.BATCH_CANCELLATION: ("vault", "cancelBatch"),
    ActionKind.STREAM_CANCELLATION: ("vault", "cancelStreams"),
    ActionKind.VAULT_UNPAUSE: ("vault", "unpause"),
    ActionKind.OFFICER_ADDITION: ("registry", "addOfficer"),
    ActionKind.OFFICER_REMOVAL: ("registry", "removeOfficer"),
    ActionKind.SIGNER_ADDITION: ("registry", "addSigner"),
    ActionKind.SIGNER_REMOVAL: ("registry", "removeSigner"),
    ActionKind.MANAGER_CALL: ("registry", "callManager"),
    ActionKind.TOKEN_UNPAUSE: ("token", "unpauseTransfers"),
    ActionKind.MINTER_ADDITION: ("token", "scheduleMinter"),
    ActionKind.MINTER_REMOVAL: ("token", "removeMinter"),
}

REQUEST_FUNCTIONS: dict[RequestKind, tuple[str, str]] = {
    RequestKind.CREATE_PROGRAMME: ("vault", "createProgramme"),
    RequestKind.SCHEDULE_BUDGET: ("vault", "scheduleBudgetIncrease"),
    RequestKind.APPLY_BUDGET: ("vault", "applyBudgetIncrease"),
    RequestKind.DECREASE_BUDGET: ("vault", "decreaseBudget"),
    RequestKind.RETRY_PAYOUT: ("vault", "retryPayout"),
    RequestKind.WITHDRAW_STREAM: ("vault", "withdraw"),
    RequestKind.WITHDRAW_CHUNK: ("vault", "withdrawChunk"),
    RequestKind.REDEEM_WITH_AUTHORIZATION: ("token", "redeemWithAuthorization"),
    RequestKind.ATTEST_RESERVE: ("token", "attestReserve"),
}

REQUEST_ROLES: dict[RequestKind, str] = {
    RequestKind.CREATE_PROGRAMME: "programme_manager",
    RequestKind.SCHEDULE_BUDGET: "programme_manager",
    RequestKind.DECREASE_BUDGET: "programme_manager",
    RequestKind.ATTEST_RESERVE: "attestor",
}
"""Requests that only the holder of a housekeeping role may send; the rest anybody may."""

_SIGNED_NAMES = {"account": "minter", "minterCap": "cap"}
"""Arguments that the signed message calls otherwise (``MinterAddition``, ``MinterRemoval``)."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one of our contracts."""

    contract: str
    function: str
    calldata: bytes


def approval_struct(batch: Batch) -> tuple[Any, ...]:
    """Return the batch as the contract's ``BatchApproval``, members in the type's order."""
    return (
        batch.programme_id,
        batch.programme_version,
        bytes.fromhex(batch.id[2:]),
        batch.maker_officer_id or 0,
        KIND_NUMBER[batch.kind],
        batch.region_code,
        batch.region_digits,
        batch.chunk_size,
        bytes.fromhex(batch.chunks_root[2:]),
        bytes.fromhex(batch.manifest_hash[2:]),
        batch.count,
        batch.total_base_units,
        batch.start_unix_s,
        batch.cliff_s,
        batch.duration_s,
        batch.cadence_s,
        batch.execute_before_unix_s,
        batch.expires_at_unix_s,
    )


def approve_batch(contracts: Contracts, batch: Batch, signatures: bytes) -> Call:
    """Approve a batch with its officers' packed signatures."""
    data = contracts.encode_call("vault", "approveBatch", approval_struct(batch), signatures)
    return Call("vault", "approveBatch", data)


def execute_chunk(
    contracts: Contracts, batch_id: str, chunk_index: int, entries: bytes, proof: list[bytes]
) -> Call:
    """Run one chunk of an approved batch."""
    data = contracts.encode_call(
        "vault", "executeChunk", bytes.fromhex(batch_id[2:]), chunk_index, entries, proof
    )
    return Call("vault", "executeChunk", data)


def quorum_action(contracts: Contracts, action: QuorumAction, signatures: bytes) -> Call:
    """Carry out what a quorum of officers signed."""
    contract, function = ACTION_FUNCTIONS[ActionKind(action.kind)]
    values = {
        **action.message,
        "actionId": action.id,
        "deadline": action.deadline_unix_s,
        "signatures": signatures,
    }
    return _call(contracts, contract, function, values)


def request(contracts: Contracts, row: ChainRequest) -> Call:
    """Carry out what somebody asked for.

    Raises
    ------
    KeyError
        If the row lacks an argument of the call.
    """
    contract, function = REQUEST_FUNCTIONS[RequestKind(row.kind)]
    return _call(contracts, contract, function, row.args)


def _call(contracts: Contracts, contract: str, function: str, values: Mapping[str, Any]) -> Call:
    args = [_argument(parameter, values) for parameter in contracts.inputs(contract, function)]
    return Call(contract, function, contracts.encode_call(contract, function, *args))


def _argument(parameter: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    name: str = parameter["name"].removesuffix("_")
    if parameter["type"] == "tuple" and name not in values:
        # A struct whose members stand beside the other arguments, as in the signed message.
        return tuple(_argument(component, values) for component in parameter["components"])
    if name not in values:
        name = _SIGNED_NAMES.get(name, name)
    return _value(parameter, values[name])


def _value(parameter: Mapping[str, Any], value: Any) -> Any:
    kind: str = parameter["type"]
    if kind.endswith("]"):
        element = {**parameter, "type": kind[: kind.rindex("[")]}
        return [_value(element, item) for item in value]
    if kind == "tuple":
        return tuple(_argument(component, value) for component in parameter["components"])
    if kind.startswith(("uint", "int")):
        return int(value)
    if kind.startswith("bytes") and isinstance(value, str):
        return bytes.fromhex(value.removeprefix("0x"))
    return value
