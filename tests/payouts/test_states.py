"""The table of states and the two ways through it."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from service.errors import IllegalTransition
from service.payouts.models import Payout
from service.payouts.states import (
    LIVE_PAYOUT_STATES,
    TRANSITIONS,
    BatchState,
    ChunkState,
    GrantState,
    PayoutState,
    ProgrammeState,
    RequestState,
    move,
    move_all,
    predecessors,
)
from tests.support.programme import AddCases, Build


def test_every_state_has_its_row_and_leads_to_its_own_kind_only() -> None:
    kinds = (BatchState, ChunkState, GrantState, PayoutState, ProgrammeState, RequestState)

    assert set(TRANSITIONS) == set(kinds)
    for kind, steps in TRANSITIONS.items():
        assert list(steps) == list(kind)
        assert all(type(to) is kind for targets in steps.values() for to in targets)


def test_a_step_of_the_table_is_taken() -> None:
    assert move("draft", PayoutState.APPROVED) is PayoutState.APPROVED


@pytest.mark.parametrize("to", [state for state in PayoutState if state != PayoutState.PAID])
def test_a_paid_payout_never_changes(to: PayoutState) -> None:
    with pytest.raises(IllegalTransition, match="a payout that is paid cannot become"):
        move("paid", to)


def test_a_payout_is_paid_only_after_it_was_included() -> None:
    assert predecessors(PayoutState.PAID) == {PayoutState.INCLUDED}


def test_states_of_the_same_name_do_not_mix() -> None:
    assert {type(state) for state in predecessors(BatchState.CANCELLED)} == {BatchState}
    assert {type(state) for state in predecessors(PayoutState.CANCELLED)} == {PayoutState}
    assert predecessors(ChunkState.SENT) == {ChunkState.WAITING, ChunkState.INCLUDED}


def test_only_what_never_paid_and_never_will_frees_its_case() -> None:
    assert set(PayoutState) - LIVE_PAYOUT_STATES == {PayoutState.CANCELLED, PayoutState.EXPIRED}


def test_many_rows_move_at_once_and_those_in_other_states_stay(
    session: Session, add_cases: AddCases, build: Build
) -> None:
    add_cases("a", "b", "c")
    [batch] = build()
    own = Payout.batch_id == batch.id
    move_all(session, Payout, PayoutState.CANCELLED, own, Payout.index == 1)

    moved = move_all(session, Payout, PayoutState.APPROVED, own)

    states = [session.get(Payout, (batch.id, index)) for index in range(3)]
    assert moved == 2
    assert [payout.state for payout in states if payout] == ["approved", "cancelled", "approved"]
