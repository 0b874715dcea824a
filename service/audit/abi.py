"""The events an auditor reads, stated here and nowhere else.

An auditor needs no compiler and no build folder. A test compares this table with the compiled
contracts. The lines are Solidity's own, so that a reader can hold them beside
``contracts/interfaces``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from eth_hash.auto import keccak

STRUCTS = {
    "Tier": "uint80 upTo, uint8 reviewers, uint32 challengeDelay",
    "BatchApproval": """
        uint32 programme, uint32 programmeVersion, bytes32 batchId, uint32 maker, uint8 kind,
        uint24 regionCode, uint8 regionDigits, uint16 chunkSize, bytes32 chunksRoot,
        bytes32 manifestHash, uint32 count, uint80 total, uint40 start, uint32 cliff,
        uint32 duration, uint32 cadence, uint40 executeBefore, uint40 expiresAt""",
    "EmergencyGrant": """
        bytes32 grantId, uint32 officer, address payee, uint64 amount, uint24 regionCode,
        uint8 regionDigits, bytes32 caseCommitment, uint40 validUntil""",
    "Limits": """
        uint64 perGrant, uint80 perOfficer, uint80 outstanding, uint32 countersignWindow,
        uint80 perCounty, uint80 perCity, uint80 perProvince, uint80 country,
        uint80 countyOverdue, uint80 cityOverdue, uint80 provinceOverdue""",
}


class Contract(StrEnum):
    """The contracts of a deployment that have events."""

    VAULT = "vault"
    TOKEN = "token"  # noqa: S105  # no password
    REGISTRY = "registry"
    MANAGER = "manager"
    LANE = "lane"


DECLARATIONS = {
    Contract.VAULT: """
event AuthorityUpdated(address authority);
event EIP712DomainChanged();
event ProgrammeCreated(uint32 indexed programme, uint24 regionCode, uint8 regionDigits, uint80
    budget, uint64 payoutCap, Tier[] tiers, bytes32 metadataHash, uint40 activeFrom, uint64
    seq);
event BudgetIncreaseScheduled(uint32 indexed programme, uint80 budget, uint40 appliesFrom,
    uint64 seq);
event BudgetChanged(uint32 indexed programme, uint80 budget, uint64 seq);
event BatchApproved(bytes32 indexed batchId, uint32 indexed programme, BatchApproval approval,
    uint48 firstNumber, uint40 executeFrom, uint256 rollingSum, bytes signatures, uint64 seq);
event ChunkPaid(bytes32 indexed batchId, uint32 chunkIndex, bytes entries, uint256 paid, uint256
    skippedLow, uint256 skippedHigh, uint64 seq);
event PayoutSkipped(bytes32 indexed batchId, uint32 index, address indexed payee, uint64 amount,
    uint8 reason, uint64 seq);
event PayoutRetried(bytes32 indexed batchId, uint32 index, address indexed payee, uint64 amount,
    uint64 seq);
event StreamsOpened(bytes32 indexed batchId, uint32 chunkIndex, address pointer, bytes entries,
    uint256 total, uint64 seq);
event StreamWithdrawn(bytes32 indexed batchId, uint32 index, address indexed payee, uint64
    amount, uint32 paidThrough, uint64 seq);
event StreamsWithdrawn(bytes32 indexed batchId, uint32 chunkIndex, uint32 watermark, uint256
    paid, uint256 skippedLow, uint256 skippedHigh, uint64 seq);
event StreamsCancelled(bytes32 indexed batchId, uint32 chunkIndex, uint256 maskLow, uint256
    maskHigh, uint32 cut, uint256 returned, bytes32 actionId, bytes signatures, uint64 seq);
event BatchCancelled(bytes32 indexed batchId, uint256 returned, bytes32 actionId, bytes
    signatures, uint64 seq);
event BatchHeld(bytes32 indexed batchId, uint32 indexed officerId, uint40 executeFrom, bytes32
    actionId, uint40 deadline, bytes signatures, uint64 seq);
event EntryHeld(bytes32 indexed batchId, uint32 index, uint32 indexed officerId, uint40 until,
    bytes32 actionId, uint40 deadline, bytes signatures, uint64 seq);
event WalletChanged(bytes32 indexed batchId, uint32 index, address indexed from, address indexed
    to, bytes32 actionId, bytes signatures, uint64 seq);
event UnexecutedExpired(bytes32 indexed batchId, uint256 returned, uint64 seq);
event PayoutExpired(bytes32 indexed batchId, uint32 index, address indexed payee, uint64 amount,
    uint8 reason, uint64 seq);
event StreamsExpired(bytes32 indexed batchId, uint32 chunkIndex, uint256 maskLow, uint256
    maskHigh, uint256 returned, uint64 seq);
event Paused(uint8 operations, uint40 until, uint64 seq);
event Unpaused(uint8 operations, bytes32 actionId, bytes signatures, uint64 seq);
event SunsetBegan(bytes32 actionId, bytes signatures, uint64 seq);
""",
    Contract.TOKEN: """
event AuthorityUpdated(address authority);
event EIP712DomainChanged();
event Transfer(address indexed from, address indexed to, uint256 value);
event Approval(address indexed owner, address indexed spender, uint256 value);
event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);
event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce);
event Committed(address indexed minter, uint256 amount, uint256 outstanding);
event Released(address indexed minter, uint256 amount, uint256 outstanding);
event Redeemed(address indexed from, uint256 amount, bytes32 indexed paymentReference, uint256
    redeemedTotal);
event ReserveAttested(uint256 amount, uint256 redemptionsIncluded, uint256 asOf, bytes32
    documentHash);
event Frozen(address indexed account);
event Unfrozen(address indexed account);
event TransfersPaused();
event TransfersUnpaused(bytes32 actionId, bytes signatures);
event MinterScheduled(address indexed minter, uint256 cap, uint256 activeFrom, bytes32 actionId,
    bytes signatures);
event MinterActivated(address indexed minter, uint256 cap);
event MinterRemoved(address indexed minter, bytes32 actionId, bytes signatures);
event CapLowered(uint256 cap);
event CapIncreaseScheduled(uint256 cap, uint256 appliesFrom, bytes32 actionId, bytes signatures);
event CapRaised(uint256 cap);
""",
    Contract.REGISTRY: """
event EIP712DomainChanged();
event OfficerAdded(uint32 indexed officerId, uint16 roles, uint24 regionCode, uint8
    regionDigits, uint40 activeFrom, bytes32 actionId, bytes signatures, uint64 seq);
event OfficerRemoved(uint32 indexed officerId, bytes32 actionId, bytes signatures, uint64 seq);
event SignerAdded(uint32 indexed officerId, uint8 signerType, bytes signer, uint40 activeFrom,
    bytes32 actionId, bytes signatures, uint64 seq);
event SignerRemoved(uint32 indexed officerId, uint8 signerType, bytes signer, bytes32 actionId,
    bytes signatures, uint64 seq);
event ManagerCalled(bytes data, bytes32 actionId, bytes signatures, uint64 seq);
event VerifierAdded(address indexed verifier, uint40 activeFrom, bytes32 actionId, bytes signatures,
    uint64 seq);
event VerifierRemoved(address indexed verifier, bytes32 actionId, bytes signatures, uint64 seq);
event ActionConsumed(address indexed consumer, bytes32 indexed actionId, bytes32 digest, uint64
    seq);
""",
    Contract.MANAGER: """
event OperationCanceled(bytes32 indexed operationId, uint32 indexed nonce);
event OperationExecuted(bytes32 indexed operationId, uint32 indexed nonce);
event OperationScheduled(bytes32 indexed operationId, uint32 indexed nonce, uint48 schedule,
    address caller, address target, bytes data);
event RoleAdminChanged(uint64 indexed roleId, uint64 indexed admin);
event RoleGrantDelayChanged(uint64 indexed roleId, uint32 delay, uint48 since);
event RoleGranted(uint64 indexed roleId, address indexed account, uint32 delay, uint48 since,
    bool newMember);
event RoleGuardianChanged(uint64 indexed roleId, uint64 indexed guardian);
event RoleLabel(uint64 indexed roleId, string label);
event RoleRevoked(uint64 indexed roleId, address indexed account);
event TargetAdminDelayUpdated(address indexed target, uint32 delay, uint48 since);
event TargetClosed(address indexed target, bool closed);
event TargetFunctionRoleUpdated(address indexed target, bytes4 selector, uint64 indexed roleId);
""",
    Contract.LANE: """
event AuthorityUpdated(address authority);
event EIP712DomainChanged();
event GrantMade(bytes32 indexed grantId, uint32 indexed officer, address indexed payee,
    EmergencyGrant grant, uint40 overdueFrom, uint256 outstanding, bytes signatures, uint64 seq);
event GrantCountersigned(bytes32 indexed grantId, uint32 indexed officer, uint40 deadline, uint256
    outstanding, bytes signatures, uint64 seq);
event GrantWrittenOff(bytes32 indexed grantId, uint256 outstanding, bytes32 actionId, bytes
    signatures, uint64 seq);
event LimitsRaiseScheduled(Limits limits, uint40 appliesFrom, bytes32 actionId, bytes signatures,
    uint64 seq);
event LimitsChanged(Limits limits, uint64 seq);
event RegionCapRaiseScheduled(uint24 indexed regionCode, uint8 regionDigits, uint80 cap, uint40
    appliesFrom, bytes32 actionId, bytes signatures, uint64 seq);
event RegionCapChanged(uint24 indexed regionCode, uint8 regionDigits, uint80 cap, uint64 seq);
event GrantsPaused(uint64 seq);
event GrantsUnpaused(bytes32 actionId, bytes signatures, uint64 seq);
""",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter of an event, or one member of a struct.

    Attributes
    ----------
    name
        As in Solidity.
    type
        Elementary type, or ``tuple`` or ``tuple[]``.
    indexed
        Whether it stands in the topics.
    members
        Of a struct.
    """

    name: str
    type: str
    indexed: bool = False
    members: tuple[Field, ...] = ()

    @property
    def canonical(self) -> str:
        """The type as a signature spells it."""
        if not self.members:
            return self.type
        inner = ",".join(member.canonical for member in self.members)
        return f"({inner}){self.type.removeprefix('tuple')}"


@dataclass(frozen=True, slots=True, eq=False)  # each is there once: hashed as the object it is
class EventType:
    """One event.

    Attributes
    ----------
    contract, name
        Which one.
    fields
        Parameters in order.
    topic
        Keccak-256 of the signature: topic 0.
    """

    contract: Contract
    name: str
    fields: tuple[Field, ...]
    topic: bytes

    @property
    def signature(self) -> str:
        """Name and canonical types."""
        return f"{self.name}({','.join(field.canonical for field in self.fields)})"


def parse_events(contract: Contract, declarations: str) -> dict[bytes, EventType]:
    """Read Solidity's event declarations; the result is by topic 0."""
    events = {}
    for name, parameters in re.findall(r"event (\w+)\((.*?)\);", declarations, re.DOTALL):
        fields = _fields(parameters)
        signature = f"{name}({','.join(field.canonical for field in fields)})"
        topic = keccak(signature.encode())
        events[topic] = EventType(contract, name, fields, topic)
    return events


def _fields(parameters: str) -> tuple[Field, ...]:
    fields = []
    for parameter in filter(None, (text.split() for text in parameters.split(","))):
        kind, name = parameter[0], parameter[-1]
        base = kind.removesuffix("[]")
        members = _fields(STRUCTS[base]) if base in STRUCTS else ()
        if members:
            kind = kind.replace(base, "tuple")
        fields.append(Field(name, kind, "indexed" in parameter[1:-1], members))
    return tuple(fields)


EVENTS: dict[Contract, dict[bytes, EventType]] = {
    contract: parse_events(contract, declarations)
    for contract, declarations in DECLARATIONS.items()
}
"""Every event by contract and topic 0."""
