"""Case files: check or import one, and show what became of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Path, Query, Response, UploadFile
from sqlalchemy.orm import Session

from service.api.answers import KEYS, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep, Reply
from service.api.schemas.cases import ImportReportShown, ImportShown
from service.application.cases import import_view, report_view
from service.cases import check_file, import_file, read_file
from service.errors import Conflict, InvalidImport, InvalidInput, NotFound
from service.payouts.directory import programme_list

router = APIRouter(tags=["imports"])


@router.post(
    "/imports",
    status_code=201,
    response_model=ImportReportShown,
    responses={
        200: {"model": ImportReportShown, "description": "A dry run; nothing was written."},
        **writes(InvalidImport, Conflict, *KEYS),
    },
)
def import_cases(
    command: CommandDep,
    file: Annotated[
        UploadFile, File(description="CSV or XLSX, see docs/import-file.md; at most 64 MiB.")
    ],
    *,
    dry_run: Annotated[
        bool, Query(description="Only check; write nothing. Its reply is not stored.")
    ] = False,
    skip_bad_rows: Annotated[
        bool, Query(description="Import the good rows of a file with bad ones.")
    ] = False,
) -> Response:
    """Import a file of cases: all of it, or nothing and a list of every problem.

    Each problem names its row, column, value and reason; of two rows that contradict each other
    both are named.
    """
    if dry_run and skip_bad_rows:
        raise InvalidInput("a dry run skips nothing: ask for one of the two")
    keyring = command.keyring
    with command.read() as reading:
        programmes = programme_list(reading)
    read = read_file(file.file, programmes=programmes, filename=file.filename)

    def check(session: Session) -> ImportReportShown:
        report = check_file(session, read, keyring=keyring)
        return ImportReportShown.model_validate(report_view(report))

    def work(session: Session) -> Reply:
        report = import_file(
            session,
            read,
            keyring=keyring,
            actor=command.actor,
            skip_bad_rows=skip_bad_rows,
        )
        shown = ImportReportShown.model_validate(report_view(report))
        return Reply(shown, 201, {"Location": f"/v1/imports/{report.import_id}"})

    return command.preview(check) if dry_run else command.run(work)


@router.get("/imports/{import_id}", responses=reads(NotFound))
def show_import(
    call: CallDep,
    import_id: Annotated[
        str, Path(max_length=36, examples=["019fa1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b"])
    ],
) -> ImportShown:
    """Show an imported file and every problem of the rows that were skipped, values masked."""
    with call.read() as session:
        return ImportShown.model_validate(import_view(session, import_id))
