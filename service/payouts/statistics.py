"""What PostgreSQL keeps and thinks of the payouts, once very many were changed at once."""

from __future__ import annotations

import logging
from functools import partial

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.payouts.models import Payout
from service.telemetry.logs import after_commit, note

log = logging.getLogger(__name__)

VERY_MANY = 10_000
"""Payouts; with fewer it does no harm to be wrong about them."""


def tell_planner(session: Session, changed: int) -> None:
    """Have PostgreSQL look at the payouts after the commit that changes very many of them.

    Until its own housekeeping does, a minute later, it guesses by how they were before, and may
    read a whole batch to find the few rows that an index would tell; and the index leads to what
    they were.

    Parameters
    ----------
    changed
        How many are.
    """
    engine = session.get_bind().engine
    if changed >= VERY_MANY and engine.dialect.name == "postgresql":
        after_commit(session, partial(_look, engine))


def _look(engine: Engine) -> None:
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # Its lock is shared with all but housekeeping; where that is at it, this is not needed.
            connection.execute(text(f"VACUUM (ANALYZE, SKIP_LOCKED) {Payout.__tablename__}"))
    except DBAPIError as error:
        note(log, "statistics_not_renewed", logging.WARNING, detail=str(error.orig))
