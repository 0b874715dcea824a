"""The database's clock, as SQL: leases and waits compare it, so no worker's own clock matters."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, SQLColumnExpression, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement


class now_ms(FunctionElement[int]):  # noqa: N801 - reads as the SQL function it is
    """Milliseconds since 1970-01-01T00:00:00Z by the database's clock."""

    type = BigInteger()
    inherit_cache = True


@compiles(now_ms, "sqlite")
def _sqlite(_element: Any, _compiler: Any, **_kw: Any) -> str:
    # 2440587.5 is the Julian day of 1970-01-01.
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"


@compiles(now_ms, "postgresql")
def _postgresql(_element: Any, _compiler: Any, **_kw: Any) -> str:
    # Not now(): that stands still within a transaction.
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"


def has_come(at: SQLColumnExpression[int], *, longest_ms: int) -> ColumnElement[bool]:
    """Whether a moment set by the database's clock is past.

    One further ahead than anybody sets it comes from before that clock was set back, and counts as
    past: else a wait of seconds would last as long as the clock was wrong.

    Parameters
    ----------
    longest_ms
        How far ahead the moment is set at most.
    """
    return (at <= now_ms()) | (at > now_ms() + longest_ms)


def read_now_ms(session: Session) -> int:
    """Ask the database for its time, Unix milliseconds."""
    return session.scalars(select(now_ms())).one()
