"""A thief who writes to the database: the honest worker pays nobody whom officers did not approve.

Each edit is made behind the service's back; then the worker runs, and its rows say what is stuck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from service.approvals.domain import SigningDomain
from service.approvals.models import ApprovalSignature, OfficerSigner, QuorumAction
from service.approvals.service import typed_data
from service.errors import IntegrityError
from service.payouts import manifests
from service.payouts.chunk_tree import chunk_leaf, chunks_root
from service.payouts.entries import pack_entries
from service.payouts.models import Batch, ChainRequest, Chunk, Payout
from service.transactions.models import Lane, Transaction, TransactionAttempt
from tests.support.deployed import BATCH_APPROVAL_TYPE, account
from tests.support.rows import NOW, SignedBatch, add_action, add_batch, add_request
from tests.support.world import Money, World

THIEF = account("thief").address

Edit = Callable[[Session, World, SignedBatch], object]


def what_is_stuck(world: World) -> str:
    """Everything that the rows say about what does not go on."""
    with world.session() as session:
        words = [
            *session.scalars(select(Batch.last_error)),
            *session.scalars(select(QuorumAction.last_error)),
            *session.scalars(select(ChainRequest.last_error)),
        ]
    return " | ".join(word for word in words if word)


def try_again_now(world: World) -> None:
    """As if the wait after a refusal were over."""
    with world.session() as session:
        session.execute(update(Transaction).values(retry_at_unix_ms=0))


# ---- edits of what officers signed ---------------------------------------------------------------


def pay_the_thief(session: Session, batch: SignedBatch, *, with_root: bool) -> None:
    """Put the thief in the place of the first payee, in the payouts and in the chunks."""
    entries = pack_entries([(THIEF, batch.amounts[0]), (batch.payees[1], batch.amounts[1])])
    leaf = chunk_leaf(batch.approval["batchId"], 0, entries)
    session.execute(update(Payout).where(Payout.index == 0).values(payee=THIEF))
    session.execute(update(Chunk).values(entries=entries, leaf_hash="0x" + leaf.hex()))
    if with_root:
        session.execute(update(Batch).values(chunks_root="0x" + chunks_root([leaf]).hex()))


def sign_for_officers(session: Session, world: World, batch: SignedBatch) -> None:
    """Make the thief's own keys signers of officers here, and sign with them."""
    for officer in (1, 2):
        key = account(f"the thief as officer {officer}")
        signature = world.deployed.sign(
            key, "vault", "BatchApproval", BATCH_APPROVAL_TYPE, batch.approval
        )
        session.add(
            OfficerSigner(
                signer_type=1, signer=key.address.lower(), officer_id=officer, active_from=NOW
            )
        )
        session.execute(
            update(ApprovalSignature)
            .where(ApprovalSignature.batch_id == batch.id, ApprovalSignature.officer_id == officer)
            .values(signer=key.address.lower(), signature="0x" + signature.hex())
        )


def set_all(model: type, **values: object) -> Edit:
    return lambda session, _, __: session.execute(update(model).values(**values))


EDITS: Mapping[str, tuple[str, Edit]] = {
    "the payee of a payout and of its chunk": (
        "ChunkNotApproved",
        lambda session, _, batch: pay_the_thief(session, batch, with_root=False),
    ),
    "the payee and the batch's root": (
        "WrongSignature",
        lambda session, _, batch: pay_the_thief(session, batch, with_root=True),
    ),
    "the batch's total": ("WrongSignature", set_all(Batch, total_base_units=10**9)),
    "the batch's total, past the contract's 80 bits": (
        "no call of approveBatch can be made of the rows",
        set_all(Batch, total_base_units=2**80),
    ),
    "its expiry": ("WrongSignature", set_all(Batch, expires_at_unix_s=2**40 - 1)),
    "the maker": ("OfficerLacksRole", set_all(Batch, maker_officer_id=3)),
    "the maker, taken away": ("names no maker", set_all(Batch, maker_officer_id=None)),
    "a signature, taken away": (
        "NotEnoughReviewers",
        lambda session, _, __: session.execute(
            delete(ApprovalSignature).where(ApprovalSignature.officer_id == 2)
        ),
    ),
    "whose signature it is": (
        "SignerNotOfficers",
        lambda session, _, __: session.execute(
            update(ApprovalSignature).where(ApprovalSignature.officer_id == 2).values(officer_id=3)
        ),
    ),
    "a signature's bytes": ("non-hexadecimal", set_all(ApprovalSignature, signature="0xzz")),
    "a chunk's leaf": ("non-hexadecimal", set_all(Chunk, leaf_hash="0xzz")),
}
ON_CHAIN_ALL_THE_SAME = {"the payee of a payout and of its chunk", "a chunk's leaf"}
"""What officers signed is as it was: the batch gets on chain, and none of its chunks is run."""


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_after_signing_pays_nobody_and_the_batch_says_why(world: World, what: str) -> None:
    reason, edit = EDITS[what]
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6])
    money = Money.of(world, batch)
    with world.session() as session:
        edit(session, world, batch)

    world.run()

    assert reason in what_is_stuck(world)
    if what in ON_CHAIN_ALL_THE_SAME:
        money.committed = 11
    assert Money.of(world, batch) == money
    assert set(world.payout_states(batch.id)) == {"queued"}


def test_a_batch_that_was_edited_holds_up_no_other(world: World) -> None:
    with world.session() as session:
        edited = add_batch(session, world.deployed, [5], name="edited")
        whole = add_batch(session, world.deployed, [6], name="whole")
        session.execute(update(Batch).where(Batch.id == edited.id).values(total_base_units=2**80))

    world.run()

    assert world.payout_states(edited.id) == ["queued"]
    assert world.payout_states(whole.id) == ["paid"]


# ---- rows that officers know nothing of ----------------------------------------------------------


@pytest.mark.parametrize(
    ("signatures", "reason"), [("none", "MakerSignatureMissing"), ("forged", "SignerNotOfficers")]
)
def test_a_batch_of_the_thiefs_own_is_refused(world: World, signatures: str, reason: str) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [10**6], payees=[THIEF])
        if signatures == "forged":
            sign_for_officers(session, world, batch)
        else:
            session.execute(delete(ApprovalSignature))
    money = Money.of(world, batch)

    world.run()

    assert reason in what_is_stuck(world)
    assert Money.of(world, batch) == money


def test_a_payout_added_to_a_batch_on_chain_is_never_paid(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6])
    world.run()
    money = Money.of(world, batch)
    with world.session() as session:
        more = pack_entries([(THIEF, 10**6)])
        session.add(
            Chunk(
                batch_id=batch.id,
                chunk_index=1,
                entries=more,
                leaf_hash="0x" + chunk_leaf(batch.approval["batchId"], 1, more).hex(),
                count=1,
                total_base_units=10**6,
            )
        )
        session.execute(update(Batch).values(state="onchain"))

    world.run()

    assert "ChunkOutOfRange" in what_is_stuck(world)
    assert Money.of(world, batch) == money


def test_paid_rows_set_back_are_not_paid_again_and_say_so(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6])
    world.run()
    money = Money.of(world, batch)
    with world.session() as session:
        rows = session.scalars(select(func.count()).select_from(Transaction)).one()
        session.execute(update(Batch).values(state="released"))
        session.execute(update(Chunk).values(state="waiting"))
        session.execute(update(Payout).values(state="queued"))

    for _ in range(3):
        world.run()
        try_again_now(world)

    assert "BatchExists" in what_is_stuck(world)
    assert Money.of(world, batch) == money
    with world.session() as session:
        assert session.scalars(select(func.count()).select_from(Transaction)).one() == rows + 1


def test_an_action_that_no_officer_signed_is_refused(world: World) -> None:
    with world.session() as session:
        action = add_action(
            session,
            world.deployed,
            kind="minter_addition",
            key="token",
            primary_type="MinterAddition",
            members=[("minter", "address"), ("cap", "uint80")],
            message={"minter": account("officer 2").address, "cap": 10**9},
            role=8,
        )
        session.flush()
        action.message = {**action.message, "minter": THIEF}

    world.run()

    assert "WrongSignature" in what_is_stuck(world)
    assert world.deployed.read("token", "pendingMinter", THIEF) == (0, 0)


def test_an_action_whose_message_lacks_a_member_says_so_and_stops_nothing(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
        action = add_action(
            session,
            world.deployed,
            kind="officer_removal",
            key="registry",
            primary_type="OfficerRemoval",
            members=[("officerId", "uint32")],
            message={"officerId": 3},
            role=8,
        )
        action.message = {}

    world.run()

    assert "no call of removeOfficer can be made of the rows" in what_is_stuck(world)
    assert world.payout_states(batch.id) == ["paid"]


REQUESTS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "retry_payout": ("NotSkipped", {"index": 0}),
    "withdraw_stream": ("WrongKind", {"index": 0}),
    "withdraw_chunk": ("WrongKind", {"chunkIndex": 0}),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_of_the_thiefs_pays_nobody(world: World, kind: str) -> None:
    reason, args = REQUESTS[kind]
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    world.run()
    money = Money.of(world, batch)
    with world.session() as session:
        add_request(session, kind, batchId=batch.id, **args)

    world.run()

    assert reason in what_is_stuck(world)
    assert Money.of(world, batch) == money


@pytest.mark.parametrize("value", [2**80, -1, "much", 1.5, None])
def test_a_request_with_a_value_of_no_use_fails_and_stops_nothing(
    world: World, value: object
) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
        add_request(session, "schedule_budget", id=1, budget=value)

    world.run()

    assert "no call of scheduleBudgetIncrease can be made of the rows" in what_is_stuck(world)
    assert world.payout_states(batch.id) == ["paid"]


# ---- transactions --------------------------------------------------------------------------------


def once(point: str, edit: Callable[[], None]) -> Callable[[str], None]:
    """Edit when the worker comes to a point for the first time."""
    left = [point]

    def hook(reached: str) -> None:
        if reached in left:
            left.clear()
            edit()

    return hook


@pytest.mark.parametrize("kind", ["approve_batch", "execute_chunk"])
@pytest.mark.parametrize("theirs", ["garbage", "a transaction of the thief's"])
def test_signed_bytes_that_were_changed_are_not_sent_and_the_payout_is_made_anew(
    world: World, theirs: str, kind: str
) -> None:
    thief = account("thief")
    signed = thief.sign_transaction(
        {"chainId": 31337, "nonce": 0, "gas": 21_000, "gasPrice": 0, "to": THIEF, "value": 0}
    )
    raw = b"garbage" if theirs == "garbage" else bytes(signed.raw_transaction)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    edited: list[int] = []

    def hook(point: str) -> None:
        if point != "signed:after-commit" or edited:
            return
        with world.session() as session:
            rows = select(Transaction.id).where(Transaction.kind == kind)
            edited.extend(session.scalars(rows))
            session.execute(
                update(TransactionAttempt)
                .where(TransactionAttempt.transaction_id.in_(edited))
                .values(raw=raw)
            )

    with world.worker(hook=hook) as worker:
        for _ in range(12):
            worker.step()
            try_again_now(world)
        worker.run_until_idle(20)

    assert edited
    assert world.payout_states(batch.id) == ["paid"]
    assert world.balance_on_chain(batch.payees[0]) == 5
    assert int(world.deployed.rpc.call("eth_getTransactionCount", THIEF, "latest"), 16) == 0
    with world.session() as session:
        row = session.get_one(Transaction, edited[0])
        assert row.state == "superseded"
        assert row.error == "the signed bytes were changed after they were committed"


def test_calldata_that_was_changed_before_signing_delays_the_payout_and_no_more(
    world: World,
) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])

    def aim_elsewhere() -> None:
        call = world.deployed.contracts.encode_call("token", "totalSupply")
        with world.session() as session:
            session.execute(update(Transaction).values(target=world.deployed.token, calldata=call))

    world.run(hook=once("planned", aim_elsewhere))

    assert world.payout_states(batch.id) == ["paid"]
    assert world.balance_on_chain(batch.payees[0]) == 5


def test_a_lane_set_back_to_old_nonces_pays_nobody_twice(world: World) -> None:
    with world.session() as session:
        first = add_batch(session, world.deployed, [5], name="first")
    world.run()
    with world.session() as session:
        session.execute(update(Lane).values(next_nonce=0))
        second = add_batch(session, world.deployed, [6], name="second")

    world.run()

    assert world.payout_states(second.id) == ["paid"]
    assert world.balance_on_chain(first.payees[0]) == 11  # the same wallet: 5 and 6


# ---- before signing ------------------------------------------------------------------------------


@pytest.mark.parametrize("edit", ["payout", "batch", "manifest", "all three"])
def test_nobody_is_asked_to_sign_a_list_that_was_changed(
    world: World, tmp_path: Path, edit: str
) -> None:
    folder = tmp_path / "manifests"
    deployed = world.deployed
    domain = SigningDomain(31337, deployed.vault, deployed.registry, deployed.token, deployed.lane)
    with world.session() as session:
        signed = add_batch(session, deployed, [5, 6], state="draft")
        batch = session.get_one(Batch, signed.id)
        batch.manifest_hash = manifests.hash_of(manifests.derive(session, batch))
        path = manifests.ensure_durable(session, batch, folder)

    with world.session() as session:
        batch = session.get_one(Batch, signed.id)
        if edit in ("payout", "all three"):
            session.execute(update(Payout).where(Payout.index == 0).values(payee=THIEF))
        if edit == "batch":
            batch.total_base_units = 12
        if edit == "manifest":
            path.write_bytes(path.read_bytes().replace(b'"5"', b'"9"'))
        if edit == "all three":
            lines = manifests.stored_lines(session, batch.id)
            batch.chunks_root = manifests.root_of(batch.id, batch.chunk_size, lines)
            batch.manifest_hash = manifests.hash_of(manifests.derive(session, batch))

    with world.session() as session, pytest.raises(IntegrityError):
        typed_data(session, signed.id, domain, manifests_dir=folder)
