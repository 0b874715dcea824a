"""Several workers share the lanes: who lives, and whose each lane is.

Each worker says every few seconds that it lives and for which senders it has keys. From those rows
every worker computes the same assignment, so that they agree without speaking: each lane goes to
the live worker with its key that has the fewest. One gives back what is not its any more, at the
end of a round, and takes what is (decision 0090).

That a worker lives is only ever a guess. Guessed wrong, two workers want one lane, and its fencing
token decides; nothing is paid twice for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.transactions.dbclock import read_now_ms
from service.transactions.models import Lane, WorkerPresence

FORGET_AFTER_LEASES = 40
"""Rows of workers not seen for so many leases are deleted."""

_LOCKS = 1
"""Seed of the advisory locks' keys, so that they meet no others'."""


def assign(keys: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Return the worker of each sender.

    Parameters
    ----------
    keys
        Senders that each live worker has keys of, by the worker's name.
    """
    of: dict[str, str] = {}
    load = dict.fromkeys(keys, 0)
    senders = {sender for held in keys.values() for sender in held}
    # Those that few can serve come first, or they would all fall to one that has others already.
    able = {sender: sorted(w for w in keys if sender in keys[w]) for sender in senders}
    for sender in sorted(senders, key=lambda each: (len(able[each]), each)):
        of[sender] = min(able[sender], key=lambda worker: (load[worker], worker))
        load[of[sender]] += 1
    return of


def share(
    session: Session, chain_id: int, owner: str, senders: Iterable[str], lease_seconds: int
) -> set[str]:
    """Say that this worker lives, free the lanes of those that died, return which lanes are ours.

    Parameters
    ----------
    senders
        Those we have keys of.
    """
    now, lease_ms = read_now_ms(session), lease_seconds * 1000
    mine = session.get(WorkerPresence, (chain_id, owner))
    if mine is None:
        mine = WorkerPresence(chain_id=chain_id, owner=owner)
        session.add(mine)
    mine.senders, mine.seen_unix_ms = sorted(senders), now
    session.flush()
    # A worker that lives renews its leases as often as it says so.
    overdue = set(
        session.scalars(
            select(Lane.lease_owner).where(
                Lane.chain_id == chain_id,
                Lane.lease_owner.is_not(None),
                Lane.lease_expires_unix_ms < now,
            )
        )
    )
    live = {owner: list(mine.senders)}
    others = session.scalars(
        select(WorkerPresence)
        .where(WorkerPresence.chain_id == chain_id, WorkerPresence.owner != owner)
        .order_by(WorkerPresence.owner)
        .execution_options(populate_existing=True)
    ).all()
    for other in others:
        if _is_gone(session, other.owner):
            forget(session, chain_id, other.owner)
        elif abs(now - other.seen_unix_ms) > FORGET_AFTER_LEASES * lease_ms:
            session.delete(other)
        elif abs(now - other.seen_unix_ms) <= lease_ms and other.owner not in overdue:
            live[other.owner] = other.senders
    return {sender for sender, worker in assign(live).items() if worker == owner}


def forget(session: Session, chain_id: int, *owners: str) -> None:
    """Free the lanes of workers that are no more; of all of them where none is named."""
    lanes = update(Lane).where(Lane.chain_id == chain_id)
    rows = delete(WorkerPresence).where(WorkerPresence.chain_id == chain_id)
    if owners:
        lanes = lanes.where(Lane.lease_owner.in_(owners))
        rows = rows.where(WorkerPresence.owner.in_(owners))
    free = lanes.values(lease_owner=None, lease_expires_unix_ms=0)
    for statement in (free, rows):
        session.execute(statement.execution_options(synchronize_session=False))


def _is_gone(session: Session, owner: str) -> bool:
    """Whether a worker's connection to PostgreSQL has ended, with its process or its network."""
    if session.get_bind().dialect.name != "postgresql":
        return False
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(_lock_of(owner)))))


def _lock_of(owner: str) -> Any:
    return func.hashtextextended(f"worker {owner}", _LOCKS)


class Presence:
    """A connection that lives as long as the worker; PostgreSQL notices its end at once."""

    def __init__(self, engine: Engine, owner: str) -> None:
        self._engine = engine
        self._owner = owner
        self._connection: Connection | None = None

    def hold(self) -> None:
        """Make sure that others see us live; does nothing on SQLite.

        Raises
        ------
        OperationalError
            If the database is away.
        """
        if self._engine.dialect.name != "postgresql":
            return
        try:
            if self._connection is not None:
                self._connection.execute(select(1))
                return
        except DBAPIError:
            self.end()
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(select(func.pg_advisory_lock_shared(_lock_of(self._owner))))
        self._connection = connection

    def end(self) -> None:
        """Be seen no more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()  # never back to the pool: the lock is the session's
            connection.close()
