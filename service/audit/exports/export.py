"""All tables in all formats asked for, each row made once."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from service.audit.blocks import Progress
from service.audit.exports.formats import Format
from service.audit.exports.recorder import Recorder
from service.audit.exports.table import Source
from service.audit.exports.tables import TABLES
from service.audit.exports.writing import Open, batches
from service.audit.report import ReplayReport


def export(
    report: ReplayReport,
    recorded: Recorder,
    folder: Path,
    formats: Collection[Format],
    progress: Progress,
) -> None:
    """Write every table into a folder that is there.

    Raises
    ------
    ConfigurationError
        When SQLite cannot write its file.
    OSError
        When another file cannot be written.
    """
    source = Source(report, recorded)
    with ExitStack() as stack:
        chosen = [each for each in Format if each in formats]
        opens = [stack.enter_context(_writer(each, folder, recorded)) for each in chosen]
        for done, table in enumerate(TABLES, 1):
            with ExitStack() as tables:
                writes = [tables.enter_context(opened(table)) for opened in opens]
                for rows in batches(table.rows(source)):
                    for write in writes:
                        write(rows)
            progress("tables", done, len(TABLES))


def _writer(chosen: Format, folder: Path, recorded: Recorder) -> AbstractContextManager[Open]:
    """Return a writer; the packages of others are not loaded."""
    if chosen is Format.SQLITE:
        from service.audit.exports.sqlite_file import sqlite_file

        return sqlite_file(folder)
    if chosen is Format.PARQUET:
        from service.audit.exports.parquet_files import AMOUNT_DIGITS, parquet_files

        return parquet_files(folder, wide=recorded.told_base_units >= 10**AMOUNT_DIGITS)
    if chosen is Format.CSV:
        from service.audit.exports.csv_files import csv_files

        return csv_files(folder)
    from service.audit.exports.jsonl_files import jsonl_files

    return jsonl_files(folder)
