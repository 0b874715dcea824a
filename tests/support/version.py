"""A database said to be at a version, as the migrations leave it."""

from __future__ import annotations

from sqlalchemy import Engine, text

from service.application.database import head_revision


def stamp(engine: Engine, version: str | None = None) -> None:
    """Say that a database is at a version; the newest when None."""
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32))")
        )
        connection.execute(text("DELETE FROM alembic_version"))
        connection.execute(
            text("INSERT INTO alembic_version VALUES (:version)"),
            {"version": version or head_revision("")},
        )
