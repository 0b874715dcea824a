"""Bugs by which other engines paid twice, or lost a payment: each is tried here, and each is named.

Where a bug has a public report, its address stands in the test.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes
from sqlalchemy import select, update

from service.chain.contracts import ContractRefusal
from service.chain.rpc import Rpc, RpcError
from service.errors import ChainUnavailable, Conflict
from service.payouts.models import ChainRequest, RequestKind
from service.payouts.service import request_retry
from service.transactions import calls
from service.transactions.engine import EngineOptions
from service.transactions.models import Lane, Transaction, TransactionAttempt
from service.transactions.outcomes import SendOutcome, classify_send
from tests.confirmations.test_reorgs import Reorg
from tests.support.deployed import account
from tests.support.rows import SignedBatch, add_batch
from tests.support.world import Killed, World, killer, leave_as_killed, run_as_stranger

Make = Callable[[int], World]
Asked = Sequence[tuple[str, Sequence[Any]]]


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """SQLite alone: what is tried here lies between the engine and the chain."""
    shutil.copyfile(sqlite_template, tmp_path / "relief.db")
    return f"sqlite:///{tmp_path / 'relief.db'}"


def some_batch(world: World, *amounts: int, name: str = "batch") -> SignedBatch:
    with world.session() as session:
        return add_batch(session, world.deployed, list(amounts), chunk_size=1, name=name)


def assert_paid_once(world: World, *batches: SignedBatch) -> None:
    """Each payee has its amount, and each transaction one nonce that no other has."""
    for batch in batches:
        assert world.payout_states(batch.id) == ["paid"] * len(batch.amounts)
    due: dict[str, int] = {}
    for batch in batches:
        for payee, amount in zip(batch.payees, batch.amounts, strict=True):
            due[payee] = due.get(payee, 0) + amount
    assert {payee: world.balance_on_chain(payee) for payee in due} == due
    assert world.differences() == []
    nonces = nonces_of(world)
    assert all(len(of_row) == 1 for of_row in nonces.values()), nonces
    used = [nonce for of_row in nonces.values() for nonce in of_row]
    assert len(used) == len(set(used))


def nonces_of(world: World) -> dict[int, set[int]]:
    """Nonces in the signed bytes of every attempt, by transaction."""
    found: dict[int, set[int]] = {}
    with world.session() as session:
        for attempt in session.scalars(select(TransactionAttempt)):
            signed = TypedTransaction.from_bytes(HexBytes(attempt.raw)).as_dict()
            found.setdefault(attempt.transaction_id, set()).add(int(signed["nonce"]))
    return found


def run_through_outages(world: World, rpc: Rpc, **options: Any) -> None:
    with world.worker(rpc=rpc, **options) as worker:
        for _ in range(6):
            try:
                worker.run_until_idle(20)
            except ChainUnavailable:
                continue
            return
    pytest.fail("the outage did not end")


class Watching(Rpc):
    """A connection that a test looks into."""

    before: Callable[[Asked], None] = staticmethod(lambda _: None)
    after: Callable[[Asked, list[Any]], list[Any]] = staticmethod(lambda _, answers: answers)

    def batch(self, calls: Any) -> list[Any]:
        asked = list(calls)
        self.before(asked)
        return self.after(asked, super().batch(asked))


def test_thirdweb_engine_broadcasts_and_then_stores(world: World) -> None:
    """Engine v2 sends first and writes down after: a crash between the two pays again.

    Here whatever is sent has been committed: another connection sees the same bytes.
    """
    batch = some_batch(world, 5, 6)
    sent: list[str] = []

    def before(asked: Asked) -> None:
        for method, params in asked:
            if method == "eth_sendRawTransaction":
                with world.session() as session:
                    stored = session.scalars(select(TransactionAttempt.raw)).all()
                assert bytes.fromhex(params[0][2:]) in stored
                sent.append(params[0])

    rpc = Watching(world.settings.rpc_url)
    rpc.before = before
    worker = world.worker(rpc=rpc, hook=killer("send:after", 2))
    with pytest.raises(Killed):
        worker.run_until_idle(20)
    leave_as_killed(world, worker)
    world.run()

    assert sent
    assert_paid_once(world, batch)


@pytest.mark.parametrize("point", ["signed:after-commit", "send:after", "sent:before-commit"])
def test_openzeppelin_relayer_recovers_one_record_under_two_nonces(
    world: World, point: str
) -> None:
    """Its recovery could sign a record anew under another nonce while the first was still about.

    https://github.com/OpenZeppelin/openzeppelin-relayer/issues/836
    """
    batch = some_batch(world, 5, 6)
    for _ in range(2):
        worker = world.worker(hook=killer(point, 1))
        with pytest.raises(Killed):
            worker.run_until_idle(20)
        leave_as_killed(world, worker)
    world.run()

    assert_paid_once(world, batch)


def test_chainlink_checks_the_block_of_a_receipt_against_the_chain(make_world: Make) -> None:
    """A receipt of a block that left the chain confirms nothing (its txmgr had to learn that)."""
    world = make_world(8)
    batch = some_batch(world, 5)
    moments: list[Reorg] = []
    happened: list[str] = []

    def hook(point: str) -> None:
        if point == "signed:after-commit":
            moments.append(Reorg(world))
        # The chunk's receipt is in hand; its block goes before anybody read its events.
        if point == "receipts:before-commit" and len(moments) == 2 and not happened:
            happened.append(point)
            moments[1].happen(3)

    world.run(hook=hook)
    world.deployed.mine(8)
    world.run()

    assert happened
    assert_paid_once(world, batch)


def test_sempo_times_out_what_is_pending_and_uses_its_nonce_again(world: World) -> None:
    """There a pending transaction failed by the clock, its nonce went to another, its bytes were
    lost. Here the bytes stay, and go out for as long as nobody has used the nonce.
    """
    batch = some_batch(world, 5)
    node = world.deployed.node
    node.rpc("evm_setAutomine", False)
    options = EngineOptions(resend_after_s=0.0, replace_after_s=0.0)
    try:
        with world.worker(options=options) as worker:
            for _ in range(5):
                worker.step()
                node.rpc("anvil_dropAllTransactions")
            with world.session() as session:
                (row,) = session.scalars(select(Transaction)).all()
                (attempt,) = session.scalars(select(TransactionAttempt)).all()
                assert (row.state, row.id) == ("sent", attempt.transaction_id)
            node.rpc("evm_setAutomine", True)
            worker.run_until_idle(20)
    finally:
        node.rpc("evm_setAutomine", True)

    assert_paid_once(world, batch)


def test_stellar_disbursement_platform_has_a_second_way_to_pay(world: World) -> None:
    """Its four eyes look at disbursements, and a direct-payment endpoint passes by them.

    Here no request names a payee who was not approved or does not pay for himself, and the token
    refuses to mint for every key that a worker has.
    """
    paying = {
        RequestKind.RETRY_PAYOUT,
        RequestKind.WITHDRAW_STREAM,
        RequestKind.WITHDRAW_CHUNK,
        RequestKind.TRANSFER_WITH_AUTHORIZATION,
    }
    for kind in RequestKind:
        row = ChainRequest(kind=kind.value, args={}, actor="x", dedupe_key="x")
        try:
            call = calls.request(world.deployed.contracts, row)
        except calls.BrokenRows:
            continue  # it needs arguments; which, the next lines say by kind
        assert call.contract != "token" or kind not in paying
    data = world.deployed.contracts.encode_call(
        "token", "mintEntry", account("thief").address, 10**6
    )
    for signer in world.signers:
        call_ = {"from": signer.address, "to": world.deployed.token, "data": "0x" + data.hex()}
        (answer,) = world.deployed.rpc.batch([("eth_call", (call_, "latest"))])
        assert isinstance(answer, RpcError)
        refusal = world.deployed.contracts.refusal(answer)
        assert isinstance(refusal, ContractRefusal)


@pytest.mark.parametrize("hidden", [3, 12])
def test_auction_keeper_resubmits_under_a_new_nonce_what_is_mined_without_a_receipt(
    make_world: Make, hidden: int
) -> None:
    """The nonce was used, the receipt not there yet, so it sent the same again under the next one.

    https://github.com/sky-ecosystem/auction-demo-keeper/issues/29

    Of what went through the events tell, so ours revert here: a stranger is first.
    """
    world = make_world(8)
    batch = some_batch(world, 5, 6)
    left = [hidden]
    beaten: list[bool] = []

    def hook(point: str) -> None:
        if point == "send:before" and world.batch_state(batch.id) == "onchain" and not beaten:
            beaten.append(True)
            run_as_stranger(world, batch, approve=False, chunks=[0, 1])

    def after(asked: Asked, answers: list[Any]) -> list[Any]:
        if asked and asked[0][0] == "eth_getTransactionReceipt" and left[0] > 0:
            left[0] -= 1
            return [None] * len(answers)
        return answers

    rpc = Watching(world.settings.rpc_url)
    rpc.after = after
    with world.worker(rpc=rpc, hook=hook) as worker:
        while left[0]:
            worker.run_until_idle(30)
            worker.step()
    world.deployed.mine(8)
    world.run()

    assert beaten
    with world.session() as session:
        kinds = session.scalars(select(Transaction.kind)).all()
        assert sorted(kinds) == ["approve_batch", "execute_chunk", "execute_chunk"]
    assert_paid_once(world, batch)


def test_evmconnect_takes_nonce_too_low_of_its_own_bytes_for_a_failure(world: World) -> None:
    """Sent again after it was mined, the node says "nonce too low", and it went on failing.

    https://github.com/hyperledger-firefly/evmconnect/issues/12
    """
    batch = some_batch(world, 5, 6)
    lost = [3]

    def after(asked: Asked, answers: list[Any]) -> list[Any]:
        if asked and asked[0][0] == "eth_sendRawTransaction" and lost[0]:
            lost[0] -= 1
            raise ChainUnavailable("the reply was lost")
        return answers

    rpc = Watching(world.settings.rpc_url)
    rpc.after = after
    run_through_outages(world, rpc)

    with world.session() as session:
        assert set(session.scalars(select(Transaction.state))) == {"final"}
    assert_paid_once(world, batch)


def test_web3j_resets_its_nonce_one_too_far_and_all_that_follows_waits(world: World) -> None:
    """``FastRawTransactionManager.resetNonce`` left a nonce out: nothing after it was ever mined.

    https://github.com/LFDT-web3j/web3j/issues/2002
    """
    first = some_batch(world, 5)
    world.run()
    with world.session() as session:
        session.execute(
            update(Lane)
            .where(Lane.sender == account("relayer").address)
            .values(next_nonce=Lane.next_nonce + 1)
        )
    second = some_batch(world, 7, name="second")
    world.run()

    assert_paid_once(world, first, second)
    with world.session() as session:
        fills = select(Transaction.state).where(Transaction.kind == "fill")
        assert session.scalars(fills).all() == ["final"]


def test_metatransactions_gives_one_nonce_twice_after_a_fast_restart(world: World) -> None:
    """Started again before its transactions were mined it asked the chain, which knew none of them.

    https://github.com/anydotcrypto/metatransactions/issues/43
    """
    first = some_batch(world, 5)
    node = world.deployed.node
    node.rpc("evm_setAutomine", False)
    try:
        for number, name in enumerate(("second", "third")):
            worker = world.worker(hook=killer("sent:after-commit", 1))
            with pytest.raises(Killed):
                worker.run_until_idle(20)
            leave_as_killed(world, worker)
            some_batch(world, 6 + number, name=name)
            node.rpc("anvil_dropAllTransactions")
    finally:
        node.rpc("evm_setAutomine", True)
    world.run()

    assert world.payout_states(first.id) == ["paid"]
    nonces = nonces_of(world)
    used = [nonce for of_row in nonces.values() for nonce in of_row]
    assert len(used) == len(set(used))
    assert world.differences() == []


@pytest.mark.parametrize(
    "words",
    [
        "replacement transaction underpriced",
        "transaction underpriced",
        "ReplacementNotAllowed: could not replace existing tx",
    ],
)
def test_vultisig_takes_a_refused_replacement_for_a_sent_payment(words: str) -> None:
    """A list of words took "replacement transaction underpriced" for success: the payment was none.

    https://github.com/vultisig/vultisig-ios/issues/4528
    """
    assert classify_send(RpcError(-32000, words)) is not SendOutcome.ACCEPTED


def test_peanut_sends_again_when_only_the_record_had_failed(world: World) -> None:
    """The transfer was out, writing it down timed out, and "retry" sent a second one.

    https://github.com/peanutprotocol/peanut-ui/pull/2619
    """
    payee = account("frozen for now").address
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5], payees=[payee])
    world.deployed.freeze(payee)
    world.run()
    world.deployed.unfreeze(payee)
    with world.session() as session:
        first = request_retry(session, batch.id, 0, actor="chen", reason="unfrozen").id
    worker = world.worker(hook=killer("send:after", 1))
    with pytest.raises(Killed):
        worker.run_until_idle(20)
    leave_as_killed(world, worker)

    # Nothing was written down, so somebody asks again, and again.
    with world.session() as session:
        assert request_retry(session, batch.id, 0, actor="wang").id == first
    world.run()
    with world.session() as session, pytest.raises(Conflict, match="is paid, not skipped"):
        request_retry(session, batch.id, 0, actor="wang")

    assert_paid_once(world, batch)


def test_rustchain_refunds_when_the_reply_to_a_broadcast_is_lost(world: World) -> None:
    """An outage after the node took the bytes was booked as a failure, and the money given back.

    https://github.com/Scottcjn/rustchain-bounties/issues/14548
    """
    batch = some_batch(world, 5)
    lost = [1]

    def after(asked: Asked, answers: list[Any]) -> list[Any]:
        if asked and asked[0][0] == "eth_sendRawTransaction" and lost[0]:
            lost[0] -= 1
            raise ChainUnavailable("the reply was lost")
        return answers

    rpc = Watching(world.settings.rpc_url)
    rpc.after = after
    with world.worker(rpc=rpc) as worker, pytest.raises(ChainUnavailable):
        worker.run_until_idle(20)
    # The case is not free, the payout not failed: it is as it was.
    assert world.batch_state(batch.id) == "released"
    assert world.payout_states(batch.id) == ["queued"]
    world.run()
    assert_paid_once(world, batch)
