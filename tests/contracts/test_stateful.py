"""Vault, emergency lane and token against plain books: whatever is done, in whatever order, they agree.

Each rule asks the model first. What the model refuses must be refused by the contracts with the
same typed error; what it books must be done. After each step every balance, commitment and stream
is compared, and at the end of each run the books are rebuilt from events as well.

Longer runs, for example ten times as many: ``RELIEF_STATEFUL_EXAMPLES=160``, and
``RELIEF_STATEFUL_STEPS`` for the steps of each.
"""

import os
from collections.abc import Callable
from typing import Any, ClassVar

import brownie
from clock import DAY, HOUR, next_transaction_at, now
from deployment import COUNTY, LANE_CAP, LIMITS, RESERVE, SIMPLE
from hypothesis import strategies
from hypothesis.internal.conjecture.engine import BUFFER_SIZE, ConjectureRunner
from journal import rebuild
from lane_model import TOKEN, BookedGrant, LaneModel
from model import BookedBatch, Model, Refused
from outcomes import ZERO_ADDRESS, refused
from views import read_all

EXAMPLES = int(os.environ.get("RELIEF_STATEFUL_EXAMPLES", "16"))
STEPS = int(os.environ.get("RELIEF_STATEFUL_STEPS", "25"))

WALLETS = 5
REFERENCE = bytes(32)

# Few and small enough that a run meets each: a grant counts as a whole token in the sums.
LANE_LIMITS = LIMITS | {
    "perGrant": 9_500,
    "perOfficer": 3 * TOKEN,
    "outstanding": 18_000,
    "countersignWindow": 2 * DAY,
    "perCounty": 3 * TOKEN,
    "perCity": 4 * TOKEN,
    "perProvince": 5 * TOKEN,
    "country": 6 * TOKEN,
    "countyOverdue": 6_000,
    "cityOverdue": 8_000,
    "provinceOverdue": 10_000,
}
# Which officer grants where.
GRANTERS = [
    *((9, region) for region in (COUNTY, COUNTY, (510723, 6), (510681, 6), (5107, 4), (51, 2))),
    *((10, COUNTY), (10, COUNTY)),
    *((11, region) for region in (COUNTY, (510723, 6), (440103, 6), (44, 2))),
]
REGIONS = sorted({region for _, region in GRANTERS})
REVIEWER, GRANTING_REVIEWER = 4, 11


class Books:
    """The state machine: `st_` are what rules draw, `rule_` steps, `invariant_` what must hold."""

    # A wallet by its number; one more stands for the zero address, one for the vault.
    st_payees = strategies.lists(
        strategies.tuples(
            strategies.sampled_from([*range(WALLETS)] * 4 + [WALLETS, WALLETS + 1]),
            strategies.integers(1, 10_000),
        ),
        min_size=1,
        max_size=7,
    )
    st_size = strategies.integers(1, 4)
    st_terms = strategies.tuples(
        strategies.integers(-20, 5),  # start, days from now
        strategies.integers(1, 60),  # duration, days
        strategies.sampled_from([0, 0, 0.3, 1]),  # cliff, part of the duration
        strategies.sampled_from([1, HOUR, DAY, 7 * DAY]),  # cadence
    )
    st_wallet = strategies.integers(0, WALLETS - 1)
    st_receiver = strategies.integers(0, WALLETS + 1)
    st_amount = strategies.integers(1, 10_000)
    # Several grants in a row: payee as above, amount, who grants where, seconds before.
    st_grants = strategies.lists(
        strategies.tuples(
            strategies.sampled_from([*range(WALLETS)] * 3 + [WALLETS, WALLETS + 1]),
            strategies.integers(1, 10_000),
            strategies.sampled_from(GRANTERS),
            strategies.sampled_from([0, 0, 0, DAY]),
        ),
        min_size=2,
        max_size=6,
    )
    st_pick = strategies.integers(0, 10**6)
    st_other = strategies.integers(0, 10**6)
    st_officer = strategies.sampled_from([2, 3])
    st_mask = strategies.integers(1, 15)
    st_wait = strategies.one_of(
        strategies.sampled_from([0, HOUR, DAY]), strategies.integers(0, 3 * DAY)
    )
    st_days = strategies.integers(1, 15)
    st_rarely = strategies.sampled_from([False] * 3 + [True])
    st_reserve = strategies.sampled_from([RESERVE, RESERVE, RESERVE, 50_000])

    relief: ClassVar[Any]
    accounts: ClassVar[list[Any]]

    def __init__(self, relief: Any) -> None:  # called once, with the class
        self.relief = relief
        self.accounts = brownie.accounts[11 : 11 + WALLETS]

    def setup(self) -> None:
        """Begin a run: a chain as deployed, empty books."""
        token, vault, lane = self.relief.token, self.relief.vault, self.relief.lane
        self.first_block = len(brownie.chain)
        self.first_seq, self.first_lane_seq = vault.seq() + 1, lane.seq() + 1
        self.relief.lower_limits(**LANE_LIMITS)
        self.time = now()
        self.anyone = {"from": self.relief.anyone}
        reserve, _, as_of = token.attestation()
        ours = {ZERO_ADDRESS: 1, token.address: 2, vault.address: 3}
        self.model = Model(ours, reserve, as_of)
        self.lane = LaneModel(self.model, lane.address, LANE_LIMITS, LANE_CAP)
        self.payees = [*(account.address for account in self.accounts), ZERO_ADDRESS, vault.address]
        self.sent: dict[bytes, Any] = {}

    # ---- how a step is taken -----------------------------------------------------------------

    def _step(self, book: Callable[[int], None], send: Callable[[], Any]) -> None:
        """Book and send at the next second, or be refused by both."""
        self.time += 1
        try:
            book(self.time)
        except Refused as refusal:
            next_transaction_at(self.time)
            with refused(refusal.error, *refusal.arguments):
                send()
        else:
            next_transaction_at(self.time)
            send()

    def _pick(self, pick: int, fits: Callable[[BookedBatch], Any]) -> BookedBatch | None:
        """One of the approved batches that fit; where none does, one of all that do not."""
        batches = self.model.batches
        fitting = [batch for batch in batches if fits(batch)] or batches
        return fitting[pick % len(fitting)] if fitting else None

    def _approve(self, batch: Any) -> None:
        self._step(
            lambda time: self.model.approve(batch.approval, batch.entries, time),
            lambda: self.relief.approve(batch),
        )
        self.sent[batch.id] = batch

    def _execute(self, batch: BookedBatch, chunk: int) -> None:
        self._step(
            lambda time: self.model.execute(batch, chunk, time),
            lambda: self.relief.execute(self.sent[batch.id], chunk),
        )

    # ---- steps -------------------------------------------------------------------------------

    def initialize(self, st_payees, st_size):
        """Begin with something paid, something skipped and some streams open."""
        entries = [(self.payees[wallet], amount) for wallet, amount in st_payees]
        self.rule_freeze_or_unfreeze(0)
        for prepare in (self.relief.batch, self.relief.stream_batch):
            self._approve(prepare(entries, chunk_size=st_size))
        for batch in self.model.batches:
            for chunk in range(batch.chunk_count):
                self._execute(batch, chunk)

    def rule_approve_one_off(self, st_payees, st_size):
        entries = [(self.payees[wallet], amount) for wallet, amount in st_payees]
        self._approve(
            self.relief.batch(entries, chunk_size=st_size, executeBefore=self.time + 10 * DAY)
        )

    def rule_approve_streams(self, st_payees, st_size, st_terms):
        entries = [(self.payees[wallet], amount) for wallet, amount in st_payees]
        start, days, cliff, cadence = st_terms
        duration = days * DAY
        self._approve(
            self.relief.stream_batch(
                entries,
                chunk_size=st_size,
                start=self.time + start * DAY,
                duration=duration,
                cliff=int(cliff * duration),
                cadence=min(cadence, duration),
                executeBefore=self.time + 10 * DAY,
            )
        )

    def rule_execute(self, st_pick, st_other, st_rarely):
        batch = self._pick(st_pick, lambda batch: len(batch.run) < batch.chunk_count or st_rarely)
        if batch:
            waiting = sorted(set(range(batch.chunk_count)) - batch.run)
            chunks = waiting if waiting and not st_rarely else range(batch.chunk_count)
            self._execute(batch, chunks[st_other % len(chunks)])

    def rule_retry(self, st_pick, st_other):
        batch = self._pick(st_pick, lambda batch: batch.skipped)
        if batch:
            indexes = sorted(batch.skipped) or range(len(batch.entries))
            index = indexes[st_other % len(indexes)]
            self._step(
                lambda time: self.model.retry(batch, index, time),
                lambda: self.relief.vault.retryPayout(batch.id, index, self.anyone),
            )

    def rule_withdraw(self, st_pick, st_other, st_wait):
        batch = self._pick(st_pick, lambda batch: batch.streams)
        if batch:
            self.time += st_wait
            index = st_other % len(batch.entries)
            self._step(
                lambda time: self.model.withdraw(batch, index, time),
                lambda: self.relief.vault.withdraw(batch.id, index, self.anyone),
            )

    def _withdraw_chunk(self, batch, chunk):
        self._step(
            lambda time: self.model.withdraw_chunk(batch, chunk, time),
            lambda: self.relief.vault.withdrawChunk(batch.id, chunk, self.anyone),
        )

    def rule_withdraw_chunk(self, st_pick, st_other, st_wait):
        batch = self._pick(st_pick, lambda batch: batch.streams)
        if batch:
            self.time += st_wait
            self._withdraw_chunk(batch, st_other % batch.chunk_count)

    def rule_withdraw_all_chunks(self, st_pick, st_wait):
        batch = self._pick(st_pick, lambda batch: batch.streams)
        if batch:
            self.time += st_wait
            for chunk in range(batch.chunk_count):
                self._withdraw_chunk(batch, chunk)

    def rule_cancel_streams(self, st_pick, st_other, st_mask):
        batch = self._pick(st_pick, lambda batch: batch.streams)
        if batch:
            chunk = st_other % batch.chunk_count
            count = len(batch.indexes(chunk))
            positions = [i for i in range(count) if st_mask >> i & 1] or [0]
            self._step(
                lambda time: self.model.cancel_streams(batch, chunk, positions, time),
                lambda: self.relief.cancel_streams(
                    self.sent[batch.id], positions, chunk_index=chunk
                ),
            )

    def rule_cancel_batch(self, st_pick, st_rarely):
        batch = self._pick(st_pick, lambda batch: not batch.cancelled)
        if batch and st_rarely:
            self._step(
                lambda _: self.model.cancel_batch(batch),
                lambda: self.relief.cancel_batch(self.sent[batch.id]),
            )

    def rule_hold_batch(self, st_pick, st_officer):
        batch = self._pick(st_pick, lambda batch: len(batch.run) < batch.chunk_count)
        if batch:
            self._step(
                lambda time: self.model.hold_batch(batch, st_officer, time),
                lambda: self.relief.hold_batch(self.sent[batch.id], st_officer),
            )

    def rule_hold_entry(self, st_pick, st_other, st_officer):
        batch = self._pick(st_pick, lambda batch: batch.skipped or batch.streams)
        if batch:
            index = self._unpaid(batch, st_other)
            self._step(
                lambda time: self.model.hold_entry(batch, index, st_officer, time),
                lambda: self.relief.hold_entry(self.sent[batch.id], index, st_officer),
            )

    def rule_change_wallet(self, st_pick, st_other, st_receiver, st_rarely):
        batch = self._pick(st_pick, lambda batch: batch.skipped or batch.streams)
        if batch:
            index = self._unpaid(batch, st_other)
            now_paid = batch.skipped.get(index) or batch.entries[index]
            old = batch.streams[index].payee if index in batch.streams else now_paid[0]
            if st_rarely:
                old = self.payees[0]
            new = self.payees[st_receiver]
            self._step(
                lambda _: self.model.change_wallet(batch, index, old, new),
                lambda: self.relief.change_wallet(self.sent[batch.id], index, old, new),
            )

    @staticmethod
    def _unpaid(batch: BookedBatch, other: int) -> int:
        """One of the payouts of which something is unpaid, or any."""
        unpaid = sorted(batch.skipped) or [
            index for index, stream in batch.streams.items() if batch.unpaid(stream)
        ]
        return unpaid[other % len(unpaid)] if unpaid else other % len(batch.entries)

    def rule_expire(self, st_pick, st_other, st_rarely):
        batch = self._pick(st_pick, lambda batch: batch.skipped or batch.streams)
        if batch and st_rarely:
            # The next step is taken when its time is over, now and then a second too early.
            self.time = max(self.time, batch.approval["expiresAt"] - 1 - (st_other % 7 == 0))
            self._expire(batch, st_other)

    def rule_expire_unexecuted(self, st_pick):
        batch = self._pick(st_pick, lambda batch: len(batch.run) < batch.chunk_count)
        if batch:
            self._step(
                lambda time: self.model.expire_unexecuted(batch, time),
                lambda: self.relief.vault.expireUnexecuted(batch.id, self.anyone),
            )

    def _expire(self, batch: BookedBatch, other: int) -> None:
        vault = self.relief.vault
        if batch.streams:
            for chunk in range(batch.chunk_count):
                self._step(
                    lambda time, chunk=chunk: self.model.expire_streams(batch, chunk, time),
                    lambda chunk=chunk: vault.expireStreams(batch.id, chunk, self.anyone),
                )
            return
        index = self._unpaid(batch, other)
        self._step(
            lambda time: self.model.expire_payout(batch, index, time),
            lambda: vault.expirePayout(batch.id, index, self.anyone),
        )

    def rule_freeze_or_unfreeze(self, st_wallet):
        account = self.accounts[st_wallet]
        if account.address in self.model.frozen:
            book, send = self.model.frozen.discard, self.relief.unfreeze
        else:
            book, send = self.model.frozen.add, self.relief.freeze
        self._step(lambda _: book(account.address), lambda: send(account))

    def rule_transfer(self, st_wallet, st_receiver, st_amount):
        sender, receiver = self.accounts[st_wallet], self.payees[st_receiver]
        amount = st_amount % (self.model.balances[sender.address] + 2)  # at most one too much
        self._step(
            lambda _: self.model.transfer(sender.address, receiver, amount),
            lambda: self.relief.token.transfer(receiver, amount, {"from": sender}),
        )

    def rule_redeem(self, st_wallet, st_amount):
        holder = self.accounts[st_wallet]
        amount = st_amount % (self.model.balances[holder.address] + 1) + 1
        self._step(
            lambda _: self.model.redeem(holder.address, amount),
            lambda: self.relief.token.redeem(amount, REFERENCE, {"from": holder}),
        )

    def rule_attest(self, st_reserve):
        redeemed = self.model.redeemed
        self._step(
            lambda time: self.model.attest(st_reserve, time),
            lambda: self.relief.token.attestReserve(
                st_reserve, redeemed, self.time, bytes(32), {"from": self.relief.attestor}
            ),
        )

    def rule_grants(self, st_grants, st_other, st_rarely):
        for receiver, amount, (officer, (code, digits)), wait in st_grants:
            self.time += wait
            given = self.relief.prepare_grant(
                self.payees[receiver],
                amount,
                officer=officer,
                regionCode=code,
                regionDigits=digits,
                validUntil=self.time + DAY,
            )
            if st_rarely and self.lane.grants:
                member = ("grantId", "caseCommitment")[st_other % 2]
                given[member] = self.lane.grants[st_other % len(self.lane.grants)].given[member]
            self._grant(given)

    def _grant(self, given: dict[str, Any]) -> None:
        self._step(lambda time: self.lane.grant(given, time), lambda: self.relief.send_grant(given))

    def _pick_grant(self, pick: int) -> BookedGrant | None:
        """One of the grants that nobody ended; where there is none, one of all."""
        grants = self.lane.grants
        fitting = [grant for grant in grants if not grant.ended] or grants
        return fitting[pick % len(fitting)] if fitting else None

    def rule_countersign(self, st_pick, st_rarely):
        grant = self._pick_grant(st_pick)
        if grant:
            officer = GRANTING_REVIEWER if st_rarely else REVIEWER
            self._step(
                lambda _: self.lane.countersign(grant, officer),
                lambda: self.relief.countersign(grant.given, officer),
            )

    def rule_write_off(self, st_pick, st_rarely):
        grant = self._pick_grant(st_pick)
        if grant and st_rarely:
            self._step(
                lambda _: self.lane.write_off(grant),
                lambda: self.relief.write_off(grant.given),
            )

    def rule_let_days_pass(self, st_days):
        # The next step is taken that much later.
        self.time += st_days * DAY

    # ---- what must hold ----------------------------------------------------------------------

    def invariant_the_contracts_agree_with_the_books(self):
        token, vault, model = self.relief.token, self.relief.vault, self.model
        streams = [
            (batch, index, stream)
            for batch in model.batches
            for index, stream in sorted(batch.streams.items())
        ]
        skipped = [
            (batch, index, entry)
            for batch in model.batches
            for index, entry in sorted(batch.skipped.items())
        ]
        supply, committed, redeemed, programme, *rest = read_all(
            [
                (token.totalSupply, ()),
                (token.committed, ()),
                (token.redeemedTotal, ()),
                (vault.programme, (SIMPLE,)),
                *((token.balanceOf, (payee,)) for payee in self.payees),
                *((token.isFrozen, (account,)) for account in self.accounts),
                *((vault.skippedPayout, (batch.id, index)) for batch, index, _ in skipped),
                *((vault.stream, (batch.id, index)) for batch, index, _ in streams),
            ]
        )
        answers = iter(rest)
        assert supply == model.supply == sum(model.balances.values())
        assert committed == model.committed
        assert redeemed == model.redeemed
        assert programme[1] == model.allocated
        for payee in self.payees:
            assert next(answers) == model.balances[payee]
        for account in self.accounts:
            assert next(answers) == (account.address in model.frozen)
        for _, _, entry in skipped:
            assert next(answers) == entry
        for batch, _, stream in streams:
            payee, total, accrued, withdrawn, cut = next(answers)
            assert (payee, total) == (stream.payee, stream.total)
            assert withdrawn == batch.withdrawn(stream) <= accrued <= total
            assert cut == (0 if stream.cut is None else stream.cut + 1)

    def invariant_the_lane_agrees_with_its_books(self):
        token, lane, books, time = self.relief.token, self.relief.lane, self.lane, now()
        outstanding, minter, *rest = read_all(
            [
                (lane.outstanding, ()),
                (token.minter, (lane,)),
                *((lane.grantOf, (grant.id,)) for grant in books.grants),
                *((view, (officer,)) for officer in (9, 10, 11) for view in self._sums("By")),
                *((view, region) for region in REGIONS for view in self._sums("In")),
                (lane.grantedIn, (0, 0)),
            ]
        )
        assert outstanding == books.outstanding
        assert minter == (LANE_CAP, 0, books.minted, True)
        answers = iter(rest)
        for grant in books.grants:
            _, amount, _, _, _, overdue_from, state = next(answers)
            assert (amount, overdue_from) == (grant.amount, grant.overdue_from)
            assert state == grant.state(time)
        concerns = [
            *(
                lambda grant, officer=officer: grant.given["officer"] == officer
                for officer in (9, 10, 11)
            ),
            *(lambda grant, region=region: grant.within(region) for region in REGIONS),
        ]
        for concern in concerns:
            assert next(answers) == books.granted(time, concern)
            assert next(answers) == books.overdue(time, concern)
        assert next(answers) == books.granted(time, lambda _: True)

    def _sums(self, of: str) -> list[Any]:
        return [
            getattr(self.relief.lane, f"granted{of}"),
            getattr(self.relief.lane, f"overdue{of}"),
        ]

    def invariant_what_is_committed_is_what_is_unpaid(self):
        unpaid = 0
        for batch in self.model.batches:
            gone = batch.cancelled or batch.expired
            waiting = () if gone else set(range(batch.chunk_count)) - batch.run
            unpaid += sum(batch.entries[i][1] for chunk in waiting for i in batch.indexes(chunk))
            unpaid += sum(amount for _, amount in batch.skipped.values())
            unpaid += sum(batch.unpaid(stream) for stream in batch.streams.values())
        assert self.model.committed == unpaid

    def teardown(self) -> None:
        """End a run: the events alone tell the same."""
        journal = rebuild(self.relief, self.first_block)
        assert +journal.balances == {k: v for k, v in self.model.balances.items() if v}
        assert journal.committed == journal.announced == self.model.committed
        assert (journal.redeemed, journal.frozen) == (self.model.redeemed, self.model.frozen)
        assert journal.explained == journal.minted
        assert list(journal.granted) == [grant.id for grant in self.lane.grants]
        assert sum(journal.outstanding.values()) == self.lane.outstanding
        last = self.relief.lane.seq()
        assert journal.lane_seqs == list(range(self.first_lane_seq, last + 1))
        assert journal.seqs == list(range(self.first_seq, self.relief.vault.seq() + 1))


def _generate_full_runs(self: ConjectureRunner) -> None:
    """Replace how Hypothesis makes examples: each new, and as long as it gets.

    It would spend the first runs on very short ones, and five of six later ones on repeating parts
    of the one before: of the twenty runs that there is time for, three would be left.
    """
    while self.should_generate_more():
        prefix = self.generate_novel_prefix()
        self.test_function(self.new_conjecture_data(prefix=prefix, max_length=BUFFER_SIZE))


def test_vault_and_token_agree_with_plain_books(relief, state_machine, monkeypatch):
    monkeypatch.setattr(ConjectureRunner, "generate_new_examples", _generate_full_runs)
    state_machine(Books, relief, settings={"max_examples": EXAMPLES, "stateful_step_count": STEPS})
