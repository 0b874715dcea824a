"""Listing, deciding, revealing and erasing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError as DatabaseIntegrityError
from sqlalchemy.orm import Session, sessionmaker

from scripts import demo_cases
from service.cases import (
    Beneficiary,
    Case,
    CaseFilter,
    CaseState,
    Wallet,
    count_cases,
    decide,
    erase_beneficiary,
    get_case,
    import_file,
    list_cases,
    read_file,
    reveal_person,
)
from service.cases.ids import new_ids
from service.cases.people import reseal_beneficiaries
from service.cases.states import TRANSITIONS, sources_of
from service.clock import ManualClock
from service.errors import (
    IllegalTransition,
    IntegrityError,
    InvalidInput,
    NotFound,
)
from service.intake.programmes import ProgrammeList
from service.privacy import Keyring
from service.regions import Region, parse_region

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
COUNT = 60


@pytest.fixture
def session(
    sessions: sessionmaker[Session], keyring: Keyring, programmes: ProgrammeList, tmp_path: Path
) -> Iterator[Session]:
    rows = demo_cases.good_cases("cases", COUNT, date(2026, 11, 1))
    demo_cases.write_csv(tmp_path / "cases.csv", rows)
    with sessions() as session, session.begin():
        import_file(
            session,
            read_file(tmp_path / "cases.csv", programmes=programmes),
            keyring=keyring,
            actor="officer-1",
            clock=ManualClock(NOW),
        )
        yield session


def test_pages_run_through_every_case_once_in_file_order(session: Session) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        page = list_cases(session, limit=25, cursor=cursor)
        seen += [case.case_ref for case in page.cases]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"SC-2026-{number:06d}" for number in range(1, COUNT + 1)]


def test_a_page_that_ends_with_the_last_case_has_no_next_one(session: Session) -> None:
    assert list_cases(session, limit=COUNT).next_cursor is None


@pytest.mark.parametrize("limit", [0, 501])
def test_a_page_size_out_of_range_is_refused(session: Session, limit: int) -> None:
    with pytest.raises(InvalidInput):
        list_cases(session, limit=limit)


def test_a_foreign_cursor_is_refused(session: Session) -> None:
    with pytest.raises(InvalidInput):
        list_cases(session, cursor="nonsense")


def test_each_filter_selects_exactly_what_it_names(session: Session) -> None:
    every = list(session.scalars(select(Case)))
    one = every[7]
    for case_filter, keeps in [
        (CaseFilter(kind="stream"), lambda case: case.kind == "stream"),
        (CaseFilter(programme_id=1), lambda case: case.programme_id == 1),
        (CaseFilter(case_ref=one.case_ref), lambda case: case is one),
        (
            CaseFilter(wallet_address=one.wallet_address, beneficiary_id=one.beneficiary_id),
            lambda case: case is one,
        ),
        (CaseFilter(import_id=one.import_id), lambda _case: True),
        (CaseFilter(import_id="other"), lambda _case: False),
        (CaseFilter(state=CaseState.APPROVED), lambda _case: False),
    ]:
        expected = {case.id for case in every if keeps(case)}
        assert {case.id for case in list_cases(session, case_filter, limit=500).cases} == expected
        assert count_cases(session, case_filter) == len(expected)


@pytest.mark.parametrize("code", ["0", "51", "5134", "513401", "5107", "44", "510722"])
def test_the_region_filter_follows_the_one_matching_rule(session: Session, code: str) -> None:
    region = parse_region(code)
    every = list(session.scalars(select(Case)))
    session.execute(
        text("UPDATE cases SET region_code = 51, region_digits = 2 WHERE id = :id"),
        {"id": every[0].id},
    )
    session.execute(
        text("UPDATE cases SET region_code = 5134, region_digits = 4 WHERE id = :id"),
        {"id": every[1].id},
    )
    session.expire_all()
    expected = {case.id for case in every if region.covers(case.region)}
    found = list_cases(session, CaseFilter(region=region), limit=500).cases
    assert {case.id for case in found} == expected


def test_chosen_cases_are_approved_with_who_when_and_why(session: Session) -> None:
    ids = [case.id for case in list_cases(session, limit=3).cases]
    decided = decide(
        session,
        [*ids, ids[0]],
        CaseState.APPROVED,
        actor="officer-2",
        reason="visited",
        clock=ManualClock(NOW),
    )
    assert decided == 3
    case = get_case(session, ids[0])
    assert (case.state, case.decided_by, case.decision_reason, case.decided_at) == (
        "approved",
        "officer-2",
        "visited",
        NOW,
    )
    assert count_cases(session, CaseFilter(state=CaseState.RECEIVED)) == COUNT - 3


def test_a_filter_decides_all_it_selects_and_leaves_decided_ones_alone(session: Session) -> None:
    first = list_cases(session, limit=1).cases[0].id
    decide(session, [first], CaseState.REJECTED, actor="o", reason="moved away")
    decided = decide(session, CaseFilter(region=Region(51, 2)), CaseState.APPROVED, actor="o")
    assert decided == COUNT - 1
    assert get_case(session, first).state == "rejected"


def test_one_decided_case_among_many_stops_the_whole_decision(session: Session) -> None:
    ids = [case.id for case in list_cases(session, limit=3).cases]
    decide(session, ids[:1], CaseState.APPROVED, actor="o")
    with pytest.raises(IllegalTransition) as refused:
        decide(session, ids, CaseState.REJECTED, actor="o", reason="r")
    assert [problem.value for problem in refused.value.problems] == ids[:1]
    assert count_cases(session, CaseFilter(state=CaseState.RECEIVED)) == COUNT - 1


def test_an_unknown_case_stops_the_whole_decision(session: Session) -> None:
    first = list_cases(session, limit=1).cases[0].id
    with pytest.raises(NotFound) as missing:
        decide(session, [first, "none"], CaseState.APPROVED, actor="o")
    assert [problem.value for problem in missing.value.problems] == ["none"]
    assert get_case(session, first).state == "received"


@pytest.mark.parametrize(
    ("decision", "actor", "reason"),
    [
        (CaseState.RECEIVED, "o", "r"),
        (CaseState.REJECTED, "o", " "),
        (CaseState.REJECTED, "o", None),
        (CaseState.APPROVED, "", None),
    ],
)
def test_a_decision_needs_a_target_an_actor_and_a_rejection_its_reason(
    session: Session, decision: CaseState, actor: str, reason: str | None
) -> None:
    with pytest.raises(InvalidInput):
        decide(session, CaseFilter(), decision, actor=actor, reason=reason)


def test_the_only_steps_are_from_received_to_a_decision() -> None:
    steps = {(source, target) for source, targets in TRANSITIONS.items() for target in targets}
    assert steps == {
        (CaseState.RECEIVED, CaseState.APPROVED),
        (CaseState.RECEIVED, CaseState.REJECTED),
    }
    assert set(TRANSITIONS) == set(CaseState)
    assert sources_of(CaseState.RECEIVED) == frozenset()


def test_a_case_is_found_by_id_and_by_reference_and_otherwise_not(session: Session) -> None:
    case = get_case(session, "SC-2026-000001")
    assert get_case(session, case.id) is case
    with pytest.raises(NotFound):
        get_case(session, "none")


def test_an_erased_person_is_gone_and_the_case_stays(session: Session, keyring: Keyring) -> None:
    case = get_case(session, "SC-2026-000001")
    before = case.commitment
    erase_beneficiary(session, case.beneficiary_id)
    erase_beneficiary(session, case.beneficiary_id)
    with pytest.raises(NotFound, match="erased"):
        reveal_person(session, keyring, case)
    row = session.get_one(Beneficiary, case.beneficiary_id)
    assert (row.wrapped_data_key, row.id_number_blind_index, row.phone_blind_index) == (None,) * 3
    assert (row.name, row.id_number, row.phone) == (b"", b"", None)
    assert get_case(session, "SC-2026-000001").commitment == before
    assert session.get(Wallet, case.wallet_address) is not None
    with pytest.raises(NotFound):
        erase_beneficiary(session, "none")


def test_two_rows_that_swap_their_ciphertexts_are_noticed(
    session: Session, keyring: Keyring
) -> None:
    one, other = (case.beneficiary_id for case in list_cases(session, limit=2).cases)
    rows = session.get_one(Beneficiary, one), session.get_one(Beneficiary, other)
    rows[0].name, rows[1].name = rows[1].name, rows[0].name
    session.flush()
    with pytest.raises(IntegrityError):
        reveal_person(session, keyring, list_cases(session, limit=1).cases[0])


def test_a_row_that_took_over_another_rows_data_and_key_is_noticed(
    session: Session, keyring: Keyring
) -> None:
    one, other = (case.beneficiary_id for case in list_cases(session, limit=2).cases)
    victim, thief = session.get_one(Beneficiary, one), session.get_one(Beneficiary, other)
    for column in ("name", "id_number", "phone", "wrapped_data_key", "key_version"):
        setattr(victim, column, getattr(thief, column))
    session.flush()
    with pytest.raises(IntegrityError):
        reveal_person(session, keyring, list_cases(session, limit=1).cases[0])


def test_after_a_rotation_old_rows_are_sealed_again_in_portions(
    session: Session, keyring: Keyring
) -> None:
    case = get_case(session, "SC-2026-000007")
    before = reveal_person(session, keyring, case)
    index = session.get_one(Beneficiary, case.beneficiary_id).id_number_blind_index
    version = keyring.rotate()
    portions = []
    while done := reseal_beneficiaries(session, keyring, limit=25):
        portions.append(done)
    assert portions == [25, 25, 10]
    assert set(session.scalars(select(Beneficiary.key_version))) == {version}
    assert reveal_person(session, keyring, case) == before
    assert session.get_one(Beneficiary, case.beneficiary_id).id_number_blind_index == index


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "monthly"},
        {"state": "paid"},
        {"kind": "stream", "duration_days": None},
        {"kind": "one_off", "duration_days": 3},
        {"commitment": None},
        {"case_ref": "SC-2026-000002"},
        {"programme_id": None},
    ],
)
def test_the_database_itself_refuses_rows_that_make_no_sense(
    session: Session, change: dict[str, object]
) -> None:
    case = get_case(session, "SC-2026-000001")
    values = {column.key: getattr(case, column.key) for column in Case.__table__.columns}
    fresh = {"id": "new", "case_ref": "new", "commitment": "00" * 32}
    with pytest.raises(DatabaseIntegrityError), session.begin_nested():
        session.execute(insert(Case.__table__), [values | fresh | change])


def test_the_database_itself_refuses_the_same_live_commitment_twice(session: Session) -> None:
    case = get_case(session, "SC-2026-000001")
    values = {column.key: getattr(case, column.key) for column in Case.__table__.columns}
    twin = values | {"id": "twin", "case_ref": "twin"}
    with pytest.raises(DatabaseIntegrityError), session.begin_nested():
        session.execute(insert(Case.__table__), [twin])
    session.execute(insert(Case.__table__), [twin | {"state": "rejected"}])
    other = {"id": "other", "case_ref": "other", "programme_id": 9}
    session.execute(insert(Case.__table__), [values | other])


@given(st.integers(1, 200), st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001
def test_new_ids_are_version_7_uuids_that_grow(count: int, moment: datetime) -> None:
    ids = new_ids(count, moment.replace(tzinfo=UTC))
    assert ids == sorted(set(ids))
    assert len(ids) == count
    for text_id in (ids[0], ids[-1]):
        parsed = UUID(text_id)
        assert (parsed.version, parsed.variant) == (7, "specified in RFC 4122")
        assert parsed.int >> 80 == int(moment.replace(tzinfo=UTC).timestamp() * 1000)
