"""Importing a case file: checked in whole, then written in whole. Nothing here commits.

The checks of the file itself are intake's; this stage adds what the database knows and writes
people, wallets and cases with one statement a chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import exc, insert, select
from sqlalchemy.orm import Session

from service.cases.chunks import chunks
from service.cases.conflicts import commitment_hex, database_problems
from service.cases.ids import new_ids
from service.cases.models import Beneficiary, Case, Wallet
from service.cases.people import Person, id_number_index, sealed_values
from service.cases.states import CaseState
from service.clock import SYSTEM_CLOCK, Clock
from service.db import insert_many, one_at_a_time
from service.errors import Conflict, InvalidImport, NotFound, Problem
from service.intake.check import FileCheck, Progress, bad_rows, check_rows
from service.intake.models import Import, ImportProblem
from service.intake.programmes import ProgrammeDirectory
from service.intake.report import ImportReport, masked
from service.intake.rows import CaseRow
from service.intake.source import open_case_file
from service.privacy.keyring import Keyring

_INSERT_CHUNK_ROWS = 5_000
_MAX_STORED_VALUE = 500


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A case file that was read and checked against itself; the database is not asked for that.

    Attributes
    ----------
    name
        As it is reported.
    sha256
        Of its bytes, hexadecimal; empty when it could not even be opened.
    checked
        Its rows and their problems.
    """

    name: str
    sha256: str
    checked: FileCheck


def read_file(
    source: Path | BinaryIO,
    *,
    programmes: ProgrammeDirectory,
    filename: str | None = None,
    progress: Progress | None = None,
) -> ReadFile:
    """Read a case file: half of an import's time, for which nobody need wait for the database.

    Parameters
    ----------
    source
        A path, or a seekable binary stream such as an upload.
    programmes
        Finds the programme of each row.
    filename
        Name to report; of a path, its own.
    progress
        Called now and then with the number of rows read.

    Returns
    -------
    ReadFile
        What cannot be read at all is a problem of it too, not an error.
    """
    try:
        with open_case_file(source, filename) as file:
            checked = check_rows(file, programmes, progress=progress)
            return ReadFile(file.name, file.sha256, checked)
    except InvalidImport as error:  # could not even be opened
        name = filename or (source.name if isinstance(source, Path) else "upload")
        return ReadFile(name, "", FileCheck((), error.problems, stopped=True))


def check_file(session: Session, file: ReadFile, *, keyring: Keyring) -> ImportReport:
    """Compare a file with the database too, writing nothing (a dry run); reports every problem.

    Parameters
    ----------
    keyring
        Finds known people and cases by their keyed fingerprints.
    """
    report, _ = _compare(session, file, keyring)
    return report


def get_import(session: Session, import_id: str) -> Import:
    """Return an imported file by its id.

    Raises
    ------
    NotFound
        When there is none.
    """
    row = session.get(Import, import_id)
    if row is None:
        raise NotFound(f"there is no import {import_id}")
    return row


def import_file(
    session: Session,
    file: ReadFile,
    *,
    keyring: Keyring,
    actor: str,
    skip_bad_rows: bool = False,
    clock: Clock = SYSTEM_CLOCK,
) -> ImportReport:
    """Import a case file: all of it, or with ``skip_bad_rows`` its good rows.

    Parameters
    ----------
    keyring
        Seals personal data, and finds known people and cases by their keyed fingerprints.
    actor
        Who imports.
    skip_bad_rows
        Import the good rows and record the problems of the others, personal values masked. A
        file whose header or format is wrong is refused all the same.

    Raises
    ------
    InvalidImport
        Nothing was imported; ``problems`` holds every problem with row, column, value, reason.
    Conflict
        When another import wrote the same case, person or wallet at the same moment.
    """
    # From here to the commit: what another import writes must be there to be compared with.
    one_at_a_time(session, "import")
    report, good = _compare(session, file, keyring)
    refused = report.problems and not skip_bad_rows
    if refused or not good:
        count = len(report.problems)
        raise InvalidImport(
            f"{count} problem{'s' * (count != 1)} in {report.rejected} of {report.rows} rows; "
            "nothing was imported",
            problems=report.problems,
        )
    now = clock.now()
    import_id = new_ids(1, now)[0]
    try:
        with session.begin_nested():
            _record_import(session, import_id, report, actor, now)
            _write_cases(session, keyring, good, import_id, now)
    except exc.IntegrityError:
        raise Conflict("another import wrote one of these cases just now: try again") from None
    return replace(report, import_id=import_id)


def _compare(
    session: Session, file: ReadFile, keyring: Keyring
) -> tuple[ImportReport, list[CaseRow]]:
    """Compare checked rows with what is stored.

    Returns the report and the good rows: none when the file could not be read to its end.
    """
    checked = file.checked
    problems = _in_row_order(
        chain(checked.problems, database_problems(session, keyring, checked.rows))
    )
    good = _good_rows(checked, problems)
    report = ImportReport(
        filename=file.name,
        sha256=file.sha256,
        rows=len(checked.rows),
        accepted=len(good),
        rejected=len(checked.rows) - len(good),
        one_off=sum(row.kind == "one_off" for row in good),
        stream=sum(row.kind == "stream" for row in good),
        amount_base_units=sum(row.amount_base_units for row in good),
        problems=problems,
    )
    return report, good


def _in_row_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: problem.row or 0))


def _good_rows(checked: FileCheck, problems: tuple[Problem, ...]) -> list[CaseRow]:
    if checked.stopped:
        return []
    bad = bad_rows(problems)
    return [row.case for row in checked.rows if row.case is not None and row.number not in bad]


def _record_import(
    session: Session, import_id: str, report: ImportReport, actor: str, now: datetime
) -> None:
    session.execute(
        insert(Import),
        [
            {
                "id": import_id,
                "filename": report.filename,
                "sha256": report.sha256,
                "actor": actor,
                "rows": report.rows,
                "accepted": report.accepted,
                "rejected": report.rejected,
                "created_at": now,
            }
        ],
    )
    stored = [
        {
            "import_id": import_id,
            "row": problem.row,
            "other_row": problem.other_row,
            "field": problem.field,
            "code": problem.code,
            "message": problem.message,
            "value": problem.value and problem.value[:_MAX_STORED_VALUE],
        }
        for problem in map(masked, report.problems)
    ]
    _insert(session, ImportProblem, stored)


def _write_cases(
    session: Session, keyring: Keyring, rows: list[CaseRow], import_id: str, now: datetime
) -> None:
    ids = _beneficiary_ids(session, keyring, rows, now)
    _write_wallets(session, rows, ids, now)
    _insert(
        session,
        Case,
        [
            _case_values(keyring, row)
            | {
                "id": case_id,
                "beneficiary_id": ids[row.id_number],
                "import_id": import_id,
                "created_at": now,
            }
            for row, case_id in zip(rows, new_ids(len(rows), now), strict=True)
        ],
    )


def _beneficiary_ids(
    session: Session, keyring: Keyring, rows: list[CaseRow], now: datetime
) -> dict[str, str]:
    """Map each row's identity number to its beneficiary, writing those that are new."""
    people = {row.id_number: Person(row.name, row.id_number, row.phone) for row in reversed(rows)}
    number_of = {id_number_index(keyring, number): number for number in people}
    ids: dict[str, str] = {}
    for chunk in chunks(list(number_of)):
        known = session.execute(
            select(Beneficiary.id_number_blind_index, Beneficiary.id).where(
                Beneficiary.id_number_blind_index.in_(chunk)
            )
        )
        ids.update((number_of[index], row_id) for index, row_id in known if index is not None)
    new = [number for number in reversed(people) if number not in ids]
    values = [
        sealed_values(keyring, row_id, people[number], now)
        for number, row_id in zip(new, new_ids(len(new), now), strict=True)
    ]
    _insert(session, Beneficiary, values)
    ids.update((number, value["id"]) for number, value in zip(new, values, strict=True))
    return ids


def _write_wallets(
    session: Session, rows: list[CaseRow], ids: dict[str, str], now: datetime
) -> None:
    owner_of = {row.wallet_address: ids[row.id_number] for row in rows}
    known: set[str] = set()
    for chunk in chunks(list(owner_of)):
        known.update(session.scalars(select(Wallet.address).where(Wallet.address.in_(chunk))))
    values = [
        {"address": address, "beneficiary_id": owner, "created_at": now}
        for address, owner in owner_of.items()
        if address not in known
    ]
    _insert(session, Wallet, values)


def _case_values(keyring: Keyring, row: CaseRow) -> dict[str, Any]:
    return {
        "case_ref": row.case_ref,
        "wallet_address": row.wallet_address,
        "programme_id": row.programme.id,
        "region_code": row.region.code,
        "region_digits": row.region.digits,
        "kind": row.kind,
        "amount_base_units": row.amount_base_units,
        "start_date": row.start_date,
        "duration_days": row.duration_days,
        "cause": row.cause,
        "period": row.period,
        "commitment": commitment_hex(keyring, row),
        "state": CaseState.RECEIVED.value,
    }


def _insert(session: Session, table: type[Any], values: Sequence[dict[str, Any]]) -> None:
    for chunk in chunks(values, _INSERT_CHUNK_ROWS):
        insert_many(session, table, tuple(chunk[0]), [tuple(row.values()) for row in chunk])
