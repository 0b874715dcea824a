"""Streams as events left them, what they have accrued, and asking for withdrawals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from service.clock import ManualClock
from service.errors import Conflict, InvalidInput, NotFound
from service.payouts import service
from service.payouts.models import Batch, Chunk, Payout, Stream
from tests.support.programme import DAY, TOKEN, AddCases, Build, address_of

START = datetime(2026, 10, 31, 16, tzinfo=UTC)


@pytest.fixture
def batch(session: Session, add_cases: AddCases, build: Build) -> Batch:
    """Three open streams of 900 tokens over 90 days, in chunks of two; the second is cancelled."""
    add_cases("a", "b", "c", kind="stream", duration_days=90, amount_base_units=900 * TOKEN)
    [built] = build(kind="stream", chunk_size=2)
    for index, ref in enumerate("abc"):
        session.add(
            Stream(
                batch_id=built.id,
                index=index,
                chunk_index=index // 2,
                payee=address_of(ref),
                total_base_units=900 * TOKEN,
                opened_block=5,
                last_event_block=5,
            )
        )
    session.flush()
    session.execute(update(Payout).values(state="paid"))
    session.execute(update(Chunk).values(state="final"))
    cancelled = session.get(Stream, (built.id, 1))
    assert cancelled is not None
    cancelled.cancelled_cut_s = 10 * DAY + 43_200
    cancelled.returned_base_units = 795 * TOKEN
    session.flush()
    session.expire_all()
    return built


def test_a_stream_shows_what_accrued_in_whole_days(
    session: Session, batch: Batch, clock: ManualClock
) -> None:
    clock.current = START + timedelta(days=30, hours=23)

    view = service.get_stream(session, batch.id, 0, clock=clock)

    assert view.accrued_base_units == 300 * TOKEN
    assert view.withdrawable_base_units == 300 * TOKEN


def test_a_cancelled_stream_keeps_what_accrued_to_the_second(
    session: Session, batch: Batch, clock: ManualClock
) -> None:
    clock.current = START + timedelta(days=60)

    assert service.get_stream(session, batch.id, 1, clock=clock).accrued_base_units == 105 * TOKEN


def test_what_was_paid_has_accrued_even_by_a_clock_that_is_behind(
    session: Session, batch: Batch, clock: ManualClock
) -> None:
    stream = session.get_one(Stream, (batch.id, 0))
    stream.paid_through_s, stream.withdrawn_base_units = 30 * DAY, 300 * TOKEN
    clock.current = START + timedelta(days=1)

    view = service.get_stream(session, batch.id, 0, clock=clock)

    assert (view.accrued_base_units, view.withdrawable_base_units) == (300 * TOKEN, 0)


def test_withdrawals_are_asked_for_once_while_open(
    session: Session, batch: Batch, clock: ManualClock
) -> None:
    clock.current = START + timedelta(days=30)

    requests = service.request_withdraw_all(session, batch.id, actor="li", clock=clock)
    again = service.request_withdraw_all(session, batch.id, actor="li", clock=clock)

    assert [(request.kind, request.args) for request in requests] == [
        ("withdraw_chunk", {"batchId": batch.id, "chunkIndex": 0}),
        ("withdraw_chunk", {"batchId": batch.id, "chunkIndex": 1}),
    ]
    assert [request.id for request in again] == [request.id for request in requests]


def test_a_done_request_may_be_asked_for_again(
    session: Session, batch: Batch, clock: ManualClock
) -> None:
    clock.current = START + timedelta(days=30)
    first = service.request_withdraw(session, batch.id, 2, actor="li", clock=clock)
    first.state = "done"
    session.flush()

    second = service.request_withdraw(session, batch.id, 2, actor="li", clock=clock)

    assert second.id != first.id
    assert second.args == {"batchId": batch.id, "index": 2}


def test_a_stream_with_nothing_accrued_is_not_withdrawn_from(
    session: Session, batch: Batch, clock: ManualClock
) -> None:
    clock.current = START + timedelta(hours=23)

    with pytest.raises(Conflict, match="nothing to withdraw"):
        service.request_withdraw(session, batch.id, 0, actor="li", clock=clock)


def test_streams_that_are_not_open_are_not_withdrawn_from(
    session: Session, batch: Batch, add_cases: AddCases, build: Build
) -> None:
    session.execute(update(Chunk).values(state="waiting"))
    with pytest.raises(Conflict, match="no stream"):
        service.request_withdraw_all(session, batch.id, actor="li")
    add_cases("d")
    [one_off] = build()
    with pytest.raises(Conflict, match="has no streams"):
        service.request_withdraw_all(session, one_off.id, actor="li")
    with pytest.raises(NotFound):
        service.get_stream(session, one_off.id, 0)


def test_masks_name_the_streams_of_each_chunk(session: Session, batch: Batch) -> None:
    assert service.cancellation_masks(session, batch.id, [2, 0]) == {0: (1, 0), 1: (1, 0)}
    with pytest.raises(Conflict, match="is cancelled"):
        service.cancellation_masks(session, batch.id, [1])
    with pytest.raises(NotFound):
        service.cancellation_masks(session, batch.id, [3])
    with pytest.raises(InvalidInput):
        service.cancellation_masks(session, batch.id, [])


def test_a_stream_from_the_257th_of_its_chunk_on_is_in_the_high_mask(
    session: Session, add_cases: AddCases, build: Build
) -> None:
    add_cases(
        *(f"s-{n:03d}" for n in range(258)), kind="stream", duration_days=90, amount_base_units=9
    )
    [batch] = build(kind="stream")
    session.add(
        Stream(
            batch_id=batch.id,
            index=257,
            chunk_index=0,
            payee=address_of("s-257"),
            total_base_units=600 * TOKEN,
            opened_block=5,
            last_event_block=5,
        )
    )
    session.flush()

    assert service.cancellation_masks(session, batch.id, [257]) == {0: (0, 2)}


def test_a_wallet_shows_balance_streams_and_history(
    session: Session, batch: Batch, clock: ManualClock
) -> None:
    stream = session.get(Stream, (batch.id, 0))
    assert stream is not None
    stream.withdrawn_base_units, stream.paid_through_s = 100 * TOKEN, 10 * DAY
    session.flush()
    clock.current = START + timedelta(days=30)

    view = service.wallet_view(session, address_of("a").lower(), clock=clock)

    assert view.address == address_of("a")
    assert (view.received_base_units, view.withdrawable_base_units) == (100 * TOKEN, 200 * TOKEN)
    assert [found.stream.index for found in view.streams] == [0]
    assert [payout.index for payout in view.payouts] == [0]


def test_an_unknown_wallet_has_nothing_and_nonsense_is_refused(session: Session) -> None:
    assert service.wallet_view(session, address_of("nobody")).received_base_units == 0
    with pytest.raises(InvalidInput, match="not an address"):
        service.wallet_view(session, "0x12")


def test_pages_of_streams_join(session: Session, batch: Batch) -> None:
    first = service.list_streams(session, batch_id=batch.id, limit=2)
    second = service.list_streams(session, batch_id=batch.id, limit=2, cursor=first.next_cursor)

    assert [view.stream.index for view in [*first.items, *second.items]] == [0, 1, 2]
    assert second.next_cursor is None
    assert len(service.list_streams(session, payee=address_of("b")).items) == 1
    assert service.list_streams(session, programme_id=99).items == []
