"""Who may use a sender's nonces: leases with a fencing token.

A worker that was paused and wakes after its lease went to another finds its token outdated at its
next write: :func:`hold` opens every write of the engine, in the same database transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, insert, or_, select, update
from sqlalchemy.orm import Session

from service.errors import Conflict
from service.transactions.dbclock import has_come, now_ms
from service.transactions.models import Lane

LONGEST_LEASES = 10
"""A lease longer than so many of ours comes from before the database's clock was set back."""


class LeaseLost(Conflict):
    """Another worker holds the lane now."""

    code, title = "lease_lost", "Another worker holds the lane"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to use one lane until it expires or is outbid after that.

    Attributes
    ----------
    fence
        Fencing token; only the newest one can write.
    """

    chain_id: int
    sender: str
    owner: str
    fence: int


@dataclass(frozen=True, slots=True)
class Held:
    """A lane's row at the moment at which it was locked.

    Attributes
    ----------
    next_nonce
        What its next transaction takes.
    out_of_funds
        Whether it has no gas money.
    now_ms
        Database clock, Unix milliseconds.
    """

    next_nonce: int
    out_of_funds: bool
    now_ms: int


def ensure_lane(session: Session, chain_id: int, sender: str) -> None:
    """Make the lane's row where it is missing."""
    if session.get(Lane, (chain_id, sender)) is None:
        session.execute(
            insert(Lane).values(
                chain_id=chain_id, sender=sender, next_nonce=0, fence=0, lease_expires_unix_ms=0
            )
        )


def acquire(
    session: Session, chain_id: int, sender: str, owner: str, lease_seconds: int
) -> Lease | None:
    """Take a lane that is free, expired, or already ours; None while another holds it."""
    lane = session.scalars(
        select(Lane)
        .where(Lane.chain_id == chain_id, Lane.sender == sender)
        .where(
            or_(
                Lane.lease_owner.is_(None),
                Lane.lease_owner == owner,
                has_come(
                    Lane.lease_expires_unix_ms, longest_ms=LONGEST_LEASES * lease_seconds * 1000
                ),
            )
        )
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if lane is None:
        return None
    fence = lane.fence + 1
    session.execute(
        update(Lane)
        .where(Lane.chain_id == chain_id, Lane.sender == sender, Lane.fence == lane.fence)
        .values(
            lease_owner=owner, fence=fence, lease_expires_unix_ms=now_ms() + lease_seconds * 1000
        )
        .execution_options(synchronize_session=False)
    )
    session.expire(lane)
    return Lease(chain_id, sender, owner, fence)


def hold(session: Session, lease: Lease, lease_seconds: int) -> Held:
    """Renew the lease, or refuse to go on; locks the lane's row until the transaction ends.

    Raises
    ------
    LeaseLost
        If the fencing token is not the newest any more.
    """
    lane = session.execute(
        update(Lane)
        .where(*_still(lease))
        .values(lease_expires_unix_ms=now_ms() + lease_seconds * 1000)
        .returning(Lane.next_nonce, Lane.out_of_funds, now_ms())
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if lane is None:
        raise LeaseLost(f"lane {lease.sender}: token {lease.fence} is not the newest")
    return Held(*lane)


def release(session: Session, lease: Lease) -> None:
    """Give the lane back; nothing happens where it is not ours any more."""
    change(session, lease, lease_owner=None, lease_expires_unix_ms=0)


def change(session: Session, lease: Lease, **values: Any) -> None:
    """Set columns of the lane's row; nothing happens where it is not ours any more."""
    session.execute(
        update(Lane)
        .where(*_still(lease))
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _still(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    """The lane's row, while its lease is ours and its token the newest."""
    return (
        Lane.chain_id == lease.chain_id,
        Lane.sender == lease.sender,
        Lane.lease_owner == lease.owner,
        Lane.fence == lease.fence,
    )
