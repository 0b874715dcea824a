"""Signatures of P-256 keys and passkeys are brought into one form, or refused for what is wrong."""

from __future__ import annotations

import pytest

from service.approvals.keys import (
    key_signature,
    passkey_assertion,
    passkey_signature,
    require_point,
)
from service.approvals.typed_data import digest_of
from service.audit.keys import signed_by_key
from service.errors import InvalidInput, InvalidSignature
from tests.support.chromium import RECORD, Chromium, batch_approval
from tests.support.officer_keys import (
    BACKED_UP,
    BACKUP_ELIGIBLE,
    USER_PRESENT,
    USER_VERIFIED,
    P256Key,
    Passkey,
    packed_assertion,
    twin,
)

DIGEST = bytes(range(32))
KEY, PASSKEY = P256Key("an officer"), Passkey("an officer's phone")


def test_a_keys_signature_is_taken_in_either_half_and_kept_in_the_lower() -> None:
    low = KEY.sign(DIGEST)
    assert key_signature(KEY.point, DIGEST, low) == low
    assert key_signature(KEY.point, DIGEST, twin(low)) == low


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (KEY.sign(DIGEST)[:63], "64 bytes, not 63"),
        (KEY.sign(bytes(32)), "not this key's over this message"),
        (PASSKEY.sign(DIGEST), "64 bytes, not"),
        (bytes(64), "not this key's over this message"),
    ],
    ids=["cut short", "something else", "a passkey's", "nothing"],
)
def test_a_signature_that_is_not_the_keys_is_refused(signature: bytes, words: str) -> None:
    with pytest.raises(InvalidSignature, match=words):
        key_signature(KEY.point, DIGEST, signature)


@pytest.mark.parametrize(
    ("point", "words"),
    [
        (KEY.point[:63], "64 bytes, not 63"),
        (KEY.point[:63] + bytes([KEY.point[63] ^ 1]), "no point of P-256"),
        (bytes(64), "no point of P-256"),
    ],
)
def test_what_is_no_point_is_refused(point: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        require_point(point)


def test_a_passkeys_assertion_is_taken_in_either_half_and_kept_in_the_lower() -> None:
    low = PASSKEY.sign(DIGEST)
    signature, *documents = PASSKEY.assertion(DIGEST)
    high = packed_assertion(twin(signature), *documents)
    assert passkey_signature(PASSKEY.point, DIGEST, high) == low
    assert passkey_signature(PASSKEY.point, DIGEST, low) == low


def test_a_browsers_assertion_becomes_the_signature_that_the_verifier_reads() -> None:
    encoded = passkey_assertion(PASSKEY.browser_assertion(DIGEST)["response"])
    taken = passkey_signature(PASSKEY.point, DIGEST, encoded)
    _, data, client = PASSKEY.assertion(DIGEST)
    assert taken == packed_assertion(taken[:64], data, client)


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (PASSKEY.sign(bytes(32)), "challenge is another"),
        (PASSKEY.sign(DIGEST, kind="webauthn.create"), "not of an assertion"),
        (PASSKEY.sign(DIGEST, flags=USER_PRESENT), "did not verify its user"),
        (PASSKEY.sign(DIGEST, flags=USER_VERIFIED), "did not verify its user"),
        (PASSKEY.sign(DIGEST, flags=USER_PRESENT | USER_VERIFIED | BACKED_UP), "contradicts"),
        (PASSKEY.sign(DIGEST)[:-40], "ABI-encoded assertion"),
        (KEY.sign(DIGEST), "ABI-encoded assertion"),
        (b"", "ABI-encoded assertion"),
        (Passkey("another phone").sign(DIGEST), "not this passkey's"),
    ],
    ids=[
        "something else",
        "a registration",
        "no verification",
        "nobody there",
        "backed up, not eligible",
        "cut short",
        "a key's",
        "nothing",
        "another passkey's",
    ],
)
def test_an_assertion_is_refused_for_what_is_wrong(signature: bytes, words: str) -> None:
    with pytest.raises(InvalidSignature, match=words):
        passkey_signature(PASSKEY.point, DIGEST, signature)


def test_a_synchronised_passkey_is_taken() -> None:
    flags = USER_PRESENT | USER_VERIFIED | BACKUP_ELIGIBLE | BACKED_UP
    signature = PASSKEY.sign(DIGEST, flags=flags)
    assert passkey_signature(PASSKEY.point, DIGEST, signature) == signature


@pytest.mark.parametrize("missing", ["authenticatorData", "clientDataJSON", "signature"])
def test_a_browsers_assertion_without_a_member_is_refused(missing: str) -> None:
    response = PASSKEY.browser_assertion(DIGEST)["response"]
    del response[missing]
    with pytest.raises(InvalidInput, match="authenticatorData, clientDataJSON and signature"):
        passkey_assertion(response)


def test_client_data_without_a_challenge_is_refused() -> None:
    response = PASSKEY.browser_assertion(DIGEST)["response"]
    with pytest.raises(InvalidInput, match="as a browser gives them"):
        passkey_assertion({**response, "clientDataJSON": "e30"})


# ---- what a browser made -------------------------------------------------------------------------


def test_the_recorded_assertion_of_a_browser_approves_the_batch_it_was_asked_for() -> None:
    digest, point = bytes.fromhex(RECORD["digest"][2:]), bytes.fromhex(RECORD["point"][2:])
    assert digest_of(RECORD["typed_data"]) == digest_of(batch_approval()) == digest

    encoded = passkey_assertion(RECORD["assertion"]["response"])
    taken = passkey_signature(point, digest, encoded)

    assert taken != encoded  # s was in the upper half
    assert signed_by_key(point, digest, taken)
    assert not signed_by_key(point, digest, encoded)
    with pytest.raises(InvalidSignature, match="challenge is another"):
        passkey_signature(point, DIGEST, encoded)


def test_a_browser_here_makes_what_the_service_and_the_audit_take(browser: Chromium) -> None:
    point, digest = browser.register(), digest_of(batch_approval())
    taken = passkey_signature(point, digest, passkey_assertion(browser.sign(digest)["response"]))
    assert signed_by_key(point, digest, taken)


def test_a_browser_that_did_not_verify_its_user_is_refused(browser: Chromium) -> None:
    point = browser.register()
    browser.verify_user(verified=False)
    try:
        unverified = browser.sign(DIGEST, verification="discouraged")
    finally:
        browser.verify_user(verified=True)
    with pytest.raises(InvalidSignature, match="did not verify its user"):
        passkey_signature(point, DIGEST, passkey_assertion(unverified["response"]))
