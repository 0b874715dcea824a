"""Rows turned into contract calls: approvals, chunks, actions and requested transactions.

The calldata comes from the rows and nothing else; a row changed behind the officers' backs gives a
call that the contract refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import EncodingError

from service.approvals.actions import PRIMARY_TYPES
from service.approvals.models import ActionKind, QuorumAction
from service.approvals.service import approval_message
from service.approvals.typed_data import member_names
from service.chain.contracts import Contracts
from service.errors import IntegrityError
from service.payouts.models import Batch, ChainRequest, RequestKind

ACTION_FUNCTIONS: dict[ActionKind, tuple[str, str]] = {
    ActionKind.BATCH_CANCELLATION: ("vault", "cancelBatch"),
    ActionKind.STREAM_CANCELLATION: ("vault", "cancelStreams"),
    ActionKind.BATCH_HOLD: ("vault", "holdBatch"),
    ActionKind.ENTRY_HOLD: ("vault", "holdEntry"),
    ActionKind.WALLET_CHANGE: ("vault", "changeWallet"),
    ActionKind.SUNSET: ("vault", "beginSunset"),
    ActionKind.VAULT_UNPAUSE: ("vault", "unpause"),
    ActionKind.OFFICER_ADDITION: ("registry", "addOfficer"),
    ActionKind.OFFICER_REMOVAL: ("registry", "removeOfficer"),
    ActionKind.SIGNER_ADDITION: ("registry", "addSigner"),
    ActionKind.SIGNER_REMOVAL: ("registry", "removeSigner"),
    ActionKind.MANAGER_CALL: ("registry", "callManager"),
    ActionKind.TOKEN_UNPAUSE: ("token", "unpauseTransfers"),
    ActionKind.CAP_INCREASE: ("token", "scheduleCap"),
    ActionKind.MINTER_ADDITION: ("token", "scheduleMinter"),
    ActionKind.VERIFIER_ADDITION: ("registry", "addVerifier"),
    ActionKind.VERIFIER_REMOVAL: ("registry", "removeVerifier"),
    ActionKind.MINTER_REMOVAL: ("token", "removeMinter"),
    ActionKind.EMERGENCY_GRANT: ("lane", "grant"),
    ActionKind.GRANT_COUNTERSIGNATURE: ("lane", "countersign"),
    ActionKind.GRANT_WRITE_OFF: ("lane", "writeOff"),
    ActionKind.LIMITS_RAISE: ("lane", "scheduleLimits"),
    ActionKind.REGION_CAP_RAISE: ("lane", "scheduleRegionCap"),
    ActionKind.GRANTS_UNPAUSE: ("lane", "unpause"),
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
    RequestKind.EXPIRE_BATCH: ("vault", "expireUnexecuted"),
    RequestKind.EXPIRE_PAYOUT: ("vault", "expirePayout"),
    RequestKind.EXPIRE_STREAMS: ("vault", "expireStreams"),
    RequestKind.LOWER_CAP: ("token", "lowerCap"),
    RequestKind.APPLY_CAP: ("token", "applyCap"),
    RequestKind.ACTIVATE_MINTER: ("token", "activateMinter"),
    RequestKind.TRANSFER_WITH_AUTHORIZATION: ("token", "transferWithAuthorization"),
    RequestKind.CANCEL_AUTHORIZATION: ("token", "cancelAuthorization"),
    RequestKind.PERMIT: ("token", "permit"),
    RequestKind.APPLY_LANE_LIMITS: ("lane", "applyLimits"),
    RequestKind.LOWER_LANE_LIMITS: ("lane", "lowerLimits"),
    RequestKind.APPLY_REGION_CAP: ("lane", "applyRegionCap"),
    RequestKind.LOWER_REGION_CAP: ("lane", "lowerRegionCap"),
}

REQUEST_ROLES: dict[RequestKind, str] = {
    RequestKind.CREATE_PROGRAMME: "programme_manager",
    RequestKind.SCHEDULE_BUDGET: "programme_manager",
    RequestKind.DECREASE_BUDGET: "programme_manager",
    RequestKind.ATTEST_RESERVE: "attestor",
    RequestKind.LOWER_CAP: "treasurer",
    RequestKind.LOWER_LANE_LIMITS: "treasurer",
    RequestKind.LOWER_REGION_CAP: "treasurer",
}
"""Requests that only the holder of a housekeeping role may send; the rest anybody may."""


class BrokenRows(IntegrityError):
    """Rows that no call can be made of: somebody changed them past the service."""

    code, title = "broken_rows", "The rows cannot be turned into a contract call"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one of our contracts."""

    contract: str
    function: str
    calldata: bytes


def approve_batch(contracts: Contracts, batch: Batch, signatures: bytes) -> Call:
    """Approve a batch with its officers' packed signatures.

    Raises
    ------
    BrokenRows
        If the batch does not fit the contract's types.
    """
    return _call(contracts, "vault", "approveBatch", approval_message(batch), signatures)


def execute_chunk(
    contracts: Contracts, batch_id: str, chunk_index: int, entries: bytes, proof: list[bytes]
) -> Call:
    """Run one chunk of an approved batch.

    Raises
    ------
    BrokenRows
        If the values do not fit the contract's types.
    """
    return _call(contracts, "vault", "executeChunk", batch_id, chunk_index, entries, proof)


def quorum_action(contracts: Contracts, action: QuorumAction, signatures: bytes) -> Call:
    """Carry out what officers signed.

    The function takes the members of the signed type in the type's order, then the signatures. One
    that takes fewer has them by the same names, members of a struct among them.

    Raises
    ------
    BrokenRows
        If the message lacks a member, or one does not fit its type.
    """
    kind = ActionKind(action.kind)
    contract, function = ACTION_FUNCTIONS[kind]
    *parameters, _ = contracts.inputs(contract, function)
    members, message = member_names(PRIMARY_TYPES[kind]), action.message
    with _as_broken_rows(function):
        if len(parameters) == len(members):
            signed = [message[name] for name in members]
        else:
            signed = [message if p["type"] == "tuple" else message[p["name"]] for p in parameters]
    return _call(contracts, contract, function, *signed, signatures)


def request(contracts: Contracts, row: ChainRequest) -> Call:
    """Carry out what somebody asked for; the row has the function's arguments by name.

    Raises
    ------
    BrokenRows
        If the row lacks an argument, or one does not fit its type.
    """
    contract, function = REQUEST_FUNCTIONS[RequestKind(row.kind)]
    with _as_broken_rows(function):
        args = [row.args[parameter["name"]] for parameter in contracts.inputs(contract, function)]
    return _call(contracts, contract, function, *args)


def _call(contracts: Contracts, contract: str, function: str, *args: Any) -> Call:
    parameters = contracts.inputs(contract, function)
    with _as_broken_rows(function):
        values = [_value(*pair) for pair in zip(parameters, args, strict=True)]
        return Call(contract, function, contracts.encode_call(contract, function, *values))


def _value(parameter: Mapping[str, Any], value: Any) -> Any:
    """Turn a value as rows have it (JSON) into one that the ABI encoder takes."""
    kind: str = parameter["type"]
    if kind.endswith("]"):
        element = {**parameter, "type": kind[: kind.rindex("[")]}
        return [_value(element, item) for item in value]
    if kind == "tuple":
        return tuple(_value(member, value[member["name"]]) for member in parameter["components"])
    if isinstance(value, str) and kind.startswith("uint"):
        return int(value)
    if isinstance(value, str) and kind.startswith("bytes"):
        return bytes.fromhex(value.removeprefix("0x"))
    return value


@contextmanager
def _as_broken_rows(function: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, EncodingError) as error:
        raise BrokenRows(f"no call of {function} can be made of the rows: {error!r}") from error
