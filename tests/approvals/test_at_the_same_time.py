"""Two requests at once: the last signature, the same officer, the release, count once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from service.approvals.service import signatures_of
from service.db import create_database_engine, session_factory, transaction
from service.errors import AlreadyExists, IllegalTransition, ReliefError
from service.payouts.models import Batch, JournalEntry, Payout
from service.payouts.service import cancel_draft, release
from tests.approvals.conftest import Desk, sign


def together(
    engine: Engine, works: Sequence[Callable[[Session], object]]
) -> list[ReliefError | None]:
    """Run each in a thread and a database transaction of its own; what each raised, or None."""
    gate = threading.Barrier(len(works))
    outcome: list[ReliefError | None] = [None] * len(works)

    def run(place: int, work: Callable[[Session], object]) -> None:
        gate.wait()
        try:
            with transaction(session_factory(engine)) as session:
                work(session)
        except ReliefError as error:
            outcome[place] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcome


@pytest.fixture
def signing(desk: Desk, database_url: str) -> tuple[Engine, Callable[[str], Callable[..., object]]]:
    """The database, and a function: work that hands in the signature of a signer."""
    document = desk.document()
    desk.session.commit()
    engine = create_database_engine(database_url)

    def work(name: str) -> Callable[[Session], object]:
        signature = sign(name, document)

        def submit(session: Session) -> None:
            batch = session.get_one(Batch, desk.batch.id)
            Desk(session, batch, desk.manifests_dir, desk.clock).submit(signature, reviewers=2)

        return submit

    return engine, work


def entries(session: Session, batch_id: str, action: str) -> int:
    return session.scalars(
        select(func.count())
        .select_from(JournalEntry)
        .where(JournalEntry.object_id == batch_id, JournalEntry.action == action)
    ).one()


def test_the_last_signatures_at_once_approve_a_batch_once(
    desk: Desk, signing: tuple[Engine, Callable[[str], Callable[..., object]]]
) -> None:
    engine, work = signing
    assert together(engine, [work("officer 1")]) == [None]

    assert together(engine, [work("officer 2"), work("officer 3")]) == [None, None]

    desk.session.expire_all()
    assert desk.batch.state == "approved"
    assert [row.officer_id for row in signatures_of(desk.session, desk.batch.id)] == [1, 2, 3]
    assert entries(desk.session, desk.batch.id, "approve_batch") == 1
    states = select(Payout.state).where(Payout.batch_id == desk.batch.id)
    assert desk.session.scalars(states).all() == ["approved"] * 3
    engine.dispose()


def test_one_person_who_signs_by_two_signers_at_once_counts_once(
    desk: Desk, signing: tuple[Engine, Callable[[str], Callable[..., object]]]
) -> None:
    engine, work = signing

    outcome = together(engine, [work("officer 2"), work("officer 2's other")])

    assert [type(error) for error in outcome if error] == [AlreadyExists]
    assert len(signatures_of(desk.session, desk.batch.id)) == 1
    engine.dispose()


def test_nobody_is_asked_to_sign_a_draft_that_is_being_cancelled(
    desk: Desk, database_url: str
) -> None:
    """Its cases are free at once, since nobody was asked: a signature could pay them twice."""
    desk.session.commit()
    engine = create_database_engine(database_url)
    outcome: list[list[ReliefError | None]] = []

    def ask(session: Session) -> None:
        batch = session.get_one(Batch, desk.batch.id)
        Desk(session, batch, desk.manifests_dir, desk.clock).document()

    cancel_draft(desk.session, desk.batch.id, actor="li", reason="wrong list", clock=desk.clock)
    asking = threading.Thread(target=lambda: outcome.append(together(engine, [ask])))
    asking.start()
    while engine.dialect.name == "postgresql" and not somebody_waits(engine):
        assert asking.is_alive(), "nobody waited for the cancellation"
    desk.session.commit()
    asking.join(30)

    assert [type(error) for error in outcome[0]] == [IllegalTransition]
    desk.session.expire_all()
    assert desk.batch.signing_opened_at is None
    engine.dispose()


def somebody_waits(engine: Engine) -> bool:
    with engine.connect() as connection:
        return bool(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_a_batch_is_released_once(
    desk: Desk, signing: tuple[Engine, Callable[[str], Callable[..., object]]]
) -> None:
    engine, work = signing
    together(engine, [work(f"officer {n}") for n in (1, 2, 3)])

    def let_go(session: Session) -> None:
        release(session, desk.batch.id, actor="wang", clock=desk.clock)

    outcome = together(engine, [let_go, let_go])

    assert [type(error) for error in outcome if error] == [IllegalTransition]
    desk.session.expire_all()
    assert desk.batch.state == "released"
    assert entries(desk.session, desk.batch.id, "release_batch") == 1
    engine.dispose()
