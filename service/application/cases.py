"""Cases and imports for JSON, and looking at the person whom a case is for."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.cases import Case, Person, get_case, get_import, reveal_person
from service.clock import SYSTEM_CLOCK
from service.errors import InvalidInput, Problem
from service.intake.models import ImportProblem
from service.intake.report import ImportReport, masked
from service.payouts import journal
from service.privacy.keyring import Keyring
from service.units import amounts, format_time

MAX_REASON_CHARACTERS = 2000


def case_view(case: Case, person: Person | None = None) -> dict[str, Any]:
    """Return a case for JSON, without who it is for unless that was revealed.

    Parameters
    ----------
    person
        As :func:`reveal` gave it.
    """
    return {
        "id": case.id,
        "case_ref": case.case_ref,
        "state": case.state,
        "programme": case.programme_id,
        "region": case.region.six_digits,
        "kind": case.kind,
        **amounts(amount=case.amount_base_units),
        "wallet_address": case.wallet_address,
        "start_date": case.start_date.isoformat(),
        "duration_days": case.duration_days,
        "cause": case.cause,
        "period": case.period,
        "commitment": "0x" + case.commitment,
        "import_id": case.import_id,
        "beneficiary_id": case.beneficiary_id,
        "person": person
        and {"name": person.name, "id_number": person.id_number, "phone": person.phone},
        "decided_by": case.decided_by,
        "decided_at": case.decided_at and format_time(case.decided_at),
        "decision_reason": case.decision_reason,
        "created_at": format_time(case.created_at),
    }


def reveal(
    session: Session,
    keyring: Keyring,
    case: str,
    *,
    actor: str,
    reason: str | None,
    reason_field: str,
) -> dict[str, Any]:
    """Return a case with the person it is for, and write into the journal who looked and why.

    Both are of the caller's transaction: without the record there is no look.

    Parameters
    ----------
    case
        Its id or reference.
    reason_field
        Name of the header or option that the reason came in, for the error.

    Raises
    ------
    InvalidInput
        When there is no reason, or one that does not print in 2000 characters.
    NotFound
        When there is no such case.
    IntegrityError
        When what is stored of the person was changed or moved.
    """
    why = reason_to_look(reason, reason_field)
    row = get_case(session, case)
    record_look(session, row, actor=actor, reason=why)
    session.flush()
    return case_view(row, reveal_person(session, keyring, row))


def record_look(session: Session, case: Case, *, actor: str, reason: str) -> None:
    """Write into the journal who looked at the person a case is for, and why.

    Raises
    ------
    InvalidInput
        When the actor is empty or longer than 200 characters.
    """
    journal.record(
        session,
        at=SYSTEM_CLOCK.now(),
        actor=actor,
        action="reveal_person",
        object_type="case",
        object_id=case.id,
        reason=reason,
    )


def reason_to_look(reason: str | None, field: str) -> str:
    """Return why persons are looked at, without outer blanks.

    Parameters
    ----------
    field
        Name of the header or option that the reason came in, for the error.

    Raises
    ------
    InvalidInput
        When there is none, or one that does not print in 2000 characters.
    """
    text = (reason or "").strip()
    if not text:
        message = "say why the person is looked at"
        problem = Problem("missing", message, field=field)
        raise InvalidInput(f"{field}: {message}", problems=[problem])
    if len(text) > MAX_REASON_CHARACTERS or not text.isprintable():
        message = f"at most {MAX_REASON_CHARACTERS} characters that print"
        problem = Problem("invalid_value", message, field=field, value=text[:20])
        raise InvalidInput(f"{field}: {message}", problems=[problem])
    return text


def report_view(report: ImportReport) -> dict[str, Any]:
    """Return what became of a file, for JSON.

    The problems of an import that was recorded are masked as they are stored; those of a dry run
    are for the person who has the file.
    """
    kept = report.import_id is not None
    return {
        "import_id": report.import_id,
        "dry_run": not kept,
        "filename": report.filename,
        "sha256": report.sha256,
        "rows": report.rows,
        "accepted": report.accepted,
        "rejected": report.rejected,
        "one_off": report.one_off,
        "stream": report.stream,
        **amounts(amount=report.amount_base_units),
        "problems": [
            (masked(problem) if kept else problem).as_dict() for problem in report.problems
        ],
    }


def import_view(session: Session, import_id: str) -> dict[str, Any]:
    """Return an imported file and the problems of the rows that were skipped, for JSON.

    Raises
    ------
    NotFound
        When there is no such import.
    """
    row = get_import(session, import_id)
    problems = session.scalars(
        select(ImportProblem)
        .where(ImportProblem.import_id == import_id)
        .order_by(ImportProblem.row, ImportProblem.id)
    )
    return {
        "id": row.id,
        "filename": row.filename,
        "sha256": row.sha256,
        "actor": row.actor,
        "rows": row.rows,
        "accepted": row.accepted,
        "rejected": row.rejected,
        "created_at": format_time(row.created_at),
        "problems": [
            {
                "code": problem.code,
                "message": problem.message,
                "row": problem.row,
                "other_row": problem.other_row,
                "field": problem.field,
                "value": problem.value,
            }
            for problem in problems
        ],
    }
