"""The folder that an auditor hands over: report, tables, and a manifest of hashes over all."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

from rich.text import Text

from service.audit.archive.answers import RecordingNode
from service.audit.archive.schemas import FOLDER
from service.audit.archive.writing import ArchiveWriter
from service.audit.auditor_key import AuditorKey
from service.audit.blocks import Progress
from service.audit.exports.formats import Format, Piece
from service.audit.replay import Options, replay
from service.audit.report import ReplayReport
from service.audit.rpc import Node
from service.errors import InvalidInput
from service.terminal import console


def hand_over(
    out: Path,
    pieces: Collection[Piece],
    node: Node | None,
    options: Options,
    progress: Progress,
    *,
    key_file: Path | None = None,
) -> ReplayReport:
    """Replay the chain and write what is handed over, signed where there is a key.

    Parameters
    ----------
    out
        New or empty; there only once everything is in it.
    node
        One that records where an archive is wanted.
    key_file
        The auditor's key, or None.

    Raises
    ------
    InvalidInput
        As :func:`service.audit.replay.replay`, and when folder or key are no good: both are looked
        at first.
    ChainUnavailable, NodeRefused, ConfigurationError
        As :func:`service.audit.replay.replay`, and when the folder cannot be written.
    """
    from service.audit.exports.export import export
    from service.audit.exports.folder import draft_folder
    from service.audit.exports.recorder import Recorder
    from service.audit.reports.folder import write_report, write_result
    from service.audit.reports.manifest import seal
    from service.audit.reports.series import Series

    if Piece.ARCHIVE in pieces and options.archive is not None:
        raise InvalidInput("--format archive: an archive is made of a chain, not of an archive")
    key = None if key_file is None else AuditorKey.load(key_file)
    series = Series()
    tables = [each for each in Format if each.value in pieces]
    with draft_folder(out) as draft, Recorder(draft) as recorder:
        # What tables and charts need is noted event by event: not where there are none.
        charts = {Piece.HTML, Piece.PDF} & {*pieces}
        listeners = (*((recorder,) if tables else ()), *((series,) if charts else ()))
        writer = ArchiveWriter(draft / FOLDER) if isinstance(node, RecordingNode) else None
        report = replay(node, options, progress, listeners, writer)
        if writer is not None and isinstance(node, RecordingNode):
            writer.finish(node)
        series.close(report.state, report.timestamp)
        if tables:
            export(report, recorder, draft, tables, progress)
        write_result(draft, report)
        if charts:
            write_report(
                draft, report, series, as_page=Piece.HTML in pieces, as_pdf=Piece.PDF in pieces
            )
        seal(draft, report, key)
    signed = "not signed" if key is None else f"signed by the key {key.public_hex}"
    console(sys.stderr).print(Text(f"handed over in {out}, {signed}", style="dim"))
    return report
