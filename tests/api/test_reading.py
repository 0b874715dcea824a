"""Sessions that only read: they see what is committed, write nothing and wait for no writer."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.application.reading import read_sessions
from tests.api.conftest import Api
from tests.api.test_idempotency import order


def test_a_reading_session_refuses_to_write(api: Api) -> None:
    with read_sessions(api.application)() as session, pytest.raises(DBAPIError):
        session.execute(text("DELETE FROM api_tokens"))


def test_lists_are_read_while_somebody_writes(api: Api) -> None:
    api.ok("POST", "/v1/programmes", json=order())
    with api.application.transaction() as session:
        session.execute(text("UPDATE programmes SET name = 'Drought'"))
        listed = api.ok("GET", "/v1/programmes")["items"]
    assert [programme["name"] for programme in listed] == ["Flood"]
