"""docs/audit.md is complete: every code of a finding, every option, every exit code."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from service.audit.command import audit_app
from service.audit.findings import Code
from service.config import PROJECT_ROOT

TEXT = (PROJECT_ROOT / "docs" / "audit.md").read_text()


def test_every_code_is_explained_once_and_no_other() -> None:
    explained = re.findall(r"^\| `([a-z_]+)` \|", TEXT, re.MULTILINE)
    assert sorted(explained) == sorted(code.value for code in Code)


def test_warnings_are_marked() -> None:
    marked = set(re.findall(r"^\| `([a-z_]+)` \| warning:", TEXT, re.MULTILINE))
    source = "".join(path.read_text() for path in (PROJECT_ROOT / "service" / "audit").glob("*.py"))
    given = re.findall(r"\.warning\(\s*Code\.([A-Z_]+)", source)
    assert marked == {name.lower() for name in given}


@pytest.mark.parametrize("name", ["replay", "prove", "verify-proof"])
def test_every_option_is_named(name: str) -> None:
    command = get_command(audit_app).commands[name]  # type: ignore[attr-defined]
    options = {name for each in command.params for name in each.opts if name.startswith("--")}
    assert {name for name in options if f"`{name}" in TEXT or f"{name} " in TEXT} == options


def test_the_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (PROJECT_ROOT / "docs" / link).is_file()
