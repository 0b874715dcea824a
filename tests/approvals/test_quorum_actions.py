"""Quorum actions: proposing, signing, and why a signature is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from service.approvals import actions
from service.approvals.actions import ActionStatus
from service.approvals.models import ActionKind, Officer, QuorumAction
from service.approvals.states import ActionState, move_action
from service.clock import ManualClock
from service.errors import (
    AlreadyExists,
    Conflict,
    IllegalTransition,
    IntegrityError,
    InvalidInput,
    InvalidSignature,
    NotFound,
    PermissionDenied,
    ReliefError,
)
from service.payouts.models import Batch
from tests.approvals.conftest import DOMAIN, sign
from tests.support.deployed import account, pack
from tests.support.programme import NOW
from tests.support.rows import wallet

DEADLINE = int(NOW.timestamp()) + 3600


class Floor:
    """Where actions are proposed and signed."""

    def __init__(self, session: Session, clock: ManualClock) -> None:
        self.session = session
        self.clock = clock

    def propose(
        self, kind: ActionKind = ActionKind.MINTER_ADDITION, message: Any = None, **more: Any
    ) -> QuorumAction:
        given: dict[str, Any] = {
            "deadline_unix_s": DEADLINE,
            "actor": "wang",
            "reason": "as decided",
            "clock": self.clock,
            **more,
        }
        members = {"minter": wallet(1), "cap": 2**79} if message is None else message
        return actions.create_action(self.session, kind, members, DOMAIN, **given)

    def submit(self, action: QuorumAction, signature: str, **more: Any) -> ActionStatus:
        return actions.submit_action_signature(
            self.session, action.id, signature, DOMAIN, quorum=2, clock=self.clock, **more
        )

    def document(self, action: QuorumAction) -> dict[str, Any]:
        return actions.action_typed_data(self.session, action.id, DOMAIN)

    def sign(self, action: QuorumAction, name: str, **more: Any) -> ActionStatus:
        return self.submit(action, sign(name, self.document(action)), **more)


@pytest.fixture
def floor(session: Session, officers: None, clock: ManualClock) -> Floor:
    return Floor(session, clock)


def test_an_action_is_ready_with_a_quorum_and_packed_for_its_contract(floor: Floor) -> None:
    action = floor.propose()
    document = floor.document(action)
    assert floor.sign(action, "officer 3").officers == (3,)
    assert action.state == "collecting"

    status = floor.sign(action, "officer 2")

    assert (status.officers, action.state) == ((2, 3), "ready")
    assert actions.packed_action(floor.session, action.id, floor.clock.now()) == pack(
        {
            n: (
                account(f"officer {n}").address,
                bytes.fromhex(sign(f"officer {n}", document)[2:]),
            )
            for n in (2, 3)
        }
    )


def test_two_proposals_of_the_same_have_ids_of_their_own(floor: Floor) -> None:
    assert floor.propose().id != floor.propose().id


# ---- proposals that are refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"deadline_unix_s": int(NOW.timestamp())}, "not in the future"),
        ({"deadline_unix_s": 2**40}, "not in the future"),
        ({"reason": " "}, "reason"),
        ({"message": {"minter": wallet(1)}}, "has the members"),
        ({"message": {"minter": wallet(1), "cap": 2**80}}, "is no uint80"),
        ({"message": {"minter": "0x12", "cap": 1}}, "is no address"),
        ({"message": {"minter": None, "cap": 1}}, "does not fit MinterAddition"),
    ],
)
def test_a_proposal_that_no_contract_would_take_is_refused(
    floor: Floor, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        floor.propose(**change)


@pytest.mark.parametrize("kind", [ActionKind.BATCH_CANCELLATION, ActionKind.STREAM_CANCELLATION])
def test_a_batch_that_is_not_on_chain_is_cancelled_by_no_quorum(
    floor: Floor, batch: Batch, kind: ActionKind
) -> None:
    with pytest.raises(Conflict, match="is draft, not on chain"):
        floor.propose(kind, cancellation(kind, batch.id))


def test_a_one_off_batch_has_no_streams_to_cancel(floor: Floor, batch: Batch) -> None:
    batch.state = "onchain"
    with pytest.raises(Conflict, match="has no streams"):
        floor.propose(
            ActionKind.STREAM_CANCELLATION, cancellation(ActionKind.STREAM_CANCELLATION, batch.id)
        )


def addition(**change: Any) -> dict[str, Any]:
    """A newcomer with the number 8 and an account of their own."""
    newcomer = account("newcomer").address.lower()
    members = {"officerId": 8, "roles": 2, "regionCode": 51, "regionDigits": 2}
    return members | {"signerType": 1, "signer": newcomer} | change


@pytest.mark.parametrize(
    ("kind", "message", "error", "words"),
    [
        (ActionKind.OFFICER_ADDITION, addition(officerId=6), AlreadyExists, "number 6 is or was"),
        (
            ActionKind.OFFICER_ADDITION,
            addition(signer=account("officer 3's lost").address.lower()),
            AlreadyExists,
            "is or was officer 3's",
        ),
        (
            ActionKind.SIGNER_ADDITION,
            {"officerId": 2, "signerType": 1, "signer": account("officer 1").address.lower()},
            AlreadyExists,
            "is or was officer 1's",
        ),
        (
            ActionKind.OFFICER_ADDITION,
            addition(regionCode=99),
            InvalidInput,
            "no code 99 in force",
        ),
    ],
)
def test_an_addition_that_the_registry_would_refuse_is_not_proposed(
    floor: Floor, kind: ActionKind, message: Any, error: type[ReliefError], words: str
) -> None:
    with pytest.raises(error, match=words):
        floor.propose(kind, message)
    assert floor.propose(ActionKind.OFFICER_ADDITION, addition()).state == "collecting"


def test_a_batch_that_is_none_is_not_found(floor: Floor) -> None:
    with pytest.raises(NotFound):
        floor.propose(ActionKind.BATCH_CANCELLATION, {"batchId": "0x" + "00" * 32})


def cancellation(kind: ActionKind, batch_id: str) -> dict[str, Any]:
    streams = {"chunkIndex": 0, "maskLow": 1, "maskHigh": 0}
    return {"batchId": batch_id, **(streams if kind is ActionKind.STREAM_CANCELLATION else {})}


# ---- signatures that are refused -----------------------------------------------------------------

Act = Callable[[Floor, QuorumAction], object]


def by(name: str) -> Act:
    return lambda floor, action: floor.sign(action, name)


def twice(first: str, second: str) -> Act:
    def act(floor: Floor, action: QuorumAction) -> None:
        floor.sign(action, first)
        floor.sign(action, second)

    return act


def after_the_deadline(floor: Floor, action: QuorumAction) -> None:
    signature = sign("officer 2", floor.document(action))
    floor.clock.current += timedelta(hours=1, seconds=1)
    floor.submit(action, signature)


def with_another_message(floor: Floor, action: QuorumAction) -> None:
    signature = sign("officer 2", floor.document(action))
    action.message = {**action.message, "minter": wallet(2)}
    floor.submit(action, signature)


def while_it_is(state: str) -> Act:
    def act(floor: Floor, action: QuorumAction) -> None:
        action.state = state
        floor.sign(action, "officer 2")

    return act


def over_another_action(floor: Floor, action: QuorumAction) -> None:
    floor.submit(action, sign("officer 2", floor.document(floor.propose())))


def for_contracts_elsewhere(floor: Floor, action: QuorumAction) -> None:
    actions.action_typed_data(floor.session, action.id, replace(DOMAIN, token=wallet(9)))


REFUSALS: Mapping[str, tuple[Act, type[ReliefError], str]] = {
    "no officer": (by("a stranger"), InvalidSignature, "who is no officer"),
    "removed": (by("officer 6"), PermissionDenied, "officer 6 was removed"),
    "not in force yet": (by("officer 7"), PermissionDenied, "officer 7 is in force from"),
    "no governor": (by("officer 1"), PermissionDenied, "officer 1 is no governor"),
    "the same person by two signers": (
        twice("officer 2", "officer 2's other"),
        AlreadyExists,
        "officer 2 signed action 0x.* before",
    ),
    "another action": (over_another_action, InvalidSignature, "signed something else"),
    "after the deadline": (after_the_deadline, Conflict, "the deadline of action 0x.* has passed"),
    "another message": (with_another_message, IntegrityError, "is not what was proposed"),
    "contracts elsewhere": (for_contracts_elsewhere, IntegrityError, "for these contracts"),
    "sent": (while_it_is("submitted"), Conflict, "is submitted: no more signatures"),
    "done": (while_it_is("done"), Conflict, "is done: no more signatures"),
    "expired": (while_it_is("expired"), Conflict, "is expired: no more signatures"),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_a_signature_is_refused_with_the_reason(floor: Floor, why: str) -> None:
    act, error, words = REFUSALS[why]
    action = floor.propose()

    with pytest.raises(error, match=words) as caught:
        act(floor, action)

    assert caught.type is error
    signed = actions.action_signatures(floor.session, action.id)
    assert len(signed) == ("before" in words)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("officer 4", PermissionDenied, "officer 4 may not sign for region 51"),
        ("officer 5", PermissionDenied, "officer 5 is no reviewer"),
    ],
)
def test_a_batch_is_cancelled_by_reviewers_of_its_region_only(
    floor: Floor, batch: Batch, name: str, error: type[ReliefError], words: str
) -> None:
    batch.state = "onchain"
    action = floor.propose(ActionKind.BATCH_CANCELLATION, {"batchId": batch.id})

    with pytest.raises(error, match=words):
        floor.sign(action, name)

    assert floor.sign(action, "officer 3").officers == (3,)


# ---- one officer is enough -----------------------------------------------------------------------


@pytest.fixture
def waiting(batch: Batch) -> Batch:
    """A batch on chain none of whose chunks was run."""
    batch.state = "onchain"
    batch.execute_from_unix_s = int(NOW.timestamp())
    return batch


def test_a_hold_is_ready_with_one_signature_and_takes_no_second(
    floor: Floor, waiting: Batch
) -> None:
    action = floor.propose(ActionKind.BATCH_HOLD, {"batchId": waiting.id})

    status = floor.sign(action, "officer 3")

    assert (status.officers, status.quorum, action.state) == ((3,), 1, "ready")
    with pytest.raises(Conflict, match=r"officer 3 signed action .*: one officer is enough"):
        floor.sign(action, "officer 2")


def test_a_hold_whose_officer_was_removed_takes_anothers_signature_alone(
    floor: Floor, waiting: Batch
) -> None:
    action = floor.propose(ActionKind.BATCH_HOLD, {"batchId": waiting.id})
    floor.sign(action, "officer 3")
    floor.session.get_one(Officer, 3).removed = True

    document = floor.document(action)
    assert floor.sign(action, "officer 2").officers == (2,)

    signed = bytes.fromhex(sign("officer 2", document)[2:])
    packed = actions.packed_action(floor.session, action.id, floor.clock.now())
    assert packed == pack({2: (account("officer 2").address, signed)})


@pytest.mark.parametrize(
    ("name", "words"),
    [("officer 4", "may not sign for region 51"), ("officer 5", "is no reviewer")],
)
def test_a_batch_is_held_by_a_reviewer_of_its_region_only(
    floor: Floor, waiting: Batch, name: str, words: str
) -> None:
    action = floor.propose(ActionKind.BATCH_HOLD, {"batchId": waiting.id})

    with pytest.raises(PermissionDenied, match=words):
        floor.sign(action, name)


# ---- pages and states ----------------------------------------------------------------------------


def test_pages_run_through_the_actions_once(floor: Floor) -> None:
    made = sorted(floor.propose().id for _ in range(3))

    first = actions.list_actions(floor.session, limit=2)
    rest = actions.list_actions(floor.session, limit=2, cursor=first.next_cursor)

    assert [row.id for row in [*first.items, *rest.items]] == made
    assert rest.next_cursor is None
    assert actions.list_actions(floor.session, state=ActionState.DONE).items == []
    with pytest.raises(InvalidInput, match="cursor"):
        actions.list_actions(floor.session, cursor="0x12")


def test_an_action_that_was_sent_collects_no_more() -> None:
    with pytest.raises(IllegalTransition):
        move_action(ActionState.SUBMITTED, ActionState.COLLECTING)
