"""addSigner and removeSigner: one person, several keys; a key taken away never comes back."""

import pytest
from approvals import account_named
from clock import DAY, ask_node
from officer_keys import P256Key
from outcomes import emitted, refused

NEW = bytes.fromhex(account_named("another signer").address[2:])


def test_a_signer_is_stored_and_announced(relief, registry):
    seq = registry.seq()
    message = {"officerId": 2, "signerType": 1, "signer": NEW}
    action_id, deadline, signatures = relief.signed_action(
        registry, "SignerAddition", message, (6, 7)
    )
    transaction = registry.addSigner(
        2, 1, NEW, action_id, deadline, signatures, {"from": relief.anyone}
    )
    active_from = transaction.timestamp + 2 * DAY
    assert emitted(transaction, "SignerAdded") == [
        {
            **message,
            "activeFrom": active_from,
            "actionId": action_id,
            "signatures": signatures,
            "seq": seq + 2,
        }
    ]
    assert registry.signerOf(1, NEW) == (2, active_from, False)


@pytest.mark.parametrize("signer_type", [0, 4, 255])
def test_a_type_of_signer_that_is_none_is_refused(add_signer, signer_type):
    with refused("SignerTypeUnsupported", signer_type):
        add_signer(2, NEW, signer_type)


@pytest.mark.parametrize("signer_type", [1, 2])
@pytest.mark.parametrize("signer", [b"", NEW[:19], NEW + b"\x00", bytes(20)])
def test_a_signer_that_is_no_address_is_refused(add_signer, signer_type, signer):
    with refused("MalformedSigner", signer_type, signer):
        add_signer(2, signer, signer_type)


@pytest.mark.parametrize(
    "change",
    {
        "no point": lambda point: b"",
        "a byte short": lambda point: point[:-1],
        "a byte more": lambda point: point + b"\x00",
        "compressed": lambda point: b"\x02" + point[:32],
        "not on the curve": lambda point: point[:63] + bytes([point[63] ^ 1]),
        "the point at infinity": lambda point: bytes(64),
        "x and y swapped": lambda point: point[32:] + point[:32],
        "a coordinate beyond the field": lambda point: b"\xff" * 32 + point[32:],
    }.items(),
    ids=lambda change: change[0],
)
def test_a_key_that_is_no_point_of_p256_is_refused(relief, add_signer, change):
    signer = bytes.fromhex(relief.p256_verifier.address[2:]) + change[1](P256Key("new").point)
    with refused("MalformedSigner", 3, signer):
        add_signer(2, signer, 3)


def test_a_key_of_a_verifier_not_allowed_is_refused(relief, add_signer):
    with refused("UnknownVerifier", relief.token):
        add_signer(2, bytes.fromhex(relief.token.address[2:]) + P256Key("new").point, 3)


def test_an_account_without_code_is_refused(add_signer):
    with refused("NoContract", "0x" + NEW.hex()):
        add_signer(2, NEW, 2)


def test_an_account_that_only_delegates_is_refused(relief, add_signer):
    # What an externally owned account has for code after an EIP-7702 authorization.
    account = "0x" + NEW.hex()
    ask_node("hardhat_setCode", account, "0xef0100" + relief.token.address[2:])
    with refused("NoContract", account):
        add_signer(2, NEW, 2)


def test_a_signer_belongs_to_one_officer(add_signer):
    add_signer(2, NEW)
    with refused("SignerTaken", 1, NEW):
        add_signer(3, NEW)
    with refused("SignerTaken", 1, NEW):
        add_signer(2, NEW)


def test_an_unknown_officer_gets_no_signer(add_signer):
    with refused("UnknownOfficer", 99):
        add_signer(99, NEW)


def test_an_officer_who_left_gets_no_signer(add_signer, remove_officer):
    remove_officer(2)
    with refused("UnknownOfficer", 2):
        add_signer(2, NEW)


def test_a_signer_goes_at_once_and_it_is_announced(relief, registry, add_signer):
    active_from = add_signer(2, NEW).timestamp + 2 * DAY
    seq = registry.seq()
    action_id, deadline, signatures = relief.signed_action(
        registry, "SignerRemoval", {"signerType": 1, "signer": NEW}, (6, 7)
    )
    transaction = registry.removeSigner(
        1, NEW, action_id, deadline, signatures, {"from": relief.anyone}
    )
    assert emitted(transaction, "SignerRemoved") == [
        {
            "officerId": 2,
            "signerType": 1,
            "signer": NEW,
            "actionId": action_id,
            "signatures": signatures,
            "seq": seq + 2,
        }
    ]
    assert registry.signerOf(1, NEW) == (2, active_from, True)


def test_a_signer_taken_away_never_comes_back(add_signer, remove_signer):
    add_signer(2, NEW)
    remove_signer(NEW)
    with refused("UnknownSigner", 1, NEW):
        remove_signer(NEW)
    with refused("SignerTaken", 1, NEW):
        add_signer(3, NEW)


def test_an_unknown_signer_cannot_go(remove_signer):
    with refused("UnknownSigner", 1, NEW):
        remove_signer(NEW)
