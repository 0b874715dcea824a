"""What a contract's error means for an officer: one sentence for each error of our contracts.

Rows keep the contract's own words, ``Unpayable(payee=0x…, reason=4)``; whoever shows them to people
asks here for the sentence. In a sentence ``{requested:amount}`` is the error's argument, written as
an amount, a time, a duration, roles or operations.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from string import Formatter
from typing import Any

from service.approvals.models import Role
from service.units import format_amount, format_duration, format_unix_s

_OPERATIONS = {1: "approving batches", 2: "running chunks", 4: "withdrawing from streams"}
"""Bits of ``IAllowanceVault``'s paused operations."""

_UNPAYABLE = {
    1: "the zero address",
    2: "the token's own address",
    3: "the paying contract's own address",
    4: "frozen",
}
"""``BenefitToken.unpayableReason``."""

_ERROR = re.compile(r"(?P<name>[A-Z]\w*)\((?P<args>.*)\)", re.DOTALL)
_ARGUMENT = re.compile(r"(\w+)=(.*?)(?=, \w+=|$)", re.DOTALL)

SENTENCES: dict[str, str] = {
    # ---- Any contract --------------------------------------------------------------------------
    "Revert": "the contract refuses: {message}",
    "Panic": "a check inside the contract failed (code {code}); nothing was changed: tell the "
    "operators",
    "Unknown": "the contract refuses with an error that its interface does not name ({data}): tell "
    "the operators",
    "FailedCall": "a call inside the contract failed; nothing was changed",
    "AddressEmptyCode": "there is no contract at {target}",
    "SafeCastOverflowedUintDowncast": "the number {value} is too large for the contract",
    "InvalidShortString": "a text that the contract was deployed with is malformed",
    "StringTooLong": "a text that the contract was deployed with is too long",
    # ---- Programmes and budgets ----------------------------------------------------------------
    "InvalidProgramme": "{programme} is no programme's number",
    "ProgrammeExists": "there is a programme with the number {programme} on chain already: take "
    "another number",
    "UnknownProgramme": "programme {programme} is not on chain",
    "ProgrammeNotActive": "programme {programme} is in force only from {activeFrom:time} on: try "
    "again then",
    "ProgrammeVersionMismatch": "officers signed for version {signed} of the programme, and "
    "version {inForce} is in force: build the batch again",
    "InvalidTiers": "the programme's tiers are not 1 to 4 that ascend, each with a reviewer",
    "InvalidCap": "the programme's budget or its payout cap is zero",
    "BudgetNotHigher": "the budget {requested:amount} is not higher than the present "
    "{budget:amount}",
    "BudgetNotLower": "the budget {requested:amount} is not lower than the present {budget:amount}",
    "BudgetBelowAllocated": "{allocated:amount} of the budget are given to batches already, so it "
    "cannot be lowered to {requested:amount}",
    "BudgetIncreaseNotDue": "no higher budget of programme {programme} is due: it was not planned, "
    "or its two days are not over",
    "BudgetExceeded": "with this batch the programme would hold {requested:amount}, more than its "
    "budget of {budget:amount}: raise the budget or cancel another batch",
    "InvalidRegion": "{code} is no region that the contract takes here",
    # ---- Approving a batch ---------------------------------------------------------------------
    "RegionOutsideProgramme": "region {regionCode} lies outside the programme's: build the batch "
    "for a region inside it",
    "TierLimitExceeded": "the rolling sum would be {rollingSum:amount}, above the programme's last "
    "tier of {limit:amount}: wait until older batches leave it, or build a smaller one",
    "RollingSumOverflow": "the rolling sum of the programme's batches is larger than the contract "
    "can count",
    "InvalidBatchShape": "{count} payouts in chunks of {chunkSize} do not make a batch",
    "InvalidTerms": "the stream's start, cliff, duration or cadence are not what the contract "
    "takes: build the batch again",
    "InvalidTimes": "the batch would expire at {expiresAt:time}, earlier than the contract takes "
    "({expiresAtLeast:time}): build it again",
    "NeverOpen": "the challenge delay would last until {executeFrom:time}, and chunks run before "
    "{executeBefore:time} only: build the batch again with a later --execute-before",
    "BatchExists": "the batch is on chain already",
    "ApprovalExpired": "the time to approve the batch was over at {executeBefore:time}: build it "
    "again",
    "MakerSignatureMissing": "officer {maker}, the maker, has not signed",
    "NotEnoughReviewers": "{given} reviewers signed and {required} are needed now: let another "
    "officer sign",
    # ---- Batches on chain ----------------------------------------------------------------------
    "UnknownBatch": "the batch is not on chain",
    "BatchIsCancelled": "the batch is cancelled",
    "WrongKind": "the batch has no streams",
    "ExecutionNotOpen": "the challenge delay, or a reviewer's hold, lasts until "
    "{executeFrom:time}: the worker tries again then",
    "ExecutionClosed": "the time to run chunks was over at {executeBefore:time}: what none of "
    "them paid returns to the budget",
    "AlreadyHeld": "officer {officerId} has held this once already: another reviewer may",
    "NothingToHold": "there is nothing to hold: no chunk of the batch waits, its time to run them "
    "ends within a day, or it waits longer already",
    "EntryIsHeld": "a reviewer holds payout {index} until {until:time}: try again then",
    "WrongPayee": "payout {index} goes to {payee} now: the change has to name that wallet, and "
    "another one to pay to",
    "NothingUnpaid": "nothing of payout {index} is unpaid",
    "NotExpired": "it expires at {expiresAt:time}, not before",
    "NothingToExpire": "nothing of it can return to the budget: it was paid, can still be paid, or "
    "has returned already",
    "StillPayable": "payout {index} can be paid, so it does not expire: retry it",
    "InSunset": "the vault is in its sunset: nothing more is approved, and what was is paid on",
    "ChunkOutOfRange": "there is no chunk {chunkIndex}: the batch has {chunks}",
    "ChunkAlreadyExecuted": "chunk {chunkIndex} was run already",
    "WrongChunkLength": "the chunk is not as long as the officers signed: the database may have "
    "been changed",
    "ChunkNotApproved": "chunk {chunkIndex} is not what the officers signed: the database may have "
    "been changed",
    "TotalMismatch": "the chunks add up to something else than the officers signed: the database "
    "may have been changed",
    "MalformedEntries": "the chunk's payouts are malformed: the database may have been changed",
    "EntryAboveCap": "a payout of {amount:amount} is above the programme's cap of {cap:amount}",
    "NotSkipped": "the payout was not skipped, or it was paid meanwhile: there is nothing to retry",
    "Unpayable": "the wallet {payee} cannot be paid: it is {reason:unpayable}. Nothing is lost: "
    "try again when the wallet can be paid",
    # ---- Streams -------------------------------------------------------------------------------
    "StreamsNotOpen": "the streams of chunk {chunkIndex} are not open yet: the chunk has not run",
    "NothingToWithdraw": "there is nothing to withdraw yet: wait for the next step of the cadence",
    "NothingToCancel": "there is nothing to cancel: the streams are over, or are none of the "
    "chunk's",
    "AlreadyCancelled": "stream {index} is cancelled already",
    # ---- Pauses --------------------------------------------------------------------------------
    "OperationPaused": "a guardian paused {operation:operations}: a quorum can lift it",
    "InvalidOperations": "{operations} names no operations that can be paused",
    "PauseCoolingDown": "withdrawals were paused lately and can be again only after {until:time}",
    "TransfersArePaused": "a guardian paused all transfers: a quorum can lift it",
    # ---- The token -----------------------------------------------------------------------------
    "InsufficientBalance": "the wallet has {balance:amount} only, not {needed:amount}",
    "InsufficientAllowance": "{spender} may spend {allowance:amount} only, not {needed:amount}",
    "InvalidReceiver": "{receiver} cannot receive tokens",
    "AccountFrozen": "the wallet {account} is frozen",
    "SignatureExpired": "the signature was good until {deadline:time} only: sign again",
    "AuthorizationNotYetValid": "the signature is good only after {validAfter:time}",
    "AuthorizationUsedOrCanceled": "the signature was used or cancelled before: sign again",
    "CallerNotPayee": "only the receiver {payee} may hand in this signature",
    "WrongSigner": "signed by {signer}, not by {expected}, or over something else",
    "NotMinter": "{caller} may not commit money: it is no minter of the token",
    "MinterTwice": "{minter} cannot be both vault and emergency lane",
    "MinterIsRemoved": "{minter} was a minter and was removed: it never commits again",
    "MinterNotDue": "nothing of {minter} is due: to become a minter, or a higher cap, was not "
    "planned, or the delay is not over",
    "MinterCapExceeded": "{minter} would have committed and minted {requested:amount}, more than "
    "its cap of {cap:amount}",
    "CapExceeded": "supply and commitments would be {requested:amount}, more than the token's cap "
    "of {cap:amount}",
    "CapNotLower": "the cap {requested:amount} is not lower than the present {cap:amount}",
    "CapNotHigher": "the cap {requested:amount} is not higher than the present {cap:amount}",
    "CapIncreaseNotDue": "no higher cap of the token is due: it was not planned, or its delay is "
    "not over",
    "ZeroCap": "a cap of zero is none",
    "ReserveExceeded": "supply and commitments would be {requested:amount}, more than the reserve "
    "of {reserve:amount}: attest a higher reserve first",
    "ReserveStale": "the reserve was attested as of {asOf:time}, and an attestation is good for "
    "{maxAge:duration}: attest it anew",
    "AttestationNotNewer": "the attestation is as of {asOf:time}, not newer than the one in force "
    "({previous:time})",
    "AttestationInFuture": "the attestation is as of {asOf:time}, which the chain has not reached",
    "RedemptionsOutOfRange": "the attestation includes redemptions of {given:amount}; it must be "
    "{least:amount} to {most:amount}",
    "CommitmentExceeded": "{requested:amount} is more than the {committed:amount} committed: the "
    "database may have been changed",
    "ZeroAmount": "the amount is zero",
    "AmountTooLarge": "the amount {amount:amount} is larger than the token can count",
    # ---- Officers and what they sign -----------------------------------------------------------
    "QuorumTooSmall": "a quorum has 2 officers at least, not {quorum}",
    "TooFewGovernors": "{governors} governors would be left and a quorum needs {quorum}: add a "
    "governor first",
    "InvalidOfficer": "{officerId} is no officer's number",
    "InvalidRoles": "an officer has one role at least, of those the registry knows",
    "OfficerExists": "the number {officerId} is or was an officer's: numbers are not used again, "
    "take another",
    "UnknownOfficer": "officer {officerId} is unknown to the registry or was removed",
    "OfficerInactive": "officer {officerId} was removed or is not in force yet: let another sign",
    "OfficerLacksRole": "officer {officerId} is no {role:roles}",
    "OfficerOutsideRegion": "officer {officerId} may not sign for region {regionCode}",
    "OfficersNotAscending": "the signatures are not in the order of the officers' numbers, or one "
    "officer signed twice",
    "SignerTypeUnsupported": "the registry does not know this type of signer",
    "MalformedSigner": "{signer} is no account's address, or no verifier's address and point of "
    "P-256",
    "NoContract": "no contract stands at {account}: nothing, or an account that only delegates to "
    "one",
    "SignerTaken": "the signer {signer} is or was an officer's: take another",
    "UnknownSigner": "the signer {signer} is no officer's",
    "VerifierExists": "the verifier {verifier} is or was allowed: one that was removed does not "
    "come back",
    "UnknownVerifier": "the verifier {verifier} is not allowed: governors add it, and it comes "
    "into force two days later",
    "VerifierInactive": "the verifier {verifier} was removed, or is not in force yet: let the "
    "officer sign with another signer",
    "SignerNotOfficers": "the signer {signer} is not officer {officerId}'s, no longer, or not "
    "yet: let the officer sign again",
    "WrongSignature": "officer {officerId}'s signature is over something else: let the officer "
    "sign again",
    "ECDSAInvalidSignature": "a signature is malformed: sign again",
    "ECDSAInvalidSignatureLength": "a signature has {length} bytes, not 65: sign again",
    "ECDSAInvalidSignatureS": "a signature is not in its canonical form: sign again",
    "MalformedSignatures": "the signatures are malformed: the database may have been changed",
    "MoreThanOneOfficer": "one officer's signature is asked for, and others follow officer "
    "{officerId}'s",
    "NotEnoughOfficers": "{given} officers signed and {required} are needed: let another officer "
    "sign",
    "ActionExpired": "the action's deadline was {deadline:time}: propose it again",
    "ActionUsed": "the action was carried out already",
    "ManagerCallFailed": "the change of roles was refused; nothing was changed",
    # ---- Emergency grants ----------------------------------------------------------------------
    "GrantsArePaused": "a guardian paused emergency grants: a quorum can lift it",
    "GrantExists": "the grant is on chain already",
    "UnknownGrant": "the grant is not on chain",
    "GrantEnded": "the grant was countersigned or written off already",
    "GrantExpired": "the grant was good until {validUntil:time} only: sign it again",
    "CaseMissing": "the grant names no case",
    "CaseAlreadyGranted": "the case was granted before: pay what is missing in a batch",
    "WrongOfficer": "officer {signed} signed the grant, which names officer {named}",
    "GrantAboveCap": "{amount:amount} is above the cap of one grant, {cap:amount}: pay it in a "
    "batch",
    "OfficerCapExceeded": "officer {officer} would have granted {sum:amount} lately, more than an "
    "officer's cap of {cap:amount}: let another grant it",
    "RegionCapExceeded": "{sum:amount} would have been granted lately in region {regionCode}, more "
    "than its cap of {cap:amount}: governors can raise it in 2 days",
    "OutstandingCapExceeded": "{outstanding:amount} would stand uncountersigned, more than the "
    "{cap:amount} that may: let reviewers countersign",
    "OfficerClosed": "{overdue:amount} of officer {officer}'s grants are overdue: let a reviewer "
    "countersign them",
    "RegionClosed": "{overdue:amount} are overdue in region {regionCode}, more than the "
    "{threshold:amount} that may: let reviewers countersign them",
    "CountersignatureExpired": "the countersignature was good until {deadline:time} only: sign "
    "again",
    "CountersignedByGranter": "officer {officer} granted it, so another must countersign",
    "ZeroLimit": "a limit of the emergency lane is zero or missing",
    "LimitNotLower": "a limit of {requested} is higher than the {inForce} in force: governors "
    "raise it",
    "InvalidWindow": "the time for countersigning is {requested:duration}, and must be "
    "{least:duration} to {most:duration}",
    "ZeroRegionCap": "a cap of zero for region {regionCode} is none",
    "RegionCapNotLower": "the cap {requested:amount} of region {regionCode} is higher than the "
    "{inForce:amount} in force: governors raise it",
    "LimitsRaiseNotDue": "no higher limits are due: they were not planned, or their 2 days are "
    "not over",
    "RegionCapRaiseNotDue": "no higher cap of region {regionCode} is due: it was not planned, or "
    "its 2 days are not over",
    "DueDayPassed": "a grant would be overdue on a day that is gone",
    # ---- Roles (OpenZeppelin's AccessManager) --------------------------------------------------
    "AccessManagedUnauthorized": "{caller} does not hold the role that this needs: take the key of "
    "who does (`relief doctor` names them)",
    "AccessManagedRequiredDelay": "{caller} must plan this {delay:duration} ahead",
    "AccessManagedInvalidAuthority": "{authority} is no manager of roles",
    "AccessManagerAlreadyScheduled": "the change of roles is planned already",
    "AccessManagerBadConfirmation": "giving up a role must be confirmed by its holder",
    "AccessManagerExpired": "the planned change of roles was not made in time: plan it again",
    "AccessManagerInvalidInitialAdmin": "{initialAdmin} cannot be the first administrator",
    "AccessManagerLockedFunction": "who may call this function cannot be changed",
    "AccessManagerLockedRole": "role {roleId} cannot be changed",
    "AccessManagerNotReady": "the planned change of roles is not due yet",
    "AccessManagerNotScheduled": "the change of roles was not planned",
    "AccessManagerUnauthorizedAccount": "{msgsender} does not hold role {roleId}, which this needs",
    "AccessManagerUnauthorizedCall": "{caller} may not call this function",
    "AccessManagerUnauthorizedCancel": "{msgsender} may not take this plan back",
    "AccessManagerUnauthorizedConsume": "{target} may not use up this plan",
}
"""The sentence of each error, by its name, with what would mend it where something does."""


def explain(words: str) -> str | None:
    """Return the sentence for a contract's error.

    Parameters
    ----------
    words
        The contract's own: name and arguments, as :attr:`ContractRefusal.words` has them.

    Returns
    -------
    str or None
        None when it is no contract's error, so that the words are ours already.
    """
    match = _ERROR.fullmatch(words)
    sentence = SENTENCES.get(match["name"]) if match else None
    if match is None or sentence is None:
        return None
    try:
        return _WRITER.vformat(sentence, (), dict(_ARGUMENT.findall(match["args"])))
    except (KeyError, ValueError):  # older rows, or other arguments than today's
        return None


def unpayable_words(reason: int) -> str:
    """Return why a wallet cannot be paid, by ``BenefitToken.unpayableReason``."""
    return _UNPAYABLE.get(reason, f"refused for reason {reason}")


def _bits(names: dict[int, str], bits: int) -> str:
    return " and ".join(name for bit, name in names.items() if bits & bit) or str(bits)


def _time(unix_s: int) -> str:
    try:
        return format_unix_s(unix_s)
    except (ValueError, OverflowError, OSError):  # after the year 9999
        return f"second {unix_s} since 1970"


_WRITERS: dict[str, Callable[[int], str]] = {
    "amount": format_amount,
    "time": _time,
    "duration": format_duration,
    "unpayable": unpayable_words,
    "operations": lambda bits: _bits(_OPERATIONS, bits),
    "roles": lambda bits: _bits({role: (role.name or "").lower() for role in Role}, bits),
}


class _Writer(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return _WRITERS[format_spec](int(value)) if format_spec else str(value)


_WRITER = _Writer()
