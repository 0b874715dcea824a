"""Everything that officers sign, ready to be sent: one list, which each test of signatures goes through."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import brownie
from approvals import (
    ACTIONS,
    BATCH_APPROVAL,
    EMERGENCY_GRANT,
    GRANT_COUNTERSIGNATURE,
    EoaSigner,
    Officer,
    account_named,
    approval_tuple,
    packed_record,
    typed_digest,
)
from clock import DAY, now
from deployment import LIMITS, TOKENS, Relief

TYPES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "BatchApproval": ("Relief AllowanceVault", BATCH_APPROVAL),
    "EmergencyGrant": ("Relief EmergencyLane", EMERGENCY_GRANT),
    "GrantCountersignature": ("Relief EmergencyLane", GRANT_COUNTERSIGNATURE),
    **ACTIONS,
}
"""Each type that officers sign: the name of the EIP-712 domain it is signed in, and its members."""


@dataclass(frozen=True)
class Signatories:
    """Who signs a type, and who does not count.

    Attributes
    ----------
    officers
        As few as suffice, ascending.
    lacking
        An officer without the role that is asked for, and that role.
    outside
        An officer with the role whose region is not that of what is signed; none where no region
        counts.
    too_few
        How all of them but the last are refused.
    """

    officers: tuple[int, ...]
    lacking: tuple[int, int]
    outside: int | None
    too_few: tuple[Any, ...]

    def instead_of_the_last(self, other: int) -> tuple[int, ...]:
        """The officers with another one for the last, ascending."""
        return tuple(sorted((*self.officers[:-1], other)))


GOVERNORS = Signatories((6, 7), (2, 8), None, ("NotEnoughOfficers", 2, 1))
REVIEWERS = Signatories((2, 3), (6, 2), 5, ("NotEnoughOfficers", 2, 1))
ONE_REVIEWER = Signatories((2,), (6, 2), 5, ("MalformedSignatures", 0))
ONE_EMERGENCY_OFFICER = Signatories((9,), (2, 4), 10, ("MalformedSignatures", 0))
MAKER_AND_REVIEWER = Signatories((1, 2), (6, 2), 5, ("NotEnoughReviewers", 1, 0))


@dataclass
class Signed:
    """Something that officers sign.

    Attributes
    ----------
    contract, function
        Where it is used up, and the function that takes it.
    name, message
        The signed type and its members.
    arguments
        What the function takes, from the message and the packed signatures.
    by
        Who signs.
    expired
        The last second at which it is good, and how it is refused afterwards.
    again
        How the same transaction is refused once it went through.
    region
        Code and digits of the region that officers must cover, where one counts.
    """

    contract: Any
    function: Callable[..., Any]
    name: str
    message: dict[str, Any]
    arguments: Callable[[Mapping[str, Any], bytes], tuple[Any, ...]]
    by: Signatories
    expired: tuple[int, tuple[Any, ...]]
    again: tuple[Any, ...]
    region: tuple[int, int] = (510722, 6)

    def digest(self, *, contract: Any = None, chain_id: int | None = None, **changed: Any) -> bytes:
        """What is signed, in another domain or with other members where told so."""
        domain_name, members = TYPES[self.name]
        return typed_digest(
            contract or self.contract,
            {**self.message, **changed},
            domain_name=domain_name,
            primary_type=self.name,
            members=members,
            chain_id=chain_id,
        )

    def signatures(self, officers: Sequence[Officer], **how: Any) -> bytes:
        """Packed records of these officers over `digest`."""
        digest = self.digest(**how)
        return b"".join(officer.record_over(digest) for officer in officers)

    def sent_as(self, signatures: bytes) -> tuple[Any, ...]:
        """The arguments of the function with these signatures."""
        return self.arguments(self.message, signatures)

    def wrong_signature(self, officer: Officer) -> tuple[Any, ...]:
        """How a signature that is not this officer's is refused."""
        return ("WrongSignature", officer.officer_id, 1, officer.signs_with.signer)

    def altered(self, officers: Sequence[Officer], alter: Callable[[bytes], bytes]) -> bytes:
        """Packed records of which the last one's signature is altered."""
        digest = self.digest()
        last = officers[-1]
        signature = alter(EoaSigner(last.key).sign(digest))
        records = [officer.record_over(digest) for officer in officers[:-1]]
        return b"".join([*records, packed_record(last.officer_id, last.signs_with, signature)])


def _action(
    relief: Relief,
    function: Any,
    name: str,
    what: dict[str, Any],
    *,
    by: Signatories = GOVERNORS,
    arguments: tuple[Any, ...] | None = None,
    again: tuple[Any, ...] | None = None,
) -> Signed:
    """An action with an id and a deadline, whose function takes `what` unless told otherwise."""
    (contract,) = (
        contract
        for contract in (relief.vault, relief.token, relief.registry, relief.lane)
        if contract.address == function._address
    )
    action_id, deadline = relief.action_id(), now() + DAY
    first = tuple(what.values()) if arguments is None else arguments
    return Signed(
        contract,
        function,
        name,
        {**what, "actionId": action_id, "deadline": deadline},
        lambda message, signatures: (
            *(*first, message["actionId"], message["deadline"], signatures),
        ),
        by,
        (deadline, ("ActionExpired", action_id, deadline)),
        again or ("ActionUsed", contract, action_id),
    )


# ---- batches -------------------------------------------------------------------------------------


def batch_approval(relief: Relief) -> Signed:
    """A batch."""
    approval = relief.batch([(relief.payees(1)[0], 10)]).approval
    before = approval["executeBefore"]
    return Signed(
        relief.vault,
        relief.vault.approveBatch,
        "BatchApproval",
        approval,
        lambda message, signatures: (approval_tuple(message), signatures),
        MAKER_AND_REVIEWER,
        (before - 1, ("ApprovalExpired", before)),
        ("BatchExists", approval["batchId"]),
    )


def _approved(relief: Relief) -> bytes:
    batch = relief.batch([(relief.payees(1)[0], 10)])
    relief.approve(batch)
    return batch.id


def batch_cancellation(relief: Relief) -> Signed:
    """The end of an approved batch."""
    batch_id = _approved(relief)
    return _action(
        relief,
        relief.vault.cancelBatch,
        "BatchCancellation",
        {"batchId": batch_id},
        by=REVIEWERS,
        again=("BatchIsCancelled", batch_id),
    )


def batch_hold(relief: Relief) -> Signed:
    """A delay of an approved batch."""
    batch_id = _approved(relief)
    return _action(
        relief,
        relief.vault.holdBatch,
        "BatchHold",
        {"batchId": batch_id},
        by=ONE_REVIEWER,
        again=("AlreadyHeld", batch_id, 2),
    )


def stream_cancellation(relief: Relief) -> Signed:
    """The cut of a stream."""
    batch = relief.open_streams([(relief.payees(1)[0], 10)])
    message = {"batchId": batch.id, "chunkIndex": 0, "maskLow": 1, "maskHigh": 0}
    return _action(relief, relief.vault.cancelStreams, "StreamCancellation", message, by=REVIEWERS)


def entry_hold(relief: Relief) -> Signed:
    """A delay of one stream."""
    batch = relief.open_streams([(relief.payees(1)[0], 10)])
    return _action(
        relief,
        relief.vault.holdEntry,
        "EntryHold",
        {"batchId": batch.id, "index": 0},
        by=ONE_REVIEWER,
        again=("AlreadyHeld", batch.id, 2),
    )


def wallet_change(relief: Relief) -> Signed:
    """Another wallet for a stream."""
    old, new = relief.payees(2)
    batch = relief.open_streams([(old, 10)])
    message = {"batchId": batch.id, "index": 0, "from": old, "to": new}
    return _action(relief, relief.vault.changeWallet, "WalletChange", message, by=REVIEWERS)


# ---- the vault and the token ---------------------------------------------------------------------


def sunset(relief: Relief) -> Signed:
    """The end of approvals."""
    return _action(relief, relief.vault.beginSunset, "Sunset", {})


def unpause(relief: Relief) -> Signed:
    """The end of a pause of the vault."""
    return _action(relief, relief.vault.unpause, "Unpause", {"operations": 1})


def unpause_transfers(relief: Relief) -> Signed:
    """The end of a pause of the token."""
    return _action(relief, relief.token.unpauseTransfers, "UnpauseTransfers", {})


def cap_increase(relief: Relief) -> Signed:
    """A higher cap of the token."""
    cap = relief.token.cap() + 1
    return _action(relief, relief.token.scheduleCap, "CapIncrease", {"cap": cap})


def minter_addition(relief: Relief) -> Signed:
    """A new minter."""
    message = {"minter": brownie.accounts[13].address, "cap": 5}
    return _action(relief, relief.token.scheduleMinter, "MinterAddition", message)


def minter_removal(relief: Relief) -> Signed:
    """The end of a minter."""
    message = {"minter": relief.vault.address}
    return _action(relief, relief.token.removeMinter, "MinterRemoval", message)


# ---- officers ------------------------------------------------------------------------------------


def officer_addition(relief: Relief) -> Signed:
    """A new officer."""
    struct = Officer(20, 2, 51, 2).as_new_officer()
    names = ("officerId", "roles", "regionCode", "regionDigits", "signerType", "signer")
    message = dict(zip(names, struct, strict=True))
    return _action(
        relief, relief.registry.addOfficer, "OfficerAddition", message, arguments=(struct,)
    )


def officer_removal(relief: Relief) -> Signed:
    """The end of an officer."""
    return _action(relief, relief.registry.removeOfficer, "OfficerRemoval", {"officerId": 2})


def signer_addition(relief: Relief) -> Signed:
    """Another signer of an officer."""
    signer = bytes.fromhex(account_named("another signer").address[2:])
    message = {"officerId": 2, "signerType": 1, "signer": signer}
    return _action(relief, relief.registry.addSigner, "SignerAddition", message)


def signer_removal(relief: Relief) -> Signed:
    """The end of a signer."""
    message = {"signerType": 1, "signer": relief.officers(2)[0].signs_with.signer}
    return _action(relief, relief.registry.removeSigner, "SignerRemoval", message)


def verifier_addition(relief: Relief) -> Signed:
    """A new verifier."""
    message = {"verifier": relief.token.address}
    return _action(relief, relief.registry.addVerifier, "VerifierAddition", message)


def verifier_removal(relief: Relief) -> Signed:
    """The end of a verifier."""
    message = {"verifier": relief.p256_verifier.address}
    return _action(relief, relief.registry.removeVerifier, "VerifierRemoval", message)


def manager_call(relief: Relief) -> Signed:
    """A housekeeping role for somebody."""
    data = relief.manager.grantRole.encode_input(1, relief.anyone, 0)
    message = {"data": bytes.fromhex(data[2:])}
    return _action(relief, relief.registry.callManager, "ManagerCall", message)


# ---- the emergency lane --------------------------------------------------------------------------


def emergency_grant(relief: Relief) -> Signed:
    """A grant in a city, which officer 10, of one of its counties, does not cover."""
    region = {"regionCode": 5107, "regionDigits": 4}
    grant = relief.prepare_grant(relief.payees(1)[0], TOKENS, **region)
    return Signed(
        relief.lane,
        relief.lane.grant,
        "EmergencyGrant",
        grant,
        lambda message, signatures: (tuple(message.values()), signatures),
        ONE_EMERGENCY_OFFICER,
        (grant["validUntil"], ("GrantExpired", grant["grantId"], grant["validUntil"])),
        ("GrantExists", grant["grantId"]),
        region=(5107, 4),
    )


def grant_countersignature(relief: Relief) -> Signed:
    """The end of a grant by a reviewer."""
    grant = relief.grant(relief.payees(1)[0], 10)
    deadline = now() + DAY
    names = ("grantId", "payee", "amount")
    return Signed(
        relief.lane,
        relief.lane.countersign,
        "GrantCountersignature",
        {**{name: grant[name] for name in names}, "deadline": deadline},
        lambda message, signatures: (message["grantId"], message["deadline"], signatures),
        ONE_REVIEWER,
        (deadline, ("CountersignatureExpired", grant["grantId"], deadline)),
        ("GrantEnded", grant["grantId"], 3),
    )


def grant_write_off(relief: Relief) -> Signed:
    """The end of a grant by governors."""
    grant_id = relief.grant(relief.payees(1)[0], 10)["grantId"]
    return _action(
        relief,
        relief.lane.writeOff,
        "GrantWriteOff",
        {"grantId": grant_id},
        again=("GrantEnded", grant_id, 4),
    )


def limits_raise(relief: Relief) -> Signed:
    """Higher limits of the lane."""
    arguments = (tuple(LIMITS.values()),)
    return _action(
        relief, relief.lane.scheduleLimits, "LimitsRaise", dict(LIMITS), arguments=arguments
    )


def region_cap_raise(relief: Relief) -> Signed:
    """A higher cap of a region."""
    message = {"regionCode": 51, "regionDigits": 2, "cap": 10**12}
    return _action(relief, relief.lane.scheduleRegionCap, "RegionCapRaise", message)


def unpause_grants(relief: Relief) -> Signed:
    """The end of a pause of the lane."""
    return _action(relief, relief.lane.unpause, "UnpauseGrants", {})


BY_GOVERNORS: list[Callable[[Relief], Signed]] = [
    sunset,
    unpause,
    unpause_transfers,
    cap_increase,
    minter_addition,
    minter_removal,
    officer_addition,
    officer_removal,
    signer_addition,
    signer_removal,
    verifier_addition,
    verifier_removal,
    manager_call,
    grant_write_off,
    limits_raise,
    region_cap_raise,
    unpause_grants,
]
BY_REVIEWERS = [batch_cancellation, stream_cancellation, wallet_change]
BY_ONE_OFFICER = [batch_hold, entry_hold, emergency_grant, grant_countersignature]

BY_A_QUORUM = [*BY_GOVERNORS, *BY_REVIEWERS]
EVERYTHING_SIGNED = [batch_approval, *BY_A_QUORUM, *BY_ONE_OFFICER]
