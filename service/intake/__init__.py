"""Intake: case files (CSV, XLSX) become checked rows; nothing here writes a case."""

from service.intake.check import FileCheck, check_rows
from service.intake.programmes import ProgrammeDirectory, ProgrammeRef
from service.intake.report import ImportReport
from service.intake.rows import CaseRow, Kind

__all__ = [
    "CaseRow",
    "FileCheck",
    "ImportReport",
    "Kind",
    "ProgrammeDirectory",
    "ProgrammeRef",
    "check_rows",
]
