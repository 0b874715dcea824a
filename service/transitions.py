"""Moving sets of rows along a table of transitions, in one statement that checks the table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, CursorResult, update
from sqlalchemy.orm import Session

from service.db import Base
from service.errors import IllegalTransition

S = TypeVar("S", bound=StrEnum)


def sources(table: Mapping[S, Collection[S]], to: S) -> frozenset[S]:
    """Return the states from which the table leads to ``to``."""
    return frozenset(state for state, targets in table.items() if to in targets)


def move_rows(
    session: Session,
    model: type[Base],
    table: Mapping[S, Collection[S]],
    to: S,
    *where: ColumnElement[bool],
    through: S | None = None,
    **values: Any,
) -> int:
    """Move every row that matches and may become ``to``; one statement.

    The state is looked at by the statement itself, so what another transaction has moved meanwhile
    stays as it is. Rows in other states do too: compare the number returned with the number
    expected. Objects of the session are not refreshed.

    Parameters
    ----------
    model
        A model with a ``state`` column. Where its ``state`` says more than the column, as that of
        payouts does, the table is held against what it says.
    table
        Its steps.
    where
        Conditions beside the one on the state; may narrow the states further.
    through
        Two steps in one: rows that may become this, which must lead to ``to``.
    values
        Other columns to set in the same statement.

    Returns
    -------
    int
        How many rows moved.

    Raises
    ------
    IllegalTransition
        If `through` does not lead to `to`.
    """
    first = to if through is None else through
    if first is not to and to not in table[first]:
        raise IllegalTransition(f"{first} does not lead to {to}")
    allowed = sorted(source.value for source in sources(table, first))
    statement = (
        update(model)
        .where(cast(Any, model).state.in_(allowed), *where)
        .values({model.__table__.c.state: to.value, **values})
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", session.execute(statement)).rowcount
