"""Whatever is wrong around a command is said in a sentence and an exit code, not a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import text

from service.application.context import Application
from service.config import PROJECT_ROOT, Settings
from tests.cli.conftest import ROOT, Cli
from tests.conftest import PostgresServer

RELIEF = Path(sys.executable).parent / "relief"
OTHER_ENCODINGS = (
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
)


def relief(
    *args: str, settings: Mapping[str, str | Path], **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the installed command in a process of its own."""
    clean = {n: v for n, v in os.environ.items() if not n.startswith(("RELIEF_", "LC_", "PYTHON"))}
    told = {f"RELIEF_{name}": str(value) for name, value in settings.items()}
    return subprocess.run(
        [RELIEF, *args],
        env=clean | told | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )


# ---- Encodings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", OTHER_ENCODINGS, ids=["ascii", "C"])
def test_json_is_utf8_and_tables_escape_in_a_terminal_of_another_encoding(
    cli: Cli, tmp_path: Path, environment: dict[str, str]
) -> None:
    cli.ok("token", "issue", "王芳")
    ran = relief("token", "list", "--json", settings={"DATA_DIR": tmp_path}, **environment)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.decode("utf-8"))["items"][0]["name"] == "王芳"
    ran = relief("token", "list", settings={"DATA_DIR": tmp_path}, **environment)
    assert ran.returncode == 0, ran.stderr
    assert b"\\u738b\\u82b3" in ran.stdout


def test_a_note_that_cannot_be_shown_does_not_fail_a_command_that_has_committed(
    cli: Cli, tmp_path: Path
) -> None:
    ran = relief(
        "token", "issue", "王芳", settings={"DATA_DIR": tmp_path}, PYTHONIOENCODING="ascii"
    )
    assert ran.returncode == 0, ran.stderr
    assert b"\\u738b\\u82b3" in ran.stderr
    assert len(cli.ok("token", "list")["items"]) == 1


def test_an_argument_that_the_locale_cannot_read_is_wrong_input(cli: Cli, tmp_path: Path) -> None:
    ran = relief("cases", "show", "王芳", settings={"DATA_DIR": tmp_path}, **OTHER_ENCODINGS[1])
    assert ran.returncode == 2, ran.stderr
    assert b"use a UTF-8 one" in ran.stderr


# ---- Settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("LEASE_SECONDS", "soon"),
        ("DATABSE_URL", "sqlite:///x.db"),
        ("DATABASE_URL", "mysql://x"),
        ("DATABASE_URL", "sqlite:////nowhere/x.db"),
        ("DATA_DIR", "/dev/null/x"),
    ],
)
def test_a_wrong_setting_is_named_and_ends_with_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], setting: str, value: str
) -> None:
    monkeypatch.setenv(f"RELIEF_{setting}", value)
    assert ROOT.main(["cases", "list", "--json"], standalone_mode=False) == 3
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert error["code"] == "configuration_error"
    assert f"RELIEF_{setting}" in error["detail"]
    assert error["detail"].split()[0] in err


def test_a_folder_that_cannot_be_written_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cli.app.settings.keys_dir = tmp_path / "file" / "keys"
    ran = cli("keys", "create", "officer-1")
    assert (ran.code, ran.out) == (3, "")
    assert f"{tmp_path / 'file'}" in ran.err
    assert "Not a directory" in ran.err


def test_help_needs_no_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELIEF_LEASE_SECONDS", "soon")
    ROOT.main(["cases", "list", "--help"], standalone_mode=False)
    assert "--state" in capsys.readouterr().out


# ---- The database's version --------------------------------------------------------------------


@pytest.fixture
def newer(application: Application) -> Application:
    """A database that a newer version has changed."""
    with application.engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('9999')"))
        connection.execute(text("ALTER TABLE api_tokens RENAME COLUMN name TO speaks_for"))
    return application


@pytest.mark.parametrize("command", [("init",), ("token", "list")], ids=" ".join)
def test_a_database_of_a_newer_version_is_not_to_be_made_by_init(
    newer: Application, cli: Cli, command: tuple[str, ...]
) -> None:
    ran = cli(*command)
    assert ran.code == 3
    assert "9999" in ran.err
    assert "relief init" not in ran.err


def test_doctor_tells_a_newer_database_from_an_older_one(newer: Application, cli: Cli) -> None:
    checks = {check["name"]: check for check in cli("doctor", "--json").json["checks"]}
    assert "newer" in checks["version"]["detail"]


def test_init_that_cannot_change_the_database_does_not_name_itself(cli: Cli) -> None:
    ran = cli("init")  # the tables are there, and no version
    assert ran.code == 3
    assert "already exists" in ran.err
    assert "relief init" not in ran.err


@pytest.mark.parametrize("command", [("init",), ("token", "list")], ids=" ".join)
def test_a_missing_postgresql_database_is_no_matter_of_init(
    postgres_server: PostgresServer,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
) -> None:
    settings.database_url = postgres_server.url("absent")
    with Application(settings) as application:
        ran = Cli(application, capsys)(*command)
    assert ran.code == 3
    assert "does not exist" in ran.err
    assert "relief init" not in ran.err


def test_a_postgresql_database_without_tables_is(
    postgres_url: str, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.database_url = postgres_url
    with Application(settings) as application:
        ran = Cli(application, capsys)("token", "list")
    assert ran.code == 3
    assert "run `relief init`" in ran.err


# ---- Command lines -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("cases", "list", "--bogus"), "--bogus"),
        (("cases", "bogus"), "bogus"),
        (("bogus",), "bogus"),
        (("cases", "list", "--limit", "x"), "--limit"),
        (("audit", "replay"), "--rpc"),
    ],
)
def test_a_wrong_command_line_is_a_document_where_json_is_asked_for(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...], words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        ROOT.main([*command, "--json"])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    error: dict[str, Any] = json.loads(out)["error"]
    assert error["code"] == "invalid_input"
    assert words in error["detail"]
    assert words in err


def test_a_wrong_command_line_leaves_stdout_empty_without_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.TyperException):
        ROOT.main(["cases", "bogus"], standalone_mode=False)
    assert capsys.readouterr().out == ""


# ---- Interrupts --------------------------------------------------------------------------------


def test_an_interrupt_while_the_command_still_starts_ends_it_quietly(tmp_path: Path) -> None:
    marker = tmp_path / "importing"
    # As Python starts the command, and a module on the way that takes its time.
    code = f"""
import sys, time, pathlib, importlib.abc, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "service.cli.main":
            pathlib.Path({str(marker)!r}).touch()
            time.sleep(60)
sys.meta_path.insert(0, Slow())
from service.cli.entry import main
main()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 30
    while not marker.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"")
