from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from service.cli.main import app
from service.cli.reference import reference
from service.config import PROJECT_ROOT, Settings

TYPERS_OWN = {"help", "install_completion", "show_completion"}


def _walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _walk(child, (*path, name))


ROOT = typer.main.get_command(app)
COMMANDS = dict(_walk(ROOT))


def _section(path: tuple[str, ...]) -> str:
    text = (PROJECT_ROOT / "docs" / "cli.md").read_text()
    heading = "### `" + " ".join(("relief", *path)) + "`"
    assert heading in text, f"docs/cli.md lacks {heading}"
    return text.split(heading, 1)[1].split("\n### ", 1)[0]


def _ours(command: Any) -> bool:
    return not hasattr(command, "commands") and not command.hidden


@pytest.mark.parametrize("path", [p for p, c in COMMANDS.items() if _ours(c)], ids=" ".join)
def test_every_option_of_a_command_is_in_the_reference(path: tuple[str, ...]) -> None:
    section = _section(path)
    for parameter in COMMANDS[path].params:
        if parameter.name in TYPERS_OWN:
            continue
        for name in (*parameter.opts, *parameter.secondary_opts):
            if name.startswith("-"):
                assert f"`{name}`" in section, f"{path}: {name}"


def test_the_reference_is_what_the_commands_say() -> None:
    assert (PROJECT_ROOT / "docs" / "cli.md").read_text() == reference(), (
        "run `python -m service.cli.reference > docs/cli.md`"
    )


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "relief")
def test_every_command_and_option_has_help(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert command.help
    for parameter in command.params:
        if parameter.name not in TYPERS_OWN:
            assert parameter.help, f"{path}: {parameter.name}"


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "relief")
def test_help_is_printed(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    ROOT.main([*path, "--help"], standalone_mode=False)
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize("path", [p for p, c in COMMANDS.items() if _ours(c)], ids=" ".join)
def test_every_command_can_print_json(path: tuple[str, ...]) -> None:
    options = {name for parameter in COMMANDS[path].params for name in parameter.opts}
    assert "--json" in options


def test_every_setting_is_documented_and_nothing_else() -> None:
    text = (PROJECT_ROOT / "docs" / "configuration.md").read_text()
    documented = set(re.findall(r"^\| `(RELIEF_[A-Z_]+)`", text, re.MULTILINE))
    assert documented == {f"RELIEF_{name.upper()}" for name in Settings.model_fields}
