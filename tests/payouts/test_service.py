"""Officers' commands on batches, what they journal, and what lists and sums show."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import exc, inspect, select, text, update
from sqlalchemy.orm import Session

from service.clock import ManualClock
from service.errors import Conflict, IllegalTransition, InvalidInput, NotFound
from service.payouts import service, statistics
from service.payouts.journal import history
from service.payouts.models import Batch, Chunk, Payout
from service.payouts.queries import PayoutFilter, StateSum
from service.payouts.states import PayoutState
from tests.support.programme import DAY, NOW, TOKEN, AddCases, Build, address_of


@pytest.fixture
def batch(add_cases: AddCases, build: Build) -> Batch:
    add_cases("a", "b", "c")
    [built] = build(chunk_size=2)
    return built


@pytest.fixture
def approved(session: Session, batch: Batch, clock: ManualClock) -> Batch:
    batch.signing_opened_at = NOW
    service.approve(session, batch, actor="officer 2", clock=clock)
    return batch


@pytest.fixture
def released(session: Session, approved: Batch, clock: ManualClock) -> Batch:
    return service.release(session, approved.id, actor="wang", clock=clock)


def states(session: Session, batch: Batch) -> list[str]:
    rows = select(Payout.state).where(Payout.batch_id == batch.id).order_by(Payout.index)
    return list(session.scalars(rows))


def set_states(session: Session, batch: Batch, *to: str) -> None:
    for index, state in enumerate(to):
        session.execute(
            update(Payout)
            .where(Payout.batch_id == batch.id, Payout.index == index)
            .values(state=state, skip_reason="frozen" if state == "skipped" else None)
        )
    session.expire_all()


def test_an_approved_batch_is_released_with_its_payouts_queued(
    session: Session, released: Batch
) -> None:
    assert (released.state, released.released_by, released.released_at) == ("released", "wang", NOW)
    assert states(session, released) == ["queued"] * 3


def test_after_a_large_release_postgresql_knows_that_its_payouts_are_queued(
    session: Session, approved: Batch, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "VERY_MANY", 3)
    service.release(session, approved.id, actor="wang", clock=clock)
    session.commit()
    if session.get_bind().dialect.name == "postgresql":
        known = text(
            "SELECT most_common_vals::text FROM pg_stats "
            "WHERE tablename = 'payouts' AND attname = 'state'"
        )
        assert session.scalars(known).all() == ["{queued}"]
    assert states(session, approved) == ["queued"] * 3


def test_a_draft_cannot_be_released(session: Session, batch: Batch, clock: ManualClock) -> None:
    with pytest.raises(IllegalTransition, match="is draft; this needs it approved"):
        service.release(session, batch.id, actor="wang", clock=clock)


def test_nothing_is_released_twice(session: Session, released: Batch, clock: ManualClock) -> None:
    with pytest.raises(IllegalTransition):
        service.release(session, released.id, actor="wang", clock=clock)


def test_a_batch_whose_time_is_over_is_not_released(
    session: Session, approved: Batch, clock: ManualClock
) -> None:
    clock.current += timedelta(days=7)

    with pytest.raises(Conflict, match="can no longer be executed"):
        service.release(session, approved.id, actor="wang", clock=clock)


def test_a_batch_with_a_payout_in_another_state_is_not_released(
    session: Session, approved: Batch, clock: ManualClock
) -> None:
    set_states(session, approved, "approved", "held", "approved")

    with pytest.raises(Conflict, match="2 of the 3"):
        service.release(session, approved.id, actor="wang", clock=clock)


def test_pausing_holds_what_is_queued_and_resuming_queues_it(
    session: Session, released: Batch, clock: ManualClock
) -> None:
    set_states(session, released, "queued", "sent", "paid")

    service.pause(session, released.id, actor="li", reason="a complaint", clock=clock)
    paused = states(session, released)
    service.resume(session, released.id, actor="li", reason="settled", clock=clock)

    assert paused == ["held", "sent", "paid"]
    assert states(session, released) == ["queued", "sent", "paid"]
    assert not released.paused


def test_a_paused_batch_is_neither_released_nor_paused_again(
    session: Session, approved: Batch, clock: ManualClock
) -> None:
    service.pause(session, approved.id, actor="li", reason="a complaint", clock=clock)

    with pytest.raises(Conflict, match="is paused: a complaint"):
        service.release(session, approved.id, actor="wang", clock=clock)
    with pytest.raises(Conflict, match="paused already"):
        service.pause(session, approved.id, actor="li", reason="again", clock=clock)


def test_stopping_needs_a_reason(session: Session, batch: Batch) -> None:
    with pytest.raises(InvalidInput, match="needs a reason"):
        service.pause(session, batch.id, actor="li", reason=" ")
    with pytest.raises(InvalidInput, match="needs a reason"):
        service.cancel_draft(session, batch.id, actor="li", reason="")


def test_a_command_needs_somebody_who_gives_it(session: Session, batch: Batch) -> None:
    with pytest.raises(InvalidInput, match="who gives it"):
        service.pause(session, batch.id, actor=" ", reason="because")


def test_a_batch_that_is_not_paused_cannot_be_resumed(session: Session, batch: Batch) -> None:
    with pytest.raises(Conflict, match="not paused"):
        service.resume(session, batch.id, actor="li", reason="settled")


def test_a_draft_nobody_was_asked_to_sign_is_cancelled_with_its_payouts(
    session: Session, batch: Batch
) -> None:
    service.cancel_draft(session, batch.id, actor="li", reason="wrong list")

    assert batch.state == "cancelled"
    assert states(session, batch) == ["cancelled"] * 3


def test_after_signing_began_payouts_stay_held_until_no_signature_counts_any_more(
    session: Session, approved: Batch, build: Build, clock: ManualClock
) -> None:
    service.cancel_draft(session, approved.id, actor="li", reason="wrong list", clock=clock)
    assert states(session, approved) == ["held"] * 3
    with pytest.raises(Conflict, match="waits"):
        build()
    deadline = approved.execute_before_unix_s

    assert service.free_overdue(session, deadline - 1, clock=clock) == 0
    assert service.free_overdue(session, deadline, clock=clock) == 3

    assert states(session, approved) == ["cancelled"] * 3
    assert build(execute_before_unix_s=deadline + DAY)[0].count == 3


def test_a_released_batch_that_missed_its_time_is_cancelled_and_its_cases_are_free(
    session: Session, released: Batch, build: Build, clock: ManualClock
) -> None:
    deadline = released.execute_before_unix_s
    assert service.free_overdue(session, deadline - 1, clock=clock) == 0
    assert released.state == "released"

    assert service.free_overdue(session, deadline, clock=clock) == 3

    assert released.state == "cancelled"
    assert released.last_error == "its time to execute is over, and it is not on chain"
    assert states(session, released) == ["cancelled"] * 3
    assert build(execute_before_unix_s=deadline + DAY)[0].count == 3


def test_a_released_batch_is_not_cancelled_here(session: Session, released: Batch) -> None:
    with pytest.raises(IllegalTransition, match="draft or approved"):
        service.cancel_draft(session, released.id, actor="li", reason="wrong list")


@pytest.mark.parametrize(
    ("state", "chunks", "by_quorum"),
    [
        ("draft", "waiting", False),
        ("approved", "waiting", False),
        ("onchain", "waiting", True),
        ("onchain", "sent", True),
    ],
)
def test_a_batch_is_cancelled_by_a_quorum_once_it_is_on_chain(
    session: Session, batch: Batch, *, state: str, chunks: str, by_quorum: bool
) -> None:
    batch.state = state
    session.execute(update(Chunk).values(state=chunks))
    assert service.cancelled_by_quorum(session, batch) is by_quorum


@pytest.mark.parametrize(
    ("state", "chunks", "words"),
    [
        ("cancelled", "waiting", "cancelled already"),
        ("released", "waiting", "not on chain yet"),
        ("onchain", "included", "every chunk ran"),
        ("done", "final", "every chunk ran"),
    ],
)
def test_no_quorum_is_asked_to_cancel_for_nothing(
    session: Session, batch: Batch, state: str, chunks: str, words: str
) -> None:
    batch.state = state
    session.execute(update(Chunk).values(state=chunks))
    with pytest.raises(Conflict, match=words):
        service.cancelled_by_quorum(session, batch)


def test_a_cancelled_batch_cannot_be_paused_or_resumed(session: Session, batch: Batch) -> None:
    service.cancel_draft(session, batch.id, actor="li", reason="wrong list")

    with pytest.raises(IllegalTransition):
        service.pause(session, batch.id, actor="li", reason="why")
    with pytest.raises(IllegalTransition):
        service.resume(session, batch.id, actor="li", reason="why")


def test_the_journal_keeps_who_did_what_and_why(
    session: Session, released: Batch, clock: ManualClock
) -> None:
    service.pause(session, released.id, actor="li", reason="a complaint", clock=clock)
    session.flush()

    entries = history(session, "batch", released.id)

    assert [(entry.actor, entry.action, entry.reason) for entry in entries] == [
        ("wang", "build_batch", None),
        ("officer 2", "approve_batch", None),
        ("wang", "release_batch", None),
        ("li", "pause_batch", "a complaint"),
    ]


def test_the_database_refuses_a_second_live_payout_of_a_case(
    session: Session, batch: Batch
) -> None:
    first = session.get(Payout, (batch.id, 0))
    assert first is not None
    columns = {
        attribute.key: getattr(first, attribute.key)
        for attribute in inspect(Payout).column_attrs
        if attribute.columns[0] in Payout.__table__.c.values()
    }

    session.add(Payout(**{**columns, "index": 99, "commitment": "00" * 32}))

    with pytest.raises(exc.IntegrityError):
        session.flush()


def test_a_skipped_payout_can_be_asked_for_again_once(
    session: Session, released: Batch, clock: ManualClock
) -> None:
    set_states(session, released, "paid", "skipped", "paid")

    first = service.request_retry(session, released.id, 1, actor="li", clock=clock)
    second = service.request_retry(session, released.id, 1, actor="wang", clock=clock)

    assert first.id == second.id
    assert (first.kind, first.args) == ("retry_payout", {"batchId": released.id, "index": 1})
    assert states(session, released)[1] == "skipped"


def test_only_skipped_payouts_are_retried_however_late(
    session: Session, released: Batch, clock: ManualClock
) -> None:
    set_states(session, released, "paid", "skipped", "paid")
    with pytest.raises(Conflict, match="is paid, not skipped"):
        service.request_retry(session, released.id, 0, actor="li", clock=clock)
    with pytest.raises(NotFound):
        service.request_retry(session, released.id, 9, actor="li", clock=clock)
    clock.current += timedelta(days=97)
    assert service.request_retry(session, released.id, 1, actor="li", clock=clock).id


def test_the_status_has_exact_sums_and_says_what_is_stuck(
    session: Session, released: Batch, clock: ManualClock
) -> None:
    set_states(session, released, "paid", "skipped", "queued")
    released.state = "onchain"
    released.execute_from_unix_s = int(NOW.timestamp()) + 60
    session.flush()

    status = service.batch_status(session, released.id, clock=clock)

    assert status.payouts == {
        PayoutState.PAID: StateSum(1, 600 * TOKEN),
        PayoutState.QUEUED: StateSum(1, 600 * TOKEN),
        PayoutState.SKIPPED: StateSum(1, 600 * TOKEN),
    }
    assert status.chunks == {"waiting": 2}
    assert [(stuck.code, stuck.count) for stuck in status.stuck] == [
        ("challenge_delay", 2),
        ("skipped", 1),
    ]
    assert status.stuck[0].message.endswith("hold, lasts until 2026-11-01T08:01:00Z")
    assert "frozen: 600.00" in status.stuck[1].message


def test_a_batch_that_missed_its_time_says_so(
    session: Session, released: Batch, clock: ManualClock
) -> None:
    clock.current += timedelta(days=8)

    [stuck] = service.batch_status(session, released.id, clock=clock).stuck
    assert stuck.code == "too_late_to_approve"

    released.state = "onchain"
    session.flush()
    [stuck] = service.batch_status(session, released.id, clock=clock).stuck
    assert (stuck.code, stuck.count) == ("too_late_to_execute", 2)


def test_sums_beyond_64_bits_are_exact(session: Session, batch: Batch) -> None:
    session.execute(update(Payout).values(amount_base_units=2**64 - 1))

    status = service.batch_status(session, batch.id)

    assert status.payouts[PayoutState.DRAFT] == StateSum(3, 3 * (2**64 - 1))


def test_pages_of_payouts_join_without_gap_or_repeat(
    session: Session, add_cases: AddCases, build: Build
) -> None:
    for n in range(3):
        add_cases(*(f"{n}-{i}" for i in range(3)))
        build()
    seen: list[tuple[str, int]] = []
    cursor = None
    while True:
        page = service.list_payouts(session, limit=2, cursor=cursor)
        seen += [(payout.batch_id, payout.index) for payout in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert len(seen) == 9
    assert seen == sorted(set(seen))


def test_payouts_are_filtered(session: Session, batch: Batch) -> None:
    set_states(session, batch, "paid", "skipped", "paid")

    def found(payout_filter: PayoutFilter) -> list[int]:
        return [p.index for p in service.list_payouts(session, payout_filter).items]

    assert found(PayoutFilter(state=PayoutState.PAID)) == [0, 2]
    assert found(PayoutFilter(skip_reason="frozen")) == [1]
    assert found(PayoutFilter(payee=address_of("b").lower())) == [1]
    assert found(PayoutFilter(kind="stream")) == []


def test_pages_of_batches_go_from_old_to_new(
    session: Session, add_cases: AddCases, build: Build, clock: ManualClock
) -> None:
    built = []
    for n in range(5):
        add_cases(f"case-{n}")
        if n % 2:
            clock.current += timedelta(microseconds=1)
        built += [batch.id for batch in build()]
    seen: list[str] = []
    cursor = None
    while True:
        page = service.list_batches(session, limit=2, cursor=cursor)
        seen += [batch.id for batch in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert sorted(seen) == sorted(built)
    assert seen[0] == built[0]


@pytest.mark.parametrize("cursor", ["", "nonsense", "2026-01-01~0x12", "0x12:x"])
def test_a_cursor_that_is_none_of_ours_is_refused(session: Session, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        service.list_batches(session, cursor=cursor)
    with pytest.raises(InvalidInput, match="cursor"):
        service.list_payouts(session, cursor=cursor)


@pytest.mark.parametrize("limit", [0, 501])
def test_a_page_is_neither_empty_nor_endless(session: Session, limit: int) -> None:
    with pytest.raises(InvalidInput, match="1 to 500"):
        service.list_payouts(session, limit=limit)


def test_chunks_start_waiting(session: Session, batch: Batch) -> None:
    assert set(session.scalars(select(Chunk.state))) == {"waiting"}
