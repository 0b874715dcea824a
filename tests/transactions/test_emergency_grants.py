"""Emergency grants on their way: signed once, paid once, ended, whoever sends and whatever dies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from sqlalchemy import select

from service.approvals import actions, granting, grants
from service.approvals.domain import SigningDomain
from service.approvals.models import ActionKind, QuorumAction
from service.clock import ManualClock
from service.confirmations.models import ChainAlarm
from service.ledger.reconcile import balances
from service.payouts.models import EmergencyGrant, Payout
from service.regions import Region
from service.transactions import calls
from service.transactions.models import Transaction, TransactionAttempt
from tests.support.deployed import account, send
from tests.support.rows import DAY_S, add_batch, add_request, wallet
from tests.support.world import Killed, World, killer, leave_as_killed

TOKEN = 10**6
PAYEE = wallet(40)
COUNTY = Region(510722, 6)


class Lane:
    """Where officers grant, countersign and write off."""

    def __init__(self, world: World) -> None:
        world.run()  # the officers' mirror
        self.world = world
        d = world.deployed.deployment
        self.domain = SigningDomain(d.chain_id, d.vault, d.registry, d.token, d.lane)

    @property
    def clock(self) -> ManualClock:
        return ManualClock(datetime.fromtimestamp(self.world.deployed.now(), UTC))

    def grant(self, amount: int = 600 * TOKEN, *, officer: int = 3, sign: bool = True) -> str:
        with self.world.session() as session:
            clock = self.clock
            grant = granting.propose_grant(
                session,
                grants.terms_without_case(PAYEE, amount, COUNTY, "the bridge is gone"),
                self.domain,
                officer_id=officer,
                valid_until_unix_s=int((clock.now() + timedelta(hours=6)).timestamp()),
                actor="test",
                reason="the bridge is gone",
                clock=clock,
            )
            if sign:
                self._sign(session, grant.id, officer)
            return grant.id

    def countersign(self, grant_id: str, officer: int = 2) -> str:
        with self.world.session() as session:
            grant = grants.require_outstanding(session, grant_id)
            message = {
                "grantId": grant.id,
                "payee": grant.payee,
                "amount": grant.amount_base_units,
            }
            kind = ActionKind.GRANT_COUNTERSIGNATURE
            return self._act(session, kind, message, officer)

    def act(self, kind: ActionKind, message: dict[str, Any], *officers: int) -> str:
        with self.world.session() as session:
            return self._act(session, kind, message, *officers)

    def _act(self, session: Any, kind: ActionKind, message: dict[str, Any], *officers: int) -> str:
        clock = self.clock
        action = actions.create_action(
            session,
            kind,
            message,
            self.domain,
            deadline_unix_s=int((clock.now() + timedelta(days=1)).timestamp()),
            actor="test",
            reason="test",
            clock=clock,
        )
        for officer in officers:
            self._sign(session, action.id, officer)
        return action.id

    def _sign(self, session: Any, action_id: str, officer: int) -> None:
        document = actions.action_typed_data(session, action_id, self.domain)
        signed = account(f"officer {officer}").sign_message(
            encode_typed_data(full_message=document)
        )
        actions.submit_action_signature(
            session,
            action_id,
            "0x" + bytes(signed.signature).hex(),
            self.domain,
            quorum=2,
            clock=self.clock,
        )

    def row(self, grant_id: str) -> EmergencyGrant:
        with self.world.session() as session:
            return session.get_one(EmergencyGrant, grant_id)

    def action(self, action_id: str) -> QuorumAction:
        with self.world.session() as session:
            return session.get_one(QuorumAction, action_id)

    def on_chain(self, grant_id: str) -> int:
        """State of a grant by the contract: 1 outstanding, 2 overdue, 3 countersigned, 4 …"""
        state: int = self.world.deployed.read("lane", "grantOf", bytes.fromhex(grant_id[2:]))[
            "state"
        ]
        return state

    def send_as_stranger(self, action_id: str) -> None:
        """Somebody with a node of their own sends what officers signed."""
        world, stranger = self.world, account("stranger")
        world.deployed.fund(stranger.address)
        with world.session() as session:
            packed = actions.packed_action(session, action_id, self.clock.now())
            row = session.get_one(QuorumAction, action_id)
            call = calls.quorum_action(world.deployed.contracts, row, packed)
        target = world.deployed.contracts.address(call.contract)
        assert send(world.deployed.rpc, stranger, target, call.calldata)["status"] == "0x1"


@pytest.fixture
def lane(world: World) -> Lane:
    return Lane(world)


def posted(world: World, account_code: str) -> int:
    with world.session() as session:
        return balances(session).get(account_code, 0)


# ---- the way -------------------------------------------------------------------------------------


def test_a_grant_is_paid_falls_overdue_and_is_countersigned(world: World, lane: Lane) -> None:
    grant_id = lane.grant()
    assert (lane.row(grant_id).state, lane.action(grant_id).state) == ("proposed", "ready")

    world.run()

    row = lane.row(grant_id)
    assert (row.state, lane.action(grant_id).state) == ("outstanding", "done")
    assert world.balance_on_chain(PAYEE) == world.balance_in_database(PAYEE) == 600 * TOKEN
    assert posted(world, "emergency") == -600 * TOKEN
    assert row.overdue_from_unix_s is not None
    assert row.overdue_from_unix_s % DAY_S == 0
    world.deployed.advance(row.overdue_from_unix_s - world.deployed.now())
    assert lane.on_chain(grant_id) == 2
    assert world.deployed.read("lane", "overdueBy", 3) == 600 * TOKEN

    action_id = lane.countersign(grant_id)
    world.run()

    row = lane.row(grant_id)
    assert (row.state, row.countersigned_by, lane.on_chain(grant_id)) == ("countersigned", 2, 3)
    assert lane.action(action_id).state == "done"
    assert world.deployed.read("lane", "overdueBy", 3) == 0
    assert world.differences() == []


def test_governors_write_a_grant_off(world: World, lane: Lane) -> None:
    grant_id = lane.grant()
    world.run()

    action_id = lane.act(ActionKind.GRANT_WRITE_OFF, {"grantId": grant_id}, 1, 2)
    world.run()

    assert (lane.row(grant_id).state, lane.on_chain(grant_id)) == ("written_off", 4)
    assert lane.action(action_id).state == "done"
    assert world.differences() == []


def test_a_countersignature_that_came_too_late_says_so(world: World, lane: Lane) -> None:
    grant_id = lane.grant()
    world.run()
    late = lane.countersign(grant_id)
    first = lane.act(ActionKind.GRANT_WRITE_OFF, {"grantId": grant_id}, 1, 2)
    lane.send_as_stranger(first)

    world.run()

    assert lane.row(grant_id).state == "written_off"
    action = lane.action(late)
    assert action.state != "done"
    assert world.differences() == []


# ---- exactly once --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point",
    [
        "planned",
        "signed:before-commit",
        "signed:after-commit",
        "send:before",
        "send:after",
        "sent:before-commit",
        "sent:after-commit",
        "receipts:before-commit",
        "receipts:after-commit",
        "ingested",
        "finalised",
        "posted",
    ],
)
def test_a_crash_at_any_point_leaves_a_grant_paid_once(
    world: World, lane: Lane, point: str
) -> None:
    grant_id = lane.grant()
    for times in (1, 2):
        worker = world.worker(hook=killer(point, times))
        try:
            worker.run_until_idle(20)
        except Killed:
            pass
        finally:
            leave_as_killed(world, worker)

    world.run()

    assert lane.row(grant_id).state == "outstanding"
    assert world.balance_on_chain(PAYEE) == 600 * TOKEN
    assert world.differences() == []
    with world.session() as session:
        assert session.scalars(select(Transaction.state)).all() == ["final"]
        assert len(session.scalars(select(TransactionAttempt)).all()) == 1


def test_a_stranger_who_sends_our_grant_first_pays_it(world: World, lane: Lane) -> None:
    grant_id = lane.grant()
    lane.send_as_stranger(grant_id)

    world.run()

    assert (lane.row(grant_id).state, lane.action(grant_id).state) == ("outstanding", "done")
    assert world.balance_on_chain(PAYEE) == 600 * TOKEN
    assert world.differences() == []


def test_a_grant_sent_by_a_stranger_after_we_signed_our_transaction_is_superseded(
    world: World, lane: Lane
) -> None:
    grant_id = lane.grant()
    stolen = []

    def hook(point: str) -> None:
        if point == "send:before" and not stolen:
            stolen.append(point)
            lane.send_as_stranger(grant_id)

    world.run(hook=hook)

    assert stolen
    assert (lane.row(grant_id).state, lane.action(grant_id).state) == ("outstanding", "done")
    assert lane.action(grant_id).last_error is None
    assert world.balance_on_chain(PAYEE) == 600 * TOKEN
    with world.session() as session:
        assert session.scalars(select(Transaction.state)).all() == ["superseded"]
    assert world.differences() == []


def test_a_re_org_takes_a_grant_and_its_countersignature_back_and_both_come_again(
    make_world: Any,
) -> None:
    world: World = make_world(2)
    lane = Lane(world)
    node = world.deployed.node
    grant_id = lane.grant()
    snapshot = node.rpc("evm_snapshot")
    world.run()
    action_id = lane.countersign(grant_id)
    world.run()
    assert lane.row(grant_id).state == "countersigned"
    node.rpc("evm_revert", snapshot)
    world.deployed.mine(4)

    worker = world.worker()
    with worker:
        worker._start()
        worker._ingestor.step()
        assert lane.row(grant_id).state == "proposed"
        assert (lane.action(grant_id).state, lane.action(action_id).state) == ("ready", "ready")

    world.run()
    world.deployed.mine(3)
    world.run()

    assert lane.row(grant_id).state == "countersigned"
    assert world.balance_on_chain(PAYEE) == 600 * TOKEN
    assert world.differences() == []


# ---- what the chain says of grants that are not ours ---------------------------------------------


def test_a_grant_made_past_this_service_is_known_by_its_event(world: World) -> None:
    given = world.deployed.grant("elsewhere", PAYEE, 5 * TOKEN, officer=3)

    world.run()

    with world.session() as session:
        (row,) = session.scalars(select(EmergencyGrant)).all()
    assert (row.id, row.state, row.created_by) == (
        "0x" + given["grantId"].hex(),
        "outstanding",
        "chain",
    )
    assert (row.payee, row.amount_base_units, row.officer_id) == (PAYEE, 5 * TOKEN, 3)
    assert world.differences() == []


def test_a_case_granted_past_this_service_that_stands_in_a_batch_raises_an_alarm(
    world: World,
) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5], state="draft")
        commitment = session.get_one(Payout, (batch.id, 0)).commitment
    world.deployed.grant("twice", PAYEE, 5, officer=3, caseCommitment=bytes.fromhex(commitment))

    world.run()

    with world.session() as session:
        (alarm,) = session.scalars(select(ChainAlarm)).all()
    assert alarm.kind == "granted_and_in_a_batch"
    assert batch.id in alarm.detail


def test_the_same_case_proposed_here_and_granted_elsewhere_ends_ours(
    world: World, lane: Lane
) -> None:
    ours = lane.grant()
    commitment = lane.row(ours).commitment
    world.deployed.grant("first", PAYEE, 5, officer=3, caseCommitment=bytes.fromhex(commitment))

    world.run()

    assert lane.row(ours).state == "expired"
    assert world.balance_on_chain(PAYEE) == 5
    assert world.differences() == []


# ---- grants that do not come to pass -------------------------------------------------------------


def test_a_grant_that_the_lane_refuses_waits_with_the_reason_and_then_expires(
    world: World, lane: Lane
) -> None:
    grant_id = lane.grant(1_001 * TOKEN)
    world.run()
    action = lane.action(grant_id)
    assert (lane.row(grant_id).state, action.state) == ("proposed", "ready")
    assert action.last_error is not None
    assert action.last_error.startswith("GrantAboveCap(")

    world.deployed.advance(7 * 3600)
    world.run()

    assert lane.row(grant_id).state == "expired"
    assert world.balance_on_chain(PAYEE) == 0


def test_a_grant_that_nobody_signed_expires_and_frees_its_case(world: World, lane: Lane) -> None:
    grant_id = lane.grant(sign=False)
    world.deployed.advance(5 * 3600)
    world.run()
    assert lane.row(grant_id).state == "proposed"

    world.deployed.advance(2 * 3600)
    world.run()

    assert (lane.row(grant_id).state, lane.action(grant_id).state) == ("expired", "expired")


# ---- limits --------------------------------------------------------------------------------------


def test_governors_raise_limits_and_after_two_days_they_are_applied(
    world: World, lane: Lane
) -> None:
    limits = world.deployed.read("lane", "limits")
    raised = {**limits, "perGrant": 2_000 * TOKEN}
    lane.act(ActionKind.LIMITS_RAISE, {n: str(v) for n, v in raised.items()}, 1, 2)
    cap = {"regionCode": 51, "regionDigits": 2, "cap": str(50_000 * TOKEN)}
    lane.act(ActionKind.REGION_CAP_RAISE, cap, 1, 2)
    world.run()
    assert world.deployed.read("lane", "limits") == limits
    world.deployed.advance(2 * DAY_S)
    with world.session() as session:
        add_request(session, "apply_lane_limits")
        add_request(session, "apply_region_cap", regionCode=51, regionDigits=2)

    world.run()

    assert world.deployed.read("lane", "limits") == raised
    assert world.deployed.read("lane", "regionCap", 51, 2) == 50_000 * TOKEN


def test_the_treasurer_lowers_limits_and_the_guardian_pauses_until_governors_lift_it(
    world: World, lane: Lane
) -> None:
    world.signers += [world.role_signer("treasurer")]
    limits = world.deployed.read("lane", "limits")
    lowered = {**limits, "perGrant": 100 * TOKEN, "countersignWindow": DAY_S}
    with world.session() as session:
        add_request(session, "lower_lane_limits", lowered={n: str(v) for n, v in lowered.items()})
        add_request(session, "lower_region_cap", regionCode=51, regionDigits=2, cap="7000000")
    world.deployed.send(world.deployed.roles["guardian"], "lane", "pause")
    world.run()
    assert world.deployed.read("lane", "limits") == lowered
    assert world.deployed.read("lane", "regionCap", 51, 2) == 7 * TOKEN
    assert world.deployed.read("lane", "paused")

    lane.act(ActionKind.GRANTS_UNPAUSE, {}, 1, 2)
    world.run()

    assert not world.deployed.read("lane", "paused")
