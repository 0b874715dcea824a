"""What a file's rows contradict or repeat in the database, found some hundred rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.cases.chunks import chunks
from service.cases.models import COUNTS, Beneficiary, Case, Wallet
from service.cases.people import id_number_index
from service.cases.states import CaseState
from service.errors import Problem
from service.intake.duplicates import overlap, stream_days
from service.intake.rows import CaseRow, CheckedRow
from service.privacy.commitments import case_commitment
from service.privacy.keyring import Keyring


@dataclass(frozen=True, slots=True)
class _Keys:
    """What a row is looked up by."""

    row: CheckedRow
    person: bytes | None
    commitment: str | None


def database_problems(
    session: Session, keyring: Keyring, rows: Sequence[CheckedRow]
) -> list[Problem]:
    """Return the problems rows have with what is stored, in the order of rows."""
    problems: list[Problem] = []
    for chunk in chunks(rows):
        keys = [_keys_of(keyring, row) for row in chunk]
        taken = _taken_case_refs(session, chunk)
        owners = _wallet_owners(session, chunk)
        cases = _live_cases(session, keys)
        streams = _live_streams(session, keys)
        for key in keys:
            problems.extend(_problems_of(key, taken, owners, cases, streams))
    return problems


def commitment_hex(keyring: Keyring, row: CheckedRow | CaseRow) -> str | None:
    """Return the row's case commitment, or None when a part of it is missing."""
    if row.programme is None or row.id_number is None or row.cause is None or row.period is None:
        return None
    key = keyring.programme_key(row.programme.id)
    return case_commitment(key, row.id_number, row.cause, row.period).hex()


def _keys_of(keyring: Keyring, row: CheckedRow) -> _Keys:
    person = None if row.id_number is None else id_number_index(keyring, row.id_number)
    return _Keys(row, person, commitment_hex(keyring, row))


def _taken_case_refs(session: Session, rows: Sequence[CheckedRow]) -> set[str]:
    refs = [row.case_ref for row in rows if row.case_ref is not None]
    return set(session.scalars(select(Case.case_ref).where(Case.case_ref.in_(refs))))


def _wallet_owners(session: Session, rows: Sequence[CheckedRow]) -> dict[str, bytes | None]:
    """Map known wallets to the blind index of their owner (None: erased)."""
    addresses = [row.wallet_address for row in rows if row.wallet_address is not None]
    found = session.execute(
        select(Wallet.address, Beneficiary.id_number_blind_index)
        .join(Beneficiary, Beneficiary.id == Wallet.beneficiary_id)
        .where(Wallet.address.in_(addresses))
    )
    return {address: person for address, person in found}  # noqa: C416  # rows are no tuples


def _live_cases(session: Session, keys: Sequence[_Keys]) -> dict[tuple[int, str], str]:
    """Map programme and commitment of the cases that count to their references."""
    commitments = [key.commitment for key in keys if key.commitment is not None]
    # By programme too, as the index has them: without it each look would read all cases.
    programmes = {key.row.programme.id for key in keys if key.row.programme is not None}
    found = session.execute(
        select(Case.programme_id, Case.commitment, Case.case_ref).where(
            Case.programme_id.in_(programmes), Case.commitment.in_(commitments), COUNTS
        )
    )
    return {(programme_id, commitment): ref for programme_id, commitment, ref in found}


def _live_streams(session: Session, keys: Sequence[_Keys]) -> dict[bytes, list[Case]]:
    """Map persons to their streams that count."""
    people = [key.person for key in keys if key.person is not None and key.row.kind == "stream"]
    if not people:
        return {}
    found = session.execute(
        select(Beneficiary.id_number_blind_index, Case)
        .join(Beneficiary, Beneficiary.id == Case.beneficiary_id)
        .where(
            Beneficiary.id_number_blind_index.in_(people),
            Case.kind == "stream",
            Case.state != CaseState.REJECTED.value,
        )
    )
    streams: dict[bytes, list[Case]] = {}
    for person, case in found:
        if person is not None:
            streams.setdefault(person, []).append(case)
    return streams


def _problems_of(
    key: _Keys,
    taken: set[str],
    owners: dict[str, bytes | None],
    cases: dict[tuple[int, str], str],
    streams: dict[bytes, list[Case]],
) -> list[Problem]:
    row = key.row
    problems: list[Problem] = []

    def refuse(code: str, message: str, field: str, value: str | None) -> None:
        problems.append(Problem(code, message, row=row.number, field=field, value=value))

    if row.case_ref in taken:
        refuse("case_ref_exists", "a case has this reference already", "case_ref", row.case_ref)
    address = row.wallet_address
    if address in owners and key.person is not None and owners[address] != key.person:
        refuse("wallet_exists", "the wallet belongs to another person", "wallet_address", address)
    if row.programme is None or key.commitment is None:
        return problems
    same_case = cases.get((row.programme.id, key.commitment))
    if same_case is not None:
        message = f"case {same_case} has the same person, cause and period ({row.period})"
        refuse("case_exists", message, "cause", row.cause)
    elif row.start_date is not None and row.duration_days is not None and key.person is not None:
        days = stream_days(row.start_date, row.duration_days)
        for other in streams.get(key.person, []):
            if (
                other.programme_id == row.programme.id
                and other.cause == row.cause
                and overlap(days, stream_days(other.start_date, other.duration_days or 0))
            ):
                message = f"case {other.case_ref} has a stream for the same person and cause"
                value = row.start_date.isoformat()
                refuse("stream_exists", f"{message} on some of the days", "start_date", value)
    return problems
