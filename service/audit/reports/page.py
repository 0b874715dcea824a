"""The report as one HTML file: no script, nothing from elsewhere, and a policy that says so."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

from service.audit.findings import Finding
from service.audit.reports.content import Content, Group, where
from service.audit.reports.figure import Figure, Row
from service.audit.reports.style import STYLE
from service.audit.reports.svg import escape, svg

WIDE, NARROW = 720.0, 330.0
"""Pixels for which each chart is drawn: a desk or paper, and a phone."""

HEX = re.compile(r"(0x[0-9a-fA-F]{16,})")
SECTIONS = (
    ("replayed", "What was replayed"),
    ("totals", "Totals"),
    ("charts", "Charts"),
    ("findings", "Findings"),
    ("grants", "Grants not countersigned"),
    ("checking", "How to check this report"),
)


def page(content: Content) -> bytes:
    """Return the whole file, UTF-8."""
    return "".join(_parts(content)).encode()


def _parts(content: Content) -> Iterator[str]:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(content.title)}: {escape(content.verdict)}</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n"
    )
    yield from _head(content)
    sections = (
        _replayed(content),
        _totals(content),
        _charts(content),
        _findings(content),
        _grants(content),
        (f"<p>{_text(paragraph)}</p>\n" for paragraph in content.checking),
    )
    yield "<main>\n"
    for (key, title), section in zip(SECTIONS, sections, strict=True):
        yield f'<section aria-labelledby="{key}"><h2 id="{key}">{title}</h2>\n'
        yield from section
        yield "</section>\n"
    yield "</main>\n</body>\n</html>\n"


def _text(text: str) -> str:
    """Escape a text and set its hashes apart, so that they break where they must."""
    parts = HEX.split(text)
    return "".join(
        f'<span class="hash">{escape(part)}</span>' if at % 2 else escape(part)
        for at, part in enumerate(parts)
    )


def _head(content: Content) -> Iterator[str]:
    yield f"<header>\n<h1>{escape(content.title)}</h1>\n"
    yield f'<p class="muted">{escape(content.subtitle)}</p>\n'
    tone = "good" if content.clean else "bad"
    yield f'<div class="verdict {tone}"><strong>{escape(content.verdict)}</strong>\n'
    yield f"<span>{escape(content.warned)}</span>\n"
    if content.notes:
        yield "<ul>" + "".join(f"<li>{_text(note)}</li>" for note in content.notes) + "</ul>\n"
    yield '</div>\n<nav aria-label="Parts of the report"><ul>'
    yield "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title in SECTIONS)
    yield "</ul></nav>\n</header>\n"


def _replayed(content: Content) -> Iterator[str]:
    yield '<dl class="replayed">\n'
    for name, lines in content.facts:
        shown = "".join(f"<div>{_text(line)}</div>" for line in lines)
        yield f"<dt>{escape(name)}</dt><dd>{shown}</dd>\n"
    yield "</dl>\n"


def _totals(content: Content) -> Iterator[str]:
    yield '<dl class="counts">\n'
    for name, value in content.totals:
        yield f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>\n"
    yield "</dl>\n"


def _charts(content: Content) -> Iterator[str]:
    for number, figure in enumerate(content.figures, 1):
        yield from _figure(figure, f"figure-{number}")


def _figure(figure: Figure, key: str) -> Iterator[str]:
    description = figure.description
    yield f"<figure>\n<figcaption><h3>{escape(figure.title)}</h3><p>{escape(description)}</p>"
    yield "</figcaption>\n"
    if figure.draw is None:
        yield '<p class="muted">Nothing of this happened up to the last block.</p>\n'
    else:
        for kind, width in (("wide", WIDE), ("narrow", NARROW)):
            yield svg(
                figure.draw(width),
                title=figure.title,
                description=description,
                key=f"{key}-{kind}",
                kind=kind,
            )
            yield "\n"
    if figure.rows:
        yield "<details><summary>The numbers as a table</summary>"
        yield from _table(figure.title, figure.headings, figure.rows)
        yield "</details>\n"
    yield "</figure>\n"


def _table(title: str, headings: Row, rows: tuple[Row, ...], kind: str = "") -> Iterator[str]:
    yield f'<div class="scroll" role="region" aria-label="{escape(title)}" tabindex="0">'
    yield f'<table class="{kind}"><thead><tr>' if kind else "<table><thead><tr>"
    yield "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    yield "</tr></thead><tbody>\n"
    for row in rows:
        yield '<tr class="total">' if row[0] == "total" else "<tr>"
        yield "".join(f"<td>{_text(cell)}</td>" for cell in row)
        yield "</tr>\n"
    yield "</tbody></table></div>"


def _findings(content: Content) -> Iterator[str]:
    if not content.groups:
        yield "<p>None.</p>\n"
    for group in content.groups:
        yield from _group(group)


def _group(group: Group) -> Iterator[str]:
    severity = "difference" if group.severity.value == "error" else group.severity.value
    yield (
        f'<div class="group"><h3><span class="badge {group.severity}">{severity}</span>'
        f"<code>{escape(group.code)}</code></h3>\n"
        f'<p class="muted">{escape(group.meaning)} ({len(group.findings):,})</p>\n<ol>\n'
    )
    for finding in group.findings:
        yield from _finding(finding)
    yield "</ol></div>\n"


def _finding(finding: Finding) -> Iterator[str]:
    yield f'<li><p class="said">{_text(finding.message)}</p><dl class="facts">'
    lines = where(finding.place)
    if lines:
        shown = "".join(f"<div>{_text(line)}</div>" for line in lines)
        yield f"<dt>where</dt><dd>{shown}</dd>"
    for name, value in (("expected", finding.expected), ("found", finding.found)):
        if value is not None:
            yield f"<dt>{name}</dt><dd>{_text(value)}</dd>"
    yield "</dl></li>\n"


def _grants(content: Content) -> Iterator[str]:
    if not content.grants:
        yield "<p>None.</p>\n"
        return
    title = "Grants not countersigned"
    yield from _table(title, content.grants_headings, content.grants, "grants")
