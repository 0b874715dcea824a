"""Approved cases become batches: which, in what order, under what terms, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from service.cases.filters import CaseFilter
from service.errors import AlreadyExists, Conflict, InvalidInput, LimitExceeded
from service.payouts import manifests
from service.payouts.building import allocated_base_units, start_of
from service.payouts.chunk_tree import chunk_leaf, chunks_root
from service.payouts.entries import pack_entries
from service.payouts.models import Chunk, Payout, Programme
from service.payouts.service import cancel_draft
from service.regions import Region
from tests.support.programme import DAY, NOW, TOKEN, AddCases, Build, address_of

STREAM: dict[str, Any] = {"kind": "stream", "duration_days": 90}


def payouts_of(session: Session, batch_id: str) -> list[Payout]:
    statement = select(Payout).where(Payout.batch_id == batch_id).order_by(Payout.index)
    return list(session.scalars(statement))


def test_the_waiting_cases_become_one_batch_in_the_order_of_their_references(
    session: Session, add_cases: AddCases, build: Build
) -> None:
    add_cases("C-3", "C-1", "C-2", "c-0")

    [batch] = build()

    expected = ["C-1", "C-2", "C-3", "c-0"]  # by code point, whatever the database's collation
    assert [p.payee for p in payouts_of(session, batch.id)] == [address_of(r) for r in expected]
    assert (batch.state, batch.count, batch.total_base_units) == ("draft", 4, 2400 * TOKEN)
    assert (batch.start_unix_s, batch.duration_s, batch.cadence_s, batch.cliff_s) == (0, 0, 0, 0)
    assert batch.expires_at_unix_s == batch.execute_before_unix_s + 90 * DAY


def test_chunks_are_full_but_the_last_and_give_the_root(
    session: Session, add_cases: AddCases, build: Build
) -> None:
    add_cases(*(f"case-{n}" for n in range(7)))

    [batch] = build(chunk_size=3)

    chunks = session.scalars(select(Chunk).order_by(Chunk.chunk_index)).all()
    rows = payouts_of(session, batch.id)
    raw_id = bytes.fromhex(batch.id[2:])
    leaves = []
    for chunk in chunks:
        own = [(p.payee, p.amount_base_units) for p in rows if p.chunk_index == chunk.chunk_index]
        assert chunk.entries == pack_entries(own)
        leaves.append(chunk_leaf(raw_id, chunk.chunk_index, chunk.entries))
        assert chunk.leaf_hash == "0x" + leaves[-1].hex()
    assert [chunk.count for chunk in chunks] == [3, 3, 1]
    assert batch.chunks_root == "0x" + chunks_root(leaves).hex()


def test_the_manifest_lies_durable_and_hashes_to_what_officers_sign(
    add_cases: AddCases, build: Build, manifests_dir: Path
) -> None:
    add_cases("a", "b")

    [batch] = build()

    read = manifests.read(manifests_dir / f"{batch.id}.jsonl", batch.manifest_hash)
    assert [line.payee for line in read.lines] == [address_of("a"), address_of("b")]


def test_only_approved_cases_of_that_kind_in_that_region_are_taken(
    session: Session, add_cases: AddCases, build: Build
) -> None:
    add_cases("received", state="received")
    add_cases("stream", **STREAM)
    add_cases("elsewhere", region_code=510104)
    [taken] = add_cases("taken")

    [batch] = build(region=Region(5107, 4))

    assert [payout.case_id for payout in payouts_of(session, batch.id)] == [taken.id]


def test_a_filter_narrows_the_cases(session: Session, add_cases: AddCases, build: Build) -> None:
    add_cases("a", "b")

    [batch] = build(case_filter=CaseFilter(case_ref="b"))

    assert [payout.payee for payout in payouts_of(session, batch.id)] == [address_of("b")]


def test_a_case_in_a_live_batch_is_not_taken_again(add_cases: AddCases, build: Build) -> None:
    add_cases("a")
    build()

    with pytest.raises(Conflict, match="no approved one_off case of flood-2026 waits"):
        build()


def test_a_case_of_a_draft_that_nobody_was_asked_to_sign_is_free_after_its_cancellation(
    session: Session, add_cases: AddCases, build: Build
) -> None:
    add_cases("a")
    [first] = build()
    cancel_draft(session, first.id, actor="wang", reason="wrong list")

    [second] = build()

    assert (second.count, second.id != first.id) == (1, True)


def test_a_commitment_that_is_live_in_another_batch_is_refused_by_name(
    session: Session, add_cases: AddCases, build: Build
) -> None:
    [case] = add_cases("a")
    [batch] = build()
    case.state = "rejected"  # and filed again, while its payout lives
    session.flush()
    [again] = add_cases("b", commitment=case.commitment)

    with pytest.raises(AlreadyExists) as refused:
        build()

    [problem] = refused.value.problems
    assert (problem.code, problem.value) == ("commitment_live", again.case_ref)
    assert batch.id in problem.message


def test_a_case_that_a_restored_batch_pays_is_linked_and_not_taken_again(
    session: Session, add_cases: AddCases, build: Build
) -> None:
    [case] = add_cases("a")
    [batch] = build()
    payouts_of(session, batch.id)[0].case_id = None  # as after a restore from its manifest
    session.flush()
    add_cases("b")

    [second] = build()

    assert second.count == 1
    session.expire_all()
    assert payouts_of(session, batch.id)[0].case_id == case.id


def test_a_payout_above_the_cap_is_refused_by_name(add_cases: AddCases, build: Build) -> None:
    add_cases("fits", amount_base_units=2_000 * TOKEN)
    add_cases("above", amount_base_units=2_000 * TOKEN + 1)

    with pytest.raises(LimitExceeded) as refused:
        build()

    assert [problem.value for problem in refused.value.problems] == ["above"]


def test_the_budget_counts_what_earlier_batches_hold(
    session: Session, programme: Programme, add_cases: AddCases, build: Build
) -> None:
    programme.budget_base_units = 1_200 * TOKEN
    add_cases("a", "b")
    build()
    add_cases("c", amount_base_units=1)

    with pytest.raises(LimitExceeded, match=r"1200\.000001 of a budget of 1200\.00"):
        build()


def test_a_cancelled_draft_gives_its_budget_back(
    session: Session, programme: Programme, add_cases: AddCases, build: Build
) -> None:
    add_cases("a")
    [batch] = build()
    assert allocated_base_units(session, programme) == 600 * TOKEN

    cancel_draft(session, batch.id, actor="wang", reason="wrong list")

    assert allocated_base_units(session, programme) == 0


def test_streams_of_equal_start_and_duration_share_a_batch(
    add_cases: AddCases, build: Build
) -> None:
    add_cases("a", "b", **STREAM)
    add_cases("c", kind="stream", duration_days=180)
    add_cases("d", **STREAM, start_date=date(2026, 12, 1))

    batches = build(kind="stream")

    assert [(batch.count, batch.duration_s) for batch in batches] == [
        (2, 90 * DAY),
        (1, 180 * DAY),
        (1, 90 * DAY),
    ]
    assert {batch.cadence_s for batch in batches} == {DAY}
    for batch in batches:
        assert batch.expires_at_unix_s == batch.start_unix_s + batch.duration_s + 90 * DAY


def test_a_stream_starts_at_midnight_in_china() -> None:
    assert start_of(date(2026, 11, 1)) == datetime(2026, 10, 31, 16, tzinfo=UTC).timestamp()


def test_a_batch_that_does_not_fit_256_chunks_is_split(
    session: Session, add_cases: AddCases, build: Build
) -> None:
    add_cases(*(f"case-{n:03d}" for n in range(260)), amount_base_units=1)

    batches = build(chunk_size=1)

    assert [batch.count for batch in batches] == [256, 4]
    assert session.scalar(select(func.count()).select_from(Payout)) == 260


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"chunk_size": 0}, "1 to 500"),
        ({"chunk_size": 501}, "1 to 500"),
        ({"execute_before_unix_s": int(NOW.timestamp())}, "not in the future"),
        ({"expires_at_unix_s": int(NOW.timestamp()) + 97 * DAY - 1}, "90 days"),
        ({"region": Region(61, 2)}, "pays in region 51 only"),
        ({"region": Region(0, 0)}, "not the whole country"),
        ({"maker_officer_id": 0}, "begin at 1"),
    ],
)
def test_what_the_contract_would_refuse_is_refused(
    add_cases: AddCases, build: Build, wrong: dict[str, Any], message: str
) -> None:
    add_cases("a")

    with pytest.raises(InvalidInput, match=message):
        build(**wrong)


@pytest.mark.parametrize("terms", [{"cliff_s": 7 * DAY}, {"cadence_s": DAY}])
def test_the_terms_of_streams_are_refused_for_one_off_payouts(
    add_cases: AddCases, build: Build, terms: dict[str, int]
) -> None:
    add_cases("a")

    with pytest.raises(InvalidInput, match="terms of streams"):
        build(**terms)


def test_a_stream_that_began_more_than_a_year_ago_is_refused(
    add_cases: AddCases, build: Build
) -> None:
    add_cases("a", **STREAM, start_date=date(2025, 10, 1))

    with pytest.raises(InvalidInput, match="366 days back"):
        build(kind="stream")


def test_no_batch_id_is_used_twice(add_cases: AddCases, build: Build) -> None:
    add_cases(*(f"case-{n}" for n in range(20)))

    ids = {
        batch.id for n in range(20) for batch in build(case_filter=CaseFilter(case_ref=f"case-{n}"))
    }

    assert len(ids) == 20


def test_a_second_batch_finds_live_commitments_by_their_index(
    session: Session, add_cases: AddCases, build: Build
) -> None:
    """Without it, a batch of many beside many is a matter of minutes."""
    if session.get_bind().dialect.name != "sqlite":
        pytest.skip("PostgreSQL chooses by the numbers of rows")
    add_cases("a", "b")
    build()
    asked: list[tuple[str, Any]] = []

    def listen(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "payouts.commitment = cases.commitment" in statement:
            asked.append((statement, parameters))

    add_cases("c")
    event.listen(session.get_bind().engine, "before_cursor_execute", listen)
    build()
    event.remove(session.get_bind().engine, "before_cursor_execute", listen)

    assert asked
    for statement, parameters in asked:
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        assert any("uq_payouts_live_commitment" in row[-1] for row in plan), statement
