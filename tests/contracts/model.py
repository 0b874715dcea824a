"""Vault and token as plain Python, the way a person would keep the books.

Written from the rules in docs/contracts.md, not from the Solidity: each stream remembers the second
through which it was paid, and there are no packed words, lanes, bitmaps or watermarks in its
arithmetic. Amounts are base units, times Unix seconds; `through` and `cut` are seconds since a
stream's start. A method either does its work or raises `Refused`, and then has changed nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chunk_tree import Entry

DAY = 86_400
ATTESTATION_AGE = 35 * DAY


class Refused(Exception):
    """What the contract must refuse, with its typed error."""

    def __init__(self, error: str, *arguments: Any) -> None:
        super().__init__(error, *arguments)
        self.error = error
        self.arguments = arguments


@dataclass
class Stream:
    """One open stream: paid through that second, cut at that one or not at all."""

    payee: str
    total: int
    through: int = 0
    cut: int | None = None
    held: int = 0


@dataclass
class BookedBatch:
    """An approved batch.

    Attributes
    ----------
    approval
        What officers signed.
    run
        Chunks that were run.
    open_from, holders
        When its chunks may run, and who has held it.
    expired
        Whether what no chunk paid was given back.
    skipped, held
        One-off payouts that wait for a retry, and until when reviewers hold some, by index.
    entry_holders
        Index and officer of each hold of a payout.
    streams
        Open streams, by index.
    ranged
        For each chunk the step its last range withdrawal reached.
    """

    approval: Mapping[str, Any]
    entries: list[Entry]
    cancelled: bool = False
    expired: bool = False
    open_from: int = 0
    holders: set[int] = field(default_factory=set)
    held: dict[int, int] = field(default_factory=dict)
    entry_holders: set[tuple[int, int]] = field(default_factory=set)
    run: set[int] = field(default_factory=set)
    skipped: dict[int, Entry] = field(default_factory=dict)
    streams: dict[int, Stream] = field(default_factory=dict)
    ranged: dict[int, int] = field(default_factory=dict)

    @property
    def id(self) -> bytes:
        """The batch id."""
        batch_id: bytes = self.approval["batchId"]
        return batch_id

    @property
    def chunk_count(self) -> int:
        """How many chunks it has."""
        return -(-len(self.entries) // self.approval["chunkSize"])

    def indexes(self, chunk: int) -> range:
        """Indexes of a chunk's entries."""
        size = self.approval["chunkSize"]
        return range(chunk * size, min((chunk + 1) * size, len(self.entries)))

    def elapsed(self, time: int) -> int:
        """Seconds of accrual by `time`."""
        return min(max(time - self.approval["start"], 0), self.approval["duration"])

    def step(self, time: int) -> int:
        """The second through which a withdrawal at `time` pays."""
        elapsed = self.elapsed(time)
        if elapsed == self.approval["duration"]:
            return elapsed
        if elapsed < self.approval["cliff"]:
            return 0
        return elapsed // self.approval["cadence"] * self.approval["cadence"]

    def vested(self, stream: Stream, through: int) -> int:
        """What a stream accrues in so many seconds."""
        return stream.total * through // self.approval["duration"]

    def withdrawn(self, stream: Stream) -> int:
        """What a stream was paid."""
        return self.vested(stream, stream.through)

    def unpaid(self, stream: Stream) -> int:
        """What of a stream is neither paid nor given back, accrued or not."""
        kept = self.approval["duration"] if stream.cut is None else stream.cut
        return self.vested(stream, kept) - self.withdrawn(stream)

    def accrued(self, stream: Stream, time: int) -> int:
        """What a stream may have been paid by `time`."""
        return self.vested(stream, self.step(time) if stream.cut is None else stream.cut)


class Model:
    """The books.

    Attributes
    ----------
    ours
        Addresses that are never paid, with the reason's number: zero 1, token 2, vault 3.
    allocated
        What of the programme's budget is taken.
    """

    def __init__(self, ours: Mapping[str, int], reserve: int, as_of: int) -> None:
        self.ours = ours
        self.balances: defaultdict[str, int] = defaultdict(int)
        self.frozen: set[str] = set()
        self.batches: list[BookedBatch] = []
        self.supply = self.committed = self.redeemed = self.allocated = 0
        self.reserve, self.included, self.as_of = reserve, 0, as_of

    # ---- batches -----------------------------------------------------------------------------

    def approve(self, approval: Mapping[str, Any], entries: list[Entry], time: int) -> None:
        """Book an approval that enough officers signed."""
        total = approval["total"]
        if time > self.as_of + ATTESTATION_AGE:
            raise Refused("ReserveStale", self.as_of, ATTESTATION_AGE)
        in_force = self.reserve_in_force
        if self.supply + self.committed + total > in_force:
            raise Refused("ReserveExceeded", self.supply + self.committed + total, in_force)
        self.committed += total
        self.allocated += total
        self.batches.append(BookedBatch(approval, entries))

    def execute(self, batch: BookedBatch, chunk: int, time: int) -> None:
        """Run one chunk."""
        if batch.cancelled:
            raise Refused("BatchIsCancelled", batch.id)
        if time < batch.open_from:
            raise Refused("ExecutionNotOpen", batch.open_from)
        if time >= batch.approval["executeBefore"]:
            raise Refused("ExecutionClosed", batch.approval["executeBefore"])
        if chunk in batch.run:
            raise Refused("ChunkAlreadyExecuted", batch.id, chunk)
        batch.run.add(chunk)
        for index in batch.indexes(chunk):
            payee, amount = batch.entries[index]
            if batch.approval["kind"] == 1:
                batch.streams[index] = Stream(payee, amount)
            elif self.unpayable(payee):
                batch.skipped[index] = (payee, amount)
            else:
                self._mint(payee, amount)

    def retry(self, batch: BookedBatch, index: int, time: int) -> None:
        """Pay what was skipped."""
        if index not in batch.skipped:
            raise Refused("NotSkipped", batch.id, index)
        self._require_not_held(batch, index, batch.held.get(index, 0), time)
        payee, amount = batch.skipped[index]
        self._require_payable(payee)
        del batch.skipped[index]
        self._mint(payee, amount)

    def cancel_batch(self, batch: BookedBatch) -> None:
        """Give the amounts of chunks not run back to the budget."""
        if batch.cancelled:
            raise Refused("BatchIsCancelled", batch.id)
        batch.cancelled = True
        if not batch.expired:
            self._release_unexecuted(batch)

    def _release_unexecuted(self, batch: BookedBatch) -> None:
        waiting = set(range(batch.chunk_count)) - batch.run
        self._release(batch.entries[i][1] for chunk in waiting for i in batch.indexes(chunk))

    # ---- corrections -------------------------------------------------------------------------

    def hold_batch(self, batch: BookedBatch, officer: int, time: int) -> None:
        """Let its chunks wait up to 72 hours, and leave them a day."""
        if batch.cancelled:
            raise Refused("BatchIsCancelled", batch.id)
        if officer in batch.holders:
            raise Refused("AlreadyHeld", batch.id, officer)
        until = min(time + 3 * DAY, batch.approval["executeBefore"] - DAY)
        done = batch.expired or len(batch.run) == batch.chunk_count
        if done or until <= max(time, batch.open_from):
            raise Refused("NothingToHold", batch.id)
        batch.holders.add(officer)
        batch.open_from = until

    def hold_entry(self, batch: BookedBatch, index: int, officer: int, time: int) -> None:
        """Keep a payout from being paid for 72 hours."""
        if (index, officer) in batch.entry_holders:
            raise Refused("AlreadyHeld", batch.id, officer)
        self._require_unpaid(batch, index)
        batch.entry_holders.add((index, officer))
        if batch.approval["kind"] == 1:
            batch.streams[index].held = time + 3 * DAY
        else:
            batch.held[index] = time + 3 * DAY

    def change_wallet(self, batch: BookedBatch, index: int, old: str, new: str) -> None:
        """Pay what is unpaid to another wallet; a hold is over."""
        self._require_payable(new)
        payee = self._require_unpaid(batch, index)
        if old != payee or new == payee:
            raise Refused("WrongPayee", batch.id, index, payee)
        if batch.approval["kind"] == 1:
            batch.streams[index].payee = new
            batch.streams[index].held = 0
        else:
            batch.skipped[index] = (new, batch.skipped[index][1])
            batch.held.pop(index, None)

    def expire_unexecuted(self, batch: BookedBatch, time: int) -> None:
        """Give back what no chunk paid in its time."""
        if time < batch.approval["executeBefore"]:
            raise Refused("NotExpired", batch.id, batch.approval["executeBefore"])
        if batch.cancelled or batch.expired or len(batch.run) == batch.chunk_count:
            raise Refused("NothingToExpire", batch.id)
        batch.expired = True
        self._release_unexecuted(batch)

    def expire_payout(self, batch: BookedBatch, index: int, time: int) -> None:
        """Give a skipped payout back that can never be paid."""
        if time < batch.approval["expiresAt"]:
            raise Refused("NotExpired", batch.id, batch.approval["expiresAt"])
        if index not in batch.skipped:
            raise Refused("NotSkipped", batch.id, index)
        self._require_not_held(batch, index, batch.held.get(index, 0), time)
        payee, amount = batch.skipped[index]
        if not self.unpayable(payee):
            raise Refused("StillPayable", batch.id, index)
        if payee not in self.ours:
            raise Refused("Unpayable", payee, 4)
        del batch.skipped[index]
        self._release([amount])

    def expire_streams(self, batch: BookedBatch, chunk: int, time: int) -> None:
        """Give back what is unpaid of a chunk's streams that can never be paid."""
        if time < batch.approval["expiresAt"]:
            raise Refused("NotExpired", batch.id, batch.approval["expiresAt"])
        if chunk not in batch.run or batch.approval["kind"] != 1:
            raise Refused("StreamsNotOpen", batch.id, chunk)
        streams = [batch.streams[index] for index in batch.indexes(chunk)]
        over = [
            stream
            for stream in streams
            if stream.payee in self.ours and time >= stream.held and batch.unpaid(stream)
        ]
        if not over:
            raise Refused("NothingToExpire", batch.id)
        self._release([batch.unpaid(stream) for stream in over])
        for stream in over:
            stream.cut = stream.through

    def _require_unpaid(self, batch: BookedBatch, index: int) -> str:
        """Who is paid now of a payout of which something is unpaid."""
        if batch.approval["kind"] == 0:
            if index not in batch.skipped:
                raise Refused("NotSkipped", batch.id, index)
            return batch.skipped[index][0]
        self._require_open(batch, index // batch.approval["chunkSize"])
        stream = batch.streams[index]
        if not batch.unpaid(stream):
            raise Refused("NothingUnpaid", batch.id, index)
        return stream.payee

    def _require_not_held(self, batch: BookedBatch, index: int, until: int, time: int) -> None:
        if time < until:
            raise Refused("EntryIsHeld", batch.id, index, until)

    # ---- streams -----------------------------------------------------------------------------

    def withdraw(self, batch: BookedBatch, index: int, time: int) -> None:
        """Pay one stream what it accrued; a cancelled one to the second of its cut."""
        self._require_open(batch, index // batch.approval["chunkSize"])
        stream = batch.streams[index]
        through = batch.step(time) if stream.cut is None else stream.cut
        due = batch.vested(stream, through) - batch.withdrawn(stream)
        if due == 0:
            raise Refused("NothingToWithdraw", batch.id, index)
        self._require_not_held(batch, index, stream.held, time)
        self._require_payable(stream.payee)
        stream.through = through
        self._mint(stream.payee, due)

    def withdraw_chunk(self, batch: BookedBatch, chunk: int, time: int) -> None:
        """Pay each stream of a chunk what it accrued; a cancelled one to the second of its cut."""
        self._require_open(batch, chunk)
        step = batch.step(time)
        due = {}
        for index in batch.indexes(chunk):
            stream = batch.streams[index]
            through = step if stream.cut is None else stream.cut
            amount = batch.vested(stream, through) - batch.withdrawn(stream)
            if amount:
                due[index] = (through, amount)
        payable = [
            index
            for index in due
            if not self.unpayable(batch.streams[index].payee) and time >= batch.streams[index].held
        ]
        if not payable and (not due or step <= batch.ranged.get(chunk, 0)):
            raise Refused("NothingToWithdraw", batch.id, batch.indexes(chunk)[0])
        batch.ranged[chunk] = step
        for index in payable:
            through, amount = due[index]
            batch.streams[index].through = through
            self._mint(batch.streams[index].payee, amount)

    def cancel_streams(
        self, batch: BookedBatch, chunk: int, positions: list[int], time: int
    ) -> None:
        """Cut streams now; each keeps what it accrued to the second."""
        self._require_open(batch, chunk)
        cut = batch.elapsed(time)
        if cut == batch.approval["duration"]:
            raise Refused("NothingToCancel", batch.id, chunk)
        indexes = sorted(batch.indexes(chunk)[position] for position in positions)
        for index in indexes:
            if batch.streams[index].cut is not None:
                raise Refused("AlreadyCancelled", batch.id, index)
        for index in indexes:
            batch.streams[index].cut = cut
        streams = [batch.streams[index] for index in indexes]
        self._release(stream.total - batch.vested(stream, cut) for stream in streams)

    # ---- token -------------------------------------------------------------------------------

    def transfer(self, sender: str, receiver: str, amount: int) -> None:
        """Move tokens between holders."""
        if self.ours.get(receiver) in {1, 2}:
            raise Refused("InvalidReceiver", receiver)
        self._require_covered(sender, amount)
        if receiver in self.frozen:
            raise Refused("AccountFrozen", receiver)
        self.balances[sender] -= amount
        self.balances[receiver] += amount

    def redeem(self, holder: str, amount: int) -> None:
        """Burn tokens against fiat."""
        self._require_covered(holder, amount)
        self.balances[holder] -= amount
        self.supply -= amount
        self.redeemed += amount

    @property
    def reserve_in_force(self) -> int:
        """Attested, less redemptions the attestation does not include."""
        return max(self.reserve - (self.redeemed - self.included), 0)

    def mint_at_once(self, payee: str, amount: int) -> None:
        """Commit and mint in one go, as the emergency lane does."""
        self.committed += amount
        self._mint(payee, amount)

    def attest(self, amount: int, time: int) -> None:
        """Take a new reserve, all redemptions included."""
        self.reserve, self.included, self.as_of = amount, self.redeemed, time

    def unpayable(self, payee: str) -> int:
        """Why a payee cannot be paid, 0 if it can."""
        return self.ours.get(payee) or (4 if payee in self.frozen else 0)

    # ---- pieces ------------------------------------------------------------------------------

    def _require_open(self, batch: BookedBatch, chunk: int) -> None:
        if batch.approval["kind"] != 1:
            raise Refused("WrongKind", batch.id)
        if chunk not in batch.run:
            raise Refused("StreamsNotOpen", batch.id, chunk)

    def _require_payable(self, payee: str) -> None:
        reason = self.unpayable(payee)
        if reason:
            raise Refused("Unpayable", payee, reason)

    def _require_covered(self, holder: str, amount: int) -> None:
        if holder in self.frozen:
            raise Refused("AccountFrozen", holder)
        if self.balances[holder] < amount:
            raise Refused("InsufficientBalance", holder, self.balances[holder], amount)

    def _mint(self, payee: str, amount: int) -> None:
        self.balances[payee] += amount
        self.supply += amount
        self.committed -= amount

    def _release(self, amounts: Iterable[int]) -> None:
        returned = sum(amounts)
        self.committed -= returned
        self.allocated -= returned
