"""Batches as officers see them: found by the beginning of an id, with all that holds them up."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.clock import Clock
from service.confirmations.projections import unknown_batch
from service.errors import Conflict, InvalidInput, NotFound
from service.payouts.models import Batch, JournalEntry, Programme
from service.payouts.queries import batch_status
from service.payouts.service import allocated_base_units
from service.transactions.models import Transaction
from service.transactions.states import State
from service.units import format_amount

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


def refuse_unknown_batches(session: Session) -> None:
    """Refuse to build while a batch is on chain that the database does not know.

    Raises
    ------
    Conflict
        When there is such a batch.
    """
    found = unknown_batch(session)
    if found is not None:
        raise Conflict(
            f"batch {found} is on chain and not in this database, so its cases could be paid "
            "twice: restore a newer backup first"
        )


def batch_view(batch: Batch) -> dict[str, Any]:
    """Return a batch's row for JSON."""
    return {
        "id": batch.id,
        "state": batch.state,
        "paused": batch.paused,
        "programme_id": batch.programme_id,
        "programme_version": batch.programme_version,
        "kind": batch.kind,
        "region_code": batch.region_code,
        "region_digits": batch.region_digits,
        "maker_officer_id": batch.maker_officer_id,
        "count": batch.count,
        "total": format_amount(batch.total_base_units),
        "total_base_units": str(batch.total_base_units),
        "chunk_size": batch.chunk_size,
        "chunks_root": batch.chunks_root,
        "manifest_hash": batch.manifest_hash,
        "start_unix_s": batch.start_unix_s,
        "cliff_s": batch.cliff_s,
        "duration_s": batch.duration_s,
        "cadence_s": batch.cadence_s,
        "execute_before_unix_s": batch.execute_before_unix_s,
        "expires_at_unix_s": batch.expires_at_unix_s,
        "execute_from_unix_s": batch.execute_from_unix_s,
        "first_number": batch.first_number,
        "created_by": batch.created_by,
        "created_at": batch.created_at.isoformat(),
        "released_by": batch.released_by,
        "released_at": batch.released_at.isoformat() if batch.released_at else None,
    }


def status_view(session: Session, batch: Batch, *, clock: Clock) -> dict[str, Any]:
    """Return what of a batch is paid, sent, skipped or stuck, and why, for JSON."""
    status = batch_status(session, batch.id, clock=clock)
    journal = session.scalars(
        select(JournalEntry)
        .where(JournalEntry.object_type == "batch", JournalEntry.object_id == batch.id)
        .order_by(JournalEntry.id)
    )
    return {
        "batch": batch_view(batch),
        "payouts": [
            {
                "state": state.value,
                "count": sums.count,
                "amount": format_amount(sums.amount_base_units),
                "amount_base_units": str(sums.amount_base_units),
            }
            for state, sums in status.payouts.items()
        ],
        "chunks": {state.value: count for state, count in status.chunks.items()},
        "stuck": [
            {"code": stuck.code, "count": stuck.count, "message": stuck.message}
            for stuck in status.stuck
        ]
        + _waiting_transactions(session, batch.id),
        "journal": [
            {
                "at": entry.at.isoformat(),
                "actor": entry.actor,
                "action": entry.action,
                "reason": entry.reason,
            }
            for entry in journal
        ],
    }


def _waiting_transactions(session: Session, batch_id: str) -> list[dict[str, Any]]:
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
        {
            "code": f"transaction_{row.state}",
            "count": 0 if row.chunk_index is None else 1,
            "message": (f"chunk {row.chunk_index}: " if row.chunk_index is not None else "")
            + (row.error or ""),
        }
        for row in rows
    ]


def budget_view(session: Session, programme: Programme) -> dict[str, Any]:
    """Return what a programme's batches, drafts included, leave of its budget, for JSON."""
    allocated = allocated_base_units(session, programme)
    amounts = {
        "budget": programme.budget_base_units,
        "allocated": allocated,
        "left": programme.budget_base_units - allocated,
    }
    shown: dict[str, Any] = {"programme": programme.code}
    for name, amount in amounts.items():
        shown[name] = format_amount(amount)
        shown[f"{name}_base_units"] = str(amount)
    return shown
