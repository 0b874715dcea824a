"""The page: one file that runs nothing and fetches nothing, whatever it is told."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import asdict, replace
from decimal import Decimal
from itertools import pairwise

import pytest

from service.audit.findings import Code, Findings, Place
from service.audit.reports.content import content
from service.audit.reports.page import page
from service.audit.reports.series import Series
from service.audit.reports.style import DARK, LIGHT
from tests.audit.reports.conftest import Told
from tests.audit.reports.reading import Page

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></title></svg><!--",
    "&lt;b&gt; &#x202e; {nb}",
)


def hostile(told: Told) -> Told:
    findings = Findings()
    for text in HOSTILE:
        findings.error(Code.VIEW_MISMATCH, text, Place(block=7, tx=text), expected=text, found=text)
    findings.error(Code.SKIP_MISMATCH, "right \u202eto left\u202c", found="two\nlines")
    findings.warning(Code.EVIDENCE_WEAK, "x" * 100_000)
    return Told(replace(told.report, findings=findings.items), told.series)


def page_of(told: Told) -> str:
    return page(content(told.report, told.series)).decode()


@pytest.fixture(scope="module")
def shown(told: Told) -> Page:
    return Page(page_of(told))


def test_two_runs_give_the_same_bytes(told: Told) -> None:
    assert page_of(told) == page_of(told)


def test_the_policy_allows_one_style_sheet_and_nothing_else(told: Told) -> None:
    text = page_of(told)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in text
    assert text.index("Content-Security-Policy") < text.index("<style>")
    assert "url(" not in style
    assert "@import" not in style


def require_harmless(found: Page) -> None:
    assert not set(found.tags) & {"script", "img", "iframe", "object", "link", "base", "form"}
    for tag, name, value in found.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("style", "src", "xlink:href"), (tag, name)
        if name == "href":
            assert value is not None
            assert value.startswith("#")


def test_it_runs_nothing_and_fetches_nothing(shown: Page) -> None:
    require_harmless(shown)


def test_hostile_text_is_text(told: Told) -> None:
    found = Page(page_of(hostile(told)))
    require_harmless(found)
    words = "".join(found.words)
    for text in HOSTILE:
        # As message, in the transaction's place, expected and found.
        assert words.count(text) == 4
    assert "right \\u202eto left\\u202c" in words
    assert "two\\nlines" in words
    assert not {"\u202e", "\u202c"} & set(words)
    assert "x" * 100_000 in words


def test_it_begins_with_the_verdict(told: Told, shown: Page) -> None:
    words = [word.strip() for word in shown.words if word.strip()]
    assert words[:2] == [
        "Audit of a relief programme: No differences",
        "Audit of a relief programme",
    ]
    assert words[2].startswith(f"Chain 31337, up to block {told.report.to_block} of 20")
    assert words[3:6] == [
        "No differences",
        "No warnings",
        "no manifests given: that no case was paid twice is not proven",
    ]
    bad = "".join(Page(page_of(hostile(told))).words)
    assert "6 differences" in bad
    assert "1 warning: something could not be proven" in bad


def test_every_fact_of_the_replay_is_there(told: Told, shown: Page) -> None:
    report, words = told.report, "".join(shown.words)
    for fact in (
        report.state_digest,
        report.to_block_hash,
        *report.addresses.values(),
        *report.code_hashes.values(),
    ):
        assert fact in words
    for name in asdict(report.totals):
        assert name.removesuffix("_base_units").replace("_", " ") in words


def test_each_chart_has_a_name_a_description_and_its_numbers(shown: Page) -> None:
    drawn = [value for tag, name, value in shown.attributes if (tag, name) == ("svg", "role")]
    assert drawn == ["img"] * 18
    assert shown.tags.count("figure") == 9
    assert shown.tags.count("details") == 9
    labels = [v for t, n, v in shown.attributes if (t, n) == ("svg", "aria-labelledby")]
    ids = [value for _, name, value in shown.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {part for label in labels for part in str(label).split()} <= set(ids)


def amounts(row: list[str]) -> list[Decimal]:
    return [Decimal(cell.replace(",", "")) for cell in row]


def test_the_tables_sum_to_the_totals(told: Told, shown: Page) -> None:
    totals, tables = told.report.totals, shown.tables
    minted = Decimal(totals.minted_base_units).scaleb(-6)
    for by in ("programme", "region"):
        headings, *rows = tables[f"Money paid by {by}"]
        assert headings[-1] == "total"
        for row in rows:
            assert sum(amounts(row[1:-1])) == amounts(row[-1:])[0]
        assert sum(amounts(row[-1:])[0] for row in rows[:-1]) == amounts(rows[-1][-1:])[0] == minted
    flows = tables["Money approved, paid and given back"]
    assert flows[0][1:] == ["approved", "paid", "withdrawn", "granted", "returned", "expired"]
    by_column = [sum(column) for column in zip(*(amounts(r[1:]) for r in flows[1:-1]), strict=True)]
    assert by_column == amounts(flows[-1][1:])
    assert sum(by_column[1:4]) == minted
    stands = tables["Where approved money stands"]
    assert stands[0][1] == "approved"
    for row in stands[1:]:
        approved, *parts = amounts(row[1:])
        assert sum(parts) == approved
    granted = tables["Emergency grants by officer"]
    assert amounts(granted[-1][-1:]) == [Decimal(totals.granted_base_units).scaleb(-6)]
    last = tables["Reserve headroom"][-1]
    reserve = tables["The reserve, and what stands against it"][-1]
    supply, commitments, attested = amounts(reserve[2:])
    assert amounts(last[2:]) == [attested - supply - commitments]


def test_grants_nobody_countersigned_are_listed(shown: Page) -> None:
    _, *rows = shown.tables["Grants not countersigned"]
    assert [row[1] for row in rows] == ["overdue", "outstanding"]
    assert [row[-1] for row in rows] == ["300.00", "1,500.00"]


def test_where_nothing_happened_it_says_so(told: Told) -> None:
    found = Page(page(content(told.report, Series())).decode())
    assert "".join(found.words).count("Nothing of this happened up to the last block.") == 8


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [value / 255 for value in bytes.fromhex(colour[1:])]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_texts_and_colours_stand_out_from_their_ground(colours: dict[str, str]) -> None:
    for ground in ("surface", "track"):
        for role in ("ink", "muted", "bad", "good"):
            assert contrast(colours[role], colours[ground]) >= 4.5, (role, ground)
    for number in range(7):
        assert contrast(colours[f"s{number}"], colours["surface"]) >= 2, number


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_neighbours_in_a_bar_differ_in_more_than_hue(colours: dict[str, str]) -> None:
    for one, other in pairwise(colours[f"s{number}"] for number in range(7)):
        assert contrast(one, other) > 1.2
