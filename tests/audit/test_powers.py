"""The manager's roles as the replay rebuilds them, against the manager's own views."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eth_utils.crypto import keccak

from service.audit.abi import Contract
from service.audit.decode import Event
from service.audit.powers import Access, Delay, Powers
from service.audit.replay import Options, replay
from service.audit.report import ReplayReport
from service.audit.rpc import Node
from service.chain.devnode import DevNode
from tests.audit.driving.chain import Driven, driven_chain
from tests.support.deployed import account
from tests.support.walks import ACTION, DAY_S

KEEPER = account("keeper 0").address
FREEZER = 2


@pytest.fixture(scope="module")
def driven(anvil: DevNode) -> Iterator[Driven]:
    """A chain of the module's own; asking for `anvil` marks the tests."""
    with driven_chain() as chain:
        yield chain


@pytest.fixture
def chain(driven: Driven) -> Iterator[Driven]:
    """The same; what a test does is put back."""
    snapshot, time = driven.rpc.call("evm_snapshot"), driven.now()
    yield driven
    driven.rpc.call("evm_revert", snapshot)
    driven.set_clock(time)


def govern(chain: Driven, function: str, *args: object) -> None:
    data = chain.contracts.encode_call("manager", function, *args)
    message = {"data": data, "actionId": keccak(data), "deadline": chain.now() + DAY_S}
    members = [("data", "bytes"), *ACTION]
    signed = chain.sign_action("registry", "ManagerCall", members, message, (2, 3))
    facts = (data, message["actionId"], message["deadline"], signed)
    chain.send(chain.deployer, "registry", "callManager", *facts)


def replayed(chain: Driven) -> ReplayReport:
    with Node(chain.node.rpc_url) as node:
        return replay(node, Options(bytes.fromhex(chain.vault[2:])))


def test_a_holder_given_a_shorter_delay_keeps_the_role_meanwhile(chain: Driven) -> None:
    """The event of it names when the delay shrinks, not when the role begins."""
    govern(chain, "grantRole", FREEZER, KEEPER, 2 * DAY_S)
    granted = chain.now()
    govern(chain, "grantRole", FREEZER, KEEPER, 0)
    changed = chain.now()
    report = replayed(chain)
    assert report.findings == []
    access = report.state.powers.access[FREEZER, bytes.fromhex(KEEPER[2:])]
    assert access == Access(granted, Delay(2 * DAY_S, 0, changed + 2 * DAY_S))


def test_what_was_scheduled_and_done_or_given_up_agrees(chain: Driven) -> None:
    govern(chain, "grantRole", FREEZER, KEEPER, 3_600)
    calls = [chain.contracts.encode_call("token", "freeze", f"0x{n:040x}") for n in (1, 2, 3)]
    for data in calls:
        chain.send(KEEPER, "manager", "schedule", chain.token, data, 0)
    chain.advance(3_600)
    chain.send(KEEPER, "manager", "execute", chain.token, calls[0])
    chain.send(KEEPER, "manager", "cancel", KEEPER, chain.token, calls[1])
    assert replayed(chain).findings == []
    chain.advance(8 * DAY_S)  # what was left cannot be done any more
    report = replayed(chain)
    assert report.findings == []
    assert [operation.nonce for operation in report.state.powers.operations.values()] == [1, 1, 1]


def test_delays_guardians_and_closed_targets_agree_now_and_later(chain: Driven) -> None:
    govern(chain, "setGrantDelay", FREEZER, DAY_S)
    govern(chain, "setTargetAdminDelay", chain.token, DAY_S)
    govern(chain, "setRoleGuardian", FREEZER, 1)
    govern(chain, "setRoleAdmin", 77, 5)
    govern(chain, "setTargetClosed", chain.lane, True)
    assert replayed(chain).findings == []
    chain.advance(6 * DAY_S)
    govern(chain, "grantRole", FREEZER, KEEPER, 0)
    report = replayed(chain)
    assert report.findings == []
    access = report.state.powers.access[FREEZER, bytes.fromhex(KEEPER[2:])]
    assert access.since == chain.now() + DAY_S


def test_a_role_that_was_taken_away_is_nobodys(chain: Driven) -> None:
    govern(chain, "grantRole", FREEZER, KEEPER, 0)
    govern(chain, "revokeRole", FREEZER, KEEPER)
    report = replayed(chain)
    assert report.findings == []
    assert bytes.fromhex(KEEPER[2:]) not in report.state.powers.holders(FREEZER)


@pytest.mark.parametrize(
    ("seconds", "full"), [(99, (10, 5, 100)), (100, (5, 0, 0)), (101, (5, 0, 0))]
)
def test_a_delay_changes_in_its_second(seconds: int, full: tuple[int, int, int]) -> None:
    assert Delay(10, 5, 100).full(seconds) == full


def test_a_delay_changed_before_it_took_effect_begins_from_the_one_in_force() -> None:
    assert Delay(10, 5, 100).changed(7, 103, 90) == Delay(10, 7, 103)
    assert Delay(10, 5, 100).changed(7, 110, 100) == Delay(5, 7, 110)


def test_an_operation_can_be_done_for_a_week() -> None:
    powers = Powers()
    event = Event(
        Contract.MANAGER,
        "OperationScheduled",
        {"operationId": b"o", "nonce": 3, "schedule": 1_000},
        *(1, 900, b"", b"", 0, 0),
    )
    powers.apply(event)
    (operation,) = powers.operations.values()
    assert operation.schedule(1_000 + 7 * DAY_S - 1) == 1_000
    assert operation.schedule(1_000 + 7 * DAY_S) == 0
