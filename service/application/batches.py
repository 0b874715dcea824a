"""Batches as officers see them: found by the beginning of an id, with all that holds them up."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.application.approvals import signature_view
from service.application.context import Application
from service.application.requests import last_error
from service.approvals.models import Officer, Role
from service.approvals.officers import require_officer
from service.approvals.service import signatures_of
from service.cases import CaseFilter
from service.clock import Clock
from service.confirmations.projections import unknown_batch
from service.confirmations.restoring import restore_batch, unknown_batches
from service.errors import Conflict, IntegrityError, InvalidInput, NotFound, Problem
from service.intake.rows import Kind
from service.payouts import journal, manifests
from service.payouts.directory import region_of
from service.payouts.models import Batch, Programme
from service.payouts.queries import batch_status
from service.payouts.service import allocated_base_units, build_batches
from service.regions import Region, full_name
from service.transactions.in_flight import in_flight
from service.transactions.models import Transaction
from service.transactions.states import State
from service.units import amounts, format_time, format_unix_s

DEFAULT_EXECUTION = timedelta(days=30)

_PREFIX = re.compile(r"0x[0-9a-f]{4,64}")
_WAITING = [State.BUILT.value, State.SIGNED.value, State.REVERTED.value]


def find_batch(session: Session, text: str) -> Batch:
    """Return a batch by its id or by so much of its beginning as names no other.

    Raises
    ------
    InvalidInput
        When the text is no beginning of an id: ``0x`` and at least four hexadecimal digits.
    NotFound
        When no batch begins so.
    Conflict
        When several do.
    """
    prefix = text.lower()
    if _PREFIX.fullmatch(prefix) is None:
        raise InvalidInput(f"{text!r} is no batch id: 0x and at least four hexadecimal digits")
    found = list(session.scalars(select(Batch).where(Batch.id.startswith(prefix)).limit(2)))
    if not found:
        raise NotFound(f"there is no batch {text}")
    if len(found) > 1:
        raise Conflict(f"several batches begin with {text}: give more of the id")
    return found[0]


def build(
    app: Application,
    session: Session,
    programme: Programme,
    *,
    kind: Kind,
    region: Region | None,
    maker_officer_id: int,
    execute_before: datetime | None = None,
    expires_at: datetime | None = None,
    chunk_size: int,
    cliff_s: int,
    cadence_s: int | None,
    import_id: str | None,
    actor: str,
) -> dict[str, Any]:
    """Put the approved cases that are in no batch yet into draft batches.

    Parameters
    ----------
    region
        Cases of this region and those inside it; the programme's when None.
    maker_officer_id
        The officer who will sign as the maker.
    execute_before
        Chunks run only before this time; 30 days from now when None.
    expires_at
        What is unpaid then may return to the budget; the earliest allowed when None.

    Returns
    -------
    dict
        The drafts, their sums and what is left of the budget, for JSON.

    Raises
    ------
    InvalidInput
        When the region is missing, or as :func:`service.payouts.building.build_batches`.
    NotFound
        When there is no such officer.
    PermissionDenied
        When the officer may not make batches there.
    Conflict
        When a batch on chain is unknown here, or as ``build_batches``.
    AlreadyExists, LimitExceeded
        As ``build_batches``.
    """
    clock = app.chain_clock
    now = clock.now()
    if region is None:
        if programme.region_digits == 0:
            message = "the programme is for the whole country: say which region"
            raise InvalidInput(message, problems=[Problem("missing", message, field="region")])
        region = region_of(programme.region_code, programme.region_digits)
    _refuse_unknown_batches(session)
    require_officer(session, maker_officer_id, Role.MAKER, region, now)
    batches = build_batches(
        session,
        programme=programme,
        kind=kind,
        region=region,
        maker_officer_id=maker_officer_id,
        execute_before_unix_s=int((execute_before or now + DEFAULT_EXECUTION).timestamp()),
        expires_at_unix_s=int(expires_at.timestamp()) if expires_at else None,
        actor=actor,
        chunk_size=chunk_size,
        cliff_s=cliff_s,
        cadence_s=cadence_s,
        case_filter=CaseFilter(import_id=import_id),
        manifests_dir=app.settings.resolved_manifests_dir,
        clock=clock,
    )
    return {
        "batches": [batch_view(batch) for batch in batches],
        "count": sum(batch.count for batch in batches),
        **amounts(total=sum(batch.total_base_units for batch in batches)),
        "budget": _budget_view(session, programme),
    }


def _refuse_unknown_batches(session: Session) -> None:
    found = unknown_batch(session)
    if found is not None:
        raise Conflict(
            f"batch {found} is on chain and not in this database, so its cases could be paid "
            "twice: restore it from its manifest first (relief batch restore)"
        )


def restore_batches(
    app: Application, files: Sequence[Path], *, actor: str, reason: str
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Restore batches that are on chain and not here from their manifests, oldest first.

    Each in a transaction of its own: one that cannot be restored keeps no other from it.

    Parameters
    ----------
    files
        The manifests; empty looks in ``RELIEF_MANIFESTS_DIR`` for that of every such batch.

    Returns
    -------
    tuple
        The batches restored, for JSON, and a problem for each that was not.

    Raises
    ------
    InvalidInput
        When there is no reason.
    """
    why = journal.required_reason(reason)
    paths = list(files)
    if not paths:
        folder = app.settings.resolved_manifests_dir
        with app.transaction() as session:
            paths = [manifests.manifest_path(folder, batch) for batch in unknown_batches(session)]
    restored, problems = [], []
    for path in paths:
        try:
            manifest = manifests.read(path)
            clock = app.chain_clock
            with app.transaction() as session:
                batch = restore_batch(session, manifest, actor=actor, reason=why, clock=clock)
                restored.append(batch_view(batch))
        except (NotFound, IntegrityError, Conflict) as error:
            problems.append(Problem(error.code, error.detail, value=path.name))
    return restored, problems


def batches_signed(session: Session, programme_id: int | None = None) -> list[Batch]:
    """Return the batches whose list of payouts officers may have signed, oldest first.

    Parameters
    ----------
    programme_id
        Only this programme's; None for all.
    """
    query = select(Batch).where(Batch.signing_opened_at.is_not(None))
    if programme_id is not None:
        query = query.where(Batch.programme_id == programme_id)
    return list(session.scalars(query.order_by(Batch.created_at, Batch.id)))


def hand_out_manifests(
    app: Application, batches: Sequence[Batch], into: Path, step: Callable[[int], None]
) -> list[dict[str, Any]]:
    """Copy the manifests of batches into a folder: all of them, or none.

    Each is whole or not there, so that after a crash the same call writes the rest.

    Parameters
    ----------
    into
        A folder, made where there is none. A file that is there is left as it is.
    step
        Told how many batches are done.

    Returns
    -------
    list
        Batch, hash, number of payouts and file of each, and whether it was written, for JSON.

    Raises
    ------
    IntegrityError
        When a manifest is missing or not the signed one; its problems name each.
    AlreadyExists
        When another file has the name of one in the folder.
    InvalidInput
        When there can be no such folder.
    """
    folder = app.settings.resolved_manifests_dir
    problems = []
    for batch in batches:
        try:
            manifests.open_signed(folder, batch).close()
        except IntegrityError as error:
            problems.append(Problem(error.code, error.detail, value=batch.id))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise IntegrityError(f"{problems[0].message}{more}; nothing was written", problems=problems)
    for batch in batches:
        manifests.is_handed_out(batch, into)
    try:
        into.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InvalidInput(f"{into} is no folder") from None
    items = []
    for done, batch in enumerate(batches, start=1):
        written = manifests.hand_out(folder, batch, into)
        items.append(
            {
                "batch_id": batch.id,
                "manifest_hash": batch.manifest_hash,
                "count": batch.count,
                "file": str(manifests.manifest_path(into, batch.id)),
                "written": written,
            }
        )
        step(done)
    return items


def _budget_view(session: Session, programme: Programme) -> dict[str, Any]:
    """Return what a programme's batches, drafts included, leave of its budget, for JSON."""
    allocated = allocated_base_units(session, programme)
    return {
        "programme": programme.id,
        **amounts(
            budget=programme.budget_base_units,
            allocated=allocated,
            left=programme.budget_base_units - allocated,
        ),
    }


def batch_view(batch: Batch) -> dict[str, Any]:
    """Return a batch's row for JSON."""
    return {
        "id": batch.id,
        "state": batch.state,
        "paused": batch.paused,
        "programme": batch.programme_id,
        "programme_version": batch.programme_version,
        "kind": batch.kind,
        "region": str(region_of(batch.region_code, batch.region_digits)),
        "maker_officer_id": batch.maker_officer_id,
        "count": batch.count,
        **amounts(total=batch.total_base_units),
        "chunk_size": batch.chunk_size,
        "chunks_root": batch.chunks_root,
        "manifest_hash": batch.manifest_hash,
        "start_at": _time(batch.start_unix_s),
        "cliff_s": batch.cliff_s,
        "duration_s": batch.duration_s,
        "cadence_s": batch.cadence_s,
        "execute_before": _time(batch.execute_before_unix_s),
        "expires_at": _time(batch.expires_at_unix_s),
        "execute_from": _time(batch.execute_from_unix_s),
        "first_number": batch.first_number,
        "created_by": batch.created_by,
        "created_at": format_time(batch.created_at),
        "released_by": batch.released_by,
        "released_at": batch.released_at and format_time(batch.released_at),
    }


def batch_step_view(session: Session, batch: Batch) -> dict[str, Any]:
    """Return a batch's row with what of it is on its way, for JSON, after it was stopped."""
    return batch_view(batch) | {"in_flight": asdict(in_flight(session, Batch.id == batch.id))}


def batch_names(session: Session, batch: Batch) -> dict[str, str]:
    """Return what people call a batch's programme, region and maker."""
    programme = session.get_one(Programme, batch.programme_id)
    region = region_of(batch.region_code, batch.region_digits)
    number = batch.maker_officer_id
    maker = session.get(Officer, number) if number is not None else None
    name = f" {maker.display_name}" if maker and maker.display_name else ""
    return {
        "programme": f"{programme.code} ({programme.id})",
        "region": f"{region} {full_name(region, batch.created_at.date())}",
        "maker": "none" if number is None else f"officer {number}{name}",
    }


def _time(unix_s: int | None) -> str | None:
    """Write a batch's time; 0 and None are not set."""
    return format_unix_s(unix_s) if unix_s else None


def status_view(session: Session, batch: Batch, *, clock: Clock) -> dict[str, Any]:
    """Return a batch with what of it is paid, sent, skipped or stuck, and why, for JSON."""
    status = batch_status(session, batch.id, clock=clock)
    return batch_view(batch) | {
        "payouts": [
            {
                "state": state.value,
                "count": sums.count,
                **amounts(amount=sums.amount_base_units),
            }
            for state, sums in status.payouts.items()
        ],
        "chunks": {state.value: count for state, count in status.chunks.items()},
        "stuck": [_stuck(stuck.code, stuck.count, stuck.message) for stuck in status.stuck]
        + waiting_transactions(session, batch.id),
        "signatures": [signature_view(row) for row in signatures_of(session, batch.id)],
        "journal": journal_view(session, "batch", batch.id),
        "in_flight": asdict(in_flight(session, Batch.id == batch.id)),
    }


def journal_view(session: Session, object_type: str, object_id: str) -> list[dict[str, Any]]:
    """Return what was done to one object and why, oldest first, for JSON."""
    return [
        {
            "at": format_time(entry.at),
            "actor": entry.actor,
            "action": entry.action,
            "reason": entry.reason,
        }
        for entry in journal.history(session, object_type, object_id)
    ]


def _stuck(code: str, count: int, words: str, *, where: str = "") -> dict[str, Any]:
    why = last_error(words)
    return {
        "code": code,
        "count": count,
        "message": f"{where}{why['last_error']}",
        "contract_error": why["contract_error"],
    }


def waiting_transactions(session: Session, batch_id: str) -> list[dict[str, Any]]:
    """Return the batch's transactions that a refusal, or want of gas money, holds up."""
    rows = session.scalars(
        select(Transaction)
        .where(
            Transaction.batch_id == batch_id,
            Transaction.state.in_(_WAITING),
            Transaction.error.is_not(None),
        )
        .order_by(Transaction.id)
    )
    return [
        _stuck(
            f"transaction_{row.state}",
            0 if row.chunk_index is None else 1,
            row.error or "",
            where=f"chunk {row.chunk_index}: " if row.chunk_index is not None else "",
        )
        for row in rows
    ]
