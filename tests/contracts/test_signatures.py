"""What officers sign, whatever type and function: one table, each way in which a signature is wrong."""

import re
from pathlib import Path

import pytest
from approvals import mirrored
from clock import move_to
from outcomes import emitted, refused
from signed_actions import (
    BY_A_QUORUM,
    BY_ONE_OFFICER,
    BY_REVIEWERS,
    EVERYTHING_SIGNED,
    TYPES,
    batch_approval,
    manager_call,
    unpause,
    unpause_grants,
    unpause_transfers,
)

CONTRACTS = Path(__file__).parents[2] / "contracts"
NOT_OFFICERS = {
    # Signed by a wallet's holder: BenefitToken/test_holders_signatures.py.
    "Permit",
    "TransferWithAuthorization",
    "ReceiveWithAuthorization",
    "CancelAuthorization",
    "RedeemWithAuthorization",
    # Hashed under a type, and signed by nobody.
    "Chunk",
    "Node",
}


def each_of(builds):
    """Some of what officers sign, each in turn."""
    return pytest.mark.parametrize("thing", builds, ids=lambda build: build.__name__, indirect=True)


@pytest.fixture(params=EVERYTHING_SIGNED, ids=lambda build: build.__name__)
def thing(request, relief):
    """Each thing that officers sign in turn."""
    return request.param(relief)


@pytest.fixture
def officers(relief, thing):
    """Those whose signatures suffice, ascending."""
    return relief.officers(*thing.by.officers)


@pytest.fixture
def send(relief, thing):
    """Send it with these signatures."""
    return lambda signatures: thing.function(*thing.sent_as(signatures), {"from": relief.anyone})


@pytest.fixture
def ask(relief, thing):
    """Try it with these signatures, and leave nothing behind."""

    def call(signatures):
        return thing.function.call(*thing.sent_as(signatures), {"from": relief.anyone})

    return call


@pytest.fixture
def remove(relief):
    """Have governors remove an officer, or a signer of one."""

    def send(officer, *, signer_only):
        signer = officer.signs_with
        if signer_only:
            name, function = "SignerRemoval", relief.registry.removeSigner
            message = {"signerType": signer.signer_type, "signer": signer.signer}
        else:
            name, function = "OfficerRemoval", relief.registry.removeOfficer
            message = {"officerId": officer.officer_id}
        signed = relief.signed_action(relief.registry, name, message, (6, 8))
        function(*message.values(), *signed, {"from": relief.anyone})

    return send


# ---- the list ------------------------------------------------------------------------------------


def test_the_list_is_every_type_that_the_contracts_hash():
    written = {}
    for source in CONTRACTS.rglob("*.sol"):
        written |= re.findall(r'keccak256\(\s*"(\w+)\(([^)"]*)\)"\s*\)', source.read_text())
    types = {
        name: ",".join(f"{kind} {member}" for member, kind in members)
        for name, (_, members) in TYPES.items()
    }
    assert {name: written[name] for name in written.keys() - NOT_OFFICERS} == types


def test_each_type_is_tried_once(relief):
    assert sorted(build(relief).name for build in EVERYTHING_SIGNED) == sorted(TYPES)


# ---- signed as it must be ------------------------------------------------------------------------


def test_as_few_as_suffice_suffice_and_what_was_sent_is_not_sent_again(thing, officers, send):
    signatures = thing.signatures(officers)
    assert send(signatures).status == 1
    with refused(*thing.again):
        send(signatures)


def test_it_is_good_to_its_last_second_and_no_longer(thing, officers, ask):
    signatures = thing.signatures(officers)
    last, error = thing.expired
    move_to(last)
    ask(signatures)
    move_to(last + 1)
    with refused(*error):
        ask(signatures)


# ---- who signed ----------------------------------------------------------------------------------


def test_one_too_few_is_refused(thing, officers, ask):
    with refused(*thing.by.too_few):
        ask(thing.signatures(officers[:-1]))


@each_of([batch_approval, *BY_A_QUORUM])
def test_the_same_officer_twice_is_refused(thing, officers, ask):
    last = officers[-1]
    with refused("OfficersNotAscending", last.officer_id, last.officer_id):
        ask(thing.signatures([*officers, last]))


@each_of([batch_approval, *BY_A_QUORUM])
def test_officers_out_of_order_are_refused(thing, officers, ask):
    first, last = officers
    with refused("OfficersNotAscending", last.officer_id, first.officer_id):
        ask(thing.signatures([last, first]))


@each_of(BY_ONE_OFFICER)
def test_a_second_record_is_refused_where_one_signs(thing, officers, ask):
    (only,) = officers
    with refused("MoreThanOneOfficer", only.officer_id):
        ask(thing.signatures([only, only]))


def test_an_officer_without_the_role_is_refused(relief, thing, ask):
    other, role = thing.by.lacking
    with refused("OfficerLacksRole", other, role):
        ask(thing.signatures(relief.officers(*thing.by.instead_of_the_last(other))))


@each_of([batch_approval, *BY_REVIEWERS, *BY_ONE_OFFICER])
def test_an_officer_of_another_region_is_refused(relief, thing, ask):
    other = thing.by.outside
    with refused("OfficerOutsideRegion", other, *thing.region):
        ask(thing.signatures(relief.officers(*thing.by.instead_of_the_last(other))))


def test_a_removed_officer_is_refused(thing, officers, remove, ask):
    signatures = thing.signatures(officers)
    remove(officers[-1], signer_only=False)
    with refused("OfficerInactive", officers[-1].officer_id):
        ask(signatures)


def test_a_removed_signer_is_refused(thing, officers, remove, ask):
    signatures = thing.signatures(officers)
    last = officers[-1]
    remove(last, signer_only=True)
    with refused("SignerNotOfficers", last.officer_id, 1, last.signs_with.signer):
        ask(signatures)


# ---- what was signed -----------------------------------------------------------------------------


def test_signatures_for_another_chain_are_refused(thing, officers, ask):
    with refused(*thing.wrong_signature(officers[0])):
        ask(thing.signatures(officers, chain_id=1))


def test_signatures_for_another_contract_are_refused(relief, thing, officers, ask):
    for other in (relief.vault, relief.token, relief.registry, relief.lane, relief.manager):
        if other != thing.contract:
            with refused(*thing.wrong_signature(officers[0])):
                ask(thing.signatures(officers, contract=other))


def test_every_member_is_signed(relief, thing, officers, ask):
    for name, value in thing.message.items():
        if isinstance(value, int):
            other = value + 1
        elif isinstance(value, bytes):
            other = bytes(31) + b"\xee"
        else:
            other = relief.anyone.address
        with refused(*thing.wrong_signature(officers[0])):
            ask(thing.signatures(officers, **{name: other}))


def test_the_mirrored_signature_is_refused(thing, officers, ask):
    with refused(*thing.wrong_signature(officers[-1])):
        ask(thing.altered(officers, mirrored))


# ---- actions have an id --------------------------------------------------------------------------


@each_of(BY_A_QUORUM)
def test_a_quorums_action_id_is_used_up(relief, thing, officers, send):
    (event,) = emitted(send(thing.signatures(officers)), "ActionConsumed")
    action_id = thing.message["actionId"]
    assert (event["consumer"], event["actionId"]) == (thing.contract.address, action_id)
    assert bytes(event["digest"]) == thing.digest()
    assert relief.registry.actionUsed(thing.contract, action_id)


@each_of(BY_A_QUORUM)
def test_an_action_id_serves_once_whatever_it_was_used_for(relief, thing, officers, ask):
    other = {
        relief.vault: unpause,
        relief.token: unpause_transfers,
        relief.registry: manager_call,
        relief.lane: unpause_grants,
    }[thing.contract](relief)
    other.message["actionId"] = thing.message["actionId"]
    governors = relief.officers(*other.by.officers)
    other.function(*other.sent_as(other.signatures(governors)), {"from": relief.anyone})
    with refused("ActionUsed", thing.contract, thing.message["actionId"]):
        ask(thing.signatures(officers))
