"""What every quorum action asks, whatever contract and function: one table, each refusal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import brownie
import pytest
from approvals import Officer, account_named, sign_action
from clock import HOUR, next_transaction_at, now
from deployment import LIMITS, Relief
from outcomes import emitted, refused, refused_as

GOVERNORS, REVIEWERS = (6, 7), (2, 3)
LACKS = {GOVERNORS: (2, 8), REVIEWERS: (6, 2)}
"""For each group: an officer who is not in it, and the role that officer lacks."""


@dataclass
class Action:
    """A quorum action ready to be signed.

    Attributes
    ----------
    contract, send
        Where it is used up, and the function that takes `arguments` and the quorum's three.
    name, message
        The signed type and its members, but for action id and deadline.
    officers
        Two officers who may sign it.
    """

    contract: Any
    send: Callable[..., Any]
    name: str
    message: dict[str, Any]
    arguments: tuple[Any, ...]
    officers: tuple[int, int] = GOVERNORS

    def run(self, relief: Relief, officers: Any = None, **how: Any) -> Any:
        """Sign and send."""
        signed = relief.signed_action(
            self.contract, self.name, self.message, officers or self.officers, **how
        )
        return self.send(*self.arguments, *signed, {"from": relief.anyone})


def _batch_cancellation(relief):
    batch = relief.batch([(relief.payees(1)[0], 10)])
    relief.approve(batch)
    send = relief.vault.cancelBatch
    message = {"batchId": batch.id}
    return Action(relief.vault, send, "BatchCancellation", message, (batch.id,), REVIEWERS)


def _stream_cancellation(relief):
    batch = relief.open_streams([(relief.payees(1)[0], 10)])
    message = {"batchId": batch.id, "chunkIndex": 0, "maskLow": 1, "maskHigh": 0}
    send = relief.vault.cancelStreams
    arguments = tuple(message.values())
    return Action(relief.vault, send, "StreamCancellation", message, arguments, REVIEWERS)


def _wallet_change(relief):
    old, new = relief.payees(2)
    batch = relief.open_streams([(old, 10)])
    message = {"batchId": batch.id, "index": 0, "from": old, "to": new}
    send = relief.vault.changeWallet
    arguments = tuple(message.values())
    return Action(relief.vault, send, "WalletChange", message, arguments, REVIEWERS)


def _sunset(relief):
    return Action(relief.vault, relief.vault.beginSunset, "Sunset", {}, ())


def _unpause(relief):
    return Action(relief.vault, relief.vault.unpause, "Unpause", {"operations": 1}, (1,))


def _unpause_transfers(relief):
    return Action(relief.token, relief.token.unpauseTransfers, "UnpauseTransfers", {}, ())


def _cap_increase(relief):
    cap = relief.token.cap() + 1
    send = relief.token.scheduleCap
    return Action(relief.token, send, "CapIncrease", {"cap": cap}, (cap,))


def _minter_addition(relief):
    message = {"minter": brownie.accounts[13].address, "cap": 5}
    send, arguments = relief.token.scheduleMinter, tuple(message.values())
    return Action(relief.token, send, "MinterAddition", message, arguments)


def _minter_removal(relief):
    message = {"minter": relief.vault.address}
    send, arguments = relief.token.removeMinter, tuple(message.values())
    return Action(relief.token, send, "MinterRemoval", message, arguments)


def _officer_addition(relief):
    struct = Officer(20, 2, 51, 2).as_new_officer()
    names = ("officerId", "roles", "regionCode", "regionDigits", "signerType", "signer")
    message = dict(zip(names, struct, strict=True))
    return Action(
        relief.registry, relief.registry.addOfficer, "OfficerAddition", message, (struct,)
    )


def _officer_removal(relief):
    send = relief.registry.removeOfficer
    return Action(relief.registry, send, "OfficerRemoval", {"officerId": 2}, (2,))


def _signer_addition(relief):
    signer = bytes.fromhex(account_named("another signer").address[2:])
    message = {"officerId": 2, "signerType": 1, "signer": signer}
    send, arguments = relief.registry.addSigner, tuple(message.values())
    return Action(relief.registry, send, "SignerAddition", message, arguments)


def _signer_removal(relief):
    signer = bytes.fromhex(relief.officers(2)[0].key.address[2:])
    message = {"signerType": 1, "signer": signer}
    send, arguments = relief.registry.removeSigner, tuple(message.values())
    return Action(relief.registry, send, "SignerRemoval", message, arguments)


def _verifier_addition(relief):
    message = {"verifier": relief.token.address}
    send, arguments = relief.registry.addVerifier, tuple(message.values())
    return Action(relief.registry, send, "VerifierAddition", message, arguments)


def _verifier_removal(relief):
    message = {"verifier": relief.p256_verifier.address}
    send, arguments = relief.registry.removeVerifier, tuple(message.values())
    return Action(relief.registry, send, "VerifierRemoval", message, arguments)


def _manager_call(relief):
    data = relief.manager.grantRole.encode_input(1, relief.anyone, 0)
    message = {"data": bytes.fromhex(data[2:])}
    return Action(relief.registry, relief.registry.callManager, "ManagerCall", message, (data,))


def _grant_write_off(relief):
    grant_id = relief.grant(relief.payees(1)[0], 10)["grantId"]
    send = relief.lane.writeOff
    return Action(relief.lane, send, "GrantWriteOff", {"grantId": grant_id}, (grant_id,))


def _limits_raise(relief):
    send, arguments = relief.lane.scheduleLimits, (tuple(LIMITS.values()),)
    return Action(relief.lane, send, "LimitsRaise", dict(LIMITS), arguments)


def _region_cap_raise(relief):
    message = {"regionCode": 51, "regionDigits": 2, "cap": 10**12}
    send, arguments = relief.lane.scheduleRegionCap, tuple(message.values())
    return Action(relief.lane, send, "RegionCapRaise", message, arguments)


def _unpause_grants(relief):
    return Action(relief.lane, relief.lane.unpause, "UnpauseGrants", {}, ())


ACTIONS = [
    _batch_cancellation,
    _stream_cancellation,
    _wallet_change,
    _sunset,
    _unpause,
    _unpause_transfers,
    _cap_increase,
    _minter_addition,
    _minter_removal,
    _officer_addition,
    _officer_removal,
    _signer_addition,
    _signer_removal,
    _verifier_addition,
    _verifier_removal,
    _manager_call,
    _grant_write_off,
    _limits_raise,
    _region_cap_raise,
    _unpause_grants,
]


@pytest.fixture(params=ACTIONS, ids=lambda build: build.__name__.strip("_"))
def action(request, relief):
    """Each quorum action in turn."""
    return request.param(relief)


def test_a_quorum_suffices_and_its_action_id_is_used_up(relief, action):
    action_id = relief.action_id()
    transaction = action.run(relief, action_id=action_id)
    (event,) = emitted(transaction, "ActionConsumed")
    assert (event["consumer"], event["actionId"]) == (action.contract.address, action_id)
    assert relief.registry.actionUsed(action.contract, action_id)


def test_too_few_officers_are_refused(relief, action):
    with refused("NotEnoughOfficers", 2, 1):
        action.run(relief, officers=action.officers[:1])


def test_the_same_officer_twice_is_refused(relief, action):
    first = action.officers[0]
    with refused("OfficersNotAscending", first, first):
        action.run(relief, officers=(first, first))


def test_an_officer_without_the_role_is_refused(relief, action):
    stranger, lacking = LACKS[action.officers]
    with refused("OfficerLacksRole", stranger, lacking):
        action.run(relief, officers=sorted((action.officers[0], stranger)))


def test_it_is_good_to_the_second_of_its_deadline_and_no_longer(relief, action):
    deadline, action_id = now() + HOUR, relief.action_id()
    next_transaction_at(deadline + 1)
    with refused("ActionExpired", action_id, deadline):
        action.run(relief, deadline=deadline, action_id=action_id)
    last = now() + HOUR
    next_transaction_at(last)
    action.run(relief, deadline=last)


def test_an_action_id_serves_once_whatever_it_was_used_for(relief, action):
    action_id = relief.action_id()
    other = {
        relief.vault: _unpause,
        relief.token: _unpause_transfers,
        relief.registry: _manager_call,
        relief.lane: _unpause_grants,
    }[action.contract]
    other(relief).run(relief, action_id=action_id)
    with refused("ActionUsed", action.contract, action_id):
        action.run(relief, action_id=action_id)


def test_signatures_for_another_chain_are_refused(relief, action):
    action_id, deadline = relief.action_id(), now() + HOUR
    signatures = sign_action(
        action.contract,
        action.name,
        {**action.message, "actionId": action_id, "deadline": deadline},
        relief.officers(*action.officers),
        chain_id=1,
    )
    with refused_as("WrongSignature"):
        action.send(*action.arguments, action_id, deadline, signatures, {"from": relief.anyone})


@pytest.mark.parametrize("member", ["action id", "deadline"])
def test_action_id_and_deadline_are_signed(relief, action, member):
    action_id, deadline, signatures = relief.signed_action(
        action.contract, action.name, action.message, action.officers
    )
    if member == "deadline":
        deadline += 1
    else:
        action_id = relief.action_id()
    with refused_as("WrongSignature"):
        action.send(*action.arguments, action_id, deadline, signatures, {"from": relief.anyone})


@pytest.mark.parametrize(
    "build",
    [
        build for build in ACTIONS if build not in {_unpause_transfers, _unpause_grants}
    ],  # no members
    ids=lambda build: build.__name__.strip("_"),
)
def test_what_is_done_is_signed(relief, build):
    action = build(relief)
    for name, value in action.message.items():
        if isinstance(value, int):
            other = value + 1
        elif isinstance(value, bytes):
            other = bytes(31) + b"\xee"
        else:
            other = relief.anyone.address
        signed = relief.signed_action(
            action.contract, action.name, {**action.message, name: other}, action.officers
        )
        with refused_as("WrongSignature"):
            action.send(*action.arguments, *signed, {"from": relief.anyone})
