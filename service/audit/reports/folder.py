"""The folder that an auditor hands over: made as a draft beside its place, renamed when whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.audit.report import ReplayReport
from service.audit.reports.content import content
from service.audit.reports.page import page
from service.audit.reports.series import Series
from service.errors import ConfigurationError, InvalidInput
from service.terminal import json_document

PAGE, PAPER, RESULT = "report.html", "report.pdf", "replay.json"


@contextmanager
def drafted(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `folder` at the end, and nothing at all after an error.

    Raises
    ------
    InvalidInput
        When the folder is there and not empty, or no folder can be made there.
    ConfigurationError
        When something cannot be written, for instance because the disk is full.
    """
    _require_free(folder)
    try:
        place = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise InvalidInput(f"no folder can be made at {folder}: {error.strerror}") from error
    try:
        draft = place / folder.name
        draft.mkdir()
        yield draft
        _require_free(folder)
        # Takes the place of an empty folder; fails where something came into it meanwhile.
        draft.rename(folder)
    except OSError as error:
        raise ConfigurationError(f"{folder} was not written: {error.strerror}") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _require_free(folder: Path) -> None:
    """Refuse what is there already, unless it is an empty folder."""
    try:
        taken = folder.is_symlink() or (
            folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
        )
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be looked into: {error.strerror}") from error
    if taken:
        raise InvalidInput(f"{folder} is there already and is no empty folder")


def write_report(folder: Path, report: ReplayReport, series: Series) -> None:
    """Write the page, the PDF and the result as JSON into a folder.

    Parameters
    ----------
    series
        What was collected of the same replay, closed.
    """
    from service.audit.reports.pdf import pdf

    told = content(report, series)
    (folder / PAGE).write_bytes(page(told))
    (folder / PAPER).write_bytes(pdf(told))
    (folder / RESULT).write_bytes(json_document(report.as_json()))
