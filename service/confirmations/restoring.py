"""A batch that is on chain and not in the database, restored from its manifest.

So it is after an old backup was restored (decision 0096). What officers signed stands in the
batch's ``BatchApproved``; a manifest is believed where its hash and every term are those. What
became of the batch since follows from its events, which are projected again. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.clock import SYSTEM_CLOCK, Clock
from service.confirmations import alarms, projections
from service.confirmations.alarms import AlarmKind
from service.confirmations.finality import EVENTS_CURSOR, settle_batch
from service.confirmations.models import Block, Cursor, Event
from service.errors import AlreadyExists, Conflict, IntegrityError, NotFound, Problem
from service.payouts import journal
from service.payouts.building import chunk_rows, insert_rows, link_cases
from service.payouts.manifests import Manifest
from service.payouts.models import IS_LIVE, Batch, Chunk, EmergencyGrant, Payout, in_state
from service.payouts.service import pause
from service.payouts.states import LIVE_GRANT_STATES, BatchState, PayoutState

KINDS = ("one_off", "stream")
"""``BatchApproval.kind`` by its number."""

SIGNED_MEMBERS = {
    "batch_id": "batchId",
    "cadence_s": "cadence",
    "chunk_size": "chunkSize",
    "chunks_root": "chunksRoot",
    "cliff_s": "cliff",
    "count": "count",
    "duration_s": "duration",
    "execute_before_unix_s": "executeBefore",
    "expires_at_unix_s": "expiresAt",
    "maker_officer_id": "maker",
    "programme_id": "programme",
    "programme_version": "programmeVersion",
    "region_code": "regionCode",
    "region_digits": "regionDigits",
    "start_unix_s": "start",
    "total_base_units": "total",
}
"""Key of the manifest's header → member of the signed approval; the kind is compared by itself."""

_NAMED_PROBLEMS = 100
_A_QUERY = 500


def unknown_batches(session: Session) -> list[str]:
    """Return the ids of all batches that are on chain and not in the database, oldest first."""
    return [
        str(batch_id)
        for batch_id in session.scalars(
            select(Event.batch_id)
            .where(Event.name == "BatchApproved", Event.batch_id.not_in(select(Batch.id)))
            .order_by(Event.block_number, Event.log_index)
        )
    ]


def restore_batch(
    session: Session,
    manifest: Manifest,
    *,
    actor: str,
    reason: str,
    clock: Clock = SYSTEM_CLOCK,
) -> Batch:
    """Make a lost batch's rows from its manifest and project its events on them.

    What of it was not run yet is paused: whether somebody had paused it went with the database, and
    an officer resumes it. Payouts are linked to the cases that are here by their commitments; the
    others stay without a case until one with the commitment is filed
    (:func:`service.payouts.building.link_cases`).

    Parameters
    ----------
    manifest
        Read and checked against itself (:func:`service.payouts.manifests.read`).
    actor, reason
        Who restores it, and why, for the journal.

    Raises
    ------
    NotFound
        When no ``BatchApproved`` of it was read from the chain.
    AlreadyExists
        When the batch has its row.
    IntegrityError
        When the manifest is not the one that officers signed; ``problems`` names each difference.
    Conflict
        When a batch here that is not on chain, or not settled, has a case of this one.
    InvalidInput
        When there is no reason.
    """
    why = journal.required_reason(reason)
    batch_id = str(manifest.header["batch_id"])
    cursor = _lock_events(session)
    if session.get(Batch, batch_id) is not None:
        raise AlreadyExists(f"batch {batch_id} is in the database: nothing is to be restored")
    approved = session.scalars(
        select(Event).where(Event.name == "BatchApproved", Event.batch_id == batch_id)
    ).one_or_none()
    if approved is None:
        raise NotFound(
            f"batch {batch_id} is not on chain by the events read so far: only what is there is "
            "restored, anything else is built and signed anew"
        )
    refuse_another(manifest, approved)
    _refuse_live(session, manifest, batch_id)
    batch = _add_rows(session, manifest, approved, actor, clock)
    link_cases(session, Payout.batch_id == batch.id)
    _replay(session, batch)
    settle_batch(session, cursor.chain_id, batch_id)
    _pause(session, batch, actor, clock)
    _warn_of_grants(session, batch, approved)
    _clear_alarm(session, batch_id, actor, why, clock)
    journal.record(
        session,
        at=clock.now(),
        actor=actor,
        action="restore_batch",
        object_type="batch",
        object_id=batch_id,
        reason=why,
    )
    session.flush()
    session.expire_all()
    return batch


def _lock_events(session: Session) -> Cursor:
    """Keep the reader still: an event read meanwhile would find the batch half made."""
    cursor = session.scalars(
        select(Cursor).where(Cursor.name == EVENTS_CURSOR).with_for_update()
    ).one_or_none()
    if cursor is None:
        raise NotFound("no block was read from the chain yet: start the worker first")
    return cursor


def refuse_another(manifest: Manifest, approved: Event) -> None:
    """Refuse a manifest that is not the one whose hash and terms were signed.

    Parameters
    ----------
    approved
        The batch's ``BatchApproved``.

    Raises
    ------
    IntegrityError
        When anything differs; ``problems`` names each member.
    """
    header, signed = manifest.header, approved.args["approval"]
    pairs = [(key, header[key], signed[member]) for key, member in SIGNED_MEMBERS.items()]
    pairs.append(("kind", header["kind"], KINDS[int(signed["kind"])]))
    pairs.append(("manifest_hash", manifest.manifest_hash, signed["manifestHash"]))
    differing = [
        Problem("differs", f"{key} is {here}, officers signed {there}", field=key)
        for key, here, there in pairs
        if str(here).lower() != str(there).lower()
    ]
    if differing:
        raise IntegrityError(
            f"this is not the manifest that officers signed for batch {approved.batch_id}: "
            + "; ".join(problem.message for problem in differing),
            problems=differing,
        )


def _refuse_live(session: Session, manifest: Manifest, batch_id: str) -> None:
    """Refuse while a case of the batch is live in another one here: the index would hold it.

    A batch on chain of the same case is a case paid twice, and stays so until people decided.
    """
    taken: list[tuple[str, str, str]] = []
    for commitments in _pieces([line.commitment for line in manifest.lines]):
        taken += [
            (row[0], row[1], row[2])
            for row in session.execute(
                select(Payout.commitment, Payout.batch_id, Batch.state)
                .join(Batch, Batch.id == Payout.batch_id)
                .where(Payout.commitment.in_(commitments), IS_LIVE)
                .limit(_NAMED_PROBLEMS)
            )
        ]
    if not taken:
        return
    others = sorted({f"{other} ({state})" for _, other, state in taken})
    raise Conflict(
        f"batch {batch_id} on chain pays cases that stand in {', '.join(others)}: cancel what is "
        "not on chain (relief batch cancel), let the worker run, and restore again",
        problems=[
            Problem("commitment_live", f"it is live in batch {other}", value=commitment)
            for commitment, other, _ in taken[:_NAMED_PROBLEMS]
        ],
    )


def _add_rows(
    session: Session, manifest: Manifest, approved: Event, actor: str, clock: Clock
) -> Batch:
    header: Mapping[str, Any] = manifest.header
    now = clock.now()
    block_time = session.scalars(
        select(Block.timestamp_unix_s).where(Block.number == approved.block_number)
    ).one_or_none()
    batch = Batch(
        id=header["batch_id"],
        programme_id=header["programme_id"],
        programme_version=header["programme_version"],
        kind=header["kind"],
        region_code=header["region_code"],
        region_digits=header["region_digits"],
        maker_officer_id=header["maker_officer_id"],
        chunk_size=header["chunk_size"],
        chunks_root=header["chunks_root"],
        manifest_hash=manifest.manifest_hash,
        count=header["count"],
        total_base_units=int(header["total_base_units"]),
        start_unix_s=header["start_unix_s"],
        cliff_s=header["cliff_s"],
        duration_s=header["duration_s"],
        cadence_s=header["cadence_s"],
        execute_before_unix_s=header["execute_before_unix_s"],
        expires_at_unix_s=header["expires_at_unix_s"],
        # As one that officers signed and nobody here released: so a re-org leaves it.
        state=BatchState.APPROVED.value,
        paused=False,
        signing_opened_at=datetime.fromtimestamp(block_time, UTC) if block_time else now,
        created_by=actor,
        created_at=now,
    )
    session.add(batch)
    session.flush()
    insert_rows(
        session,
        Chunk,
        chunk_rows(bytes.fromhex(batch.id[2:]), batch.chunk_size, manifest.lines),
    )
    insert_rows(session, Payout, _payout_rows(manifest, batch, now))
    return batch


def _payout_rows(manifest: Manifest, batch: Batch, now: datetime) -> Iterator[dict[str, Any]]:
    for line in manifest.lines:
        yield {
            "batch_id": batch.id,
            "index": line.index,
            "chunk_index": line.index // batch.chunk_size,
            "case_id": None,
            "commitment": line.commitment,
            "programme_id": batch.programme_id,
            "payee": line.payee,
            "amount_base_units": line.amount_base_units,
            "kind": batch.kind,
            "state": PayoutState.APPROVED.value,
            "updated_at": now,
        }


def _replay(session: Session, batch: Batch) -> None:
    events = session.scalars(
        select(Event)
        .where(Event.batch_id == batch.id)
        .order_by(Event.block_number, Event.log_index)
    ).all()
    projections.project(session, events)
    session.flush()


def _pause(session: Session, batch: Batch, actor: str, clock: Clock) -> None:
    waiting = select(Payout.index).where(Payout.batch_id == batch.id, in_state(PayoutState.QUEUED))
    if session.scalar(waiting.limit(1)) is not None:
        why = "restored from its manifest: whether it was paused is not known"
        pause(session, batch.id, actor=actor, reason=why, clock=clock)


def _warn_of_grants(session: Session, batch: Batch, approved: Event) -> None:
    """Raise the alarm that a grant's event raises where it finds the case in a batch."""
    for grant_id in session.scalars(
        select(EmergencyGrant.id)
        .join(Payout, Payout.commitment == EmergencyGrant.commitment)
        .where(
            Payout.batch_id == batch.id,
            EmergencyGrant.state.in_(LIVE_GRANT_STATES),
            IS_LIVE,
        )
    ).all():
        alarms.raise_alarm(
            session,
            AlarmKind.GRANTED_AND_IN_A_BATCH,
            f"grant {grant_id} paid a case that stands in batch {batch.id} too",
            approved.block_number,
        )


def _clear_alarm(session: Session, batch_id: str, actor: str, reason: str, clock: Clock) -> None:
    for alarm in alarms.list_alarms(session):
        if alarm.kind == AlarmKind.UNKNOWN_BATCH and batch_id in alarm.detail:
            alarms.clear(session, alarm.id, actor=actor, reason=reason, clock=clock)


def _pieces(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(values), _A_QUERY):
        yield values[first : first + _A_QUERY]
