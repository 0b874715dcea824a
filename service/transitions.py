"""Moving sets of rows along a table of transitions, in one statement that checks the table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, CursorResult, bindparam, or_, update
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
    statement = (
        update(model)
        .where(cast(Any, model).state.in_(_allowed(table, to, through)), *where)
        .values({model.__table__.c.state: to.value, **values})
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def move_each(
    session: Session,
    model: type[Base],
    table: Mapping[S, Collection[S]],
    to: S,
    rows: Sequence[Mapping[str, Any]],
    *,
    through: S | None = None,
) -> None:
    """Move rows that may become ``to``, each with values of its own; one statement for all.

    What was said of :func:`move_rows` holds here too, but that nobody counts the rows that moved.

    Parameters
    ----------
    rows
        Of each the primary key and the other columns to set, by their names; all have the same.

    Raises
    ------
    IllegalTransition
        As :func:`move_rows`.
    """
    if not rows:
        return
    columns = cast(Any, model).__table__.c
    keys = {column.name for column in columns if column.primary_key}
    statement = (
        update(cast(Any, model).__table__)
        # Not IN, which a statement of many rows cannot have.
        .where(or_(*(columns.state == state for state in _allowed(table, to, through))))
        .where(*(columns[key] == bindparam(f"of_{key}") for key in sorted(keys)))
        .values({columns.state: to.value})
        .values({columns[name]: bindparam(f"to_{name}") for name in rows[0] if name not in keys})
    )
    session.flush()
    session.connection().execute(
        statement,
        [
            {f"{'of' if name in keys else 'to'}_{name}": value for name, value in row.items()}
            for row in rows
        ],
    )


def _allowed(table: Mapping[S, Collection[S]], to: S, through: S | None) -> list[str]:
    """States, as they are stored, from which the table leads to ``to``, by way of `through`."""
    first = to if through is None else through
    if first is not to and to not in table[first]:
        raise IllegalTransition(f"{first} does not lead to {to}")
    return sorted(source.value for source in sources(table, first))
