"""What an auditor is told: findings with a code, a severity, and the payout they concern."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    """A difference or a broken rule: the replay exits non-zero."""
    WARNING = "warning"
    """Something that could not be proven; nothing found that is wrong."""


class Code(StrEnum):
    """Kinds of findings; :mod:`service.audit.meanings` says what each means."""

    # The node's answers against themselves.
    BLOCK_LINKAGE_BROKEN = "block_linkage_broken"
    HEADER_HASH_MISMATCH = "header_hash_mismatch"
    RECEIPTS_ROOT_MISMATCH = "receipts_root_mismatch"
    LOG_MISPLACED = "log_misplaced"
    LOG_MALFORMED = "log_malformed"
    SEQUENCE_GAP = "sequence_gap"
    DEPLOYMENT_NOT_READ = "deployment_not_read"
    EVIDENCE_WEAK = "evidence_weak"
    ARCHIVE_MISMATCH = "archive_mismatch"
    # Who approved.
    DIGEST_MISMATCH = "digest_mismatch"
    SIGNATURE_INVALID = "signature_invalid"
    SIGNATURE_UNPROVEN = "signature_unproven"
    SIGNATURES_MALFORMED = "signatures_malformed"
    OFFICERS_NOT_ASCENDING = "officers_not_ascending"
    OFFICER_NOT_IN_FORCE = "officer_not_in_force"
    OFFICER_LACKS_ROLE = "officer_lacks_role"
    OFFICER_OUTSIDE_REGION = "officer_outside_region"
    SIGNER_NOT_IN_FORCE = "signer_not_in_force"
    VERIFIER_NOT_IN_FORCE = "verifier_not_in_force"
    MAKER_MISSING = "maker_missing"
    TOO_FEW_OFFICERS = "too_few_officers"
    ACTION_REUSED = "action_reused"
    ACTION_UNPROVEN = "action_unproven"
    ACTION_MISSING = "action_missing"
    OFFICER_RULE_BROKEN = "officer_rule_broken"
    ADMIN_NOT_REGISTRY = "admin_not_registry"
    POWERS_CHANGED_UNSIGNED = "powers_changed_unsigned"
    # What was approved.
    PROGRAMME_RULE_BROKEN = "programme_rule_broken"
    BATCH_REPEATED = "batch_repeated"
    BATCH_UNKNOWN = "batch_unknown"
    BATCH_RULE_BROKEN = "batch_rule_broken"
    NUMBER_MISMATCH = "number_mismatch"
    ROLLING_SUM_MISMATCH = "rolling_sum_mismatch"
    TIER_EXCEEDED = "tier_exceeded"
    BUDGET_EXCEEDED = "budget_exceeded"
    CAP_EXCEEDED = "cap_exceeded"
    RESERVE_EXCEEDED = "reserve_exceeded"
    RESERVE_STALE = "reserve_stale"
    COMMITMENT_MISMATCH = "commitment_mismatch"
    # What was paid.
    CHUNK_REPEATED = "chunk_repeated"
    CHUNK_RULE_BROKEN = "chunk_rule_broken"
    CHUNKS_ROOT_MISMATCH = "chunks_root_mismatch"
    CHUNK_UNPROVEN = "chunk_unproven"
    TOTAL_MISMATCH = "total_mismatch"
    PAYOUT_ABOVE_CAP = "payout_above_cap"
    SKIP_MISMATCH = "skip_mismatch"
    RETRY_INVALID = "retry_invalid"
    MINT_MISSING = "mint_missing"
    MINT_UNEXPLAINED = "mint_unexplained"
    STREAM_UNKNOWN = "stream_unknown"
    STREAM_MISMATCH = "stream_mismatch"
    CANCEL_MISMATCH = "cancel_mismatch"
    HOLD_RULE_BROKEN = "hold_rule_broken"
    HOLD_IGNORED = "hold_ignored"
    WALLET_CHANGE_INVALID = "wallet_change_invalid"
    EXPIRY_MISMATCH = "expiry_mismatch"
    SUNSET_IGNORED = "sunset_ignored"
    PAUSE_IGNORED = "pause_ignored"
    # What the emergency lane granted.
    GRANT_REPEATED = "grant_repeated"
    GRANT_UNKNOWN = "grant_unknown"
    GRANT_RULE_BROKEN = "grant_rule_broken"
    GRANT_ABOVE_CAP = "grant_above_cap"
    GRANT_WHILE_CLOSED = "grant_while_closed"
    GRANT_SUM_MISMATCH = "grant_sum_mismatch"
    LIMITS_RULE_BROKEN = "limits_rule_broken"
    # The token.
    BALANCE_IMPOSSIBLE = "balance_impossible"
    FREEZE_IGNORED = "freeze_ignored"
    AUTHORIZATION_REUSED = "authorization_reused"
    REDEMPTION_MISMATCH = "redemption_mismatch"
    RESERVE_RULE_BROKEN = "reserve_rule_broken"
    MINTER_RULE_BROKEN = "minter_rule_broken"
    # The end.
    ACCOUNTING_MISMATCH = "accounting_mismatch"
    VIEW_MISMATCH = "view_mismatch"
    # Manifests.
    MANIFEST_MISSING = "manifest_missing"
    MANIFEST_HASH_MISMATCH = "manifest_hash_mismatch"
    MANIFEST_MALFORMED = "manifest_malformed"
    MANIFEST_MISMATCH = "manifest_mismatch"
    COMMITMENT_REPEATED = "commitment_repeated"
    # Openings.
    OPENING_MISMATCH = "opening_mismatch"
    OPENING_MISSING = "opening_missing"
    # Checkpoints.
    CHECKPOINT_MISMATCH = "checkpoint_mismatch"
    CHECKPOINT_SIGNATURE_INVALID = "checkpoint_signature_invalid"
    CHECKPOINT_CHAIN_BROKEN = "checkpoint_chain_broken"
    # Payment proofs.
    TRANSACTIONS_ROOT_MISMATCH = "transactions_root_mismatch"
    BLOCK_DIFFERS = "block_differs"
    PROOF_MISMATCH = "proof_mismatch"
    # The database.
    DATABASE_MISMATCH = "database_mismatch"
    DATABASE_ROW_MISSING = "database_row_missing"
    DATABASE_ROW_EXTRA = "database_row_extra"
    DATABASE_OTHER_CHAIN = "database_other_chain"
    DATABASE_BEHIND = "database_behind"
    DATABASE_AHEAD = "database_ahead"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something happened, or which payout it concerns; None where that says nothing.

    Attributes
    ----------
    block
        Block number.
    tx
        Transaction hash, 0x-hex.
    batch
        Batch id, 0x-hex.
    index
        The payout's index in the batch.
    number
        The payout's number in the programme.
    grant
        Id of an emergency grant, 0x-hex.
    """

    block: int | None = None
    tx: str | None = None
    batch: str | None = None
    index: int | None = None
    number: int | None = None
    grant: str | None = None


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or unproven.

    Attributes
    ----------
    code, severity
        What kind.
    message
        A sentence for a person, naming the payout where there is one.
    place
        Where.
    expected, found
        What should be there and what is.
    """

    code: Code
    severity: Severity
    message: str
    place: Place = NOWHERE
    expected: str | None = None
    found: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it flat, for JSON."""
        return {
            "code": self.code.value,
            "severity": self.severity.value,
            **asdict(self.place),
            "expected": self.expected,
            "found": self.found,
            "message": self.message,
        }


@dataclass
class Findings:
    """Findings in the order they were made, each once."""

    items: list[Finding] = field(default_factory=list)
    _seen: set[Finding] = field(default_factory=set)

    def error(
        self,
        code: Code,
        message: str,
        place: Place = NOWHERE,
        *,
        expected: object = None,
        found: object = None,
    ) -> None:
        """Add an error."""
        values = _text(expected), _text(found)
        self.add(Finding(code, Severity.ERROR, _encodable(message), place, *values))

    def warning(
        self,
        code: Code,
        message: str,
        place: Place = NOWHERE,
        *,
        expected: object = None,
        found: object = None,
    ) -> None:
        """Add a warning."""
        values = _text(expected), _text(found)
        self.add(Finding(code, Severity.WARNING, _encodable(message), place, *values))

    def add(self, finding: Finding) -> None:
        """Add a finding, unless it was made already."""
        if finding not in self._seen:
            self._seen.add(finding)
            self.items.append(finding)

    def keep_only(self, codes: Collection[Code]) -> None:
        """Forget findings of other kinds."""
        self.items[:] = [finding for finding in self.items if finding.code in codes]

    @property
    def errors(self) -> list[Finding]:
        """Those that make the replay fail."""
        return [finding for finding in self.items if finding.severity is Severity.ERROR]


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray)):
        return "0x" + value.hex()
    if isinstance(value, bool):
        return "true" if value else "false"
    return _encodable(str(value))


def _encodable(text: str) -> str:
    """Escape half characters, which JSON of a stranger may hold and UTF-8 may not."""
    return text.encode(errors="backslashreplace").decode()
