"""Approving a batch: the typed data officers sign, their signatures, when it is enough.

Checked here so that an officer hears at once; the contract decides finally. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.approvals import officers
from service.approvals.domain import SigningDomain
from service.approvals.models import ApprovalSignature, Role
from service.approvals.officers import SignedWith
from service.approvals.signatures import pack_signatures
from service.approvals.typed_data import digest_of, make_typed_data
from service.clock import SYSTEM_CLOCK, Clock
from service.config import get_settings
from service.errors import AlreadyExists, Conflict, IllegalTransition
from service.payouts import journal, manifests
from service.payouts.models import Batch, Programme
from service.payouts.queries import get_batch, lock_batch
from service.payouts.service import approve
from service.payouts.states import BatchState
from service.units import format_amount

KIND_NUMBER = {"one_off": 0, "stream": 1}
"""``IAllowanceVault.Kind``."""

_SIGNABLE = (BatchState.DRAFT, BatchState.APPROVED, BatchState.RELEASED)
"""After approval too: the rolling sum may have moved into a higher tier meanwhile."""

RequiredReviewers = int | Callable[[Batch], int]
"""How many reviewers a batch needs, or a function that asks the chain."""


@dataclass(frozen=True, slots=True)
class ApprovalStatus:
    """How far a batch's approval has come.

    Attributes
    ----------
    maker_signed
        Whether the maker did.
    reviewers
        Officer numbers of the reviewers who signed and are in force, ascending.
    required_reviewers
        How many are needed, as far as known here.
    approved
        Whether that is enough.
    """

    batch: Batch
    maker_signed: bool
    reviewers: tuple[int, ...]
    required_reviewers: int

    @property
    def approved(self) -> bool:
        """Maker and enough reviewers signed."""
        return self.maker_signed and len(self.reviewers) >= self.required_reviewers


def approval_message(batch: Batch) -> dict[str, Any]:
    """Return the batch as the members of ``BatchApproval``.

    Raises
    ------
    Conflict
        When the batch has no maker.
    """
    if batch.maker_officer_id is None:
        raise Conflict(f"batch {batch.id} names no maker")
    return {
        "programme": batch.programme_id,
        "programmeVersion": batch.programme_version,
        "batchId": batch.id,
        "maker": batch.maker_officer_id,
        "kind": KIND_NUMBER[batch.kind],
        "regionCode": batch.region_code,
        "regionDigits": batch.region_digits,
        "chunkSize": batch.chunk_size,
        "chunksRoot": batch.chunks_root,
        "manifestHash": batch.manifest_hash,
        "count": batch.count,
        "total": batch.total_base_units,
        "start": batch.start_unix_s,
        "cliff": batch.cliff_s,
        "duration": batch.duration_s,
        "cadence": batch.cadence_s,
        "executeBefore": batch.execute_before_unix_s,
        "expiresAt": batch.expires_at_unix_s,
    }


def batch_digest(batch: Batch, domain: SigningDomain) -> bytes:
    """Return the 32 bytes that officers sign to approve a batch."""
    return digest_of(make_typed_data(domain, "BatchApproval", approval_message(batch)))


def typed_data(
    session: Session,
    batch_id: str,
    domain: SigningDomain,
    *,
    manifests_dir: Path | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> dict[str, Any]:
    """Return the JSON that a wallet signs to approve a batch.

    Before anything is handed out, the manifest is derived from the database, compared with its
    hash and root, and made durable in its second place; from then on the batch counts as possibly
    signed.

    Parameters
    ----------
    manifests_dir
        Second place of the manifests; None takes the settings'.

    Raises
    ------
    NotFound
        When there is no such batch.
    IllegalTransition
        When it is on chain, done or cancelled.
    IntegrityError
        When its rows are not those it was built from.
    """
    # Locked: who cancels the draft at this moment must know whether anybody may sign it.
    batch = lock_batch(session, batch_id)
    _require_signable(batch)
    manifests.ensure_durable(session, batch, manifests_dir or get_settings().resolved_manifests_dir)
    if batch.signing_opened_at is None:
        batch.signing_opened_at = clock.now()
        session.flush()
    return make_typed_data(domain, "BatchApproval", approval_message(batch))


def submit_signature(
    session: Session,
    batch_id: str,
    signature: str,
    domain: SigningDomain,
    *,
    required_reviewers: RequiredReviewers,
    signed_with: SignedWith | None = None,
    officer_id: int | None = None,
    actor: str | None = None,
    manifests_dir: Path | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> ApprovalStatus:
    """Record an officer's signature over a batch; with enough of them the batch is approved.

    Parameters
    ----------
    signature
        0x-hex, from any wallet or device.
    required_reviewers
        How many reviewers beside the maker; see :func:`reviewers_for`.
    signed_with
        The signer, where the signature does not tell; None recovers an account.
    officer_id
        Who is said to have signed; None takes whoever did.
    actor
        Who hands it in; None names the officer.

    Raises
    ------
    NotFound
        When there is no such batch.
    IllegalTransition
        When it is on chain, done or cancelled.
    Conflict
        When its time to execute before is over.
    InvalidSignature
        When the signature is not canonical, or not an officer's over this batch.
    PermissionDenied
        When the officer or signer is not in force, lacks the role (the maker's for the maker the
        batch names, the reviewer's for everybody else), or the region is not theirs.
    AlreadyExists
        When this officer signed before.
    IntegrityError
        When the batch's rows are not those it was built from.
    """
    batch = lock_batch(session, batch_id)
    _require_signable(batch)
    now = clock.now()
    if batch.execute_before_unix_s <= now.timestamp():
        raise Conflict(f"batch {batch.id} can no longer be executed: build it again")
    # Also for who never asked for the typed data here: nobody counts before the list is durable.
    data = typed_data(session, batch.id, domain, manifests_dir=manifests_dir, clock=clock)
    digest = digest_of(data)
    signed = officers.identify(
        session, digest, signature, signed_with=signed_with, officer_id=officer_id, now=now
    )
    person = signed.officer
    is_maker = person.officer_id == batch.maker_officer_id
    officers.require_role(person, Role.MAKER if is_maker else Role.REVIEWER)
    officers.require_region(person, batch.region_code, batch.region_digits)
    if session.get(ApprovalSignature, (batch.id, person.officer_id)) is not None:
        raise AlreadyExists(f"officer {person.officer_id} signed batch {batch.id} before")
    session.add(
        ApprovalSignature(
            batch_id=batch.id,
            officer_id=person.officer_id,
            signer_type=signed.signer_type,
            signer=signed.signer,
            signature=signed.signature,
            digest="0x" + digest.hex(),
            created_at=now,
        )
    )
    named = actor or f"officer {person.officer_id}"
    journal.record(
        session,
        at=now,
        actor=named,
        action="sign_as_maker" if is_maker else "sign_as_reviewer",
        object_type="batch",
        object_id=batch.id,
        reason=f"officer {person.officer_id}",
    )
    session.flush()
    status = approval_status(session, batch.id, required_reviewers=required_reviewers, clock=clock)
    if status.approved and batch.state == BatchState.DRAFT:
        approve(session, batch, actor=named, clock=clock)
    return status


def approval_status(
    session: Session,
    batch_id: str,
    *,
    required_reviewers: RequiredReviewers,
    clock: Clock = SYSTEM_CLOCK,
) -> ApprovalStatus:
    """Return how far a batch's approval has come.

    Raises
    ------
    NotFound
        When there is no such batch.
    """
    batch = get_batch(session, batch_id)
    needed = required_reviewers(batch) if callable(required_reviewers) else required_reviewers
    rows = officers.in_force(session, signatures_of(session, batch.id), clock.now())
    signers = sorted(row.officer_id for row in rows)
    return ApprovalStatus(
        batch=batch,
        maker_signed=batch.maker_officer_id in signers,
        reviewers=tuple(number for number in signers if number != batch.maker_officer_id),
        required_reviewers=needed,
    )


def signatures_of(session: Session, batch_id: str) -> Sequence[ApprovalSignature]:
    """Return the signatures over a batch, by officer number."""
    return session.scalars(
        select(ApprovalSignature)
        .where(ApprovalSignature.batch_id == batch_id)
        .order_by(ApprovalSignature.officer_id)
    ).all()


def packed_approval(session: Session, batch_id: str, now: datetime) -> bytes:
    """Return the signatures in force over a batch, packed for ``approveBatch``.

    Raises
    ------
    ValueError
        When a stored signature does not fit its field.
    """
    rows = signatures_of(session, batch_id)
    return pack_signatures(officers.in_force(session, rows, now))


def reviewers_for(programme: Programme, rolling_sum_base_units: int) -> int:
    """Return how many reviewers the tier of a rolling sum (the batch included) asks for.

    Raises
    ------
    Conflict
        When the sum lies above the last tier: nothing can be approved.
    """
    for tier in programme.tiers:
        if rolling_sum_base_units <= int(tier["up_to_base_units"]):
            return int(tier["reviewers"])
    raise Conflict(
        f"{programme.code} has no tier for a rolling sum of {format_amount(rolling_sum_base_units)}"
    )


def _require_signable(batch: Batch) -> None:
    if batch.state not in _SIGNABLE:
        raise IllegalTransition(f"batch {batch.id} is {batch.state}: no more signatures")
