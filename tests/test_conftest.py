"""The database fixtures give what they promise."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect, text

from service.db import Base, create_database_engine


def test_a_blank_database_is_empty(blank_database_url: str) -> None:
    engine = create_database_engine(blank_database_url)

    assert inspect(engine).get_table_names() == []
    engine.dispose()


@pytest.mark.parametrize("use", ["first", "second"])
def test_a_database_has_every_table_and_nothing_of_the_test_before(
    database_url: str, use: str
) -> None:
    engine = create_database_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE left_by_a_test (name TEXT)"))

    tables = set(inspect(engine).get_table_names())
    assert tables == {"left_by_a_test", *Base.metadata.tables}
    engine.dispose()
