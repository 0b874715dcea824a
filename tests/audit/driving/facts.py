"""What a chain's events told so far, for whoever drives it to do sensible things mostly.

It is no model of the contracts: where it is wrong they refuse, and nothing else follows from it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from service.chain.contracts import DecodedEvent

Region = tuple[int, int]


def covers(outer: Region, inner: Region) -> bool:
    """Whether a region (code, digits) is another or stands above it; (0, 0) above all."""
    digits = inner[1] - outer[1]
    return digits >= 0 and inner[0] // 10**digits == outer[0]


class Officer(NamedTuple):
    """An officer who was not removed."""

    roles: int
    region: Region
    active_from: int


class Operation(NamedTuple):
    """What a role's holder scheduled with the manager."""

    caller: str
    target: str
    data: bytes
    schedule: int


@dataclass
class Facts:
    """Facts by what they are about; values are never changed in place, so copies are cheap.

    Attributes
    ----------
    signers
        Type and signer → officer, and from when.
    run
        Batch → indexes of the chunks that ran.
    skipped
        Batch and index of each payout that waits for a retry.
    payees
        Batch and index → who is paid, where the wallet was changed.
    grants
        Id → what was signed, of those neither countersigned nor written off.
    allowed
        Owner and spender → what was last allowed.
    holders
        Role and account → the delay of what it does.
    due
        Times at which something that was planned may be applied.
    """

    officers: dict[int, Officer] = field(default_factory=dict)
    signers: dict[tuple[int, bytes], tuple[int, int]] = field(default_factory=dict)
    verifiers: dict[bytes, int] = field(default_factory=dict)
    programmes: dict[int, tuple[Region, tuple[dict[str, int], ...]]] = field(default_factory=dict)
    approved: dict[bytes, int] = field(default_factory=dict)
    cancelled: set[bytes] = field(default_factory=set)
    expired: set[bytes] = field(default_factory=set)
    run: dict[bytes, frozenset[int]] = field(default_factory=dict)
    skipped: set[tuple[bytes, int]] = field(default_factory=set)
    payees: dict[tuple[bytes, int], str] = field(default_factory=dict)
    grants: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    minters: set[str] = field(default_factory=set)
    planned_minters: dict[str, int] = field(default_factory=dict)
    holders: dict[tuple[int, str], int] = field(default_factory=dict)
    operations: dict[bytes, Operation] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    planned_caps: dict[Region, int] = field(default_factory=dict)
    allowed: dict[tuple[str, str], int] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    due: dict[str, int] = field(default_factory=dict)
    paused: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Facts:
        """A copy that later events leave as it is."""
        return Facts(**{each.name: copy.copy(getattr(self, each.name)) for each in fields(self)})

    def see(self, event: DecodedEvent) -> None:
        """Take in one event."""
        handler: Callable[[dict[str, Any]], None] | None = {
            "OfficerAdded": self._officer_added,
            "OfficerRemoved": lambda a: self.officers.pop(a["officerId"], None),
            "SignerAdded": self._signer_added,
            "SignerRemoved": lambda a: self.signers.pop((a["signerType"], a["signer"]), None),
            "VerifierAdded": lambda a: self.verifiers.update({_raw(a): a["activeFrom"]}),
            "VerifierRemoved": lambda a: self.verifiers.pop(_raw(a), None),
            "ProgrammeCreated": self._programme_created,
            "BatchApproved": lambda a: self.approved.update({a["batchId"]: a["executeFrom"]}),
            "BatchHeld": lambda a: self.approved.update({a["batchId"]: a["executeFrom"]}),
            "BatchCancelled": lambda a: self.cancelled.add(a["batchId"]),
            "ChunkPaid": self._chunk_run,
            "StreamsOpened": self._chunk_run,
            "PayoutSkipped": lambda a: self.skipped.add((a["batchId"], a["index"])),
            "PayoutRetried": lambda a: self.skipped.discard((a["batchId"], a["index"])),
            "PayoutExpired": lambda a: self.skipped.discard((a["batchId"], a["index"])),
            "WalletChanged": lambda a: self.payees.update({(a["batchId"], a["index"]): a["to"]}),
            "UnexecutedExpired": lambda a: self.expired.add(a["batchId"]),
            "BudgetIncreaseScheduled": self._budget_planned,
            "BudgetChanged": lambda a: self.due.pop(f"budget {a['programme']}", None),
            "GrantMade": lambda a: self.grants.update({a["grantId"]: a["grant"]}),
            "GrantCountersigned": lambda a: self.grants.pop(a["grantId"], None),
            "GrantWrittenOff": lambda a: self.grants.pop(a["grantId"], None),
            "LimitsChanged": self._limits_changed,
            "LimitsRaiseScheduled": lambda a: self.due.update({"limits 0": a["appliesFrom"]}),
            "RegionCapRaiseScheduled": self._cap_planned,
            "RegionCapChanged": lambda a: self.planned_caps.pop(_region(a), None),
            "CapIncreaseScheduled": lambda a: self.due.update({"cap 0": a["appliesFrom"]}),
            "CapRaised": lambda _: self.due.pop("cap 0", None),
            "CapLowered": lambda _: self.due.pop("cap 0", None),
            "MinterScheduled": self._minter_planned,
            "MinterActivated": self._minter_activated,
            "MinterRemoved": self._minter_removed,
            "Approval": self._allowed,
            "Frozen": lambda a: self.frozen.add(a["account"]),
            "Unfrozen": lambda a: self.frozen.discard(a["account"]),
            "RoleGranted": lambda a: self.holders.update({(a["roleId"], a["account"]): a["delay"]}),
            "RoleRevoked": lambda a: self.holders.pop((a["roleId"], a["account"]), None),
            "TargetClosed": self._target_closed,
            "OperationScheduled": self._scheduled,
            "OperationExecuted": lambda a: self.operations.pop(a["operationId"], None),
            "OperationCanceled": lambda a: self.operations.pop(a["operationId"], None),
            "Paused": lambda a: self._pause("vault", a["operations"]),
            "Unpaused": lambda _: self._pause("vault", 0),
            "TransfersPaused": lambda _: self._pause("token", 1),
            "TransfersUnpaused": lambda _: self._pause("token", 0),
            "GrantsPaused": lambda _: self._pause("lane", 1),
            "GrantsUnpaused": lambda _: self._pause("lane", 0),
        }.get(event.name)
        if handler is not None:
            handler(event.args)

    def _pause(self, key: str, operations: int) -> None:
        self.paused[key] = operations

    def _officer_added(self, args: dict[str, Any]) -> None:
        officer = Officer(args["roles"], _region(args), args["activeFrom"])
        self.officers[args["officerId"]] = officer

    def _signer_added(self, args: dict[str, Any]) -> None:
        key = (args["signerType"], args["signer"])
        self.signers[key] = (args["officerId"], args["activeFrom"])

    def _programme_created(self, args: dict[str, Any]) -> None:
        self.programmes[args["programme"]] = (_region(args), tuple(args["tiers"]))
        self.due[f"programme {args['programme']}"] = args["activeFrom"]

    def _budget_planned(self, args: dict[str, Any]) -> None:
        self.due[f"budget {args['programme']}"] = args["appliesFrom"]

    def _limits_changed(self, args: dict[str, Any]) -> None:
        self.limits.update(args["limits"])
        self.due.pop("limits 0", None)

    def _chunk_run(self, args: dict[str, Any]) -> None:
        before = self.run.get(args["batchId"], frozenset())
        self.run[args["batchId"]] = before | {args["chunkIndex"]}

    def _cap_planned(self, args: dict[str, Any]) -> None:
        self.planned_caps[_region(args)] = args["appliesFrom"]

    def _minter_planned(self, args: dict[str, Any]) -> None:
        self.planned_minters[args["minter"]] = args["activeFrom"]

    def _minter_activated(self, args: dict[str, Any]) -> None:
        self.minters.add(args["minter"])
        self.planned_minters.pop(args["minter"], None)

    def _minter_removed(self, args: dict[str, Any]) -> None:
        self.minters.discard(args["minter"])
        self.planned_minters.pop(args["minter"], None)

    def _allowed(self, args: dict[str, Any]) -> None:
        self.allowed[args["owner"], args["spender"]] = args["value"]

    def _target_closed(self, args: dict[str, Any]) -> None:
        (self.closed.add if args["closed"] else self.closed.discard)(args["target"])

    def _scheduled(self, args: dict[str, Any]) -> None:
        operation = Operation(args["caller"], args["target"], args["data"], args["schedule"])
        self.operations[args["operationId"]] = operation


def _raw(args: dict[str, Any]) -> bytes:
    return bytes.fromhex(args["verifier"][2:])


def _region(args: dict[str, Any]) -> Region:
    return args["regionCode"], args["regionDigits"]
