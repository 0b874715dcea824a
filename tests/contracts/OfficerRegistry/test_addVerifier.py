"""addVerifier and removeVerifier: who checks keys comes slowly, goes at once, and never comes back."""

import pytest
from approvals import KeySigner, Officer
from brownie import accounts
from clock import DAY, advance, ask_node
from officer_keys import P256Key
from outcomes import emitted, refused

REVIEWER = 2


@pytest.fixture
def another(relief, P256Verifier):  # noqa: N803 - Brownie's name
    """A verifier that is not allowed yet."""
    return P256Verifier.deploy({"from": accounts[17]})  # where nothing else is deployed


def test_a_new_verifier_is_stored_and_announced(relief, registry, another):
    seq = registry.seq()
    action_id, deadline, signatures = relief.signed_action(
        registry, "VerifierAddition", {"verifier": another.address}, (6, 7)
    )
    transaction = registry.addVerifier(
        another, action_id, deadline, signatures, {"from": relief.anyone}
    )
    active_from = transaction.timestamp + 2 * DAY
    assert emitted(transaction, "VerifierAdded") == [
        {
            "verifier": another.address,
            "activeFrom": active_from,
            "actionId": action_id,
            "signatures": signatures,
            "seq": seq + 2,
        }
    ]
    assert registry.verifierOf(another) == (active_from, False)


def test_a_key_of_a_new_verifier_signs_from_the_second_the_delay_is_over(
    relief, add_verifier, add_officer, another
):
    add_verifier(another)
    advance(DAY)
    officer = Officer(20, REVIEWER, 51, 2, KeySigner(another.address, P256Key("officer 20")))
    add_officer(officer.as_new_officer())
    advance(2 * DAY)
    relief.approve(relief.batch([(relief.payees(1)[0], 1)]), officers=(1, officer))


def test_a_new_verifier_is_checked_for_its_own_delay(
    relief, registry, add_verifier, add_officer, another
):
    # A signer's delay starts no earlier than its verifier's, so none can sign before its verifier
    # is in force: only a key of a verifier added in the same second could tell.
    add_verifier(another)
    officer = Officer(20, REVIEWER, 51, 2, KeySigner(another.address, P256Key("officer 20")))
    add_officer(officer.as_new_officer())
    active_from = registry.signerOf(3, officer.signs_with.signer)[1]
    assert active_from >= registry.verifierOf(another)[0]


def test_a_verifier_goes_at_once_and_it_is_announced(relief, registry):
    verifier = relief.p256_verifier
    seq, (active_from, _) = registry.seq(), registry.verifierOf(verifier)
    action_id, deadline, signatures = relief.signed_action(
        registry, "VerifierRemoval", {"verifier": verifier.address}, (6, 7)
    )
    transaction = registry.removeVerifier(
        verifier, action_id, deadline, signatures, {"from": relief.anyone}
    )
    assert emitted(transaction, "VerifierRemoved") == [
        {
            "verifier": verifier.address,
            "actionId": action_id,
            "signatures": signatures,
            "seq": seq + 2,
        }
    ]
    assert registry.verifierOf(verifier) == (active_from, True)


def test_a_verifier_that_was_removed_gets_no_more_signers_and_never_comes_back(
    relief, add_verifier, add_signer, remove_verifier
):
    remove_verifier(relief.p256_verifier)
    with refused("UnknownVerifier", relief.p256_verifier):
        add_signer(2, KeySigner(relief.p256_verifier.address, P256Key("new")).signer, 3)
    with refused("UnknownVerifier", relief.p256_verifier):
        remove_verifier(relief.p256_verifier)
    with refused("VerifierExists", relief.p256_verifier):
        add_verifier(relief.p256_verifier)


def test_a_verifier_allowed_already_is_refused(relief, add_verifier):
    with refused("VerifierExists", relief.passkey_verifier):
        add_verifier(relief.passkey_verifier)


def test_an_unknown_verifier_cannot_go(relief, remove_verifier):
    with refused("UnknownVerifier", relief.token):
        remove_verifier(relief.token)


@pytest.mark.parametrize("code", ["0x", "0xef0100" + "ab" * 20])
def test_an_address_where_no_contract_stands_is_no_verifier(add_verifier, code):
    address = "0x" + "ca" * 20
    ask_node("hardhat_setCode", address, code)
    with refused("NoContract", address):
        add_verifier(address)
