"""Reading the passphrase of the service's keys."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import pytest

from service.config import Settings
from service.errors import ConfigurationError
from service.privacy import read_passphrase


def _file(tmp_path: Path, text: str, mode: int = 0o600) -> Settings:
    path = tmp_path / "passphrase"
    path.write_text(text)
    path.chmod(mode)
    return Settings(key_passphrase_file=path)


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_passphrase_is_read_from_its_file_without_the_line_end(tmp_path: Path, end: str) -> None:
    assert read_passphrase(_file(tmp_path, f" spaces stay {end}")) == " spaces stay "


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_passphrase_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_passphrase(_file(tmp_path, "secret words", mode))


def test_a_missing_or_empty_passphrase_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_passphrase(Settings(key_passphrase_file=tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="is empty"):
        read_passphrase(_file(tmp_path, "\n"))


def test_without_a_file_the_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: "typed secret")
    assert read_passphrase(Settings(key_passphrase_file=None)) == "typed secret"


def test_without_file_and_terminal_there_is_no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(ConfigurationError, match="RELIEF_KEY_PASSPHRASE_FILE"):
        read_passphrase(Settings(key_passphrase_file=None))
