"""Officers' signatures over a batch: what counts, and why the rest is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.approvals.models import ApprovalSignature
from service.approvals.service import (
    approval_status,
    packed_approval,
    reviewers_for,
    signatures_of,
    submit_signature,
)
from service.errors import (
    AlreadyExists,
    Conflict,
    IllegalTransition,
    IntegrityError,
    InvalidSignature,
    NotFound,
    PermissionDenied,
    ReliefError,
)
from service.payouts.models import JournalEntry, Payout, Programme
from tests.approvals.conftest import DOMAIN, Desk, sign
from tests.support.deployed import account, pack
from tests.support.programme import TOKEN
from tests.support.rows import wallet

ORDER_OF_SECP256K1 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


# ---- what counts ---------------------------------------------------------------------------------


def test_the_maker_and_a_reviewer_approve_a_batch_and_its_payouts(desk: Desk) -> None:
    first = desk.sign("officer 1")
    assert (first.approved, desk.batch.state) == (False, "draft")

    second = desk.sign("officer 2")

    assert (second.maker_signed, second.reviewers, second.approved) == (True, (2,), True)
    assert desk.batch.state == "approved"
    states = select(Payout.state).where(Payout.batch_id == desk.batch.id)
    assert desk.session.scalars(states).all() == ["approved"] * 3


def test_the_maker_may_sign_last(desk: Desk) -> None:
    assert not desk.sign("officer 2").approved
    assert desk.sign("officer 1").approved


def test_a_higher_tier_waits_for_the_second_reviewer(desk: Desk) -> None:
    desk.sign("officer 1", reviewers=2)
    assert not desk.sign("officer 2", reviewers=2).approved
    assert desk.sign("officer 3", reviewers=2).approved


def test_a_released_batch_takes_one_more_signature_since_its_tier_may_have_risen(
    desk: Desk,
) -> None:
    desk.sign("officer 1")
    desk.sign("officer 2")
    desk.batch.state = "released"

    assert desk.sign("officer 3", reviewers=2).reviewers == (2, 3)


def test_a_wallet_that_gives_v_as_0_or_1_is_understood(desk: Desk) -> None:
    signature = bytes.fromhex(sign("officer 2", desk.document())[2:])
    desk.submit("0x" + (signature[:64] + bytes([signature[64] - 27])).hex())

    (row,) = signatures_of(desk.session, desk.batch.id)
    assert row.signature == "0x" + signature.hex()


def test_the_journal_says_who_signed_as_what(desk: Desk) -> None:
    desk.sign("officer 1", actor="wang")
    desk.sign("officer 2")
    entries = select(JournalEntry.actor, JournalEntry.action).where(
        JournalEntry.object_id == desk.batch.id, JournalEntry.action.like("sign%")
    )
    assert [tuple(row) for row in desk.session.execute(entries)] == [
        ("wang", "sign_as_maker"),
        ("officer 2", "sign_as_reviewer"),
    ]


def test_signatures_are_packed_as_the_contract_reads_them_by_officer(desk: Desk) -> None:
    document = desk.document()
    given = {2: sign("officer 2", document), 1: sign("officer 1", document)}
    for signature in given.values():
        desk.submit(signature)

    assert packed_approval(desk.session, desk.batch.id, desk.clock.now()) == pack(
        {n: (account(f"officer {n}").address, bytes.fromhex(s[2:])) for n, s in given.items()}
    )


def test_an_officer_removed_after_signing_counts_no_more_and_is_not_sent(desk: Desk) -> None:
    desk.sign("officer 2")
    desk.sign("officer 3")
    signed = desk.session.get_one(ApprovalSignature, (desk.batch.id, 2))
    with_both = packed_approval(desk.session, desk.batch.id, desk.clock.now())
    remove_officer(desk.session, 2)

    status = approval_status(desk.session, desk.batch.id, required_reviewers=1, clock=desk.clock)

    assert status.reviewers == (3,)
    packed = packed_approval(desk.session, desk.batch.id, desk.clock.now())
    assert bytes.fromhex(signed.signature[2:]) in with_both
    assert bytes.fromhex(signed.signature[2:]) not in packed


def remove_officer(session: Session, number: int) -> None:
    from service.approvals.models import Officer

    session.get_one(Officer, number).removed = True
    session.flush()


# ---- what is refused -----------------------------------------------------------------------------


def high_s(signature: str) -> str:
    """The malleable twin of a signature: n - s, and the other parity."""
    raw = bytes.fromhex(signature[2:])
    s = ORDER_OF_SECP256K1 - int.from_bytes(raw[32:64], "big")
    return "0x" + (raw[:32] + s.to_bytes(32, "big") + bytes([55 - raw[64]])).hex()


def by(name: str) -> Callable[[Desk], object]:
    return lambda desk: desk.sign(name)


def by_2(edit: Callable[[str], str]) -> Callable[[Desk], object]:
    """Officer 2 signs, and the signature is changed on its way."""
    return lambda desk: desk.submit(edit(sign("officer 2", desk.document())))


def twice(first: str, second: str) -> Callable[[Desk], object]:
    def submit(desk: Desk) -> None:
        desk.sign(first)
        desk.sign(second)

    return submit


def with_maker(number: int) -> Callable[[Desk], object]:
    """The batch names another maker, who signs over exactly that."""

    def submit(desk: Desk) -> None:
        from service.payouts import manifests

        desk.batch.maker_officer_id = number
        desk.batch.manifest_hash = manifests.hash_of(manifests.derive(desk.session, desk.batch))
        manifests.manifest_path(desk.manifests_dir, desk.batch.id).unlink()
        desk.sign(f"officer {number}")

    return submit


def after_the_deadline(desk: Desk) -> None:
    signature = sign("officer 2", desk.document())
    desk.clock.current += timedelta(days=7)
    desk.submit(signature)


def after_a_row_changed(column: str, value: object) -> Callable[[Desk], object]:
    def submit(desk: Desk) -> None:
        signature = sign("officer 2", desk.document())
        desk.session.execute(update(Payout).where(Payout.index == 1).values({column: value}))
        desk.submit(signature)

    return submit


def while_the_batch_is(state: str) -> Callable[[Desk], object]:
    def submit(desk: Desk) -> None:
        signature = sign("officer 2", desk.document())
        desk.batch.state = state
        desk.submit(signature)

    return submit


def over_another_batch(desk: Desk) -> None:
    document = desk.document()
    other = {**document, "message": {**document["message"], "batchId": "0x" + "11" * 32}}
    desk.submit(sign("officer 2", other))


REFUSALS: Mapping[str, tuple[Callable[[Desk], object], type[ReliefError], str]] = {
    "no officer": (by("a stranger"), InvalidSignature, "who is no officer"),
    "removed": (by("officer 6"), PermissionDenied, "officer 6 was removed"),
    "not in force yet": (by("officer 7"), PermissionDenied, "officer 7 is in force from"),
    "removed signer": (by("officer 3's lost"), PermissionDenied, "the signer 0x.* was removed"),
    "signer not in force yet": (
        by("officer 3's coming"),
        PermissionDenied,
        "the signer 0x.* is in force from",
    ),
    "no reviewer": (by("officer 5"), PermissionDenied, "officer 5 is no reviewer"),
    "no maker": (with_maker(2), PermissionDenied, "officer 2 is no maker"),
    "another region": (by("officer 4"), PermissionDenied, "officer 4 may not sign for region 51"),
    "the same signer twice": (
        twice("officer 2", "officer 2"),
        AlreadyExists,
        "officer 2 signed batch 0x.* before",
    ),
    "the same person by two signers": (
        twice("officer 2", "officer 2's other"),
        AlreadyExists,
        "officer 2 signed batch 0x.* before",
    ),
    "the maker as reviewer": (
        twice("officer 1", "officer 1's other"),
        AlreadyExists,
        "officer 1 signed batch 0x.* before",
    ),
    "said to be another's": (
        lambda desk: desk.sign("officer 2", officer_id=3),
        InvalidSignature,
        "the signature is officer 2's, not 3's",
    ),
    "another chain": (
        lambda desk: desk.submit(sign("officer 2", desk.document(replace(DOMAIN, chain_id=1)))),
        InvalidSignature,
        "signed something else",
    ),
    "another vault": (
        lambda desk: desk.submit(
            sign("officer 2", desk.document(replace(DOMAIN, vault=wallet(1004))))
        ),
        InvalidSignature,
        "signed something else",
    ),
    "another batch": (over_another_batch, InvalidSignature, "signed something else"),
    "s in the upper half": (by_2(high_s), InvalidSignature, "s is in the upper half"),
    "a v that is none": (by_2(lambda s: s[:-2] + "1d"), InvalidSignature, "v is 29, not 27 or 28"),
    "too short": (by_2(lambda s: s[:-2]), InvalidSignature, "65 bytes, not 64"),
    "no hexadecimal": (by_2(lambda _: "signed!"), InvalidSignature, "130 hexadecimal digits"),
    "of no key": (
        by_2(lambda s: "0x" + "00" * 64 + s[-2:]),
        InvalidSignature,
        "no key makes this signature",
    ),
    "after the deadline": (after_the_deadline, Conflict, "can no longer be executed"),
    "an amount changed by one unit": (
        after_a_row_changed("amount_base_units", 600 * TOKEN + 1),
        IntegrityError,
        "not those it was built from",
    ),
    "a payee changed": (
        after_a_row_changed("payee", wallet(5)),
        IntegrityError,
        "not those it was built from",
    ),
    "a batch on chain": (while_the_batch_is("onchain"), IllegalTransition, "is onchain"),
    "a batch that is done": (while_the_batch_is("done"), IllegalTransition, "is done"),
    "a cancelled batch": (while_the_batch_is("cancelled"), IllegalTransition, "is cancelled"),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_a_signature_is_refused_with_the_reason(desk: Desk, why: str) -> None:
    act, error, words = REFUSALS[why]

    with pytest.raises(error, match=words) as caught:
        act(desk)

    assert caught.type is error
    assert desk.batch.state in ("draft", "onchain", "done", "cancelled")
    assert len(signatures_of(desk.session, desk.batch.id)) == ("before" in words)


def test_a_maker_who_is_a_reviewer_too_approves_nothing_alone(desk: Desk) -> None:
    assert not desk.sign("officer 1").approved


def test_a_batch_that_is_none_is_not_found(desk: Desk) -> None:
    signature = sign("officer 2", desk.document())
    with pytest.raises(NotFound):
        submit_signature(desk.session, "0x" + "00" * 32, signature, DOMAIN, required_reviewers=1)


def test_asking_for_the_typed_data_opens_the_signing(desk: Desk) -> None:
    assert desk.batch.signing_opened_at is None
    desk.document()
    assert desk.batch.signing_opened_at == desk.clock.now()
    desk.clock.current += timedelta(hours=1)
    opened = desk.batch.signing_opened_at
    desk.document()
    assert desk.batch.signing_opened_at == opened


# ---- tiers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rolling_sum", "reviewers"), [(1, 1), (50_000 * TOKEN, 1), (50_000 * TOKEN + 1, 2)]
)
def test_a_tier_goes_up_to_its_limit_and_no_unit_further(
    programme: Programme, rolling_sum: int, reviewers: int
) -> None:
    assert reviewers_for(programme, rolling_sum) == reviewers


def test_nothing_is_approved_above_the_last_tier(programme: Programme) -> None:
    with pytest.raises(Conflict, match="no tier"):
        reviewers_for(programme, 100_000 * TOKEN + 1)
