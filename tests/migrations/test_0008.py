"""What holds a chunk is written by PostgreSQL as it is, from the migration on."""

from __future__ import annotations

from alembic import command
from sqlalchemy import Engine, text

from service.db import create_database_engine
from tests.migrations.test_migrations import config_for


def storage(engine: Engine) -> dict[str, str]:
    """How each of the columns is stored: ``x`` with an attempt to compress it, ``e`` without."""
    wanted = text(
        "SELECT attrelid::regclass || '.' || attname, attstorage::text FROM pg_attribute "
        "WHERE (attrelid::regclass::text, attname) IN (('chunks', 'entries'), ('events', 'args'), "
        "('transactions', 'calldata'), ('transaction_attempts', 'raw'))"
    )
    with engine.connect() as connection:
        return {name: how for name, how in connection.execute(wanted)}  # noqa: C416 - rows are no tuples


def test_chunks_are_not_compressed_after_it_and_are_before_it(postgres_url: str) -> None:
    engine, config = create_database_engine(postgres_url), config_for(postgres_url)
    command.upgrade(config, "head")
    now = storage(engine)
    command.downgrade(config, "0007")
    before = storage(engine)
    engine.dispose()
    assert len(now) == 4
    assert set(now.values()) == {"e"}
    assert set(before.values()) == {"x"}
