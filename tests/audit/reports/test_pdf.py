"""The PDF: the same content, the same bytes, nothing that shows otherwise than it is."""

from __future__ import annotations

import re
from dataclasses import replace

from service.audit.findings import Code, Findings, Place
from service.audit.reports.content import content
from service.audit.reports.pdf import pdf
from tests.audit.reports.conftest import Told
from tests.audit.reports.reading import pdf_texts
from tests.audit.reports.test_page import HOSTILE, hostile


def pdf_of(told: Told) -> bytes:
    return pdf(content(told.report, told.series))


def test_two_runs_give_the_same_bytes_dated_by_the_last_block(told: Told) -> None:
    first = pdf_of(told)
    assert first == pdf_of(told)
    early = replace(told.report, timestamp=told.report.timestamp - 86_400)
    (date,) = re.findall(rb"/CreationDate \(D:(\d{8})", first)
    (before,) = re.findall(rb"/CreationDate \(D:(\d{8})", pdf_of(Told(early, told.series)))
    assert date > before


def test_every_page_is_numbered(told: Told) -> None:
    pages = pdf_texts(pdf_of(told))
    assert len(pages) > 3
    for number, page in enumerate(pages, 1):
        assert page.endswith(f"page {number} of \n{len(pages)}")


def test_it_says_what_the_page_says(told: Told) -> None:
    text = "\n".join(pdf_texts(pdf_of(told)))
    told_of = content(told.report, told.series)
    for words in (
        *(told_of.title, told_of.subtitle, told_of.verdict, told_of.warned, *told_of.notes),
        told.report.state_digest,
        told.report.to_block_hash,
        *(name for name, _ in told_of.totals),
        *(figure.title for figure in told_of.figures),
        *(cell for row in told_of.grants for cell in row),
    ):
        assert words in text
    for figure in told_of.figures:
        for row in figure.rows:
            assert "\n".join(row) in text


def test_hostile_text_shows_itself(told: Told) -> None:
    text = "".join(pdf_texts(pdf_of(hostile(told))))
    flat = text.replace("\n", "")
    for words in HOSTILE:
        assert flat.count(words) == 4
    assert "right \\u202eto left\\u202c" in flat
    assert "two\\nlines" in flat
    assert flat.count("x") > 99_000


def test_a_thousand_findings_are_all_there(told: Told) -> None:
    findings = Findings()
    for number in range(1_000):
        findings.error(Code.VIEW_MISMATCH, f"finding {number}.", Place(block=number))
    report = replace(told.report, findings=findings.items)
    text = "\n".join(pdf_texts(pdf_of(Told(report, told.series))))
    assert all(f"finding {number}." in text for number in range(1_000))
