"""The migrations go up, down and up again, and lead to the tables that the models describe."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from types import ModuleType

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Engine, inspect, text

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


def test_each_table_has_the_check_constraints_of_its_model(
    blank_database_url: str, engine: Engine
) -> None:
    # Alembic does not compare these.
    command.upgrade(config_for(blank_database_url), "head")
    import_models()
    inspector = inspect(engine)

    for table in Base.metadata.sorted_tables:
        of_model = {
            str(constraint.name)
            for constraint in table.constraints
            if isinstance(constraint, CheckConstraint)
        }
        in_database = {found["name"] for found in inspector.get_check_constraints(table.name)}
        assert in_database == of_model, table.name


def test_the_partial_unique_indexes_keep_their_conditions(
    blank_database_url: str, engine: Engine
) -> None:
    command.upgrade(config_for(blank_database_url), "head")
    import_models()
    inspector = inspect(engine)

    for table in Base.metadata.sorted_tables:
        of_model = {
            index.name
            for index in table.indexes
            if index.dialect_options[engine.dialect.name]["where"] is not None
        }
        in_database = {
            found["name"]
            for found in inspector.get_indexes(table.name)
            if found.get("dialect_options", {}).get(f"{engine.dialect.name}_where") is not None
        }
        assert in_database == of_model, table.name


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
