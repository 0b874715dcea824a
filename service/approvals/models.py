"""Tables of officers and signers (a mirror of the registry), signatures and actions.

``signer`` and ``signature`` are ``0x`` and lower-case hexadecimal of the bytes the contract gets.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntFlag, StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.approvals.states import ActionState
from service.db import Base, UtcDateTime
from service.payouts.models import sql_list
from service.telemetry.context import request_id

SIGNER_EOA, SIGNER_ACCOUNT, SIGNER_KEY = 1, 2, 3
"""Types of signers: externally owned account, contract account (ERC-1271), P-256 key behind the
address of its verifier (ERC-7913)."""


class Role(IntFlag):
    """Bits of ``Officer.roles`` (contracts/interfaces/IOfficerRegistry.sol)."""

    MAKER = 1
    REVIEWER = 2
    EMERGENCY = 4
    GOVERNOR = 8


class ActionKind(StrEnum):
    """What an action does."""

    BATCH_CANCELLATION = "batch_cancellation"
    STREAM_CANCELLATION = "stream_cancellation"
    BATCH_HOLD = "batch_hold"
    ENTRY_HOLD = "entry_hold"
    WALLET_CHANGE = "wallet_change"
    SUNSET = "sunset"
    VAULT_UNPAUSE = "vault_unpause"
    OFFICER_ADDITION = "officer_addition"
    OFFICER_REMOVAL = "officer_removal"
    SIGNER_ADDITION = "signer_addition"
    SIGNER_REMOVAL = "signer_removal"
    VERIFIER_ADDITION = "verifier_addition"
    VERIFIER_REMOVAL = "verifier_removal"
    MANAGER_CALL = "manager_call"
    TOKEN_UNPAUSE = "token_unpause"  # noqa: S105  # no password: the token's transfers
    CAP_INCREASE = "cap_increase"
    MINTER_ADDITION = "minter_addition"
    MINTER_REMOVAL = "minter_removal"
    EMERGENCY_GRANT = "emergency_grant"
    GRANT_COUNTERSIGNATURE = "grant_countersignature"
    GRANT_WRITE_OFF = "grant_write_off"
    LIMITS_RAISE = "limits_raise"
    REGION_CAP_RAISE = "region_cap_raise"
    GRANTS_UNPAUSE = "grants_unpause"


class Officer(Base):
    """A person; mirror of ``OfficerAdded`` and ``OfficerRemoved``, written by confirmations.

    ``display_name`` is ours alone and may be empty. ``region_digits`` 0 is the whole country.
    """

    __tablename__ = "officers"

    officer_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    display_name: Mapped[str] = mapped_column(String(200), default="")
    roles: Mapped[int]
    region_code: Mapped[int]
    region_digits: Mapped[int]
    active_from: Mapped[datetime] = mapped_column(UtcDateTime)
    removed: Mapped[bool] = mapped_column(default=False)


class OfficerSigner(Base):
    """A signer of an officer; mirror of ``SignerAdded`` and ``SignerRemoved``."""

    __tablename__ = "officer_signers"

    signer_type: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    signer: Mapped[str] = mapped_column(String(200), primary_key=True)
    officer_id: Mapped[int] = mapped_column(ForeignKey("officers.officer_id"), index=True)
    active_from: Mapped[datetime] = mapped_column(UtcDateTime)
    removed: Mapped[bool] = mapped_column(default=False)


class KeyVerifier(Base):
    """A contract that checks officers' keys; mirror of ``VerifierAdded``, ``VerifierRemoved``.

    ``verifier`` is its address, ``0x`` and lower-case hexadecimal.
    """

    __tablename__ = "key_verifiers"

    verifier: Mapped[str] = mapped_column(String(42), primary_key=True)
    active_from: Mapped[datetime] = mapped_column(UtcDateTime)
    removed: Mapped[bool] = mapped_column(default=False)


class ApprovalSignature(Base):
    """One officer's signature over a batch's digest."""

    __tablename__ = "approval_signatures"

    batch_id: Mapped[str] = mapped_column(ForeignKey("batches.id"), primary_key=True)
    officer_id: Mapped[int] = mapped_column(
        ForeignKey("officers.officer_id"), primary_key=True, autoincrement=False
    )
    signer_type: Mapped[int]
    signer: Mapped[str] = mapped_column(String(200))
    signature: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(66))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class QuorumAction(Base):
    """Something officers ask of a contract, other than approving a batch.

    A quorum of them, or one where that is enough (``service.approvals.actions.ONE_OFFICER``).
    ``id`` is the action id (0x and 64 hexadecimal digits), used once for ever; ``message`` is the
    typed data's message, ``digest`` what is signed. With ``region_digits`` 0 any officer's region
    will do.
    """

    __tablename__ = "quorum_actions"
    __table_args__ = (
        CheckConstraint(f"kind IN {sql_list(ActionKind)}", name="kind"),
        CheckConstraint(f"state IN {sql_list(ActionState)}", name="state"),
        CheckConstraint("contract IN ('vault', 'registry', 'token', 'lane')", name="contract"),
        Index(None, "state", "id"),
    )

    id: Mapped[str] = mapped_column(String(66), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    contract: Mapped[str] = mapped_column(String(8))
    message: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(66))
    deadline_unix_s: Mapped[int] = mapped_column(BigInteger)
    role: Mapped[int]
    region_code: Mapped[int] = mapped_column(default=0)
    region_digits: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(10), default=ActionState.COLLECTING.value)
    reason: Mapped[str | None] = mapped_column(Text)
    last_error: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    asked_by_request: Mapped[str | None] = mapped_column(String(64), default=request_id)


class QuorumSignature(Base):
    """One officer's signature over an action's digest."""

    __tablename__ = "quorum_signatures"

    action_id: Mapped[str] = mapped_column(ForeignKey("quorum_actions.id"), primary_key=True)
    officer_id: Mapped[int] = mapped_column(
        ForeignKey("officers.officer_id"), primary_key=True, autoincrement=False
    )
    signer_type: Mapped[int]
    signer: Mapped[str] = mapped_column(String(200))
    signature: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
