"""What may change a batch after its approval: what is refused before officers sign it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from service.approvals.corrections import check_correction, unpaid_of
from service.approvals.models import ActionKind
from service.errors import Conflict, InvalidInput, NotFound, ReliefError
from service.payouts.models import Batch, Payout, Stream
from tests.support.programme import NOW
from tests.support.rows import wallet

NOW_S = int(NOW.timestamp())
HOUR_S, DAY_S = 3600, 86_400
HOLD, ENTRY, CHANGE = ActionKind.BATCH_HOLD, ActionKind.ENTRY_HOLD, ActionKind.WALLET_CHANGE


@pytest.fixture
def onchain(batch: Batch, session: Session) -> Batch:
    """On chain, none of its chunks run, 30 days left; payout 1 was skipped."""
    batch.state = "onchain"
    batch.execute_from_unix_s = NOW_S
    batch.execute_before_unix_s = NOW_S + 30 * DAY_S
    session.get_one(Payout, (batch.id, 1)).own_state = "skipped"
    session.flush()
    session.expire_all()  # its state is read anew
    return batch


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, None),
        ({"state": "draft"}, "is draft, not on chain"),
        ({"state": "done"}, "nothing is left to hold"),
        ({"execute_before_unix_s": NOW_S + DAY_S}, "would delay nothing"),
        ({"execute_before_unix_s": NOW_S + DAY_S + 1}, None),
        ({"execute_from_unix_s": NOW_S + 72 * HOUR_S}, "would delay nothing"),
        ({"execute_from_unix_s": NOW_S + 72 * HOUR_S - 1}, None),
    ],
)
def test_a_hold_that_would_delay_nothing_is_refused(
    onchain: Batch, session: Session, change: dict[str, Any], refused: str | None
) -> None:
    for name, value in change.items():
        setattr(onchain, name, value)
    if refused is None:
        assert check_correction(session, HOLD, {"batchId": onchain.id}, NOW) is onchain
        return
    with pytest.raises(Conflict, match=refused):
        check_correction(session, HOLD, {"batchId": onchain.id}, NOW)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"index": 9}, NotFound, "there is no payout 9"),
        ({"index": 0}, Conflict, "not skipped"),
        ({"from": wallet(8)}, Conflict, "is paid to 0x.*, not to"),
        ({"to": None}, InvalidInput, "is paid to 0x.* already"),
    ],
)
def test_a_changed_wallet_names_who_is_paid_now_and_somebody_else(
    onchain: Batch,
    session: Session,
    change: dict[str, Any],
    error: type[ReliefError],
    words: str,
) -> None:
    payee = session.get_one(Payout, (onchain.id, 1)).payee
    message = {"batchId": onchain.id, "index": 1, "from": payee, "to": wallet(9)}
    assert check_correction(session, CHANGE, message, NOW) is onchain

    message |= change
    with pytest.raises(error, match=words):
        check_correction(session, CHANGE, message | {"to": message["to"] or payee}, NOW)


def test_what_is_unpaid_of_a_stream_is_what_was_neither_withdrawn_nor_returned(
    onchain: Batch, session: Session
) -> None:
    payout = session.get_one(Payout, (onchain.id, 0))
    payout.kind, payout.own_state = "stream", "included"
    session.flush()
    with pytest.raises(Conflict, match="is not open yet"):
        check_correction(session, ENTRY, {"batchId": onchain.id, "index": "0"}, NOW)
    session.add(
        Stream(
            batch_id=onchain.id,
            index=0,
            chunk_index=0,
            payee=wallet(5),
            total_base_units=90,
            opened_block=1,
            withdrawn_base_units=30,
            returned_base_units=20,
            last_event_block=1,
        )
    )
    session.flush()
    unpaid = unpaid_of(session, onchain.id, 0)
    assert (unpaid.payee, unpaid.amount_base_units) == (wallet(5), 40)
    assert check_correction(session, ENTRY, {"batchId": onchain.id, "index": "0"}, NOW) is onchain

    session.get_one(Stream, (onchain.id, 0)).withdrawn_base_units = 70
    session.flush()
    with pytest.raises(Conflict, match="is unpaid"):
        unpaid_of(session, onchain.id, 0)
