"""The registry at its deployment: the first officers, and a quorum that can act."""

import pytest
from approvals import GOVERNOR, MAKER, KeySigner, Officer
from brownie import history
from deployment import OFFICERS
from officer_keys import Passkey
from outcomes import emitted, refused

GOVERNORS = [Officer(i, GOVERNOR, 0, 0) for i in (1, 2, 3)]


@pytest.fixture
def deploy(relief, OfficerRegistry):  # noqa: N803 - Brownie's name
    """Deploy a registry of its own."""

    def send(quorum, officers, verifiers=()):
        structs = [officer.as_new_officer() for officer in officers]
        return OfficerRegistry.deploy(
            relief.manager, quorum, list(verifiers), structs, {"from": relief.deployer}
        )

    return send


def test_the_first_officers_are_in_force_at_once(registry):
    for officer in OFFICERS:
        roles, region, digits, _, removed = registry.officer(officer.officer_id)
        expected = (officer.roles, officer.region_code, officer.region_digits, False)
        assert (roles, region, digits, removed) == expected
        signer = bytes.fromhex(officer.key.address[2:])
        assert registry.signerOf(1, signer)[0] == officer.officer_id
    assert (registry.quorum(), registry.governorCount()) == (2, 3)


def test_the_first_officers_are_announced_with_seq_from_one(deploy):
    transaction = deploy(2, GOVERNORS).tx
    added, signers = emitted(transaction, "OfficerAdded"), emitted(transaction, "SignerAdded")
    assert [event["seq"] for event in added] == [1, 3, 5]
    assert [event["seq"] for event in signers] == [2, 4, 6]
    assert added[0] == {
        "officerId": 1,
        "roles": GOVERNOR,
        "regionCode": 0,
        "regionDigits": 0,
        "activeFrom": transaction.timestamp,
        "actionId": bytes(32),
        "signatures": b"\x00",  # none: so Brownie shows empty bytes
        "seq": 1,
    }


@pytest.mark.parametrize("quorum", [0, 1])
def test_one_officer_is_no_quorum(deploy, quorum):
    with refused("QuorumTooSmall", quorum):
        deploy(quorum, GOVERNORS)


def test_fewer_governors_than_the_quorum_are_refused(deploy):
    with refused("TooFewGovernors", 3, 4):
        deploy(4, GOVERNORS)


def test_the_same_officer_twice_is_refused(deploy):
    with refused("OfficerExists", 2):
        deploy(2, [*GOVERNORS, GOVERNORS[1]])


def test_the_first_verifiers_are_in_force_at_once_and_announced_before_the_officers(relief, deploy):
    verifiers = [relief.p256_verifier, relief.passkey_verifier]
    signer = KeySigner(relief.passkey_verifier.address, Passkey("officer 4"))
    officers = [*GOVERNORS, Officer(4, MAKER, 51, 2, signer)]
    deploy(2, officers, verifiers)
    transaction = history[-1]  # a contract's own `tx` is of the first that stood at its address
    assert emitted(transaction, "VerifierAdded") == [
        {
            "verifier": verifier.address,
            "activeFrom": transaction.timestamp,
            "actionId": bytes(32),
            "signatures": b"\x00",  # none: so Brownie shows empty bytes
            "seq": seq,
        }
        for seq, verifier in enumerate(verifiers, start=1)
    ]
    assert emitted(transaction, "OfficerAdded")[0]["seq"] == 3
    assert emitted(transaction, "SignerAdded")[3]["signer"] == signer.signer


def test_the_same_verifier_twice_is_refused(relief, deploy):
    with refused("VerifierExists", relief.p256_verifier):
        deploy(2, GOVERNORS, [relief.p256_verifier] * 2)


def test_an_officer_with_a_key_of_a_verifier_not_allowed_is_refused(relief, deploy):
    signer = KeySigner(relief.passkey_verifier.address, Passkey("officer 4"))
    with refused("UnknownVerifier", relief.passkey_verifier):
        deploy(2, [*GOVERNORS, Officer(4, MAKER, 51, 2, signer)], [relief.p256_verifier])
