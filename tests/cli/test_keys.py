from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import PASSPHRASE, Cli


def test_a_new_key_is_encrypted_private_listed_and_opens(cli: Cli) -> None:
    made = cli.ok("keys", "create", "officer-7")
    path = Path(made["path"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert '"crypto"' in path.read_text()
    assert [key["name"] for key in cli.ok("keys", "list")["items"]] == ["officer-7"]
    shown = cli.ok("keys", "show", "officer-7", "--check")
    assert shown["opens"] is True
    assert shown["address"] == made["address"]


def test_a_name_is_used_once(cli: Cli) -> None:
    cli.ok("keys", "create", "officer-7")
    ran = cli("keys", "create", "officer-7")
    assert ran.code == 1
    assert ran.out == ""


def test_a_private_key_comes_by_stdin_never_by_the_command_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("0x" + "11" * 32 + "\n"))
    made = cli.ok("keys", "import", "bank")
    assert made["address"] == "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
    monkeypatch.setattr("sys.stdin", io.StringIO("no key\n"))
    assert cli("keys", "import", "other").code == 2


def test_a_keystore_of_another_wallet_is_taken_over(cli: Cli, tmp_path: Path) -> None:
    made = cli.ok("keys", "create", "first")
    passphrase = tmp_path / "theirs"
    passphrase.write_text(PASSPHRASE)
    passphrase.chmod(0o600)
    taken = cli.ok("keys", "import", "second", made["path"], "--file-passphrase-file", passphrase)
    assert taken["address"] == made["address"]


def test_an_unknown_keystore_is_not_found(cli: Cli) -> None:
    assert cli("keys", "show", "nobody").code == 1


def test_everything_else_is_checked_before_a_passphrase_is_asked_for(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_args: object, **_options: object) -> str:
        pytest.fail("a passphrase was asked for")

    cli.ok("keys", "create", "officer-7")
    monkeypatch.setattr("typer.prompt", ask)
    monkeypatch.setattr("service.application.context.read_service_passphrase", ask)
    (tmp_path / "notes.json").write_text("{}")
    missing = cli("keys", "import", "other", tmp_path / "missing.json")
    assert (missing.code, "missing.json cannot be read" in missing.err) == (2, True)
    no_keystore = cli("keys", "import", "other", tmp_path / "notes.json")
    assert (no_keystore.code, "no V3 keystore" in no_keystore.err) == (2, True)
    assert cli("keys", "import", "officer-7", tmp_path / "notes.json").code == 1
    assert cli("keys", "create", "officer-7").code == 1
    assert cli("keys", "create", "Officer 8").code == 2
