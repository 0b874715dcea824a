"""Reads pages and PDFs back, as far as the report writes them."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br"}


@dataclass
class Page(HTMLParser):
    """A page taken apart; refuses what does not nest.

    Attributes
    ----------
    tags, attributes
        Every element, and every attribute with its value.
    tables
        Cells of each row, by the title of the table.
    """

    text: str
    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str | None]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _rows: list[list[str]] | None = None

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
        given = dict(attrs)
        if given.get("role") == "region":
            self._rows = self.tables.setdefault(given["aria-label"] or "", [])
        if self._rows is not None and tag == "tr":
            self._rows.append([])
        elif self._rows is not None and tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            return
        self.words.append(data)
        if self._rows is not None and {"td", "th"} & set(self._open):
            self._rows[-1][-1] += data


def pdf_texts(data: bytes) -> list[str]:
    """Every text of each page of a PDF in the standard fonts, pages parted by a form feed."""
    texts = []
    for stream in re.findall(rb"/FlateDecode.*?stream\n(.*?)\nendstream", data, re.DOTALL):
        page = zlib.decompress(stream).decode("latin-1")
        shown = re.findall(r"\(((?:\\.|[^\\()])*)\) Tj", page)
        texts.append("\n".join(re.sub(r"\\(.)", r"\1", text) for text in shown))
    return texts
