"""Building batches: approved cases become payouts, in chunks, with a root, a manifest and its hash.

Set-based: one query a group of cases, one statement a few hundred rows. Nothing here commits.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, exc, exists, or_, select, update
from sqlalchemy.orm import Session

from service.cases.filters import CaseFilter, covered_by
from service.cases.models import Case
from service.cases.states import CaseState
from service.clock import SYSTEM_CLOCK, Clock
from service.config import get_settings
from service.db import insert_many
from service.errors import AlreadyExists, Conflict, InvalidInput, LimitExceeded, Problem
from service.intake.rows import Kind
from service.payouts import journal, manifests
from service.payouts.chunk_tree import MAX_CHUNKS, chunk_leaf, chunks_root
from service.payouts.directory import region_of
from service.payouts.entries import MAX_CHUNK_ENTRIES, pack_entries
from service.payouts.manifests import ManifestLine
from service.payouts.models import (
    IS_LIVE,
    Batch,
    Chunk,
    EmergencyGrant,
    Payout,
    Programme,
    Stream,
    in_state,
)
from service.payouts.states import (
    EXECUTED,
    LIVE_GRANT_STATES,
    BatchState,
    ChunkState,
    PayoutState,
)
from service.payouts.vesting import Terms
from service.regions import Region
from service.units import MAX_TOTAL_BASE_UNITS, format_amount, format_unix_s

START_ZONE = ZoneInfo("Asia/Shanghai")
"""A stream starts at midnight here (decision 0020)."""

DAY_S = 86_400
MIN_CLAIM_S = 90 * DAY_S
"""``AllowanceVault.MIN_CLAIM_TIME``."""
MAX_BACK_PAY_S = 366 * DAY_S
"""``AllowanceVault.MAX_BACK_PAY``."""
MAX_UINT40 = 2**40 - 1

_ROWS_AT_ONCE = 5_000
_NAMED_PROBLEMS = 100
_NO_TERMS = Terms(0, 0, 0, 0)
_ALL_CASES = CaseFilter()


@dataclass(frozen=True, slots=True)
class _Source:
    """What a payout takes from its case."""

    case_id: str
    case_ref: str
    commitment: str
    payee: str
    amount_base_units: int


@dataclass(frozen=True, slots=True)
class _Order:
    """What all batches of one build share."""

    programme: Programme
    kind: Kind
    region: Region
    maker_officer_id: int
    execute_before_unix_s: int
    expires_at_unix_s: int | None
    chunk_size: int
    actor: str
    now: datetime
    manifests_dir: Path


def build_batches(
    session: Session,
    *,
    programme: Programme,
    kind: Kind,
    region: Region,
    maker_officer_id: int,
    execute_before_unix_s: int,
    actor: str,
    expires_at_unix_s: int | None = None,
    chunk_size: int = MAX_CHUNK_ENTRIES,
    cliff_s: int = 0,
    cadence_s: int | None = None,
    case_filter: CaseFilter = _ALL_CASES,
    manifests_dir: Path | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> list[Batch]:
    """Put the approved cases of a region that are in no batch yet into draft batches.

    A case that was, or may still be, granted in an emergency stays out. One-off cases make one
    batch; streams make one for each start and duration; either makes more when it does not fit 256
    chunks. Payouts stand in the order of their case references.

    Parameters
    ----------
    region
        Cases of this region and of those inside it; officers must cover it.
    maker_officer_id
        The officer who will sign as the maker.
    execute_before_unix_s
        Chunks run only before this time.
    expires_at_unix_s
        What is unpaid then may return to the budget; None takes the earliest the contract
        accepts: 90 days after the last chunk or the end of the stream.
    chunk_size
        1 to 500.
    cliff_s, cadence_s
        Terms of streams; None is a cadence of a day. A cadence longer than a stream is cut to the
        stream's duration.
    case_filter
        Narrows the cases further.
    manifests_dir
        Second place of the manifests; None takes the settings'.

    Returns
    -------
    list[Batch]
        The new drafts.

    Raises
    ------
    InvalidInput
        When times, sizes or the region do not fit the contract's rules, or a one-off batch is
        given the terms of streams.
    Conflict
        When no case waits, or another build takes the same cases at this moment.
    AlreadyExists
        When a case's commitment is live in another batch; ``problems`` names each.
    LimitExceeded
        When an amount passes the payout cap (``problems`` names each) or the budget is passed.
    """
    if kind == "one_off" and (cliff_s or cadence_s is not None):
        raise InvalidInput("a cliff and a cadence are terms of streams: one-off payouts have none")
    now = clock.now()
    order = _Order(
        programme=programme,
        kind=kind,
        region=region,
        maker_officer_id=maker_officer_id,
        execute_before_unix_s=execute_before_unix_s,
        expires_at_unix_s=expires_at_unix_s,
        chunk_size=chunk_size,
        actor=actor,
        now=now,
        manifests_dir=manifests_dir or get_settings().resolved_manifests_dir,
    )
    _check_order(order)
    wanted = [
        Case.state == CaseState.APPROVED.value,
        Case.programme_id == programme.id,
        Case.kind == kind,
        covered_by(region),
        *case_filter.conditions(),
        ~exists().where(Payout.case_id == Case.id, IS_LIVE).correlate(Case),
        ~granted(),
    ]
    link_cases(session, Payout.programme_id == programme.id)
    _refuse_live_commitments(session, wanted)
    _refuse_above_cap(session, programme, wanted)
    batches: list[Batch] = []
    try:
        for terms, of_group in _groups(
            session, order, wanted, cliff_s, DAY_S if cadence_s is None else cadence_s
        ):
            cases = _sources(session, [*wanted, *of_group])
            while group := list(islice(cases, chunk_size * MAX_CHUNKS)):
                batches.append(_build(session, order, terms, group))
    except exc.IntegrityError as error:
        raise Conflict("another build took some of these cases just now") from error
    if not batches:
        raise Conflict(f"no approved {kind} case of {programme.code} waits in region {region}")
    _refuse_just_granted(session, batches)
    _refuse_above_budget(session, programme)
    return batches


def link_cases(session: Session, *which: ColumnElement[bool]) -> None:
    """Give payouts of restored batches that have no case the one that is here by now.

    The same commitment is the same person, cause and period (docs/privacy.md).

    Parameters
    ----------
    which
        Conditions on :class:`Payout`.
    """
    case_of = select(Case.id).where(
        Case.commitment == Payout.commitment,
        Case.programme_id == Payout.programme_id,
        Case.state != CaseState.REJECTED.value,
    )
    session.execute(
        update(Payout)
        .where(Payout.case_id.is_(None), case_of.exists(), *which)
        .values(case_id=case_of.scalar_subquery())
        .execution_options(synchronize_session=False)
    )


def granted() -> ColumnElement[bool]:
    """Return the condition that a case was granted in an emergency, or may still be."""
    return (
        exists()
        .where(
            EmergencyGrant.commitment == Case.commitment,
            EmergencyGrant.state.in_(LIVE_GRANT_STATES),
        )
        .correlate(Case)
    )


def allocated_base_units(session: Session, programme: Programme) -> int:
    """Return what the programme's batches hold of its budget, drafts included, base units.

    The total of each batch not cancelled, of a cancelled one the chunks that ran, less what
    expired and what cut streams returned. The contract counts for itself, without drafts.
    """
    own = Batch.programme_id == programme.id
    total = sum(
        session.scalars(
            select(Batch.total_base_units).where(own, Batch.state != BatchState.CANCELLED.value)
        )
    )
    total += sum(
        session.scalars(
            select(Chunk.total_base_units)
            .join(Batch)
            .where(own, Batch.state == BatchState.CANCELLED.value, Chunk.state.in_(EXECUTED))
        )
    )
    total -= sum(
        session.scalars(
            select(Stream.returned_base_units)
            .join(Batch, Batch.id == Stream.batch_id)
            .where(own, Stream.cancelled_cut_s.is_not(None))
        )
    )
    total -= sum(
        session.scalars(
            select(Payout.amount_base_units)
            .join(Batch, Batch.id == Payout.batch_id)
            .where(
                own,
                Batch.state != BatchState.CANCELLED.value,
                in_state(PayoutState.EXPIRED),
            )
        )
    )
    return total


def start_of(day: date) -> int:
    """Return the Unix second at which a stream with that start date begins (decision 0020)."""
    return int(datetime.combine(day, time(), START_ZONE).timestamp())


# ---- Checks ------------------------------------------------------------------------------------


def _check_order(order: _Order) -> None:
    if not 1 <= order.chunk_size <= MAX_CHUNK_ENTRIES:
        raise InvalidInput(f"a chunk has 1 to {MAX_CHUNK_ENTRIES} payouts, not {order.chunk_size}")
    if not order.now.timestamp() < order.execute_before_unix_s <= MAX_UINT40:
        raise InvalidInput("the time to execute before is not in the future")
    if order.maker_officer_id < 1:
        raise InvalidInput("officers' numbers begin at 1")
    if order.region.digits == 0:
        raise InvalidInput("a batch is for a province, a city or a county, not the whole country")
    scope = region_of(order.programme.region_code, order.programme.region_digits)
    if not scope.covers(order.region):
        raise InvalidInput(f"programme {order.programme.code} pays in region {scope} only")


def _refuse_live_commitments(session: Session, wanted: Sequence[ColumnElement[bool]]) -> None:
    taken = session.execute(
        select(Case.case_ref, Payout.batch_id)
        .join(
            Payout,
            and_(
                Payout.commitment == Case.commitment,
                or_(Payout.case_id.is_(None), Payout.case_id != Case.id),
                IS_LIVE,
            ),
        )
        .where(*wanted)
        .order_by(Case.case_ref)
        .limit(_NAMED_PROBLEMS)
    ).all()
    if taken:
        raise AlreadyExists(
            "the same person, cause and period is live in another batch",
            problems=[
                Problem("commitment_live", f"its commitment is live in batch {batch_id}", value=ref)
                for ref, batch_id in taken
            ],
        )


def _refuse_just_granted(session: Session, batches: Sequence[Batch]) -> None:
    """Refuse cases that were granted while they were read.

    A proposed grant holds its case's row locked until it is committed, and a payout's reference to
    the case waits for that: so this statement sees it.
    """
    taken = session.scalar(
        select(Case.case_ref)
        .join(Payout, Payout.case_id == Case.id)
        .where(Payout.batch_id.in_([batch.id for batch in batches]), granted())
        .limit(1)
    )
    if taken is not None:
        raise Conflict(f"case {taken} was granted in an emergency just now")


def _refuse_above_cap(
    session: Session, programme: Programme, wanted: Sequence[ColumnElement[bool]]
) -> None:
    cap = programme.payout_cap_base_units
    above = session.execute(
        select(Case.case_ref, Case.amount_base_units)
        .where(*wanted, Case.amount_base_units > cap)
        .order_by(Case.case_ref)
        .limit(_NAMED_PROBLEMS)
    ).all()
    if above:
        raise LimitExceeded(
            f"a payout of {programme.code} may be at most {format_amount(cap)}",
            problems=[
                Problem("above_payout_cap", f"the amount is {format_amount(amount)}", value=ref)
                for ref, amount in above
            ],
        )


def _refuse_above_budget(session: Session, programme: Programme) -> None:
    allocated = allocated_base_units(session, programme)
    if allocated > programme.budget_base_units:
        raise LimitExceeded(
            f"with these batches {programme.code} would hold {format_amount(allocated)} of a "
            f"budget of {format_amount(programme.budget_base_units)}"
        )


def _terms(order: _Order, day: date, days: int, cliff_s: int, cadence_s: int) -> Terms:
    start, duration = start_of(day), days * DAY_S
    if cadence_s < 1 or not 0 <= cliff_s <= duration:
        raise InvalidInput("a cadence is at least one second, a cliff at most the duration")
    if start + MAX_BACK_PAY_S < order.now.timestamp():
        raise InvalidInput(f"streams that start on {day} lie more than 366 days back")
    return Terms(start, cliff_s, duration, min(cadence_s, duration))


def _expiry(order: _Order, terms: Terms) -> int:
    last_due = max(order.execute_before_unix_s, terms.start_unix_s + terms.duration_s)
    least = last_due + MIN_CLAIM_S
    expires_at = least if order.expires_at_unix_s is None else order.expires_at_unix_s
    if not least <= expires_at <= MAX_UINT40:
        raise InvalidInput(
            f"the batch must not expire before {format_unix_s(least)}, 90 days after the last due"
        )
    return expires_at


# ---- Building ----------------------------------------------------------------------------------


def _groups(
    session: Session,
    order: _Order,
    wanted: Sequence[ColumnElement[bool]],
    cliff_s: int,
    cadence_s: int,
) -> list[tuple[Terms, list[ColumnElement[bool]]]]:
    """Return the terms of each group of cases, and the conditions that select its cases."""
    if order.kind == "one_off":
        return [(_NO_TERMS, [])]
    pairs = session.execute(
        select(Case.start_date, Case.duration_days)
        .where(*wanted)
        .distinct()
        .order_by(Case.start_date, Case.duration_days)
    ).all()
    return [
        (
            _terms(order, day, days, cliff_s, cadence_s),
            [Case.start_date == day, Case.duration_days == days],
        )
        for day, days in pairs
        if days is not None  # a stream has a duration by the table's own constraint
    ]


def _sources(session: Session, wanted: Sequence[ColumnElement[bool]]) -> Iterator[_Source]:
    # Read whole before the first payout is written: the query asks for cases without one. Sorted
    # here, by code point: databases have collations.
    rows = session.execute(
        select(
            Case.id, Case.case_ref, Case.commitment, Case.wallet_address, Case.amount_base_units
        ).where(*wanted)
    ).all()
    return iter(sorted((_Source(*row) for row in rows), key=lambda source: source.case_ref))


def _build(session: Session, order: _Order, terms: Terms, group: list[_Source]) -> Batch:
    raw_id = secrets.token_bytes(32)
    batch_id = "0x" + raw_id.hex()
    chunks = list(chunk_rows(raw_id, order.chunk_size, group))
    batch = Batch(
        id=batch_id,
        programme_id=order.programme.id,
        programme_version=order.programme.version,
        kind=order.kind,
        region_code=order.region.code,
        region_digits=order.region.digits,
        maker_officer_id=order.maker_officer_id,
        chunk_size=order.chunk_size,
        chunks_root="0x"
        + chunks_root([bytes.fromhex(chunk["leaf_hash"][2:]) for chunk in chunks]).hex(),
        count=len(group),
        total_base_units=sum(source.amount_base_units for source in group),
        start_unix_s=terms.start_unix_s,
        cliff_s=terms.cliff_s,
        duration_s=terms.duration_s,
        cadence_s=terms.cadence_s,
        execute_before_unix_s=order.execute_before_unix_s,
        expires_at_unix_s=_expiry(order, terms),
        state=BatchState.DRAFT.value,
        paused=False,
        created_by=order.actor,
        created_at=order.now,
    )
    if batch.total_base_units > MAX_TOTAL_BASE_UNITS:
        raise LimitExceeded("the batch's total does not fit the contract's 80 bits")
    header = manifests.header_of(batch)
    batch.manifest_hash = manifests.hash_of(manifests.manifest_bytes(header, _lines(group)))
    session.add(batch)
    session.flush()
    insert_rows(session, Chunk, iter(chunks))
    insert_rows(session, Payout, _payout_rows(order, batch, group))
    manifests.write(
        manifests.manifest_path(order.manifests_dir, batch_id),
        manifests.manifest_bytes(header, _lines(group)),
        batch.manifest_hash,
    )
    journal.record(
        session,
        at=order.now,
        actor=order.actor,
        action="build_batch",
        object_type="batch",
        object_id=batch_id,
    )
    return batch


def _lines(group: list[_Source]) -> Iterator[ManifestLine]:
    for index, source in enumerate(group):
        yield ManifestLine(index, source.commitment, source.payee, source.amount_base_units)


def chunk_rows(
    raw_id: bytes, chunk_size: int, group: Sequence[_Source | ManifestLine]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a batch's chunks, by index.

    Parameters
    ----------
    raw_id
        The batch's id, 32 bytes.
    group
        Its payouts in their order.
    """
    for index, first in enumerate(range(0, len(group), chunk_size)):
        members = group[first : first + chunk_size]
        entries = pack_entries((source.payee, source.amount_base_units) for source in members)
        yield {
            "batch_id": "0x" + raw_id.hex(),
            "chunk_index": index,
            "entries": entries,
            "leaf_hash": "0x" + chunk_leaf(raw_id, index, entries).hex(),
            "count": len(members),
            "total_base_units": sum(source.amount_base_units for source in members),
            "state": ChunkState.WAITING.value,
        }


def _payout_rows(order: _Order, batch: Batch, group: list[_Source]) -> Iterator[dict[str, Any]]:
    for index, source in enumerate(group):
        yield {
            "batch_id": batch.id,
            "index": index,
            "chunk_index": index // order.chunk_size,
            "case_id": source.case_id,
            "commitment": source.commitment,
            "programme_id": batch.programme_id,
            "payee": source.payee,
            "amount_base_units": source.amount_base_units,
            "kind": order.kind,
            "state": PayoutState.DRAFT.value,
            "updated_at": order.now,
        }


def insert_rows(session: Session, model: type[Any], rows: Iterator[dict[str, Any]]) -> None:
    """Insert rows that all have the same columns, some thousand at once."""
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        insert_many(session, model, tuple(some[0]), [tuple(row.values()) for row in some])
