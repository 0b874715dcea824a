"""The database's version: migrating it to the newest, and telling whether it is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from service.config import PROJECT_ROOT
from service.errors import ConfigurationError

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS_DIR = PROJECT_ROOT / "migrations"


def alembic_config(database_url: str, migrations_dir: Path = MIGRATIONS_DIR) -> Config:
    """Return Alembic's configuration for one database, without any file.

    Raises
    ------
    ConfigurationError
        When the folder of migrations is missing.
    """
    from alembic.config import Config

    if not (migrations_dir / "env.py").exists():
        raise ConfigurationError(f"there are no migrations in {migrations_dir}")
    config = Config()
    config.set_main_option("script_location", str(migrations_dir).replace("%", "%%"))
    config.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    return config


def migrate_to_head(database_url: str) -> None:
    """Bring a database to the newest version; one that is there already stays as it is."""
    from alembic import command

    command.upgrade(alembic_config(database_url), "head")


def head_revision(database_url: str) -> str | None:
    """Return the newest version that the migrations know."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(alembic_config(database_url)).get_current_head()


def current_revision(engine: Engine) -> str | None:
    """Return the version a database is at, None for an empty one."""
    from alembic.runtime.migration import MigrationContext

    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
