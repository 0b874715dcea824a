from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from service.application.context import Application
from service.application.doctor import examination
from service.cli.main import app as command_line
from service.config import Settings
from service.errors import (
    ChainRefused,
    ChainUnavailable,
    ConfigurationError,
    InvalidInput,
    LimitExceeded,
    NotFound,
    ReliefError,
)
from tests.cli.conftest import PASSPHRASE, Cli


def test_init_makes_database_and_keyring_and_then_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text(PASSPHRASE)
    passphrase.chmod(0o600)
    settings = Settings(data_dir=tmp_path / "data", key_passphrase_file=passphrase)
    with Application(settings) as application:
        cli = Cli(application, capsys)
        first = cli.ok("init")
        assert first["revision_before"] is None
        assert first["keyring_created"]
        second = cli.ok("init")
        assert second["revision_before"] == second["revision"] == first["revision"]
        assert not second["keyring_created"]
        assert cli.ok("cases", "list")["count"] == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("x"), 2),
        (NotFound("x"), 1),
        (LimitExceeded("x"), 1),
        (ChainRefused("x"), 1),
        (ChainUnavailable("x"), 3),
        (ConfigurationError("x"), 3),
    ],
)
def test_each_error_has_its_exit_code_and_leaves_stdout_empty(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: ReliefError, code: int
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise error

    monkeypatch.setattr(examination, "examine", fail)
    ran = cli("doctor")
    assert (ran.code, ran.out) == (code, "")
    assert error.title in ran.err
    ran = cli("doctor", "--json")
    assert ran.json["error"]["code"] == error.code


def test_a_database_without_tables_says_what_to_do(cli: Cli) -> None:
    with cli.app.engine.begin() as connection:
        connection.execute(text("PRAGMA foreign_keys=OFF"))
        connection.execute(text("DROP TABLE cases"))
    ran = cli("cases", "list")
    assert ran.code == 3
    assert "relief init" in ran.err


def test_a_node_that_does_not_answer_is_unavailable(cli: Cli) -> None:
    ran = cli("reserve", "show")
    assert (ran.code, ran.out) == (3, "")


def test_quiet_leaves_stderr_empty(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    command_line(["--quiet", "cases", "list"], standalone_mode=False, obj=cli.app)
    assert capsys.readouterr().err == ""


def test_notes_never_go_to_stdout(cli: Cli) -> None:
    ran = cli("cases", "list")
    assert "0 of 0 cases" in ran.err
    assert "0 of 0 cases" not in ran.out


def test_a_passphrase_file_open_to_others_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "passphrase").chmod(0o644)
    ran = cli("keys", "create", "officer-1")
    assert ran.code == 3
    assert "chmod 600" in ran.err


def test_the_worker_opens_no_officers_keystore(cli: Cli) -> None:
    cli.ok("keys", "create", "officer-1")
    ran = cli("worker", "run", "--until-idle")
    assert ran.code == 3
    assert "relayer" in ran.err


def test_a_worker_does_not_begin_on_a_database_of_another_version(cli: Cli) -> None:
    with sqlite3.connect(cli.app.settings.data_dir / "relief.db") as database:
        database.execute("CREATE TABLE alembic_version AS SELECT '0001' AS version_num")
    database.close()
    ran = cli("worker", "run", "--until-idle")
    assert ran.code == 3
    assert "the database is at version 0001, not " in ran.err
    assert "run `relief init`" in ran.err
