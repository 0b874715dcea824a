"""Alembic's environment: all models of the service, SQLite in batch mode, one migrator at a time.

The database is the configuration's ``sqlalchemy.url``, else the settings'. Write a new migration
with ``.venv/bin/alembic revision --autogenerate -m "what it does"`` against a database at the
newest version, and read it before committing it.
"""

from __future__ import annotations

import importlib
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from service.config import PROJECT_ROOT, get_settings
from service.db import Amount, Base, UtcDateTime, create_database_engine

MIGRATION_LOCK = 0x52454C49  # "RELI", any number that nothing else locks

for path in sorted((PROJECT_ROOT / "service").glob("*/models.py")):
    importlib.import_module(f"service.{path.parent.name}.models")


def render_item(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Write our column types as plain ones: a migration must not change with our code."""
    if kind == "type" and isinstance(item, Amount):
        return 'sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite")'
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "render_item": render_item,
    # SQLite cannot alter a constraint: the table is made anew, with its rows.
    "render_as_batch": True,
    "compare_type": True,
}


def migrate_offline(url: str) -> None:
    """Write the statements instead of running them (``--sql``)."""
    context.configure(url=url, literal_binds=True, dialect_opts={"paramstyle": "named"}, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def migrate(connection: Connection) -> None:
    """Run the migrations: all in one transaction, or none."""
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite:
        # Before BEGIN, where it still counts: a table made anew is dropped first.
        connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
    context.configure(connection=connection, **OPTIONS)
    with context.begin_transaction():
        if not is_sqlite:  # SQLite's BEGIN IMMEDIATE has locked already
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        context.run_migrations()
        if is_sqlite:
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if broken:
                raise RuntimeError(f"the migration leaves rows that point nowhere: {broken[:5]}")


# Started from pyproject.toml there is no such section at all.
given_url = context.config.file_config.get("alembic", "sqlalchemy.url", fallback=None)
url = given_url or get_settings().resolved_database_url
if context.is_offline_mode():
    migrate_offline(url)
else:
    engine = create_database_engine(url)
    try:
        with engine.connect() as connection:
            migrate(connection)
    finally:
        engine.dispose()
