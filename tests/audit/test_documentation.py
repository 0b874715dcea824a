"""docs/audit.md is complete: every code of a finding, every option, every exit code."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from service.audit.command import audit_app
from service.audit.findings import Code
from service.audit.meanings import GROUPS
from service.config import PROJECT_ROOT

TEXT = (PROJECT_ROOT / "docs" / "audit.md").read_text()


def test_every_code_is_explained_once_and_no_other() -> None:
    explained = re.findall(r"^\| `([a-z_]+)` \|", TEXT, re.MULTILINE)
    assert sorted(explained) == sorted(code.value for code in Code)


def test_it_says_of_each_code_what_reports_say_and_in_their_order() -> None:
    explained = {
        part.splitlines()[0]: re.findall(
            r"^\| `(\w+)` \| (?:warning: )?(.*) \|$", part, re.MULTILINE
        )
        for part in TEXT.split("## Findings\n")[1].split("\n## ")[0].split("### ")[1:]
    }
    assert explained == {
        title: [(code.value, meaning) for code, meaning in meanings.items()]
        for title, meanings in GROUPS.items()
    }


def test_warnings_are_marked() -> None:
    marked = set(re.findall(r"^\| `([a-z_]+)` \| warning:", TEXT, re.MULTILINE))
    source = "".join(
        path.read_text() for path in (PROJECT_ROOT / "service" / "audit").rglob("*.py")
    )
    given = re.findall(r"\.warning\(\s*Code\.([A-Z_]+)", source)
    assert marked == {name.lower() for name in given}


@pytest.mark.parametrize("name", get_command(audit_app).commands)  # type: ignore[attr-defined]
def test_every_option_is_named(name: str) -> None:
    command = get_command(audit_app).commands[name]  # type: ignore[attr-defined]
    options = {each for param in command.params for each in param.opts if each.startswith("--")}
    options -= {"--help"}
    assert {each for each in options if f"`{each}" in TEXT or f"{each} " in TEXT} == options


def test_the_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        name, _, place = link.partition("#")
        page = (PROJECT_ROOT / "docs" / (name or "audit.md")).read_text()
        assert not place or place in places(page), link


def test_the_contents_name_every_section_in_its_order() -> None:
    contents = TEXT.split("**On this page**")[1].split("\n## ")[0]
    assert re.findall(r"^- \[(.+)\]\(#.+\)$", contents, re.MULTILINE) == re.findall(
        r"^## (.+)$", TEXT, re.MULTILINE
    )


def places(page: str) -> set[str]:
    """Where a link can lead in a page: its headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
