"""Emergency grants before the chain: what one pays, who may sign it, and no case paid twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.approvals import actions, granting, grants
from service.approvals.models import ActionKind, Officer, OfficerSigner, QuorumAction
from service.clock import ManualClock
from service.db import create_database_engine
from service.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    ReliefError,
)
from service.payouts.building import build_batches
from service.payouts.models import EmergencyGrant, Payout, Programme
from service.privacy.commitments import ad_hoc_commitment
from service.regions import WHOLE_COUNTRY, Region
from tests.approvals.conftest import ACTIVE, DOMAIN, sign
from tests.approvals.test_at_the_same_time import somebody_waits, together
from tests.support.deployed import account
from tests.support.programme import NOW, TOKEN, AddCases, Build, address_of
from tests.support.rows import wallet

COUNTY = Region(510722, 6)
EMERGENCY, REVIEWER = 4, 2
DAY_S = 86_400
UNTIL = int(NOW.timestamp()) + DAY_S


@pytest.fixture(autouse=True)
def granters(session: Session, officers: None) -> None:
    """Officer 8 grants everywhere and reviews, 9 grants in Jiangsu, 10 did once."""
    for number, roles, region, removed in (
        (8, EMERGENCY | REVIEWER, (0, 0), False),
        (9, EMERGENCY, (32, 2), False),
        (10, EMERGENCY, (0, 0), True),
    ):
        session.add(
            Officer(
                officer_id=number,
                roles=roles,
                region_code=region[0],
                region_digits=region[1],
                active_from=ACTIVE,
                removed=removed,
            )
        )
        session.flush()
        session.add(
            OfficerSigner(
                signer_type=1,
                signer=account(f"officer {number}").address.lower(),
                officer_id=number,
                active_from=ACTIVE,
            )
        )
    session.flush()


Propose = Callable[..., EmergencyGrant]


@pytest.fixture
def propose(session: Session, clock: ManualClock) -> Propose:
    """Propose a grant, by default of officer 8 without a case."""

    def make(terms: grants.GrantTerms | None = None, **more: Any) -> EmergencyGrant:
        given: dict[str, Any] = {
            "officer_id": 8,
            "valid_until_unix_s": UNTIL,
            "actor": "wang",
            "reason": "the bridge is gone",
            "clock": clock,
            **more,
        }
        return granting.propose_grant(session, terms or ad_hoc(), DOMAIN, **given)

    return make


def ad_hoc(**change: Any) -> grants.GrantTerms:
    given = {
        "payee": wallet(1),
        "amount_base_units": 600 * TOKEN,
        "region": COUNTY,
        "reason": " the bridge is gone ",
        **change,
    }
    return grants.terms_without_case(**given)


def submit(
    session: Session, clock: ManualClock, action_id: str, signer: str
) -> actions.ActionStatus:
    document = actions.action_typed_data(session, action_id, DOMAIN)
    return actions.submit_action_signature(
        session, action_id, sign(signer, document), DOMAIN, quorum=2, clock=clock
    )


def made(session: Session, grant: EmergencyGrant) -> EmergencyGrant:
    """As its event leaves it."""
    grant.state, grant.overdue_from_unix_s = "outstanding", UNTIL + 5 * DAY_S
    session.flush()
    return grant


# ---- proposing and signing -----------------------------------------------------------------------


def test_a_grants_id_and_time_are_those_of_the_action_that_one_officer_signs(
    session: Session, clock: ManualClock, propose: Propose
) -> None:
    grant = propose()

    document = actions.action_typed_data(session, grant.id, DOMAIN)
    status = submit(session, clock, grant.id, "officer 8")

    assert document["message"] == {
        "grantId": grant.id,
        "officer": 8,
        "payee": wallet(1),
        "amount": "600000000",
        "regionCode": 510722,
        "regionDigits": 6,
        "caseCommitment": "0x" + grant.commitment,
        "validUntil": UNTIL,
    }
    assert document["domain"]["name"] == "Relief EmergencyLane"
    assert (status.officers, status.quorum, status.action.state) == ((8,), 1, "ready")


def test_only_the_officer_named_signs_a_grant(
    session: Session, clock: ManualClock, propose: Propose
) -> None:
    session.get_one(Officer, 9).region_code = session.get_one(Officer, 9).region_digits = 0
    grant = propose()
    with pytest.raises(PermissionDenied, match="names officer 8, and officer 9 signed it"):
        submit(session, clock, grant.id, "officer 9")
    with pytest.raises(PermissionDenied, match="officer 2 is no emergency"):
        submit(session, clock, grant.id, "officer 2")


@pytest.mark.parametrize(
    ("officer", "error", "words"),
    [
        (2, PermissionDenied, "officer 2 is no emergency"),
        (9, PermissionDenied, "officer 9 may not sign for region 510722"),
        (10, PermissionDenied, "officer 10 was removed"),
        (11, NotFound, "there is no officer 11"),
    ],
)
def test_an_officer_who_may_not_grant_there_is_refused(
    propose: Propose, officer: int, error: type[ReliefError], words: str
) -> None:
    with pytest.raises(error, match=words):
        propose(officer_id=officer)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"amount_base_units": 0}, "a grant is"),
        ({"amount_base_units": 2**64}, "a grant is"),
        ({"region": WHOLE_COUNTRY}, "not the whole country"),
        ({"reason": " "}, "needs a reason"),
    ],
)
def test_terms_that_no_grant_can_have_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        ad_hoc(**change)


def test_the_reason_opens_the_commitment_of_a_grant_without_a_case(propose: Propose) -> None:
    first, second = propose(), propose()
    for grant in (first, second):
        assert grant.commitment_salt is not None
        salt = bytes.fromhex(grant.commitment_salt[2:])
        assert ad_hoc_commitment(salt, grant.reason or "").hex() == grant.commitment
    assert first.commitment != second.commitment


# ---- cases ---------------------------------------------------------------------------------------


def test_a_granted_case_is_in_no_batch_and_free_again_when_the_grant_expires(
    session: Session, add_cases: AddCases, build: Build, propose: Propose
) -> None:
    add_cases("a", "b")
    terms = grants.terms_of_case(session, "a")
    assert (terms.payee, terms.amount_base_units) == (address_of("a"), 600 * TOKEN)
    grant = propose(terms)

    (batch,) = build()
    assert batch.count == 1
    with pytest.raises(Conflict, match="waits"):
        build()
    assert grants.free_expired(session, UNTIL) == 0
    assert grants.free_expired(session, UNTIL + 1) == 1

    assert (grant.state, session.get_one(QuorumAction, grant.id).state) == ("expired", "expired")
    (batch,) = build()
    assert batch.count == 1


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"state": "received"}, "is received: only an approved one"),
        ({"state": "rejected"}, "is rejected: only an approved one"),
        ({"kind": "stream", "duration_days": 90}, "is a stream"),
    ],
)
def test_a_case_that_cannot_be_granted_is_refused(
    session: Session, add_cases: AddCases, columns: dict[str, Any], words: str
) -> None:
    add_cases("a", **columns)
    with pytest.raises(Conflict, match=words):
        grants.terms_of_case(session, "a")


def test_a_case_is_granted_once_and_never_while_it_stands_in_a_batch(
    session: Session, add_cases: AddCases, build: Build, propose: Propose
) -> None:
    add_cases("a")
    (batch,) = build()
    with pytest.raises(Conflict, match=f"stands in batch {batch.id}"):
        grants.terms_of_case(session, "a")
    session.get_one(Payout, (batch.id, 0)).own_state = "cancelled"
    propose(grants.terms_of_case(session, "a"))
    with pytest.raises(AlreadyExists, match="has the emergency grant"):
        grants.terms_of_case(session, "a")


def test_other_cases_of_the_wallet_that_a_batch_may_still_pay_are_named(
    session: Session, add_cases: AddCases, build: Build, propose: Propose
) -> None:
    add_cases("a")
    add_cases("b", "c", state="received")
    add_cases("d", state="rejected")
    payees = {address_of("a"): "a", address_of("b"): "b", address_of("d"): None}
    for payee, expected in payees.items():
        grant = propose(ad_hoc(payee=payee))
        assert grants.waiting_cases(session, grant) == ([expected] if expected else [])
    build()
    assert grants.waiting_cases(session, propose(ad_hoc(payee=address_of("a")))) == []
    assert grants.waiting_cases(session, propose(ad_hoc(payee=address_of("b")))) == ["b"]


def test_a_case_granted_elsewhere_by_the_same_commitment_is_in_no_batch(
    session: Session, add_cases: AddCases, build: Build, propose: Propose
) -> None:
    (case,) = add_cases("a")
    grant = made(session, propose())
    grant.commitment = case.commitment
    session.flush()
    with pytest.raises(Conflict, match="waits"):
        build()


@pytest.fixture
def build_in(
    programme: Programme, manifests_dir: Path, clock: ManualClock
) -> Callable[[Session], object]:
    """Build batches of the programme in a session of its own."""

    def make(session: Session) -> object:
        return build_batches(
            session,
            programme=session.get_one(Programme, programme.id),
            kind="one_off",
            region=Region(51, 2),
            maker_officer_id=1,
            execute_before_unix_s=int(NOW.timestamp()) + 7 * DAY_S,
            actor="wang",
            manifests_dir=manifests_dir,
            clock=clock,
        )

    return make


def test_a_build_that_meets_a_grant_of_its_case_takes_it_into_no_batch(
    session: Session,
    add_cases: AddCases,
    propose: Propose,
    database_url: str,
    build_in: Callable[[Session], object],
) -> None:
    add_cases("a", "b")
    session.commit()
    propose(grants.terms_of_case(session, "a"))

    outcome = meanwhile(database_url, session, build_in)

    if create_database_engine(database_url).dialect.name == "postgresql":
        assert isinstance(outcome, Conflict)
        assert "case a was granted in an emergency just now" in outcome.detail
    session.expire_all()
    in_batches = session.scalars(select(Payout.payee)).all()
    assert address_of("a") not in in_batches


def test_a_grant_that_meets_a_build_of_its_case_is_refused(
    session: Session,
    add_cases: AddCases,
    build: Build,
    database_url: str,
) -> None:
    add_cases("a")
    session.commit()
    (batch,) = build()

    outcome = meanwhile(database_url, session, lambda other: grants.terms_of_case(other, "a"))

    assert isinstance(outcome, Conflict)
    assert batch.id in outcome.detail


def meanwhile(
    database_url: str, session: Session, work: Callable[[Session], object]
) -> ReliefError | None:
    """Start other work while a transaction is open, end that once the other waits for it."""
    engine: Engine = create_database_engine(database_url)
    outcome: list[list[ReliefError | None]] = []
    thread = threading.Thread(target=lambda: outcome.append(together(engine, [work])))
    thread.start()
    while engine.dialect.name == "postgresql" and not somebody_waits(engine):
        assert thread.is_alive(), "nobody waited"
    session.commit()
    thread.join(30)
    engine.dispose()
    return outcome[0][0]


# ---- countersigning ------------------------------------------------------------------------------


def propose_ending(
    session: Session, clock: ManualClock, grant: EmergencyGrant, kind: ActionKind
) -> QuorumAction:
    message = {"grantId": grant.id}
    if kind is ActionKind.GRANT_COUNTERSIGNATURE:
        message |= {"payee": grant.payee, "amount": grant.amount_base_units}
    return actions.create_action(
        session,
        kind,
        message,
        DOMAIN,
        deadline_unix_s=UNTIL,
        actor="wang",
        reason="seen",
        clock=clock,
    )


def test_one_reviewer_of_the_region_countersigns_but_not_who_granted(
    session: Session, clock: ManualClock, propose: Propose
) -> None:
    grant = made(session, propose())
    action = propose_ending(session, clock, grant, ActionKind.GRANT_COUNTERSIGNATURE)
    assert (action.region_code, action.region_digits) == (510722, 6)

    with pytest.raises(PermissionDenied, match="officer 8 granted it"):
        submit(session, clock, action.id, "officer 8")
    with pytest.raises(PermissionDenied, match="officer 4 may not sign for region 510722"):
        submit(session, clock, action.id, "officer 4")
    with pytest.raises(PermissionDenied, match="officer 5 is no reviewer"):
        submit(session, clock, action.id, "officer 5")
    assert submit(session, clock, action.id, "officer 3").action.state == "ready"


def test_who_may_countersign_is_told(
    session: Session, clock: ManualClock, propose: Propose
) -> None:
    assert grants.may_countersign(session, propose(), clock=clock) == [1, 2, 3]


@pytest.mark.parametrize("kind", [ActionKind.GRANT_COUNTERSIGNATURE, ActionKind.GRANT_WRITE_OFF])
def test_only_an_outstanding_grant_is_ended(
    session: Session, clock: ManualClock, propose: Propose, kind: ActionKind
) -> None:
    grant = propose()
    with pytest.raises(Conflict, match="is proposed, not outstanding"):
        propose_ending(session, clock, grant, kind)
    made(session, grant).state = "countersigned"
    with pytest.raises(Conflict, match="is countersigned, not outstanding"):
        propose_ending(session, clock, grant, kind)


def test_grants_are_listed_by_what_they_are_shown_as(
    session: Session, clock: ManualClock, propose: Propose
) -> None:
    proposed = propose()
    outstanding = made(session, propose(ad_hoc(region=Region(32, 2)), officer_id=8))
    late = made(session, propose())
    late.overdue_from_unix_s = int(clock.now().timestamp())
    session.flush()

    def listed(**filters: Any) -> set[str]:
        page = grants.list_grants(session, clock=clock, **filters)
        return {grant.id for grant in page.items}

    assert listed() == {proposed.id, outstanding.id, late.id}
    assert listed(state="proposed") == {proposed.id}
    assert listed(state="outstanding") == {outstanding.id}
    assert listed(state="overdue") == {late.id}
    assert listed(region=Region(51, 2)) == {proposed.id, late.id}
    assert listed(officer_id=9) == set()
    first = grants.list_grants(session, limit=2, clock=clock)
    assert first.next_cursor is not None
    rest = grants.list_grants(session, limit=2, cursor=first.next_cursor, clock=clock)
    assert {grant.id for grant in (*first.items, *rest.items)} == listed()
    later = ManualClock(NOW + timedelta(days=7))
    overdue = grants.list_grants(session, state="overdue", clock=later).items
    assert {grant.id for grant in overdue} == {outstanding.id, late.id}
    with pytest.raises(InvalidInput, match="'late' is not one of"):
        listed(state="late")
    with pytest.raises(InvalidInput, match="cursor"):
        listed(cursor="0x12")
