"""The report's files: a page, a PDF that says the same, and the result as JSON."""

from __future__ import annotations

from pathlib import Path

from service.audit.report import ReplayReport
from service.audit.reports.content import content
from service.audit.reports.manifest import RESULT
from service.audit.reports.page import page
from service.audit.reports.series import Series
from service.terminal import json_document

PAGE, PAPER = "report.html", "report.pdf"


def write_result(folder: Path, report: ReplayReport) -> None:
    """Write the result as JSON into a folder."""
    (folder / RESULT).write_bytes(json_document(report.as_json()))


def write_report(
    folder: Path, report: ReplayReport, series: Series, *, as_page: bool = True, as_pdf: bool = True
) -> None:
    """Write the page, the PDF, or both into a folder.

    Parameters
    ----------
    series
        What was collected of the same replay, closed.
    """
    told = content(report, series)
    if as_page:
        (folder / PAGE).write_bytes(page(told))
    if as_pdf:
        from service.audit.reports.pdf import pdf

        (folder / PAPER).write_bytes(pdf(told))
