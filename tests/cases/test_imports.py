"""Importing case files into the database: whole or not at all, and nothing twice."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, sessionmaker

from scripts import demo_cases
from service.cases import (
    Beneficiary,
    Case,
    CaseState,
    ReadFile,
    Wallet,
    check_file,
    decide,
    find_beneficiary,
    get_case,
    import_file,
    read_file,
    reveal_person,
)
from service.clock import ManualClock
from service.db import transaction
from service.errors import InvalidImport
from service.intake.models import Import, ImportProblem
from service.intake.programmes import ProgrammeList
from service.intake.report import ImportReport
from service.privacy import Keyring, case_commitment

START = date(2026, 11, 1)
CLOCK = ManualClock(datetime(2026, 11, 2, 8, tzinfo=UTC))
ROWS = demo_cases.good_cases("tests", 10, START)

Sessions = sessionmaker[Session]


def as_file(rows: Sequence[dict[str, str]]) -> io.BytesIO:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, demo_cases.COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return io.BytesIO(out.getvalue().encode())


class Office:
    """Imports and checks files the way an entry point does."""

    def __init__(self, sessions: Sessions, keyring: Keyring, programmes: ProgrammeList) -> None:
        self.sessions, self.keyring, self.programmes = sessions, keyring, programmes

    def read(self, file: io.BytesIO) -> ReadFile:
        return read_file(file, programmes=self.programmes, filename="cases.csv")

    def check(self, rows: Sequence[dict[str, str]]) -> ImportReport:
        with transaction(self.sessions) as session:
            return check_file(session, self.read(as_file(rows)), keyring=self.keyring)

    def import_(
        self, rows: Sequence[dict[str, str]], *, skip_bad_rows: bool = False
    ) -> ImportReport:
        with transaction(self.sessions) as session:
            return self.import_within(session, rows, skip_bad_rows=skip_bad_rows)

    def import_within(
        self, session: Session, rows: Sequence[dict[str, str]], *, skip_bad_rows: bool = False
    ) -> ImportReport:
        return import_file(
            session,
            self.read(as_file(rows)),
            keyring=self.keyring,
            actor="officer-1",
            skip_bad_rows=skip_bad_rows,
            clock=CLOCK,
        )

    def count(self, table: type) -> int:
        with transaction(self.sessions) as session:
            return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def office(sessions: Sessions, keyring: Keyring, programmes: ProgrammeList) -> Office:
    return Office(sessions, keyring, programmes)


def test_a_good_file_is_imported_in_whole_and_in_order(office: Office) -> None:
    report = office.import_(ROWS)
    assert (report.rows, report.accepted, report.rejected) == (10, 10, 0)
    assert (report.one_off, report.stream) == (8, 2)
    with transaction(office.sessions) as session:
        cases = list(session.scalars(select(Case).order_by(Case.id)))
        recorded = session.get_one(Import, report.import_id)
        assert [case.case_ref for case in cases] == [row["case_ref"] for row in ROWS]
        assert sum(case.amount_base_units for case in cases) == report.amount_base_units
        assert {case.state for case in cases} == {"received"}
        assert all(case.created_at == CLOCK.now() for case in cases)
        assert (recorded.actor, recorded.filename, recorded.rows) == ("officer-1", "cases.csv", 10)


def test_what_was_imported_is_what_the_file_said(office: Office) -> None:
    office.import_(ROWS)
    row = ROWS[4]
    with transaction(office.sessions) as session:
        case = get_case(session, row["case_ref"])
        person = reveal_person(session, office.keyring, case)
        assert (person.name, person.id_number) == (row["name"], row["id_number"])
        assert (person.phone or "") == row["phone"]
        assert case.region.six_digits == row["region_code"]
        assert case.wallet_address == row["wallet_address"]
        assert (case.programme_id, case.kind) == (2, "stream")
        assert str(case.duration_days) == row["duration_days"]
        assert (case.cause, case.period) == (row["cause"], "2026-11")
        assert (
            case.commitment
            == case_commitment(
                office.keyring.programme_key(2), row["id_number"], row["cause"], "2026-11"
            ).hex()
        )


def test_the_database_holds_no_personal_value_in_the_clear(office: Office) -> None:
    office.import_([*ROWS, ROWS[0] | {"case_ref": "x", "name": "王3"}], skip_bad_rows=True)
    with transaction(office.sessions) as session:
        dump = [
            str(row)
            for table in ("beneficiaries", "wallets", "cases", "imports", "import_problems")
            for row in session.execute(text(f"SELECT * FROM {table}"))
        ]
    stored = "\n".join(dump)
    for row in ROWS:
        for column in ("name", "id_number", "phone"):
            assert not row[column] or row[column] not in stored
            assert not row[column] or repr(row[column].encode())[2:-1] not in stored


def test_a_dry_run_writes_nothing(office: Office) -> None:
    report = office.check(ROWS)
    assert (report.accepted, report.import_id, report.problems) == (10, None, ())
    assert [office.count(table) for table in (Case, Beneficiary, Wallet, Import)] == [0, 0, 0, 0]


def test_one_bad_row_keeps_the_whole_file_out(office: Office) -> None:
    rows = [*ROWS[:3], ROWS[3] | {"amount": "0"}]
    with pytest.raises(InvalidImport) as refused:
        office.import_(rows)
    (problem,) = refused.value.problems
    assert (problem.row, problem.field, problem.value, problem.code) == (
        5,
        "amount",
        "0",
        "amount_zero",
    )
    assert [office.count(table) for table in (Case, Beneficiary, Wallet, Import)] == [0, 0, 0, 0]


def test_bad_rows_can_be_skipped_and_are_recorded_masked(office: Office) -> None:
    rows = [*ROWS[:3], ROWS[3] | {"name": "王3"}, ROWS[4] | {"amount": "0"}]
    report = office.import_(rows, skip_bad_rows=True)
    assert (report.accepted, report.rejected) == (3, 2)
    assert [problem.value for problem in report.problems] == ["王3", "0"]
    with transaction(office.sessions) as session:
        stored = list(session.scalars(select(ImportProblem).order_by(ImportProblem.row)))
        assert [(p.row, p.field, p.code, p.value) for p in stored] == [
            (5, "name", "invalid_name", "王***"),
            (6, "amount", "amount_zero", "0"),
        ]


def test_both_rows_of_a_duplicate_stay_out_when_bad_rows_are_skipped(office: Office) -> None:
    rows = [*ROWS[:3], ROWS[3] | {"wallet_address": ROWS[0]["wallet_address"]}]
    report = office.import_(rows, skip_bad_rows=True)
    (problem,) = report.problems
    assert (problem.code, problem.row, problem.other_row) == ("duplicate_wallet", 5, 2)
    assert (report.accepted, report.rejected, office.count(Case)) == (2, 2, 2)


@pytest.mark.parametrize("skip_bad_rows", [True, False])
def test_a_file_without_a_good_row_or_header_is_always_refused(
    office: Office, *, skip_bad_rows: bool
) -> None:
    for rows in ([], [ROWS[0] | {"kind": "x"}]):
        with pytest.raises(InvalidImport):
            office.import_(rows, skip_bad_rows=skip_bad_rows)
    assert office.count(Import) == 0


def test_a_dry_run_reports_a_file_that_cannot_be_read(office: Office) -> None:
    with transaction(office.sessions) as session:
        report = check_file(session, office.read(io.BytesIO(b"")), keyring=office.keyring)
    assert [problem.code for problem in report.problems] == ["empty_file"]
    assert (report.rows, report.accepted) == (0, 0)


def test_the_same_file_again_is_refused_row_by_row(office: Office) -> None:
    office.import_(ROWS)
    report = office.check(ROWS)
    assert report.accepted == 0
    found = {(problem.row, problem.code) for problem in report.problems}
    assert found == {
        (row, code) for row in range(2, 12) for code in ("case_ref_exists", "case_exists")
    }
    named = next(problem for problem in report.problems if problem.code == "case_exists")
    assert ROWS[0]["case_ref"] in named.message


def test_a_wallet_of_another_stored_person_is_refused(office: Office) -> None:
    office.import_(ROWS[:1])
    report = office.check([ROWS[1] | {"wallet_address": ROWS[0]["wallet_address"]}])
    (problem,) = report.problems
    assert (problem.code, problem.row, problem.value) == (
        "wallet_exists",
        2,
        ROWS[0]["wallet_address"],
    )


def test_a_stream_that_overlaps_a_stored_one_is_refused(office: Office) -> None:
    stream = ROWS[4] | {"duration_days": "90"}
    office.import_([stream])
    later = stream | {"case_ref": "later", "start_date": "2027-01-29"}
    (problem,) = office.check([later]).problems
    assert (problem.code, problem.value) == ("stream_exists", "2027-01-29")
    assert office.check([later | {"start_date": "2027-01-30"}]).problems == ()


def test_of_two_imports_at_once_the_second_sees_the_streams_of_the_first(office: Office) -> None:
    office.import_([ROWS[0]])  # the person and the wallet are known: no key of a table collides
    person = {name: ROWS[0][name] for name in ("name", "id_number", "phone", "wallet_address")}
    stream = ROWS[4] | person | {"duration_days": "90"}
    later = stream | {"case_ref": "later", "start_date": "2027-01-29"}
    written, outcome = threading.Event(), []

    def second() -> None:
        written.wait(30)
        try:
            outcome.append(office.import_([later]))
        except InvalidImport as error:
            outcome.append([problem.code for problem in error.problems])

    thread = threading.Thread(target=second)
    thread.start()
    with transaction(office.sessions) as session:
        office.import_within(session, [stream])
        written.set()
        thread.join(0.5)  # it waits for this transaction, or has not seen what is in it
    thread.join(30)
    assert outcome == [["stream_exists"]]


def test_a_known_person_gets_a_second_case_but_no_second_row(office: Office) -> None:
    office.import_(ROWS[:1])
    office.import_([ROWS[0] | {"case_ref": "second", "cause": "其他原因"}])
    assert [office.count(table) for table in (Case, Beneficiary, Wallet)] == [2, 1, 1]


def test_one_person_with_two_wallets_in_one_file_is_one_person(office: Office) -> None:
    second = ROWS[0] | {
        "case_ref": "second",
        "cause": "其他原因",
        "wallet_address": demo_cases.demo_wallet_address("tests", 99),
    }
    office.import_([ROWS[0], second])
    assert [office.count(table) for table in (Case, Beneficiary, Wallet)] == [2, 1, 2]


def test_a_rejected_case_may_be_filed_again_and_an_approved_one_not(office: Office) -> None:
    office.import_(ROWS[:2])
    with transaction(office.sessions) as session:
        first, second = (get_case(session, row["case_ref"]).id for row in ROWS[:2])
        decide(session, [first], CaseState.REJECTED, actor="o", reason="wrong amount")
        decide(session, [second], CaseState.APPROVED, actor="o")
    again = [row | {"case_ref": f"again-{n}"} for n, row in enumerate(ROWS[:2])]
    assert [problem.row for problem in office.check(again).problems] == [3]
    assert office.import_(again, skip_bad_rows=True).accepted == 1


def test_a_person_is_found_by_identity_number(office: Office) -> None:
    office.import_(ROWS)
    with transaction(office.sessions) as session:
        found = find_beneficiary(session, office.keyring, ROWS[2]["id_number"].lower())
        assert found is not None
        assert found.id == get_case(session, ROWS[2]["case_ref"]).beneficiary_id
        assert find_beneficiary(session, office.keyring, "51072219800101001X") is None


def test_progress_is_told_every_thousand_rows(office: Office) -> None:
    seen: list[int] = []
    rows = demo_cases.good_cases("progress", 2000, START)
    read_file(as_file(rows), programmes=office.programmes, progress=seen.append)
    assert seen == [1000, 2000]
