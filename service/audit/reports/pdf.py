"""The report as a PDF: A4, page numbers, bookmarks, the same charts, the same bytes each time.

Only the standard fonts are used, which every reader has; what Latin-1 cannot write is spelled by
its number (:func:`service.audit.reports.text.latin`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos

from service.audit.findings import Finding, Severity
from service.audit.reports.content import Content, where
from service.audit.reports.figure import Figure, Row
from service.audit.reports.shapes import Anchor, Dot, Drawing, Line, Rect, Shape, Text
from service.audit.reports.style import LIGHT
from service.audit.reports.text import LAST_UNIX_S, latin

SANS, MONO = "Helvetica", "Courier"
MARGIN = 16.0
BOTTOM = 18.0
CHART_PIXELS = 720.0
"""Pixels across the page: charts are those of a wide screen."""

POINTS_PER_MM = 72 / 25.4
TABLE_POINTS = 7.5
SMALLEST_TABLE_POINTS = 4.0
SURELY_SHORT = 200
"""Characters of a text that may be one line."""

PAGES = "\x01" * 12
"""Stands for the number of pages until it is known; no text that is shown can hold it."""


def pdf(content: Content) -> bytes:
    """Return the whole file."""
    paper = _Paper(content)
    paper.write()
    return bytes(paper.output())


class _Paper(FPDF):
    """A report being written, millimetres from the upper left corner."""

    def __init__(self, content: Content) -> None:
        super().__init__(orientation="portrait", unit="mm", format="A4")
        self.report = content
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.c_margin = 0.0
        self.set_auto_page_break(auto=True, margin=BOTTOM)
        self.alias_nb_pages(PAGES)
        self.set_creation_date(datetime.fromtimestamp(min(content.time, LAST_UNIX_S), UTC))
        self.set_title(latin(f"{content.title}: {content.verdict}"))
        self.set_lang("en")
        self.set_display_mode("fullwidth")

    def footer(self) -> None:
        """Write the number of the page, and what the report is of."""
        self.set_y(-12)
        self._font(SANS, 8, role="muted")
        self.cell(self.epw / 2, 4, latin(self.report.subtitle))
        self.set_x(self.w - MARGIN - 30)
        # The stand-in is narrower than the number: the cell is filled from its left.
        self.cell(30, 4, f"page {self.page_no()} of {PAGES}")

    def write(self) -> None:  # type: ignore[override]
        """Write everything."""
        content = self.report
        self.add_page()
        self._head()
        self._section("What was replayed")
        for name, lines in content.facts:
            self._fact(name, lines)
        self._section("Totals")
        self._table(("", ""), content.totals)
        self._section("Charts")
        for figure in content.figures:
            self._figure(figure)
        self._section("Findings")
        self._findings()
        self._section("Grants not countersigned")
        if content.grants:
            self._table(content.grants_headings, content.grants)
        else:
            self._paragraph("None.")
        self._section("How to check this report")
        for paragraph in content.checking:
            self._paragraph(paragraph)

    # ---- text ------------------------------------------------------------------------------------

    def _font(self, family: str, points: float, *, bold: bool = False, role: str = "ink") -> None:
        self.set_font(family, "B" if bold else "", points)
        self.set_text_color(*_rgb(role))

    def _lines(self, text: str, height: float, *, indent: float = 0, letters: bool = False) -> None:
        """Write a paragraph in the font that is set; by letters where it may break anywhere."""
        self.set_x(MARGIN + indent)
        shown, width = latin(text), self.epw - indent
        if len(shown) <= SURELY_SHORT and self.get_string_width(shown) <= width:
            # Much faster, where there is nothing to break.
            self.cell(width, height, shown, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            return
        self.multi_cell(
            width,
            height,
            shown,
            align="L",
            wrapmode=WrapMode.CHAR if letters else WrapMode.WORD,
            new_x=XPos.LMARGIN,
            new_y=YPos.NEXT,
        )

    def _paragraph(self, text: str) -> None:
        self._font(SANS, 10)
        self._lines(text, 5)
        self.ln(1.5)

    def _keep(self, height: float) -> None:
        """Begin a new page unless so much is free on this one."""
        if self.will_page_break(height):
            self.add_page()

    def _section(self, title: str) -> None:
        self._keep(40)
        self.ln(6)
        self.start_section(title)
        self._font(SANS, 14, bold=True)
        self._lines(title, 7)
        self.ln(1.5)

    def _head(self) -> None:
        content = self.report
        self._font(SANS, 20, bold=True)
        self._lines(content.title, 9)
        self._font(SANS, 10, role="muted")
        self._lines(content.subtitle, 5)
        self.ln(4)
        top, tone = self.get_y(), "good" if content.clean else "bad"
        self._font(SANS, 15, bold=True, role=tone)
        self._lines(content.verdict, 7, indent=5)
        self._font(SANS, 10)
        for line in (content.warned, *content.notes):
            self._lines(line, 5, indent=5)
        self.set_fill_color(*_rgb(tone))
        self.rect(MARGIN, top, 1.6, self.get_y() - top, style="F")

    def _fact(self, name: str, lines: Sequence[str]) -> None:
        self._keep(4.6 * len(lines) + 2)
        top = self.get_y()
        self._font(SANS, 9, bold=True)
        self.cell(38, 4.6, latin(name))
        self.set_y(top)
        self._font(SANS, 9)
        for line in lines:
            self._lines(line, 4.6, indent=40, letters="0x" in line)
        self._rule(self.get_y() + 0.8, self.epw)
        self.ln(1.6)

    def _rule(self, y: float, width: float) -> None:
        self.set_draw_color(*_rgb("grid"))
        self.set_line_width(0.2)
        self.line(MARGIN, y, MARGIN + width, y)

    # ---- findings --------------------------------------------------------------------------------

    def _findings(self) -> None:
        if not self.report.groups:
            self._paragraph("None.")
        for group in self.report.groups:
            self._keep(26)
            error = group.severity is Severity.ERROR
            self._font(SANS, 10, bold=True, role="bad" if error else "muted")
            self._lines(f"{'difference' if error else group.severity}: {group.code}", 5)
            self._font(SANS, 9, role="muted")
            self._lines(f"{group.meaning} ({len(group.findings):,})", 4.4)
            for finding in group.findings:
                self._finding(finding)
            self.ln(3)

    def _finding(self, finding: Finding) -> None:
        self._keep(14)
        self._rule(self.get_y() + 1, self.epw)
        self.ln(2)
        self._font(SANS, 9)
        self._lines(finding.message, 4.4)
        self._font(SANS, 8, role="muted")
        place = ", ".join(where(finding.place))
        if place:
            self._lines(place, 3.8, indent=4, letters=True)
        for name, value in (("expected", finding.expected), ("found", finding.found)):
            if value is not None:
                self._lines(f"{name} {value}", 3.8, indent=4, letters=True)

    # ---- tables ----------------------------------------------------------------------------------

    def _table(self, headings: Row, rows: Sequence[Row]) -> None:
        """Write a table, its first column to the left, in as small a font as it needs."""
        split = [latin(heading).split(" ") for heading in headings]
        texts = [[latin(cell) for cell in row] for row in rows]
        points = TABLE_POINTS
        widths = self._widths(split, texts, points)
        if sum(widths) > self.epw:
            points = max(SMALLEST_TABLE_POINTS, points * self.epw / sum(widths))
            widths = self._widths(split, texts, points)
        spare = max(0.0, self.epw - sum(widths)) / max(1, len(widths) - 1)
        # A table of two columns need not be as wide as the page.
        spare = min(spare, 40.0)
        widths = [widths[0], *(width + spare for width in widths[1:])]
        height = points / POINTS_PER_MM * 1.55
        self._headings(split, widths, points, height)
        for row in texts:
            if self.will_page_break(height):
                self.add_page()
                self._headings(split, widths, points, height)
            self._font(SANS, points, bold=row[0] == "total")
            self._row(row, widths, height)
        self.ln(2)

    def _widths(
        self, headings: list[list[str]], rows: list[list[str]], points: float
    ) -> list[float]:
        self._font(SANS, points, bold=True)
        return [
            max(map(self.get_string_width, {*headings[at], *(row[at] for row in rows)})) + 2.5
            for at in range(len(headings))
        ]

    def _headings(
        self, headings: list[list[str]], widths: list[float], points: float, height: float
    ) -> None:
        if not any(word for words in headings for word in words):
            return
        self._keep(height * 6)
        self._font(SANS, points, bold=True)
        deepest = max(map(len, headings))
        for line in range(deepest):
            words = [
                each[line - deepest + len(each)] if line >= deepest - len(each) else ""
                for each in headings
            ]
            self._row(words, widths, height)

    def _row(self, cells: Sequence[str], widths: list[float], height: float) -> None:
        self.set_x(MARGIN)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            self.cell(width, height, cell, align="R" if at else "L")
        self.ln(height)
        self._rule(self.get_y(), sum(widths))

    # ---- charts ----------------------------------------------------------------------------------

    def _figure(self, figure: Figure) -> None:
        drawing = None if figure.draw is None else figure.draw(CHART_PIXELS)
        scale = self.epw / CHART_PIXELS
        height = 0.0 if drawing is None else drawing.height * scale
        self._keep(height + 30)
        self._font(SANS, 11, bold=True)
        self._lines(figure.title, 5.5)
        self._font(SANS, 9, role="muted")
        self._lines(figure.description, 4.4)
        self.ln(2)
        if drawing is None:
            self._paragraph("Nothing of this happened up to the last block.")
        else:
            top = self.get_y()
            self._draw(drawing, top, scale)
            self.set_y(top + height + 2)
        if figure.rows:
            self._table(figure.headings, figure.rows)
        self.ln(4)

    def _draw(self, drawing: Drawing, top: float, scale: float) -> None:
        # A text at the foot of a chart must not begin a page.
        self.set_auto_page_break(auto=False)
        for shape in drawing.shapes:
            self._shape(shape, top, scale)
        self.set_auto_page_break(auto=True, margin=BOTTOM)

    def _shape(self, shape: Shape, top: float, scale: float) -> None:
        if isinstance(shape, Text):
            self._text(shape, top, scale)
        elif isinstance(shape, Rect):
            self.set_fill_color(*_rgb(shape.role))
            x, y = MARGIN + shape.x * scale, top + shape.y * scale
            self.rect(x, y, shape.width * scale, shape.height * scale, style="F")
        elif isinstance(shape, Dot):
            self.set_fill_color(*_rgb(shape.role))
            x, y = MARGIN + shape.x * scale, top + shape.y * scale
            self.circle(x, y, shape.radius * scale, style="F")
        else:
            self._line(shape, top, scale)

    def _line(self, line: Line, top: float, scale: float) -> None:
        self.set_draw_color(*_rgb(line.role))
        self.set_line_width(line.width * scale)
        stroke, gap = (*line.dash, 0.0, 0.0)[:2]
        self.set_dash_pattern(dash=stroke * scale, gap=gap * scale)
        self.polyline([(MARGIN + x * scale, top + y * scale) for x, y in line.points])
        self.set_dash_pattern()

    def _text(self, text: Text, top: float, scale: float) -> None:
        words = latin(text.words)
        self._font(SANS, text.size * scale * POINTS_PER_MM, bold=text.bold, role=text.role)
        width = self.get_string_width(words)
        back = {Anchor.START: 0.0, Anchor.MIDDLE: width / 2, Anchor.END: width}
        x, y = MARGIN + text.x * scale - back[text.anchor], top + text.y * scale
        if text.backed:
            size = text.size * scale
            self.set_fill_color(*_rgb("surface"))
            self.rect(x - 0.6, y - size * 0.9, width + 1.2, size * 1.2, style="F")
        self.text(x, y, words)


def _rgb(role: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(LIGHT[role][1:])
    return red, green, blue
