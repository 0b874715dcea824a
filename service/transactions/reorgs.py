"""What a re-org does to transactions: their blocks are gone, the same bytes go out again."""

from __future__ import annotations

from sqlalchemy import ColumnElement, String, case, literal
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from service.transactions.models import Transaction
from service.transactions.states import State, move_all

_DEAD = (State.REVERTED.value, State.SUPERSEDED.value, State.CLOSED.value)


def take_back(session: Session, *lost: ColumnElement[bool]) -> int:
    """Return transactions whose block left the chain to ``reorged``; returns how many.

    One that had failed only has a nonce left to use up: it keeps no claim on its effect, which may
    have been planned anew.

    Parameters
    ----------
    lost
        Conditions on :class:`Transaction` that say which blocks are gone.
    """
    return move_all(
        session,
        State.REORGED,
        *lost,
        dedupe_key=case(
            (
                Transaction.state.in_(_DEAD),
                Transaction.dedupe_key + literal("#") + sql_cast(Transaction.id, String),
            ),
            else_=Transaction.dedupe_key,
        ),
        block_number=None,
        block_hash=None,
        mined_tx_hash=None,
        gas_used=None,
        retry_at_unix_ms=0,
    )
