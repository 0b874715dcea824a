"""Officers hand in signatures of keys and passkeys: what counts, and why the rest is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from service.approvals.keys import key_signature
from service.approvals.models import ApprovalSignature, KeyVerifier, OfficerSigner
from service.approvals.officers import SignedWith
from service.approvals.service import packed_approval
from service.approvals.typed_data import digest_of
from service.errors import InvalidSignature, PermissionDenied
from tests.approvals.conftest import ACTIVE, Desk
from tests.support.deployed import account
from tests.support.officer_keys import P256Key, twin
from tests.support.rows import wallet

KEY = P256Key("officer 2")
VERIFIER = wallet(1004).lower()
SIGNER = VERIFIER + KEY.point.hex()


def canonical(digest: bytes, signature: bytes) -> bytes:
    return key_signature(KEY.point, digest, signature)


WITH_KEY = SignedWith(3, SIGNER, canonical)


@pytest.fixture
def keyed(desk: Desk) -> Desk:
    """Officer 2 has a P-256 key beside the account."""
    desk.session.add(KeyVerifier(verifier=VERIFIER, active_from=ACTIVE))
    desk.session.add(OfficerSigner(signer_type=3, signer=SIGNER, officer_id=2, active_from=ACTIVE))
    desk.session.flush()
    return desk


def signature(desk: Desk) -> bytes:
    return KEY.sign(digest_of(desk.document()))


def test_a_keys_signature_counts_and_is_kept_as_the_contract_takes_it(keyed: Desk) -> None:
    keyed.sign("officer 1")
    status = keyed.submit("0x" + twin(signature(keyed)).hex(), signed_with=WITH_KEY)

    assert status.approved
    row = keyed.session.get_one(ApprovalSignature, (keyed.batch.id, 2))
    kept = bytes.fromhex(row.signature[2:])
    assert (row.signer_type, row.signer, kept[32:]) == (3, SIGNER, twin(twin(kept))[32:])
    assert (
        int.from_bytes(kept[32:], "big")
        <= 0x7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A8
    )
    packed = packed_approval(keyed.session, keyed.batch.id, keyed.clock.now())
    assert b"\x00\x00\x00\x02\x03\x00\x54\x00\x40" + bytes.fromhex(SIGNER[2:]) + kept in packed


def _removed_verifier(desk: Desk) -> None:
    desk.session.get_one(KeyVerifier, VERIFIER).removed = True


def _unknown_verifier(desk: Desk) -> None:
    desk.session.delete(desk.session.get_one(KeyVerifier, VERIFIER))


def _coming_verifier(desk: Desk) -> None:
    verifier = desk.session.get_one(KeyVerifier, VERIFIER)
    verifier.active_from = desk.clock.now() + timedelta(days=1)


def _removed_signer(desk: Desk) -> None:
    desk.session.get_one(OfficerSigner, (3, SIGNER)).removed = True


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_removed_verifier, "is not allowed: use another signer"),
        (_unknown_verifier, "is not allowed: use another signer"),
        (_coming_verifier, "is in force from"),
        (_removed_signer, "was removed"),
    ],
)
def test_a_key_out_of_force_is_refused_and_its_signature_left_out(
    keyed: Desk, change: Callable[[Desk], None], words: str
) -> None:
    given = "0x" + signature(keyed).hex()
    keyed.sign("officer 1")
    keyed.submit(given, signed_with=WITH_KEY)
    change(keyed)
    keyed.session.flush()
    packed = packed_approval(keyed.session, keyed.batch.id, keyed.clock.now())
    assert bytes.fromhex(SIGNER[2:]) not in packed

    with pytest.raises(PermissionDenied, match=words):
        keyed.submit(given, signed_with=WITH_KEY)


def test_a_key_that_is_nobodys_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidSignature, match="is no officer's"):
        desk.submit("0x" + signature(desk).hex(), signed_with=WITH_KEY)


def test_a_signature_over_something_else_is_refused(keyed: Desk) -> None:
    with pytest.raises(InvalidSignature, match="not this key's over this message"):
        keyed.submit("0x" + KEY.sign(bytes(32)).hex(), signed_with=WITH_KEY)


@pytest.mark.parametrize(
    ("given", "words"), [("0xzz", "0x and hexadecimal"), ("0x" + "00" * 65536, "at most 65535")]
)
def test_what_is_no_signature_is_refused(keyed: Desk, given: str, words: str) -> None:
    with pytest.raises(InvalidSignature, match=words):
        keyed.submit(given, signed_with=WITH_KEY)


def test_an_account_that_is_named_must_be_the_one_that_signed(desk: Desk) -> None:
    named = SignedWith(1, account("officer 1").address.lower(), None)
    with pytest.raises(InvalidSignature, match=f"not {account('officer 1').address}'s"):
        desk.sign("officer 2", signed_with=named)
    assert desk.sign("officer 1", signed_with=named).maker_signed
