"""The vault's batches and one-off chunks: every rule of the contract, checked again.

Programmes are in :mod:`service.audit.programmes`, streams in :mod:`service.audit.streams`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from service.audit.abi import Contract
from service.audit.amounts import amounts_of
from service.audit.arithmetic import (
    RollingSum,
    ancestors,
    bits,
    chunk_leaf,
    chunks_root,
    proven_root,
    region_covers,
    unpack,
)
from service.audit.calls import Call, CallOf
from service.audit.decode import Event, address_text, hex_text
from service.audit.entry_store import EntryStore
from service.audit.findings import Code, Findings, Place
from service.audit.officers import GOVERNOR, REVIEWER, Claim, Officers
from service.audit.state import ONE_OFF, Batch, Chunk, Programme, State
from service.audit.terms import terms_problems
from service.audit.token import ZERO_ADDRESS, TokenReplay

APPROVALS, EXECUTION, WITHDRAWALS = 1, 2, 4
ALL_OPERATIONS = 7
MAX_WITHDRAWAL_PAUSE_S = 72 * 3_600


@dataclass
class VaultReplay:
    """Replays batches, one-off chunks and pauses.

    Attributes
    ----------
    address
        Of the vault.
    token_address
        For the reasons why a payee cannot be paid.
    skips
        ``PayoutSkipped`` events that must follow: index, payee, amount, reason.
    entries
        Of all chunks.
    """

    state: State
    findings: Findings
    officers: Officers
    token: TokenReplay
    address: bytes
    token_address: bytes
    skips: list[tuple[Batch, int, bytes, int, int]] = field(default_factory=list)
    entries: EntryStore = field(default_factory=EntryStore)

    @property
    def handlers(self) -> dict[str, Callable[[Event], None]]:
        """What to do with each event."""
        return {
            "BatchApproved": self._batch_approved,
            "BatchCancelled": self._batch_cancelled,
            "ChunkPaid": self._chunk_paid,
            "PayoutSkipped": self._payout_skipped,
            "PayoutRetried": self._payout_retried,
            "Paused": self._paused,
            "Unpaused": self._unpaused,
            "SunsetBegan": self._sunset_began,
        }

    def close_transaction(self) -> None:
        """Name skips that the chunk's mask has and no event told."""
        for batch, index, payee, amount, _ in self.skips:
            self.findings.error(
                Code.SKIP_MISMATCH,
                f"payout {index} ({address_text(payee)}, {amount}) was skipped without an event",
                batch.place(None, index),
            )
        self.skips.clear()

    # ---- approval --------------------------------------------------------------------------------

    def _batch_approved(self, event: Event) -> None:
        args, approval = event.args, event.args["approval"]
        batch = Batch(
            approval=approval,
            first_number=args["firstNumber"],
            execute_from=args["executeFrom"],
            block=event.block,
            block_hash=event.block_hash,
            tx=event.tx,
            unexecuted=approval["total"],
        )
        place = batch.place(event)
        if args["batchId"] != approval["batchId"] or args["programme"] != approval["programme"]:
            self._batch_broken(place, "its topics name another batch or programme")
        if batch.id in self.state.batches:
            self.findings.error(Code.BATCH_REPEATED, "the batch was approved twice", place)
        self.require_running(event, APPROVALS, place)
        if self.state.sunset:
            self.findings.error(
                Code.SUNSET_IGNORED, "the batch was approved after the vault's sunset", place
            )
        for problem in terms_problems(approval, event.timestamp):
            self._batch_broken(place, problem)
        if batch.execute_from >= approval["executeBefore"]:
            self._batch_broken(place, "its challenge delay ends when no chunk may run any more")
        self._consume_commitment(event, approval["total"], place)
        programme = self.state.programmes.get(batch.programme)
        if programme is None:
            self._batch_broken(place, f"programme {batch.programme} does not exist")
        else:
            self._approve_from(programme, batch, event, place)
        self.state.batches[batch.id] = batch
        budget, committed = f"budget:{batch.programme}", f"committed:{batch.programme}"
        self.token.post(event, budget, committed, approval["total"])

    def _approve_from(self, programme: Programme, batch: Batch, event: Event, place: Place) -> None:
        approval = batch.approval
        if event.timestamp < programme.active_from:
            self._batch_broken(place, "its programme was not in force yet")
        if approval["programmeVersion"] != programme.version:
            self._batch_broken(place, "it was signed for another version of the programme")
        if not region_covers(programme.region, batch.region):
            self._batch_broken(place, "its region is outside the programme")
        programme.allocated += approval["total"]
        if programme.allocated > programme.budget:
            self._limit(Code.BUDGET_EXCEEDED, place, programme.budget, programme.allocated)
        if batch.first_number != programme.next_number:
            self.findings.error(
                Code.NUMBER_MISMATCH,
                "the payouts' numbers do not follow on those before",
                place,
                expected=programme.next_number,
                found=batch.first_number,
            )
        programme.next_number = batch.first_number + approval["count"]
        reviewers = self._tier_for(programme, batch, event, place)
        self.officers.prove_approval(event, reviewers, place)

    def _tier_for(self, programme: Programme, batch: Batch, event: Event, place: Place) -> int:
        """Return how many reviewers the batch needs; check its rolling sum and its delay."""
        own = 0
        for region in ancestors(*batch.region):
            rolling = self.state.rolling.setdefault((batch.programme, *region), RollingSum())
            total = rolling.add(batch.approval["total"], event.timestamp)
            if region == batch.region:
                own = total
        if own != event.args["rollingSum"]:
            self.findings.error(
                Code.ROLLING_SUM_MISMATCH,
                "the sum approved in the region over the window is not what the event says",
                place,
                expected=own,
                found=event.args["rollingSum"],
            )
        for tier in programme.tiers:
            if own <= tier["upTo"]:
                if batch.execute_from != event.timestamp + tier["challengeDelay"]:
                    self._batch_broken(place, "its challenge delay is not the tier's")
                return tier["reviewers"]
        self._limit(Code.TIER_EXCEEDED, place, programme.tiers[-1]["upTo"], own)
        return programme.tiers[-1]["reviewers"]

    def _consume_commitment(self, event: Event, total: int, place: Place) -> None:
        commitments = self.token.commitments
        given, commitments[:] = list(commitments), []
        if given != [(self.address, total)]:
            self.findings.error(
                Code.COMMITMENT_MISMATCH,
                f"the token committed other money than {event.name} says",
                place,
                expected=total,
                found=[amount for _, amount in given],
            )

    def _limit(self, code: Code, place: Place, limit: int, found: int) -> None:
        self.findings.error(
            code, "the batch passes a limit", place, expected=f"at most {limit}", found=found
        )

    def _batch_broken(self, place: Place, what: str) -> None:
        self.findings.error(
            Code.BATCH_RULE_BROKEN, f"batch {place.batch} cannot have been approved: {what}", place
        )

    def _batch_cancelled(self, event: Event) -> None:
        batch = self.batch_of(event)
        if batch is None:
            return
        place = batch.place(event)
        facts = (batch.id,)
        claim = Claim(Contract.VAULT, "BatchCancellation", facts, REVIEWER, batch.region, place)
        self.officers.prove_action(event, claim)
        if batch.cancelled:
            self._cancel_mismatch(place, "was cancelled twice", None, None)
        if event.args["returned"] != batch.unexecuted:
            found = event.args["returned"]
            self._cancel_mismatch(place, "returned another sum", batch.unexecuted, found)
        batch.cancelled = True
        batch.cancelled_block = event.block
        batch.unexecuted = 0
        self.return_to_budget(event, batch, event.args["returned"], place)

    def return_to_budget(self, event: Event, batch: Batch, returned: int, place: Place) -> None:
        """Book what an event gives back; the token must have released it."""
        releases = self.token.releases
        given, releases[:] = list(releases), []
        if given != [returned]:
            self._cancel_mismatch(place, "returned other money than released", given, returned)
        programme = self.state.programmes.get(batch.programme)
        if programme is not None:
            programme.allocated -= returned
        source, target = f"committed:{batch.programme}", f"budget:{batch.programme}"
        self.token.post(event, source, target, returned)

    def _cancel_mismatch(self, place: Place, what: str, expected: object, found: object) -> None:
        self.findings.error(
            Code.CANCEL_MISMATCH, f"the batch {what}", place, expected=expected, found=found
        )

    # ---- chunks ----------------------------------------------------------------------------------

    def batch_of(self, event: Event) -> Batch | None:
        """Return the batch of an event, or name that nobody approved it."""
        batch = self.state.batches.get(event.args["batchId"])
        if batch is None:
            self.findings.error(
                Code.BATCH_UNKNOWN,
                f"{event.name} of a batch that was never approved",
                Place(event.block, hex_text(event.tx), hex_text(event.args["batchId"])),
            )
        return batch

    def run_chunk(self, event: Event, batch: Batch, kind: int) -> Chunk:
        """Check that a chunk may run, and enter it."""
        args = event.args
        index, entries = args["chunkIndex"], args["entries"]
        place = batch.place(event, batch.first_index(index))
        self.require_running(event, EXECUTION, place)
        if batch.cancelled:
            self._chunk_broken(index, place, "ran after the batch was cancelled")
        if batch.approval["kind"] != kind:
            self._chunk_broken(index, place, "ran as another kind than was approved")
        if not batch.execute_from <= event.timestamp < batch.approval["executeBefore"]:
            self._chunk_broken(index, place, "ran outside its time")
        if index >= batch.chunk_count or len(entries) != 28 * batch.length_of(index):
            self._chunk_broken(index, place, "has another length than was approved")
        if index in batch.chunks:
            self.findings.error(
                Code.CHUNK_REPEATED,
                f"chunk {index} of batch {hex_text(batch.id)} was run a second time",
                place,
            )
        total = self._check_caps(event, batch, index, entries)
        chunk = Chunk(
            index=index,
            total=total,
            stored=self.entries.keep(entries),
            leaf=chunk_leaf(batch.id, index, entries),
            block=event.block,
            block_hash=event.block_hash,
            tx=event.tx,
        )
        batch.chunks[index] = chunk
        batch.unexecuted -= total
        self._check_complete(event, batch)
        return chunk

    def _check_caps(self, event: Event, batch: Batch, chunk_index: int, entries: bytes) -> int:
        programme = self.state.programmes.get(batch.programme)
        cap = programme.payout_cap if programme else 0
        amounts = amounts_of(entries)
        if amounts.largest > cap:
            for position, (_, amount) in enumerate(unpack(entries)):
                if amount > cap:
                    index = batch.first_index(chunk_index) + position
                    self.findings.error(
                        Code.PAYOUT_ABOVE_CAP,
                        f"payout {index} is above the programme's cap",
                        batch.place(event, index),
                        expected=f"at most {cap}",
                        found=amount,
                    )
        return amounts.total

    def _check_complete(self, event: Event, batch: Batch) -> None:
        if batch.unexecuted < 0 or (batch.complete and batch.unexecuted):
            self.findings.error(
                Code.TOTAL_MISMATCH,
                "the batch's chunks do not sum to what officers signed",
                batch.place(event),
                expected=batch.approval["total"],
                found=batch.approval["total"] - batch.unexecuted,
            )
        if batch.complete:
            root = chunks_root({index: chunk.leaf for index, chunk in batch.chunks.items()})
            if root != batch.approval["chunksRoot"]:
                self.findings.error(
                    Code.CHUNKS_ROOT_MISMATCH,
                    "the entries that were run are not those officers signed",
                    batch.place(event),
                    expected=batch.approval["chunksRoot"],
                    found=root,
                )

    def prove_chunks(self, call_of: CallOf) -> None:
        """Prove the chunks of batches of which some were not run, each by itself.

        The root of a batch is proven once all of its chunks were run; before that a chunk's place
        is proven by the siblings in its transaction.
        """
        for batch in self.state.batches.values():
            if batch.complete:
                continue
            for chunk in batch.chunks.values():
                self._prove_chunk(batch, chunk, call_of(chunk.tx))

    def _prove_chunk(self, batch: Batch, chunk: Chunk, call: Call) -> None:
        proofs = list(call.chunk_proofs(batch.id, chunk.index))
        signed = batch.approval["chunksRoot"]
        roots = [proven_root(chunk.leaf, chunk.index, proof) for proof in proofs]
        if signed in roots:
            return
        place = batch.place(None, batch.first_index(chunk.index))
        name = f"chunk {chunk.index} of batch {hex_text(batch.id)}"
        if roots and call.to == self.address:
            self.findings.error(
                Code.CHUNKS_ROOT_MISMATCH,
                f"{name} is none of those officers signed",
                place,
                expected=signed,
                found=roots[0],
            )
        else:
            self.findings.warning(
                Code.CHUNK_UNPROVEN,
                f"{name} was run through another contract, without its proof in the transaction, "
                "and its batch is not complete: that officers signed its entries is not proven",
                place,
            )

    def _chunk_broken(self, index: int, place: Place, what: str) -> None:
        self.findings.error(Code.CHUNK_RULE_BROKEN, f"chunk {index} {what}", place)

    def _chunk_paid(self, event: Event) -> None:
        batch = self.batch_of(event)
        if batch is None:
            self.token.take_mints()
            return
        args = event.args
        chunk = self.run_chunk(event, batch, ONE_OFF)
        first = batch.first_index(chunk.index)
        skipped = set(bits(args["skippedLow"], args["skippedHigh"]))
        if not skipped and self._all_paid(args["entries"]):
            paid = chunk.total
        else:
            owed = self._owed(event, batch, chunk, skipped)
            self.explain_mints(event, batch, owed)
            paid = sum(amount for _, _, amount in owed)
        if paid != args["paid"] or any(position >= chunk.count for position in skipped):
            self.findings.error(
                Code.TOTAL_MISMATCH,
                f"chunk {chunk.index} paid another sum than its entries make",
                batch.place(event, first),
                expected=paid,
                found=args["paid"],
            )
        self.post_payment(event, batch, args["paid"], first, chunk.count)

    def _all_paid(self, entries: bytes) -> bool:
        """Whether the token minted just what a chunk has, each to a payee that can be paid."""
        refused = (ZERO_ADDRESS, self.token_address, self.address)
        if entries != self.token.mints or any(address in entries for address in refused):
            return False
        if self.token.holds_frozen(entries):
            return False
        self.token.take_mints()
        return True

    def _owed(
        self, event: Event, batch: Batch, chunk: Chunk, skipped: set[int]
    ) -> list[tuple[int, bytes, int]]:
        """Return index, payee and amount of what a chunk must pay; check whom it skipped."""
        first = batch.first_index(chunk.index)
        owed: list[tuple[int, bytes, int]] = []
        for position, (payee, amount) in enumerate(unpack(chunk.entries)):
            reason = (
                self.token.unpayable_reason(payee, self.token_address, self.address)
                if amount
                else 0
            )
            self._check_skip(event, batch, first + position, int(position in skipped), reason)
            if position in skipped:
                chunk.skipped[position] = reason
                self.skips.append((batch, first + position, payee, amount, reason))
            elif amount:
                owed.append((first + position, payee, amount))
        return owed

    def post_payment(
        self, event: Event, batch: Batch, amount: int, first_index: int, payouts: int
    ) -> None:
        """Note a payment for the ledger."""
        self.token.post(
            event,
            f"committed:{batch.programme}",
            "circulating",
            amount,
            first_index=first_index,
            payouts=payouts,
        )

    def _check_skip(self, event: Event, batch: Batch, index: int, said: int, reason: int) -> None:
        """Compare a bit of the skip mask with whether the payee could be paid."""
        if bool(said) != bool(reason):
            self.findings.error(
                Code.SKIP_MISMATCH,
                f"payout {index} was {'skipped' if said else 'paid'} although its payee "
                f"{'could be paid' if said else 'could not be'}",
                batch.place(event, index),
                expected="paid" if said else f"skipped for reason {reason}",
            )

    def explain_mints(
        self, event: Event, batch: Batch, owed: Sequence[tuple[int, bytes, int]]
    ) -> None:
        """Hold the token's mints before an event against what the event paid, in order."""
        minted = list(unpack(self.token.take_mints()))
        if minted == [(payee, amount) for _, payee, amount in owed]:
            return
        left = list(minted)
        for index, payee, amount in owed:
            if (payee, amount) in left:
                left.remove((payee, amount))
                continue
            self.findings.error(
                Code.MINT_MISSING,
                f"payout {index} of batch {hex_text(batch.id)} was paid by {event.name} and the "
                "token minted nothing like it",
                batch.place(event, index),
                expected=f"{amount} to {address_text(payee)}",
            )
        for payee, amount in left:
            self.findings.error(
                Code.MINT_UNEXPLAINED,
                f"{amount} base units were minted to {address_text(payee)} beside the payouts of "
                f"{event.name}",
                batch.place(event),
                found=amount,
            )
        if not left and len(minted) == len(owed):
            self.findings.error(
                Code.MINT_MISSING, "payouts were minted in another order", batch.place(event)
            )

    # ---- skips and retries -----------------------------------------------------------------------

    def _payout_skipped(self, event: Event) -> None:
        batch = self.batch_of(event)
        if batch is None:
            return
        args = event.args
        said = (args["index"], args["payee"], args["amount"], args["reason"])
        due = self.skips.pop(0) if self.skips else None
        if due is None or due[0] is not batch or due[1:] != said:
            self.findings.error(
                Code.SKIP_MISMATCH,
                f"payout {args['index']} is said to be skipped otherwise than its chunk has it",
                batch.place(event, args["index"]),
            )

    def _payout_retried(self, event: Event) -> None:
        batch = self.batch_of(event)
        if batch is None:
            self.token.take_mints()
            return
        args = event.args
        index = args["index"]
        place = batch.place(event, index)
        self.require_running(event, EXECUTION, place)
        self.explain_mints(event, batch, [(index, args["payee"], args["amount"])])
        self.post_payment(event, batch, args["amount"], index, 1)
        self.require_payable(args["payee"], place)
        chunk, position = batch.locate(index)
        if chunk is None or not chunk.waits(position):
            self._retry_invalid(index, place, "was not skipped, was retried before, or expired")
            return
        if chunk.entry(position) != (args["payee"], args["amount"]):
            self._retry_invalid(index, place, "was retried with another payee or amount")
        self.require_not_held(event, chunk, position, place)
        chunk.retried[position] = (event.block, event.block_hash, event.tx)

    def require_payable(self, payee: bytes, place: Place) -> None:
        """Name a payment alone to a payee that cannot be paid."""
        reason = self.token.unpayable_reason(payee, self.token_address, self.address)
        if reason:
            self.findings.error(
                Code.SKIP_MISMATCH,
                f"payout {place.index} was paid although its payee could not be",
                place,
                expected=f"refused for reason {reason}",
            )

    def require_not_held(self, event: Event, chunk: Chunk, position: int, place: Place) -> None:
        """Name a payment of what a reviewer held."""
        if chunk.is_held(position, event.timestamp):
            self.findings.error(
                Code.HOLD_IGNORED, f"payout {place.index} was paid although it was held", place
            )

    def _retry_invalid(self, index: int, place: Place, what: str) -> None:
        self.findings.error(Code.RETRY_INVALID, f"payout {index} {what}", place)

    # ---- pauses ----------------------------------------------------------------------------------

    def require_running(self, event: Event, operation: int, place: Place) -> None:
        """Name what happened while it was paused."""
        if self.state.paused_operations(event.timestamp) & operation:
            self.findings.error(
                Code.PAUSE_IGNORED, f"{event.name} happened while it was paused", place
            )

    def _paused(self, event: Event) -> None:
        operations, until = event.args["operations"], event.args["until"]
        place = Place(block=event.block, tx=hex_text(event.tx))
        expected = 0
        if operations & WITHDRAWALS:
            expected = event.timestamp + MAX_WITHDRAWAL_PAUSE_S
            before = self.state.withdrawals_paused_until
            if before and event.timestamp < before + MAX_WITHDRAWAL_PAUSE_S:
                self.findings.error(
                    Code.PAUSE_IGNORED, "withdrawals were paused again without a rest", place
                )
            self.state.withdrawals_paused_until = until
        if until != expected:
            self.findings.error(
                Code.PAUSE_IGNORED,
                "a pause ends at another time than it must",
                place,
                expected=expected,
                found=until,
            )
        self.state.paused |= operations

    def _unpaused(self, event: Event) -> None:
        operations = event.args["operations"]
        self.officers.prove_action(event, Claim(Contract.VAULT, "Unpause", (operations,), GOVERNOR))
        self.state.paused &= ~operations

    def _sunset_began(self, event: Event) -> None:
        self.officers.prove_action(event, Claim(Contract.VAULT, "Sunset", (), GOVERNOR))
        if self.state.sunset:
            self.findings.error(
                Code.SUNSET_IGNORED,
                "the vault's sunset began twice",
                Place(block=event.block, tx=hex_text(event.tx)),
            )
        self.state.sunset = True
