"""The database's version: migrating it, telling whether it is there, and what a refusal means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from service.config import PROJECT_ROOT
from service.errors import ConfigurationError, IntegrityError, ReliefError

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


def migrate_to_head(engine: Engine) -> None:
    """Bring a database to the newest version; one that is there already stays as it is.

    Raises
    ------
    ConfigurationError
        When a newer Relief made the database, or it cannot be changed.
    """
    from alembic import command

    url = engine.url.render_as_string(hide_password=False)
    if (newer := newer_revision(engine)) is not None:
        raise _made_by_a_newer_one(newer)
    try:
        command.upgrade(alembic_config(url), "head")
    except DBAPIError as error:
        raise ConfigurationError(
            f"the database cannot be brought to the newest version: {_first_line(error)}"
        ) from error


def head_revision(database_url: str) -> str | None:
    """Return the newest version that the migrations know."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(alembic_config(database_url)).get_current_head()


def current_revision(engine: Engine) -> str | None:
    """Return the version a database is at, None for an empty one."""
    with engine.connect() as connection:
        return revision_of(connection)


def revision_of(connection: Connection) -> str | None:
    """Return the version of the database that a connection leads to, None for an empty one."""
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def newer_revision(engine: Engine) -> str | None:
    """Return the version a database is at where the migrations here do not know it, else None."""
    from alembic.script import ScriptDirectory

    current = current_revision(engine)
    scripts = ScriptDirectory.from_config(alembic_config(""))
    known = {script.revision for script in scripts.walk_revisions()}
    return None if current in known else current


def require_present_version(engine: Engine) -> None:
    """Refuse to begin long work on a database that another version of Relief made.

    One that no version made is told by its first statement.

    Raises
    ------
    ConfigurationError
        When it is older, or newer.
    """
    current, head = current_revision(engine), head_revision("")
    if current in (None, head):
        return
    if (newer := newer_revision(engine)) is not None:
        raise _made_by_a_newer_one(newer)
    raise ConfigurationError(f"the database is at version {current}, not {head}: run `relief init`")


# ---- What the database refused -----------------------------------------------------------------

SCHEMA_DIFFERS_WORDS = ("no such table", "no such column", "ON CONFLICT clause does not match")
"""What SQLite says when tables, columns or keys are not what we expect."""

SCHEMA_DIFFERS_STATES = ("42P01", "42703", "42P10")
"""PostgreSQL's SQLSTATE for the same: undefined table, undefined column, no such key."""


def database_error(error: DBAPIError, engine: Engine) -> ReliefError:
    """Say in the service's words what the database refused."""
    cause = _first_line(error)
    if _schema_differs(error):
        newer = newer_revision(engine)
        if newer is not None:
            return _made_by_a_newer_one(newer)
        return ConfigurationError(
            f"the database is not at the present version ({cause}): run `relief init`"
        )
    if isinstance(error, OperationalError):
        return ConfigurationError(
            f"the database (RELIEF_DATABASE_URL) does not answer as it should: {cause}"
        )
    return IntegrityError(f"the database refuses: {cause}")


def _schema_differs(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) in SCHEMA_DIFFERS_STATES:
        return True
    return any(words in _first_line(error) for words in SCHEMA_DIFFERS_WORDS)


def _made_by_a_newer_one(revision: str) -> ConfigurationError:
    return ConfigurationError(
        f"the database is at version {revision}, which this Relief does not know: a newer one "
        "brought it there; use that one, or a backup from before"
    )


def _first_line(error: DBAPIError) -> str:
    return str(error.orig or error).strip().split("\n", maxsplit=1)[0]
