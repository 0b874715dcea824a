"""Each rule of the contracts, broken in one event of an honest life, and found again.

The node's proofs are left out here (``test_lying_node.py`` has them): these are the findings of an
auditor whose contracts are not the ones they should be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from eth_hash.auto import keccak

from service.audit.abi import Contract
from service.audit.calls import Call
from service.audit.decode import Event
from service.audit.findings import Code, Finding
from tests.audit.checking import Replayed
from tests.audit.scenario import DAY_S, Scenario, payee

Events = list[Event]
Edit = Callable[[Events], Events]

RECORD = 9 + 20 + 65
"""Bytes of one officer's signature with its head and signer."""


# ---- edits ---------------------------------------------------------------------------------------


def at(events: Sequence[Event], name: str, which: int = 0) -> int:
    """Position of an event by name; `which` counts them."""
    return [i for i, event in enumerate(events) if event.name == name][which]


def setting(name: str, which: int = 0, **args: Any) -> Edit:
    """Set arguments of an event; a function is given the old value."""

    def edit(events: Events) -> Events:
        i = at(events, name, which)
        old = events[i].args
        new = {key: value(old[key]) if callable(value) else value for key, value in args.items()}
        return [*events[:i], replace(events[i], args=old | new), *events[i + 1 :]]

    return edit


def approving(which: int = 0, **members: Any) -> Edit:
    """Set members of what a batch's officers signed."""

    def changed(approval: dict[str, Any]) -> dict[str, Any]:
        return approval | {
            key: value(approval[key]) if callable(value) else value
            for key, value in members.items()
        }

    return setting("BatchApproved", which, approval=changed)


def granting(which: int = 0, **members: Any) -> Edit:
    """Set members of what an emergency officer signed."""
    return setting("GrantMade", which, grant=lambda grant: grant | members)


def limiting(which: int = 0, **members: int) -> Edit:
    """Set members of the emergency lane's limits."""
    return setting("LimitsChanged", which, limits=lambda limits: limits | members)


def before_the_grant(name: str, **args: Any) -> Edit:
    """Set arguments of the event `name` that stands last before the first grant."""

    def edit(events: Events) -> Events:
        granted = at(events, "GrantMade")
        which = sum(event.name == name for event in events[:granted]) - 1
        return setting(name, which, **args)(events)

    return edit


def dropping(name: str, which: int = 0) -> Edit:
    def edit(events: Events) -> Events:
        i = at(events, name, which)
        return [*events[:i], *events[i + 1 :]]

    return edit


def repeating(name: str, which: int = 0) -> Edit:
    def edit(events: Events) -> Events:
        i = at(events, name, which)
        return [*events[: i + 1], events[i], *events[i + 1 :]]

    return edit


def moving(name: str, before: str, which: int = 0, to: int = 0) -> Edit:
    """Put an event before another, into its block."""

    def edit(events: Events) -> Events:
        moved, target = events[at(events, name, which)], events[at(events, before, to)]
        rest = [event for event in events if event is not moved]
        i = rest.index(target)
        when = {"block": target.block, "timestamp": target.timestamp, "tx": b"\1" * 32}
        return [*rest[:i], replace(moved, **when), *rest[i:]]

    return edit


def adding(contract: Contract, name: str, before: str, **args: Any) -> Edit:
    """Put a new event before another, in a transaction of its own."""

    def edit(events: Events) -> Events:
        i = at(events, before)
        new = replace(events[i], contract=contract, name=name, args=args, tx=b"\1" * 32)
        return [*events[:i], new, *events[i:]]

    return edit


def later(name: str, seconds: int, which: int = 0) -> Edit:
    """Let an event happen later than it did."""

    def edit(events: Events) -> Events:
        i = at(events, name, which)
        moved = replace(events[i], timestamp=events[i].timestamp + seconds)
        return [*events[:i], moved, *events[i + 1 :]]

    return edit


def after(*edits: Edit) -> Edit:
    """Make one edit after the other."""

    def edit(events: Events) -> Events:
        for each in edits:
            events = each(events)
        return events

    return edit


def more(value: int) -> int:
    return value + 1


def less(value: int) -> int:
    return value - 1


def flipped(value: bytes) -> bytes:
    return value[:-1] + bytes([value[-1] ^ 1])


def swapped_records(blob: bytes) -> bytes:
    return blob[RECORD : 2 * RECORD] + blob[:RECORD] + blob[2 * RECORD :]


STRANGER = b"\x77" * 20
AUTHORIZED = {"authorizer": STRANGER, "nonce": b"\1" * 32}
ACTION = b"\x42" * 32

RULES: dict[str, tuple[Edit, Code]] = {
    # Who approved.
    "a signature altered": (
        setting("BatchApproved", signatures=flipped),
        Code.SIGNATURE_INVALID,
    ),
    "another payee list than signed": (approving(chunksRoot=flipped), Code.SIGNATURE_INVALID),
    "another total than signed": (approving(total=more), Code.SIGNATURE_INVALID),
    "a record cut off": (
        setting("BatchApproved", signatures=lambda blob: blob[:-1]),
        Code.SIGNATURES_MALFORMED,
    ),
    "a reviewer too few": (
        setting("BatchApproved", signatures=lambda blob: blob[: 2 * RECORD]),
        Code.TOO_FEW_OFFICERS,
    ),
    "one reviewer twice": (
        setting(
            "BatchApproved", signatures=lambda blob: blob[: 2 * RECORD] + blob[RECORD : 2 * RECORD]
        ),
        Code.OFFICERS_NOT_ASCENDING,
    ),
    "records out of order": (
        setting("BatchApproved", signatures=swapped_records),
        Code.OFFICERS_NOT_ASCENDING,
    ),
    "the maker did not sign": (
        setting("BatchApproved", signatures=lambda blob: blob[RECORD:]),
        Code.MAKER_MISSING,
    ),
    "a signer for another officer": (
        setting("SignerAdded", 1, officerId=3),
        Code.SIGNER_NOT_IN_FORCE,
    ),
    "a reviewer not in force yet": (
        setting("OfficerAdded", 1, activeFrom=2**39),
        Code.OFFICER_NOT_IN_FORCE,
    ),
    "a reviewer who is none": (setting("OfficerAdded", 1, roles=1), Code.OFFICER_LACKS_ROLE),
    "a reviewer of another province": (
        setting("OfficerAdded", 1, regionCode=11, regionDigits=2),
        Code.OFFICER_OUTSIDE_REGION,
    ),
    "a reviewer removed before": (
        moving("OfficerRemoved", "BatchApproved"),
        Code.ACTION_MISSING,
    ),
    # Quorum actions.
    "an action without its quorum": (dropping("ActionConsumed"), Code.ACTION_MISSING),
    "an action used twice": (repeating("ActionConsumed"), Code.ACTION_REUSED),
    "an action without an effect": (dropping("BatchCancelled"), Code.ACTION_MISSING),
    "a quorum that signed something else": (
        setting("ActionConsumed", digest=flipped),
        Code.DIGEST_MISMATCH,
    ),
    "another batch cancelled than signed": (
        setting("StreamsCancelled", maskLow=1 << 3 | 1 << 5),
        Code.DIGEST_MISMATCH,
    ),
    "a quorum of one": (
        setting("BatchCancelled", signatures=lambda blob: blob[:RECORD]),
        Code.TOO_FEW_OFFICERS,
    ),
    "a quorum action after its deadline": (
        later("BatchCancelled", 2 * DAY_S),
        Code.OFFICER_RULE_BROKEN,
    ),
    "an officer in force at once": (
        setting("OfficerAdded", -1, activeFrom=lambda old: old - DAY_S),
        Code.OFFICER_RULE_BROKEN,
    ),
    "a signer in force at once": (
        setting("SignerAdded", -1, activeFrom=lambda old: old - DAY_S),
        Code.OFFICER_RULE_BROKEN,
    ),
    "an officer without a signer": (dropping("SignerAdded", -1), Code.OFFICER_RULE_BROKEN),
    # Housekeeping.
    "a role given without officers": (
        adding(
            Contract.MANAGER,
            "RoleGranted",
            "ProgrammeCreated",
            roleId=5,
            account=STRANGER,
            delay=0,
            since=0,
            newMember=True,
        ),
        Code.POWERS_CHANGED_UNSIGNED,
    ),
    "a selector mapped without officers": (
        adding(
            Contract.MANAGER,
            "TargetFunctionRoleUpdated",
            "ProgrammeCreated",
            target=STRANGER,
            selector=b"abcd",
            roleId=1,
        ),
        Code.POWERS_CHANGED_UNSIGNED,
    ),
    "a second administrator": (dropping("RoleRevoked"), Code.ADMIN_NOT_REGISTRY),
    "another manager": (setting("AuthorityUpdated", authority=STRANGER), Code.ADMIN_NOT_REGISTRY),
    # What was approved.
    "a batch twice": (repeating("BatchApproved"), Code.BATCH_REPEATED),
    "a programme that is in force at once": (
        setting("ProgrammeCreated", activeFrom=less),
        Code.PROGRAMME_RULE_BROKEN,
    ),
    "a programme that is none": (dropping("ProgrammeCreated"), Code.BATCH_RULE_BROKEN),
    "tiers that fall": (
        setting("ProgrammeCreated", tiers=lambda tiers: tiers[::-1]),
        Code.PROGRAMME_RULE_BROKEN,
    ),
    "a budget raised unplanned": (dropping("BudgetIncreaseScheduled"), Code.PROGRAMME_RULE_BROKEN),
    "a budget raised too early": (
        setting("BudgetIncreaseScheduled", appliesFrom=lambda old: old + DAY_S),
        Code.PROGRAMME_RULE_BROKEN,
    ),
    "a batch above the budget": (setting("ProgrammeCreated", budget=10), Code.BUDGET_EXCEEDED),
    "a payout above the cap": (setting("ProgrammeCreated", payoutCap=10), Code.PAYOUT_ABOVE_CAP),
    "a sum above the highest tier": (
        setting("ProgrammeCreated", tiers=lambda tiers: tiers[:1]),
        Code.TIER_EXCEEDED,
    ),
    "a region outside the programme": (
        setting("ProgrammeCreated", regionCode=11, regionDigits=2),
        Code.BATCH_RULE_BROKEN,
    ),
    "numbers that do not follow on": (
        setting("BatchApproved", 1, firstNumber=more),
        Code.NUMBER_MISMATCH,
    ),
    "a rolling sum that is too small": (
        setting("BatchApproved", 1, rollingSum=less),
        Code.ROLLING_SUM_MISMATCH,
    ),
    "no challenge delay": (
        setting("BatchApproved", executeFrom=lambda old: old - 3600),
        Code.BATCH_RULE_BROKEN,
    ),
    "an approval after its deadline": (approving(executeBefore=1), Code.BATCH_RULE_BROKEN),
    "no time to claim": (approving(expiresAt=less), Code.BATCH_RULE_BROKEN),
    "other money committed": (setting("Committed", amount=more), Code.COMMITMENT_MISMATCH),
    "money committed for nothing": (dropping("BatchApproved"), Code.COMMITMENT_MISMATCH),
    "more committed than is in reserve": (
        setting("ReserveAttested", amount=1),
        Code.RESERVE_EXCEEDED,
    ),
    "a stale reserve": (
        setting("ReserveAttested", asOf=lambda old: old - 36 * DAY_S),
        Code.RESERVE_STALE,
    ),
    "a reserve of tomorrow": (
        setting("ReserveAttested", asOf=lambda old: old + DAY_S),
        Code.RESERVE_RULE_BROKEN,
    ),
    "a reserve older than the last": (
        setting("ReserveAttested", 1, asOf=1),
        Code.RESERVE_RULE_BROKEN,
    ),
    "more committed than the cap": (setting("MinterActivated", cap=10), Code.CAP_EXCEEDED),
    # What was paid.
    "a payout one unit higher": (
        setting("ChunkPaid", entries=flipped),
        Code.CHUNKS_ROOT_MISMATCH,
    ),
    "a chunk of a batch not complete altered": (
        setting("ChunkPaid", 3, entries=flipped),
        Code.CHUNKS_ROOT_MISMATCH,
    ),
    "a chunk twice": (repeating("ChunkPaid"), Code.CHUNK_REPEATED),
    "a chunk of a batch unknown": (dropping("BatchApproved", 1), Code.BATCH_UNKNOWN),
    "a chunk before its time": (
        later("ChunkPaid", -3_700),
        Code.CHUNK_RULE_BROKEN,
    ),
    "a chunk after its time": (later("ChunkPaid", 40 * DAY_S), Code.CHUNK_RULE_BROKEN),
    "another sum than its entries": (setting("ChunkPaid", paid=more), Code.TOTAL_MISMATCH),
    "a payout skipped for nothing": (
        setting("ChunkPaid", skippedLow=lambda old: old ^ 1),
        Code.SKIP_MISMATCH,
    ),
    "a skip without its event": (dropping("PayoutSkipped"), Code.SKIP_MISMATCH),
    "a skip of another payout": (setting("PayoutSkipped", index=more), Code.SKIP_MISMATCH),
    "a retry twice": (repeating("PayoutRetried"), Code.RETRY_INVALID),
    "a retry of another amount": (setting("PayoutRetried", amount=more), Code.RETRY_INVALID),
    "a payment that never reached the wallet": (
        dropping("Transfer"),
        Code.MINT_MISSING,
    ),
    "a payment of one unit more": (setting("Transfer", value=more), Code.MINT_UNEXPLAINED),
    "a payment to another wallet": (setting("Transfer", to=STRANGER), Code.MINT_UNEXPLAINED),
    "money out of nothing": (
        adding(
            Contract.TOKEN,
            "Transfer",
            "BatchApproved",
            **{"from": bytes(20), "to": STRANGER, "value": 5},
        ),
        Code.MINT_UNEXPLAINED,
    ),
    # Streams.
    "a withdrawal of more than accrued": (
        setting("StreamWithdrawn", amount=more),
        Code.STREAM_MISMATCH,
    ),
    "a withdrawal through a later second": (
        setting("StreamWithdrawn", paidThrough=more),
        Code.STREAM_MISMATCH,
    ),
    "a withdrawal to another payee": (
        setting("StreamWithdrawn", payee=STRANGER),
        Code.STREAM_MISMATCH,
    ),
    "a range that paid more than accrued": (
        setting("StreamsWithdrawn", paid=more),
        Code.STREAM_MISMATCH,
    ),
    "a range that went too far": (
        setting("StreamsWithdrawn", watermark=more),
        Code.STREAM_MISMATCH,
    ),
    "a range that left one out": (
        setting("StreamsWithdrawn", skippedLow=lambda old: old | 1),
        Code.SKIP_MISMATCH,
    ),
    "a range that passed a frozen one by and did not say so": (
        setting("StreamsWithdrawn", skippedLow=0),
        Code.SKIP_MISMATCH,
    ),
    "a withdrawal twice": (repeating("StreamsWithdrawn"), Code.STREAM_MISMATCH),
    "a withdrawal of a stream never opened": (
        dropping("StreamsOpened"),
        Code.STREAM_UNKNOWN,
    ),
    "another sum of streams": (setting("StreamsOpened", total=more), Code.TOTAL_MISMATCH),
    "a cut that takes what accrued": (
        setting("StreamsCancelled", returned=more),
        Code.CANCEL_MISMATCH,
    ),
    "a cut at an earlier second": (setting("StreamsCancelled", cut=less), Code.CANCEL_MISMATCH),
    "a stream cut twice": (repeating("StreamsCancelled"), Code.CANCEL_MISMATCH),
    "a batch cancelled twice": (repeating("BatchCancelled"), Code.CANCEL_MISMATCH),
    "a cancellation that keeps money": (
        setting("BatchCancelled", returned=less),
        Code.CANCEL_MISMATCH,
    ),
    "money released for nothing": (
        dropping("BatchCancelled"),
        Code.COMMITMENT_MISMATCH,
    ),
    # Pauses and freezes.
    "a batch approved in a pause": (moving("Paused", "BatchApproved"), Code.PAUSE_IGNORED),
    "a chunk run in a pause": (moving("Paused", "ChunkPaid"), Code.PAUSE_IGNORED),
    "a withdrawal in a pause": (moving("Paused", "StreamWithdrawn"), Code.PAUSE_IGNORED),
    "a pause longer than 72 hours": (setting("Paused", until=more), Code.PAUSE_IGNORED),
    "a pause renewed": (repeating("Paused"), Code.PAUSE_IGNORED),
    "a transfer in a pause": (
        moving("TransfersPaused", "Redeemed"),
        Code.PAUSE_IGNORED,
    ),
    "a frozen wallet paid": (
        moving("Frozen", "ChunkPaid", which=1, to=-1),
        Code.SKIP_MISMATCH,
    ),
    "a frozen wallet that spent": (
        adding(Contract.TOKEN, "Frozen", "Redeemed", account=bytes.fromhex(payee(0).address[2:])),
        Code.FREEZE_IGNORED,
    ),
    # The token.
    "a wallet that spent more than it held": (
        adding(
            Contract.TOKEN,
            "Transfer",
            "Redeemed",
            **{"from": STRANGER, "to": b"\x78" * 20, "value": 5},
        ),
        Code.BALANCE_IMPOSSIBLE,
    ),
    "an authorization used and then cancelled": (
        after(
            adding(Contract.TOKEN, "AuthorizationUsed", "Redeemed", **AUTHORIZED),
            adding(Contract.TOKEN, "AuthorizationCanceled", "Redeemed", **AUTHORIZED),
        ),
        Code.AUTHORIZATION_REUSED,
    ),
    "a burn without a redemption": (dropping("Redeemed"), Code.REDEMPTION_MISMATCH),
    "a redemption without a burn": (repeating("Redeemed"), Code.REDEMPTION_MISMATCH),
    "another sum redeemed": (setting("Redeemed", redeemedTotal=more), Code.REDEMPTION_MISMATCH),
    "a minter at once": (setting("MinterScheduled", activeFrom=less), Code.MINTER_RULE_BROKEN),
    "a minter's cap raised unplanned": (
        dropping("MinterScheduled"),
        Code.MINTER_RULE_BROKEN,
    ),
    "a minter's cap to be raised to no higher one": (
        setting("MinterScheduled", cap=1),
        Code.MINTER_RULE_BROKEN,
    ),
    "a minter unplanned": (
        adding(Contract.TOKEN, "MinterActivated", "Redeemed", minter=STRANGER, cap=5),
        Code.MINTER_RULE_BROKEN,
    ),
    "a minter that committed and is none": (
        setting("Committed", minter=STRANGER),
        Code.MINTER_RULE_BROKEN,
    ),
    "a cap that was raised": (setting("CapLowered", cap=2**80 - 1), Code.MINTER_RULE_BROKEN),
    "a cap raised unplanned": (dropping("CapIncreaseScheduled"), Code.MINTER_RULE_BROKEN),
    "a cap raised higher than planned": (setting("CapRaised", cap=more), Code.MINTER_RULE_BROKEN),
    "a cap raised too early": (later("CapRaised", -DAY_S), Code.MINTER_RULE_BROKEN),
    "a cap to be raised too early": (
        setting("CapIncreaseScheduled", appliesFrom=less),
        Code.MINTER_RULE_BROKEN,
    ),
    "a cap to be raised to no higher one": (
        setting("CapIncreaseScheduled", cap=1),
        Code.MINTER_RULE_BROKEN,
    ),
    # Emergency grants.
    "a grant's signature altered": (
        setting("GrantMade", signatures=flipped),
        Code.SIGNATURE_INVALID,
    ),
    "a grant of more than was signed": (granting(amount=101 * 10**6), Code.SIGNATURE_INVALID),
    "a grant to another payee than signed": (granting(payee=STRANGER), Code.SIGNATURE_INVALID),
    "a grant by nobody": (setting("GrantMade", signatures=b""), Code.GRANT_RULE_BROKEN),
    "a grant by two": (
        setting("GrantMade", signatures=lambda blob: blob + blob),
        Code.GRANT_RULE_BROKEN,
    ),
    "a grant by another than it names": (granting(officer=6), Code.GRANT_RULE_BROKEN),
    "a grant whose topics name another payee": (
        setting("GrantMade", payee=STRANGER),
        Code.GRANT_RULE_BROKEN,
    ),
    "a granter who is no emergency officer": (
        setting("OfficerAdded", 4, roles=1),
        Code.OFFICER_LACKS_ROLE,
    ),
    "a granter of another province": (
        setting("OfficerAdded", 5, regionCode=33, regionDigits=2),
        Code.OFFICER_OUTSIDE_REGION,
    ),
    "a granter not in force yet": (
        setting("OfficerAdded", 4, activeFrom=2**39),
        Code.OFFICER_NOT_IN_FORCE,
    ),
    "a grant twice": (repeating("GrantMade"), Code.GRANT_REPEATED),
    "a case granted twice": (
        granting(1, caseCommitment=keccak(b"emergency case seen")),
        Code.GRANT_REPEATED,
    ),
    "a grant after it was valid": (later("GrantMade", 2 * DAY_S), Code.GRANT_RULE_BROKEN),
    "a grant of nothing": (granting(amount=0), Code.GRANT_RULE_BROKEN),
    "a grant without a case": (granting(caseCommitment=bytes(32)), Code.GRANT_RULE_BROKEN),
    "a grant for no region": (granting(regionCode=5, regionDigits=2), Code.GRANT_RULE_BROKEN),
    "a grant to a wallet that is frozen": (
        adding(Contract.TOKEN, "Frozen", "GrantMade", account=bytes.fromhex(payee(60).address[2:])),
        Code.GRANT_RULE_BROKEN,
    ),
    "a grant that never reached the wallet": (
        before_the_grant("Transfer", to=STRANGER),
        Code.MINT_MISSING,
    ),
    "a grant that minted one unit more": (
        before_the_grant("Transfer", value=more),
        Code.MINT_UNEXPLAINED,
    ),
    "a grant from the vault's money": (
        before_the_grant("Committed", minter=STRANGER),
        Code.COMMITMENT_MISMATCH,
    ),
    "a grant above the cap of one": (limiting(1, perGrant=1), Code.GRANT_ABOVE_CAP),
    "a grant above its officer's cap": (limiting(1, perOfficer=1), Code.GRANT_ABOVE_CAP),
    "a grant above its county's cap": (limiting(1, perCounty=1), Code.GRANT_ABOVE_CAP),
    "a grant above its city's cap": (limiting(1, perCity=1), Code.GRANT_ABOVE_CAP),
    "a grant above its province's cap": (limiting(1, perProvince=1), Code.GRANT_ABOVE_CAP),
    "a grant above the country's cap": (limiting(1, country=1), Code.GRANT_ABOVE_CAP),
    "a grant above its county's own cap": (
        setting("RegionCapChanged", cap=1),
        Code.GRANT_ABOVE_CAP,
    ),
    "more outstanding than may be": (limiting(1, outstanding=1), Code.GRANT_ABOVE_CAP),
    "a grant by a closed officer": (dropping("GrantWrittenOff"), Code.GRANT_WHILE_CLOSED),
    "a grant in a closed county": (limiting(2, countyOverdue=1), Code.GRANT_WHILE_CLOSED),
    "a grant in a closed city": (limiting(2, cityOverdue=1), Code.GRANT_WHILE_CLOSED),
    "a grant in a closed province": (limiting(2, provinceOverdue=1), Code.GRANT_WHILE_CLOSED),
    "a grant overdue later than its window": (
        setting("GrantMade", overdueFrom=lambda old: old + DAY_S),
        Code.GRANT_SUM_MISMATCH,
    ),
    "another sum outstanding": (setting("GrantMade", outstanding=less), Code.GRANT_SUM_MISMATCH),
    "another sum outstanding after a countersignature": (
        setting("GrantCountersigned", outstanding=less),
        Code.GRANT_SUM_MISMATCH,
    ),
    "a grant in a pause": (moving("GrantsPaused", "GrantMade"), Code.PAUSE_IGNORED),
    "a countersignature altered": (
        setting("GrantCountersigned", signatures=flipped),
        Code.SIGNATURE_INVALID,
    ),
    "a countersignature by the granter": (
        setting("GrantCountersigned", officer=5),
        Code.GRANT_RULE_BROKEN,
    ),
    "a countersignature by another than it names": (
        setting("GrantCountersigned", officer=3),
        Code.GRANT_RULE_BROKEN,
    ),
    "a countersignature after its deadline": (
        later("GrantCountersigned", 2 * DAY_S),
        Code.GRANT_RULE_BROKEN,
    ),
    "a countersignature with a later deadline than signed": (
        setting("GrantCountersigned", deadline=more),
        Code.SIGNATURE_INVALID,
    ),
    "a grant ended twice": (repeating("GrantCountersigned"), Code.GRANT_RULE_BROKEN),
    "a countersignature of what was never granted": (
        dropping("GrantMade"),
        Code.GRANT_UNKNOWN,
    ),
    "a write-off by too few": (
        setting("GrantWrittenOff", signatures=lambda blob: blob[:RECORD]),
        Code.TOO_FEW_OFFICERS,
    ),
    "a write-off of another grant than signed": (
        setting("GrantWrittenOff", grantId=keccak(b"grant forgotten")),
        Code.DIGEST_MISMATCH,
    ),
    "limits raised unplanned": (dropping("LimitsRaiseScheduled"), Code.LIMITS_RULE_BROKEN),
    "limits raised too early": (
        setting("LimitsRaiseScheduled", appliesFrom=lambda old: old + DAY_S),
        Code.LIMITS_RULE_BROKEN,
    ),
    "limits raised to others than planned": (
        limiting(2, perOfficer=2**70),
        Code.LIMITS_RULE_BROKEN,
    ),
    "other limits planned than signed": (
        setting("LimitsRaiseScheduled", limits=lambda limits: limits | {"country": 2**70}),
        Code.DIGEST_MISMATCH,
    ),
    "a limit of nothing": (limiting(0, country=0), Code.LIMITS_RULE_BROKEN),
    "a window of an hour": (limiting(1, countersignWindow=3_600), Code.LIMITS_RULE_BROKEN),
    "a region's cap raised unplanned": (
        dropping("RegionCapRaiseScheduled"),
        Code.LIMITS_RULE_BROKEN,
    ),
    "a region's cap raised too early": (
        setting("RegionCapRaiseScheduled", appliesFrom=lambda old: old + DAY_S),
        Code.LIMITS_RULE_BROKEN,
    ),
    "another region's cap than signed": (
        setting("RegionCapRaiseScheduled", cap=more),
        Code.DIGEST_MISMATCH,
    ),
    "a lane that is let in later": (
        moving("MinterActivated", "GrantMade", which=1),
        Code.MINTER_RULE_BROKEN,
    ),
    # The count.
    "an event left out": (dropping("StreamsOpened", 1), Code.SEQUENCE_GAP),
    "an event twice": (repeating("Unpaused"), Code.SEQUENCE_GAP),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_found(replayed: Replayed, rule: str) -> None:
    edit, code = RULES[rule]
    findings, _ = replayed.against_rules(edit(replayed.events))
    assert code in codes(findings), codes(findings)


def codes(findings: list[Finding]) -> set[Code]:
    return {finding.code for finding in findings}


def test_a_batch_that_pays_nothing_or_never_opens_is_named(replayed: Replayed) -> None:
    """By its own words: other members of an edited batch break other rules too."""
    events = replayed.events
    approvals = [event for event in events if event.name == "BatchApproved"]
    stream = next(i for i, event in enumerate(approvals) if event.args["approval"]["kind"])
    opens = approvals[0].args["executeFrom"]
    for edit, what in (
        (approving(stream, total=0), "it pays nothing"),
        (approving(0, executeBefore=opens), "its challenge delay ends when no chunk may run"),
    ):
        findings, _ = replayed.against_rules(edit(events))
        assert any(
            finding.code is Code.BATCH_RULE_BROKEN and what in finding.message
            for finding in findings
        ), what


def test_a_pause_renewed_after_governors_lifted_it_is_named(replayed: Replayed) -> None:
    events = replayed.events
    i = at(events, "Unpaused") + 1
    args = {"operations": 4, "until": events[i].timestamp + 3 * DAY_S, "seq": 0}
    again = replace(events[i], contract=Contract.VAULT, name="Paused", args=args)

    findings, _ = replayed.against_rules([*events[:i], again, *events[i:]])

    assert "withdrawals were paused again without a rest" in {f.message for f in findings}


def test_a_removed_minter_that_is_to_come_back_is_named(replayed: Replayed) -> None:
    vault = replayed.events[at(replayed.events, "MinterActivated")].args["minter"]
    removed = moving("MinterRemoved", "MinterScheduled")(
        setting("MinterRemoved", minter=vault)(replayed.events)
    )

    findings, _ = replayed.against_rules(removed)

    assert any(finding.message.endswith(", removed, is to come back") for finding in findings)


def test_a_stale_reserve_stops_batches_and_not_grants(replayed: Replayed) -> None:
    """Attested 20 days earlier, and only once, it is stale when the lane grants 22 days later."""
    edits = (dropping("ReserveAttested", 1), setting("ReserveAttested", asOf=twenty_days_before))
    events = replayed.events
    for edit in edits:
        events = edit(events)
    attested = events[at(events, "ReserveAttested")].args["asOf"]
    assert events[at(events, "GrantMade")].timestamp > attested + 35 * DAY_S
    assert replayed.against_rules(events)[0] == []
    of_the_vault = before_the_grant(
        "Committed", minter=replayed.deployment.addresses[Contract.VAULT]
    )
    assert Code.RESERVE_STALE in codes(replayed.against_rules(of_the_vault(events))[0])


def twenty_days_before(time: int) -> int:
    return time - 20 * DAY_S


UNCOUNTED = {
    *("RoleGranted", "TargetFunctionRoleUpdated"),
    "TransfersPaused",  # and lifted again
}
"""Events that leave nothing behind which is compared: the receipts' roots alone prove them."""


def test_any_single_event_left_out_is_missed(replayed: Replayed) -> None:
    """By a rule of its own, or by the contracts' views."""
    events = replayed.events
    unnoticed = []
    for i, event in enumerate(events):
        nothing = event.name == "Transfer" and not event.args["value"]
        if event.name in UNCOUNTED or nothing:
            continue
        findings, state = replayed.against_rules([*events[:i], *events[i + 1 :]])
        if not findings and not replayed.against_views(state):
            unnoticed.append((event.name, event.args))
    assert unnoticed == []


def test_what_a_call_through_another_contract_leaves_open_is_a_warning(
    scenario: Scenario, replayed: Replayed
) -> None:
    """Neither deadlines nor proofs stand in such a transaction; nothing is claimed to be wrong."""
    findings, _ = replayed.against_rules(
        replayed.events, call_of=lambda _tx: Call(b"\x99" * 20, b"")
    )
    assert codes(findings) == {Code.ACTION_UNPROVEN, Code.CHUNK_UNPROVEN}
    unproven = {f.place.batch for f in findings if f.code is Code.CHUNK_UNPROVEN}
    assert unproven == {scenario.batches["waiting"].hex}
