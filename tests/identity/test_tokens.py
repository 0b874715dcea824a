"""API tokens: shown once, kept as a hash, in force until revoked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from service.clock import ManualClock
from service.db import create_database_engine, session_factory
from service.errors import InvalidInput, NotFound, Unauthenticated
from service.identity.tokens import (
    authenticate,
    issue_token,
    list_tokens,
    record_use,
    revoke_token,
    use_is_due,
)

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    engine = create_database_engine(database_url)
    with session_factory(engine)() as opened:
        yield opened
    engine.dispose()


def test_a_token_authenticates_its_holder_and_is_stored_nowhere(session: Session) -> None:
    issued = issue_token(session, "Chen Wei")

    assert authenticate(session, issued.token).name == "Chen Wei"
    stored = session.execute(text("SELECT * FROM api_tokens")).one()
    assert not any(issued.token.removeprefix("relief_") in str(value) for value in stored)
    assert issued.token not in repr(issued)


@pytest.mark.parametrize("token", ["", "relief_", "relief_" + "A" * 43, "relief_" + "\u4e00" * 43])
def test_a_token_that_was_never_issued_is_refused(session: Session, token: str) -> None:
    issue_token(session, "Chen Wei")

    with pytest.raises(Unauthenticated):
        authenticate(session, token)


def test_a_revoked_token_is_refused_and_listed_only_on_demand(session: Session) -> None:
    issued, other = issue_token(session, "Chen Wei"), issue_token(session, "Chen Wei")
    revoke_token(session, issued.row.id)
    revoked_at = issued.row.revoked_at
    revoke_token(session, issued.row.id)

    with pytest.raises(Unauthenticated):
        authenticate(session, issued.token)
    assert issued.row.revoked_at == revoked_at
    assert [row.id for row in list_tokens(session)] == [other.row.id]
    assert len(list_tokens(session, include_revoked=True)) == 2


def test_use_is_recorded_once_a_minute(session: Session) -> None:
    clock = ManualClock(NOON)
    row = issue_token(session, "Chen Wei", clock=clock).row
    assert use_is_due(row, clock=clock)

    record_use(session, row.id, clock=clock)
    session.refresh(row)

    assert row.last_used_at == NOON
    clock.current = NOON + timedelta(seconds=59)
    assert not use_is_due(row, clock=clock)
    clock.current = NOON + timedelta(seconds=60)
    assert use_is_due(row, clock=clock)


def test_revoking_an_unknown_token_says_so(session: Session) -> None:
    with pytest.raises(NotFound):
        revoke_token(session, "none")


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb"])
def test_a_token_needs_a_printable_name(session: Session, name: str) -> None:
    with pytest.raises(InvalidInput):
        issue_token(session, name)
