"""The migrations go up, down and up again, and lead to the tables that the models describe."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from types import ModuleType

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from service.config import PROJECT_ROOT
from service.db import Amount, Base, UtcDateTime, create_database_engine


@pytest.fixture
def engine(blank_database_url: str) -> Iterator[Engine]:
    made = create_database_engine(blank_database_url)
    yield made
    made.dispose()


def config_for(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(PROJECT_ROOT / "migrations"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def tables_of(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def differences(engine: Engine) -> list[object]:
    import_models()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


def import_models() -> None:
    for path in sorted((PROJECT_ROOT / "service").glob("*/models.py")):
        importlib.import_module(f"service.{path.parent.name}.models")


def test_the_migrations_go_up_down_and_up_again(blank_database_url: str, engine: Engine) -> None:
    config = config_for(blank_database_url)

    command.upgrade(config, "head")
    first = tables_of(engine)
    command.downgrade(config, "base")
    emptied = tables_of(engine)
    command.upgrade(config, "head")

    assert first
    assert emptied == set()
    assert tables_of(engine) == first


def test_the_migrations_lead_to_the_tables_of_the_models(
    blank_database_url: str, engine: Engine
) -> None:
    command.upgrade(config_for(blank_database_url), "head")

    assert differences(engine) == []


def test_migrated_tables_are_those_of_the_models_to_the_letter(
    blank_database_url: str, engine: Engine
) -> None:
    """Names, types, defaults, constraints with their conditions, indexes with theirs."""
    config = config_for(blank_database_url)
    command.upgrade(config, "head")
    migrated = described(engine)
    command.downgrade(config, "base")
    import_models()
    Base.metadata.create_all(engine)

    assert migrated
    assert migrated == described(engine)


def described(engine: Engine) -> set[tuple[str, ...]]:
    """What the database itself says of its tables, one fact a member."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            rows = connection.execute(text(SQLITE_FACTS)).all()
            # One column or constraint each; their order in the table means nothing, and one that
            # was added later stands on the line of another.
            facts = {
                (name, fact.strip(" ,\t").replace('"', ""))
                for name, sql in rows
                for fact in re.split(r"\n|,(?![^(]*\))", sql)
            }
        else:
            facts = {tuple(map(str, row)) for row in connection.execute(text(POSTGRES_FACTS))}
    return {fact for fact in facts if not fact[0].startswith("alembic_version")}


SQLITE_FACTS = "SELECT tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
POSTGRES_FACTS = """
SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision,
       numeric_scale, is_nullable, column_default
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), NULL, NULL, NULL, NULL, NULL
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT tablename, indexname, indexdef, NULL, NULL, NULL, NULL, NULL
FROM pg_indexes WHERE schemaname = 'public'
"""


def test_every_model_stands_where_the_migrations_look_for_it() -> None:
    tables = (PROJECT_ROOT / "service").rglob("*.py")
    with_tables = {path for path in tables if "__tablename__ =" in path.read_text()}

    assert with_tables == set((PROJECT_ROOT / "service").glob("*/models.py"))


def test_migrating_twice_changes_nothing(blank_database_url: str, engine: Engine) -> None:
    config = config_for(blank_database_url)
    command.upgrade(config, "head")

    command.upgrade(config, "head")

    with engine.connect() as connection:
        versions = connection.execute(text("SELECT version_num FROM alembic_version")).all()
    assert len(versions) == 1


def test_there_is_one_head() -> None:
    script = ScriptDirectory.from_config(config_for("sqlite://"))

    assert len(script.get_heads()) == 1


def revisions() -> list[str]:
    script = ScriptDirectory.from_config(config_for("sqlite://"))
    return [revision.path for revision in script.walk_revisions()]


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("revision_under_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", revisions(), ids=lambda path: path.rsplit("/", 1)[-1])
def test_a_migration_does_not_import_the_service(path: str) -> None:
    module = load(path)

    names = {getattr(value, "__module__", "") or "" for value in vars(module).values()}
    assert not any(name.startswith("service") for name in names)
    assert Amount not in vars(module).values()
    assert UtcDateTime not in vars(module).values()
