"""The submission engine of one worker: sign, commit, send, look for receipts, replace.

The rules it keeps, whatever dies when:

- Signed bytes and their nonce are committed before they are sent; a nonce belongs to one row for
  ever, and on any doubt the same bytes are sent again.
- Every write is in a database transaction that checks the lane's fencing token.
- A receipt says which nonce is used up and what the transaction cost; what was paid is said by the
  contracts' events alone (:mod:`service.confirmations`).

Each step stands by itself: it reads rows, asks the node outside any database transaction, and
writes what it learned. Several transactions of a lane are in flight at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from eth_utils.crypto import keccak
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from service.approvals.models import QuorumAction
from service.approvals.states import ActionState, move_action
from service.chain.contracts import ContractRefusal, Contracts
from service.chain.deployment import check_deployment
from service.chain.fees import Fees, outbid, suggest
from service.chain.rpc import Rpc, RpcError
from service.chain.signers import Signer
from service.clock import SYSTEM_CLOCK
from service.db import transaction
from service.errors import LimitExceeded
from service.payouts.models import ChainRequest, Chunk, Payout
from service.payouts.states import ChunkState, PayoutState, RequestState, move_all
from service.payouts.states import move as move_payout_stage
from service.transactions import lanes, owners
from service.transactions.dbclock import now_ms, read_now_ms
from service.transactions.lanes import Lease
from service.transactions.models import Lane, Transaction, TransactionAttempt
from service.transactions.outcomes import ALREADY_DONE, SendOutcome, classify_send
from service.transactions.states import IN_FLIGHT, Kind, State, move

log = logging.getLogger(__name__)

TRANSACTION_GAS_CAP = 2**24
"""No transaction may use more (EIP-7825)."""

GAS_MARGIN_PER_CENT = 20
"""Room over an estimate: the state may differ a little when the transaction is mined."""

FILL_GAS = 21_000
"""A plain transfer (yellow paper, G_transaction)."""

CHUNK_GAS_BASE = 250_000
CHUNK_GAS_AN_ENTRY = 32_000
"""Above what a payee costs who is skipped (30,700) or new (24,900), so that one run is enough."""

ENTRY_BYTES = 28

USUAL_GAS = 1_000_000
"""Put down for a call before it is estimated."""

FIRST_RETRY_MS = 2_000
LAST_RETRY_MS = 300_000


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How the engine behaves.

    Attributes
    ----------
    lease_seconds
        How long a lane stays ours without a write.
    max_fee_per_gas_cap_wei
        No transaction offers more.
    max_in_flight
        Transactions of one lane signed and not mined.
    max_in_flight_blocks
        How many blocks' worth of gas all lanes together may have in flight. A node that mines only
        when a transaction arrives (anvil) leaves lying what did not fit into the block, so 1.
    replace_after_s
        A transaction that is next to be mined and was not for so long gets a higher offer.
    resend_after_s
        Bytes not mined for so long are handed to the node again: pools forget.
    """

    lease_seconds: int = 15
    max_fee_per_gas_cap_wei: int = 500 * 10**9
    max_in_flight: int = 32
    max_in_flight_blocks: float = 1.0
    replace_after_s: float = 60.0
    resend_after_s: float = 10.0


def no_hook(_point: str) -> None:
    """Do nothing; tests end the process here instead."""


class SubmissionEngine:
    """Submits the ``built`` transactions of the lanes it can get.

    Parameters
    ----------
    sessions
        Factory of database sessions.
    rpc, contracts
        The chain.
    signers
        Keys of the senders.
    owner
        Name of this worker, unique among those running.
    hook
        Called with the name of each point at which a crash is told apart from any other.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        rpc: Rpc,
        contracts: Contracts,
        signers: Sequence[Signer],
        *,
        owner: str,
        options: EngineOptions | None = None,
        hook: Callable[[str], None] = no_hook,
    ) -> None:
        self._sessions = sessions
        self._rpc = rpc
        self._contracts = contracts
        self._chain_id = contracts.deployment.chain_id
        self._signers: Mapping[str, Signer] = {signer.address: signer for signer in signers}
        self._owner = owner
        self._options = options or EngineOptions()
        self._hook = hook
        self._leases: dict[str, Lease] = {}

    @property
    def senders(self) -> list[str]:
        """Senders of the lanes held."""
        return list(self._leases)

    def start(self) -> None:
        """Check chain and contracts, and make the rows of our lanes.

        Raises
        ------
        ConfigurationError
            If the node is on another chain or the contracts' code differs.
        ChainUnavailable
            If the node does not answer.
        """
        check_deployment(self._rpc, self._contracts.deployment)
        with transaction(self._sessions) as session:
            for sender in self._signers:
                lanes.ensure_lane(session, self._chain_id, sender)

    def take_lanes(self) -> None:
        """Take every lane of ours that is free; what another worker holds is left to it."""
        for sender in self._signers:
            if sender in self._leases:
                continue
            with transaction(self._sessions) as session:
                lease = lanes.acquire(
                    session, self._chain_id, sender, self._owner, self._options.lease_seconds
                )
            if lease is None:
                continue
            whole = False
            try:
                whole = self._close_gaps(lease)
            finally:
                if whole:
                    self._leases[sender] = lease
                else:
                    with transaction(self._sessions) as session:
                        lanes.release(session, lease)

    def release(self) -> None:
        """Give all lanes back."""
        with transaction(self._sessions) as session:
            for lease in self._leases.values():
                lanes.release(session, lease)
        self._leases.clear()

    def step(self, block_number: int) -> int:
        """Do what can be done now on every lane held; returns how many rows moved.

        Parameters
        ----------
        block_number
            Newest final block, for what may only be concluded after finality.
        """
        moved = 0
        for sender, lease in list(self._leases.items()):
            try:
                moved += self._look_for_receipts(lease, block_number)
                moved += self._sign_built(lease)
                moved += self._replace_stuck(lease)
                moved += self._send(lease)
                moved += self._look_for_receipts(lease, block_number)
            except lanes.LeaseLost:
                log.warning("lane %s went to another worker", sender)
                del self._leases[sender]
        return moved

    # ---- signing -------------------------------------------------------------------------------

    def _sign_built(self, lease: Lease) -> int:
        rows = self._next_built(lease)
        if not rows:
            return 0
        results = self._simulate(lease, rows)
        good = [(row, gas) for row, gas in results if isinstance(gas, int)]
        bad = [(row, why) for row, why in results if not isinstance(why, int)]
        if bad:
            with self._write(lease) as session:
                for row, why in bad:
                    self._record_refusal(session, row.id, why)
        if not good:
            return len(bad)
        fees = self._market(lease)
        if fees is None:
            return len(bad)
        with self._write(lease) as session:
            nonce = self._lane(session, lease).next_nonce
            for row, gas in good:
                current = session.get(Transaction, row.id, populate_existing=True)
                if current is None or current.state != State.BUILT:
                    continue
                current.nonce, current.gas_limit, current.error = nonce, gas, None
                move(current, State.SIGNED)
                self._add_attempt(session, current, 0, "call", fees)
                nonce += 1
            self._set_next_nonce(session, lease, nonce)
            self._hook("signed:before-commit")
        self._hook("signed:after-commit")
        return len(bad) + len(good)

    def _next_built(self, lease: Lease) -> Sequence[Transaction]:
        with transaction(self._sessions) as session:
            lane = self._lane(session, lease)
            if lane.out_of_funds:
                return []
            in_flight = session.scalars(
                select(func.count())
                .select_from(Transaction)
                .where(_of(lease), Transaction.state.in_(_values(IN_FLIGHT)))
            ).one()
            rows = session.scalars(
                select(Transaction)
                .where(_of(lease), Transaction.state == State.BUILT)
                .where(Transaction.retry_at_unix_ms <= now_ms())
                .order_by(Transaction.id)
                .limit(max(0, self._options.max_in_flight - in_flight))
            ).all()
            # What a lane without gas money has signed takes no room in the next block.
            gas_in_flight = session.scalars(
                select(func.sum(Transaction.gas_limit))
                .join(Lane)
                .where(
                    Transaction.chain_id == lease.chain_id,
                    Transaction.state.in_(_values(IN_FLIGHT)),
                    Lane.out_of_funds.is_(False),
                )
            ).one()
        return self._fitting(rows, int(gas_in_flight or 0)) if rows else rows

    def _fitting(self, rows: Sequence[Transaction], gas_in_flight: int) -> Sequence[Transaction]:
        """The first rows whose gas may be in flight beside what is; one, where nothing is."""
        header = self._rpc.header("latest")
        block_gas = int(header["gasLimit"], 16) if header is not None else TRANSACTION_GAS_CAP
        room = int(block_gas * self._options.max_in_flight_blocks) - gas_in_flight
        fitting: list[Transaction] = []
        for row in rows:
            room -= _known_gas(row) or USUAL_GAS
            if room < 0 and (fitting or gas_in_flight):
                break
            fitting.append(row)
        return fitting

    def _simulate(
        self, lease: Lease, rows: Sequence[Transaction]
    ) -> list[tuple[Transaction, int | RpcError]]:
        """Ask the node for each row whether it would go through; its gas limit, or why not."""
        requests: list[tuple[str, Sequence[Any]]] = []
        for row in rows:
            call = {"from": lease.sender, "to": row.target, "data": "0x" + row.calldata.hex()}
            known = _known_gas(row)
            if known is None:
                requests.append(("eth_estimateGas", (call,)))
            else:
                requests.append(("eth_call", ({**call, "gas": hex(known)}, "latest")))
        results: list[tuple[Transaction, int | RpcError]] = []
        for row, answer in zip(rows, self._rpc.batch(requests), strict=True):
            known = _known_gas(row)
            if isinstance(answer, RpcError):
                results.append((row, answer))
            elif known is not None:
                results.append((row, known))
            else:
                estimate = int(answer, 16)
                gas = estimate * (100 + GAS_MARGIN_PER_CENT) // 100
                results.append((row, min(gas, TRANSACTION_GAS_CAP)))
        return results

    def _record_refusal(self, session: Session, row_id: int, error: RpcError) -> None:
        """A simulation failed: no nonce was used, the reason goes where people look."""
        row = session.get_one(Transaction, row_id, populate_existing=True)
        if row.state != State.BUILT:
            return
        refusal = self._contracts.refusal(error)
        words = refusal.words if refusal is not None else error.message
        row.error = words
        done = refusal is not None and refusal.name in ALREADY_DONE
        if done and row.failures == 0:
            # Somebody else did it: the events, read before the next try, will say so, and the row
            # is dropped. If they do not, our rows are wrong, and whoever it is for must know.
            row.failures = 1
            row.retry_at_unix_ms = read_now_ms(session) + FIRST_RETRY_MS
            return
        log.warning("transaction %s (%s) is refused: %s", row.id, row.dedupe_key, words)
        if row.request_id is not None and refusal is not None:
            move(row, State.CLOSED)
            _fail_request(session, row.request_id, words)
            return
        row.failures += 1
        wait_ms = min(FIRST_RETRY_MS * 2 ** min(row.failures - 1, 10), LAST_RETRY_MS)
        row.retry_at_unix_ms = read_now_ms(session) + wait_ms
        _tell_owner(session, row, words)

    def _add_attempt(
        self, session: Session, row: Transaction, n: int, purpose: str, fees: Fees
    ) -> None:
        """Sign; the caller's commit makes the bytes durable before anything is sent."""
        fill = purpose == "fill"
        raw = self._signers[row.sender].sign_transaction(
            {
                "chainId": self._chain_id,
                "nonce": row.nonce,
                "to": row.sender if fill else row.target,
                "value": 0,
                "data": b"" if fill else row.calldata,
                "gas": FILL_GAS if fill else row.gas_limit,
                **fees.transaction_fields(),
            }
        )
        session.add(
            TransactionAttempt(
                transaction_id=row.id,
                n=n,
                purpose=purpose,
                tx_hash="0x" + keccak(raw).hex(),
                raw=raw,
                max_fee_per_gas=fees.max_fee_per_gas,
                priority_fee_per_gas=fees.priority_fee_per_gas,
                signed_unix_ms=read_now_ms(session),
            )
        )

    # ---- sending -------------------------------------------------------------------------------

    def _send(self, lease: Lease) -> int:
        pending = self._sendable(lease)
        if not pending:
            return 0
        with self._write(lease):
            pass  # still ours, and for another while; the bytes are committed anyhow
        self._hook("send:before")
        intact = [attempt for attempt in pending if _is_intact(attempt)]
        answers: dict[int, Any] = {attempt.id: CHANGED_BYTES for attempt in pending}
        answers |= zip(
            [attempt.id for attempt in intact],
            self._rpc.batch(
                [("eth_sendRawTransaction", ("0x" + attempt.raw.hex(),)) for attempt in intact]
            ),
            strict=True,
        )
        self._hook("send:after")
        moved = 0
        with self._write(lease) as session:
            lane = self._lane(session, lease)
            for attempt in pending:
                moved += self._record_send(session, lane, attempt.id, answers[attempt.id])
            self._hook("sent:before-commit")
        self._hook("sent:after-commit")
        return moved

    def _sendable(self, lease: Lease) -> Sequence[TransactionAttempt]:
        """Newest attempts never sent or sent long ago, by nonce."""
        newest = (
            select(TransactionAttempt.transaction_id, func.max(TransactionAttempt.n).label("n"))
            .group_by(TransactionAttempt.transaction_id)
            .subquery()
        )
        with transaction(self._sessions) as session:
            forgotten = now_ms() - int(self._options.resend_after_s * 1000)
            return session.scalars(
                select(TransactionAttempt)
                .join(Transaction, TransactionAttempt.transaction_id == Transaction.id)
                .join(
                    newest,
                    (newest.c.transaction_id == TransactionAttempt.transaction_id)
                    & (newest.c.n == TransactionAttempt.n),
                )
                .where(_of(lease), Transaction.state.in_(_values(IN_FLIGHT)))
                .where(
                    (Transaction.state != State.SENT)
                    | (TransactionAttempt.sent_unix_ms < forgotten)
                )
                .where(Transaction.retry_at_unix_ms <= now_ms())
                .order_by(Transaction.nonce)
                .limit(self._options.max_in_flight)
            ).all()

    def _record_send(self, session: Session, lane: Lane, attempt_id: int, answer: Any) -> int:
        attempt = session.get_one(TransactionAttempt, attempt_id, populate_existing=True)
        row = session.get_one(Transaction, attempt.transaction_id, populate_existing=True)
        outcome = SendOutcome.ACCEPTED
        if isinstance(answer, RpcError):
            outcome = classify_send(answer)
        if State(row.state) not in IN_FLIGHT:
            return 0
        if outcome is SendOutcome.ACCEPTED:
            now = read_now_ms(session)
            attempt.first_sent_unix_ms = attempt.first_sent_unix_ms or now
            attempt.sent_unix_ms, attempt.error = now, None
            lane.out_of_funds = False
            first = row.state != State.SENT
            move(row, State.SENT)
            if first and attempt.purpose == "call":
                _mark_sent(session, row)
            return int(first)
        attempt.error = answer.message
        row.error = answer.message
        if outcome is SendOutcome.NO_FUNDS:
            lane.out_of_funds = True
            log.error("lane %s has no gas money: %s", row.sender, answer.message)
        elif outcome is not SendOutcome.NONCE_USED:
            log.warning("transaction %s was not taken: %s", row.id, answer.message)
        if outcome is not SendOutcome.NONCE_USED:
            row.retry_at_unix_ms = read_now_ms(session) + FIRST_RETRY_MS
        return 0

    # ---- receipts ------------------------------------------------------------------------------

    def _look_for_receipts(self, lease: Lease, final_block: int) -> int:
        """Find which nonces are used up, by which of our attempts, or by somebody else."""
        with transaction(self._sessions) as session:
            lowest = session.scalars(
                select(func.min(Transaction.nonce)).where(
                    _of(lease), Transaction.state.in_(_values(IN_FLIGHT))
                )
            ).one_or_none()
        if lowest is None:
            return 0
        used, used_finally = self._nonces_used(lease.sender, final_block)
        if used <= lowest:
            return 0
        with transaction(self._sessions) as session:
            attempts = session.execute(
                select(TransactionAttempt.transaction_id, TransactionAttempt.tx_hash)
                .join(Transaction, Transaction.id == TransactionAttempt.transaction_id)
                .where(_of(lease), Transaction.state.in_(_values(IN_FLIGHT)))
                .where(Transaction.nonce < used)
                .order_by(Transaction.nonce, TransactionAttempt.n)
            ).all()
        receipts = self._rpc.batch(
            [("eth_getTransactionReceipt", (tx_hash,)) for _, tx_hash in attempts]
        )
        mined: dict[int, dict[str, Any]] = {}
        for (row_id, _), receipt in zip(attempts, receipts, strict=True):
            if isinstance(receipt, dict):
                mined[row_id] = receipt
        reasons = self._revert_reasons(mined)
        moved = 0
        with self._write(lease) as session:
            for row_id in dict.fromkeys(row_id for row_id, _ in attempts):
                row = session.get_one(Transaction, row_id, populate_existing=True)
                if State(row.state) not in IN_FLIGHT:
                    continue
                if row_id in mined:
                    self._record_receipt(session, row, mined[row_id], reasons.get(row_id))
                    moved += 1
                elif row.nonce is not None and row.nonce < used_finally:
                    row.error = f"nonce {row.nonce} was used by a transaction that is not ours"
                    log.error("lane %s: %s", row.sender, row.error)
                    move(row, State.CLOSED)
                    moved += 1
            self._hook("receipts:before-commit")
        self._hook("receipts:after-commit")
        return moved

    def _nonces_used(self, sender: str, final_block: int) -> tuple[int, int]:
        latest, final = self._rpc.batch(
            [
                ("eth_getTransactionCount", (sender, "latest")),
                ("eth_getTransactionCount", (sender, hex(final_block))),
            ]
        )
        if isinstance(latest, RpcError):
            raise latest
        # A node that forgot the state of the final block tells us nothing: conclude nothing.
        return int(latest, 16), 0 if isinstance(final, RpcError) else int(final, 16)

    def _revert_reasons(self, mined: Mapping[int, dict[str, Any]]) -> dict[int, ContractRefusal]:
        """Why the reverted ones would revert now, as far as the node can tell."""
        failed = [row_id for row_id, receipt in mined.items() if receipt["status"] != "0x1"]
        if not failed:
            return {}
        with transaction(self._sessions) as session:
            rows = session.scalars(select(Transaction).where(Transaction.id.in_(failed))).all()
        answers = self._rpc.batch(
            [
                (
                    "eth_call",
                    (
                        {"from": r.sender, "to": r.target, "data": "0x" + r.calldata.hex()},
                        "latest",
                    ),
                )
                for r in rows
            ]
        )
        reasons = {}
        for row, answer in zip(rows, answers, strict=True):
            refusal = self._contracts.refusal(answer) if isinstance(answer, RpcError) else None
            if refusal is not None:
                reasons[row.id] = refusal
        return reasons

    def _record_receipt(
        self,
        session: Session,
        row: Transaction,
        receipt: dict[str, Any],
        reason: ContractRefusal | None,
    ) -> None:
        row.block_number = int(receipt["blockNumber"], 16)
        row.block_hash = receipt["blockHash"]
        row.mined_tx_hash = receipt["transactionHash"]
        row.gas_used = int(receipt["gasUsed"], 16)
        attempt = session.scalars(
            select(TransactionAttempt).where(TransactionAttempt.tx_hash == row.mined_tx_hash)
        ).one()
        if attempt.purpose == "fill" and row.kind != Kind.FILL:
            # What it should have done is done, or can no longer be; its nonce is used up.
            move(row, State.SUPERSEDED)
        elif receipt["status"] == "0x1":
            row.error = None
            move(row, State.INCLUDED)
        elif reason is not None and reason.name in ALREADY_DONE:
            row.error = reason.words
            move(row, State.SUPERSEDED)
        else:
            row.error = reason.words if reason is not None else "reverted, and would not now"
            log.warning("transaction %s (%s) reverted: %s", row.id, row.dedupe_key, row.error)
            move(row, State.REVERTED)
            _tell_owner(session, row, row.error)

    # ---- replacing -----------------------------------------------------------------------------

    def _replace_stuck(self, lease: Lease) -> int:
        """Outbid the transaction that holds the others up; use up a nonce that nobody wants."""
        stuck = self._stuck(lease)
        if not stuck:
            return 0
        market = self._market(lease)
        if market is None:
            return 0
        moved = 0
        with self._write(lease) as session:
            for row_id, purpose in stuck:
                row = session.get_one(Transaction, row_id, populate_existing=True)
                if State(row.state) not in IN_FLIGHT:
                    continue
                last = session.scalars(
                    select(TransactionAttempt)
                    .where(TransactionAttempt.transaction_id == row.id)
                    .order_by(TransactionAttempt.n.desc())
                    .limit(1)
                ).one()
                offered = Fees(last.max_fee_per_gas, last.priority_fee_per_gas, market.legacy)
                never_sent = last.first_sent_unix_ms is None
                fees: Fees | None = market
                if not never_sent:
                    fees = outbid(offered, market, cap_wei=self._options.max_fee_per_gas_cap_wei)
                if fees is None:
                    row.error = "stuck, and no higher offer is possible"
                    continue
                self._add_attempt(session, row, last.n + 1, purpose, fees)
                row.retry_at_unix_ms = 0
                move(row, State.REPLACED)
                moved += 1
            self._hook("replaced:before-commit")
        self._hook("replaced:after-commit")
        return moved

    def _stuck(self, lease: Lease) -> list[tuple[int, str]]:
        """Rows to replace, each with what for: ``call`` to outbid, ``fill`` to use the nonce up."""
        with transaction(self._sessions) as session:
            now = read_now_ms(session)
            rows = session.execute(
                select(Transaction, TransactionAttempt)
                .join(TransactionAttempt, TransactionAttempt.transaction_id == Transaction.id)
                .where(_of(lease), Transaction.state.in_(_values(IN_FLIGHT)))
                .order_by(Transaction.nonce, TransactionAttempt.n)
            ).all()
            newest = {row.id: (row, attempt) for row, attempt in rows}
            found: list[tuple[int, str]] = []
            oldest = True
            for row, attempt in newest.values():
                if attempt.purpose == "call" and row.kind == Kind.EXECUTE_CHUNK:
                    chunk = session.get(Chunk, (row.batch_id, row.chunk_index))
                    done = chunk is not None and chunk.state in _EXECUTED
                    if done and row.state == State.SIGNED:
                        found.append((row.id, "fill"))
                        oldest = False
                        continue
                refused = attempt.error is not None and attempt.first_sent_unix_ms is None
                if refused and attempt.purpose == "call" and _is_invalid(attempt):
                    found.append((row.id, "fill"))
                elif oldest and self._waited_long(row, attempt, now):
                    found.append((row.id, attempt.purpose))
                oldest = False
            return found

    def _waited_long(self, row: Transaction, attempt: TransactionAttempt, now: int) -> bool:
        underpriced = attempt.error is not None and (
            classify_send(RpcError(0, attempt.error)) is SendOutcome.UNDERPRICED
        )
        if underpriced:
            return True
        if row.state == State.REORGED:
            return False  # the same bytes go out first
        since = attempt.first_sent_unix_ms
        return since is not None and now - since > self._options.replace_after_s * 1000

    # ---- nonces --------------------------------------------------------------------------------

    def _close_gaps(self, lease: Lease) -> bool:
        """Make nonces whole: never below the chain's, and none between without a row.

        Returns
        -------
        bool
            Whether they are; not while a fill would cost more than the cap.
        """
        used = int(self._rpc.call("eth_getTransactionCount", lease.sender, "latest"), 16)
        with transaction(self._sessions) as session:
            next_nonce = self._lane(session, lease).next_nonce
            taken = set(
                session.scalars(
                    select(Transaction.nonce).where(_of(lease), Transaction.nonce >= used)
                )
            )
        missing = [nonce for nonce in range(used, next_nonce) if nonce not in taken]
        if used <= next_nonce and not missing:
            return True
        fees = self._market(lease) if missing else Fees(0, 0)
        if fees is None:
            return False
        with self._write(lease) as session:
            if used > next_nonce:
                log.warning(
                    "lane %s: the chain is at nonce %s, we at %s", lease.sender, used, next_nonce
                )
                self._set_next_nonce(session, lease, used)
            for nonce in missing:
                row = Transaction(
                    chain_id=self._chain_id,
                    sender=lease.sender,
                    nonce=nonce,
                    kind=Kind.FILL.value,
                    target=lease.sender,
                    calldata=b"",
                    gas_limit=FILL_GAS,
                    dedupe_key=f"fill:{lease.sender}:{nonce}",
                    state=State.SIGNED.value,
                    created_unix_ms=read_now_ms(session),
                )
                session.add(row)
                session.flush()
                self._add_attempt(session, row, 0, "fill", fees)
        return True

    def _market(self, lease: Lease) -> Fees | None:
        """What to offer now; None while gas costs more than the cap: the lane waits."""
        try:
            return suggest(self._rpc, cap_wei=self._options.max_fee_per_gas_cap_wei)
        except LimitExceeded as error:
            log.warning("lane %s waits: %s", lease.sender, error.detail)
            return None

    # ---- database ------------------------------------------------------------------------------

    def _write(self, lease: Lease) -> _Write:
        return _Write(self._sessions, lease, self._options.lease_seconds)

    def _lane(self, session: Session, lease: Lease) -> Lane:
        return session.get_one(Lane, (lease.chain_id, lease.sender), populate_existing=True)

    def _set_next_nonce(self, session: Session, lease: Lease, nonce: int) -> None:
        session.execute(
            update(Lane)
            .where(
                Lane.chain_id == lease.chain_id,
                Lane.sender == lease.sender,
                Lane.fence == lease.fence,
            )
            .values(next_nonce=nonce)
            .execution_options(synchronize_session=False)
        )


class _Write:
    """A unit of work that commits only while the lane is ours."""

    def __init__(self, sessions: sessionmaker[Session], lease: Lease, seconds: int) -> None:
        self._context = transaction(sessions)
        self._lease = lease
        self._seconds = seconds

    def __enter__(self) -> Session:
        session = self._context.__enter__()
        try:
            lanes.hold(session, self._lease, self._seconds)
        except BaseException as error:
            self._context.__exit__(type(error), error, error.__traceback__)
            raise
        return session

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._context.__exit__(kind, error, trace)


CHANGED_BYTES = RpcError(0, "the signed bytes were changed after they were committed")
"""Stands for the node's answer: such bytes are not sent, their nonce is used up and signed anew."""


def _is_intact(attempt: TransactionAttempt) -> bool:
    return "0x" + keccak(attempt.raw).hex() == attempt.tx_hash


_EXECUTED = (ChunkState.INCLUDED.value, ChunkState.FINAL.value)


def _is_invalid(attempt: TransactionAttempt) -> bool:
    return classify_send(RpcError(0, attempt.error or "")) is SendOutcome.INVALID


def _of(lease: Lease) -> Any:
    return (Transaction.chain_id == lease.chain_id) & (Transaction.sender == lease.sender)


def _values(states: Sequence[State]) -> list[str]:
    return [state.value for state in states]


def _known_gas(row: Transaction) -> int | None:
    """Gas limit of a chunk, from its length; other calls are estimated."""
    if row.kind != Kind.EXECUTE_CHUNK:
        return None
    gas = CHUNK_GAS_BASE + CHUNK_GAS_AN_ENTRY * (len(row.calldata) // ENTRY_BYTES)
    return min(gas, TRANSACTION_GAS_CAP)


def _mark_sent(session: Session, row: Transaction) -> None:
    """Tell the earlier stages that their row is on its way."""
    if row.kind == Kind.EXECUTE_CHUNK:
        move_all(
            session,
            Chunk,
            ChunkState.SENT,
            Chunk.batch_id == row.batch_id,
            Chunk.chunk_index == row.chunk_index,
            Chunk.state == ChunkState.WAITING,
        )
        move_all(
            session,
            Payout,
            PayoutState.SENT,
            Payout.batch_id == row.batch_id,
            Payout.chunk_index == row.chunk_index,
            Payout.state == PayoutState.QUEUED,
            updated_at=SYSTEM_CLOCK.now(),
        )
    elif row.kind == Kind.QUORUM_ACTION:
        action = session.get(QuorumAction, row.action_id)
        if action is not None and action.state == ActionState.READY:
            action.state = move_action(action.state, ActionState.SUBMITTED).value


def _tell_owner(session: Session, row: Transaction, words: str) -> None:
    owners.tell(
        session,
        words,
        batch_id=row.batch_id,
        action_id=row.action_id,
        request_id=row.request_id,
    )


def _fail_request(session: Session, request_id: str, words: str) -> None:
    request = session.get(ChainRequest, int(request_id))
    if request is not None and request.state in (RequestState.REQUESTED, RequestState.PLANNED):
        request.last_error = words
        request.state = move_payout_stage(request.state, RequestState.FAILED).value
