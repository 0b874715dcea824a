"""Vesting as the chain counts it against the service's count and the audit's, at any time.

Three were written apart: contracts/libraries/Vesting.sol, service/payouts/vesting.py, which says what
is payable, and service/audit/arithmetic.py, which proves what was paid.
"""

from dataclasses import dataclass
from typing import Any

from chunk_tree import pack_entries
from clock import DAY, move_to, next_transaction_at, now, put_back
from eth_abi import decode
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.core import given  # Brownie's own puts the chain back too, and slowly
from outcomes import refused
from sending import gas_of, send
from views import Call, call_all, read_all

from service.audit import arithmetic
from service.payouts import vesting

MAX_DURATION = 2**31 - 2
STREAMS = 12
MOMENTS = 16
"""Times at which each of an example's streams is read."""


def fuzzed(examples):
    """So many examples, each of which puts the chain back itself (`put_back`)."""
    return settings(
        max_examples=examples,
        deadline=None,
        # The fixture is the same for all of them; a slow machine and long draws are no fault here.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
    )


@dataclass(frozen=True)
class Terms:
    """Terms of a batch of streams in seconds, the start from now on."""

    starts_in: int
    cliff: int
    duration: int
    cadence: int

    def as_approved(self, start: int) -> dict[str, int]:
        """As officers sign them."""
        return {
            "start": start,
            "cliff": self.cliff,
            "duration": self.duration,
            "cadence": self.cadence,
        }

    def as_the_service_has_them(self, start: int) -> vesting.Terms:
        """The service's form."""
        return vesting.Terms(start, self.cliff, self.duration, self.cadence)

    def as_the_audit_has_them(self, start: int) -> arithmetic.Terms:
        """The audit's form."""
        return arithmetic.Terms(start, self.cliff, self.duration, self.cadence)


@st.composite
def all_terms(draw: Any, *, shortest: int = 1, longest: int = MAX_DURATION) -> Terms:
    """Terms of every length, with cliff and cadence where they matter: at nothing and at all of it."""
    duration = draw(
        st.one_of(
            st.integers(shortest, min(longest, 400)),
            st.integers(shortest, longest),
            st.sampled_from([shortest, longest]),
        )
    )
    within = st.one_of(st.integers(0, duration), st.sampled_from([0, duration]))
    return Terms(
        starts_in=draw(st.integers(-365 * DAY, 365 * DAY)),
        cliff=draw(within),
        duration=duration,
        cadence=max(1, draw(within)),
    )


@st.composite
def moments(draw: Any, terms: Terms) -> list[int]:
    """Seconds since the start: anywhere, and around where something begins or ends."""
    steps = draw(st.lists(st.integers(0, terms.duration // terms.cadence), max_size=4))
    edges = [0, terms.cliff, terms.duration, *(step * terms.cadence for step in steps)]
    anywhere = st.integers(-DAY, terms.duration + DAY)
    near = st.builds(lambda edge, by: edge + by, st.sampled_from(edges), st.integers(-1, 1))
    return draw(
        st.lists(st.one_of(anywhere, near, st.just(2**39)), min_size=MOMENTS, max_size=MOMENTS)
    )


totals = st.one_of(
    st.integers(0, 2**64 - 1), st.integers(0, 1_000), st.sampled_from([1, 2**63, 2**64 - 1])
)


@fuzzed(60)
@given(data=st.data())
def test_what_each_says_of_any_stream_at_any_second_is_the_same(relief, data):
    terms = data.draw(all_terms(), "terms")
    amounts = data.draw(st.lists(totals, min_size=STREAMS, max_size=STREAMS), "totals")
    seconds = data.draw(moments(terms), "seconds since the start")
    cut = data.draw(st.sets(st.integers(0, STREAMS - 1)), "streams that are cut")
    cut_at = data.draw(st.integers(0, terms.duration - 1), "second of the cut")
    with put_back():
        start = now() + terms.starts_in
        payees = relief.payees(STREAMS)
        batch = relief.open_streams([(payee, 1) for payee in payees], **terms.as_approved(start))
        lane = 0
        if cut and start + cut_at > now() + 1:
            _cut_at(relief, batch, sorted(cut), start + cut_at)
            lane = cut_at + 1
        # The same streams of other totals: what is approved at once is less than a stream may be.
        entries = pack_entries(list(zip(payees, amounts, strict=True)))
        pointer = relief.vault.streamChunk(batch.id, 0)[0]
        view = relief.vault.stream
        points = [(max(1, start + second), index) for second in seconds for index in range(STREAMS)]
        answers = call_all(
            [
                Call(
                    relief.vault.address,
                    view.encode_input(batch.id, index),
                    code={pointer: "0x00" + entries.hex()},
                    time=moment,
                )
                for moment, index in points
            ]
        )
        service, audit = terms.as_the_service_has_them(start), terms.as_the_audit_has_them(start)
        for (moment, index), (_, answer) in zip(points, answers, strict=True):
            own_lane, total = lane if index in cut else 0, amounts[index]
            through = arithmetic.due_through(audit.step(moment), own_lane)
            accrued = arithmetic.vested(total, through, terms.duration)
            said = decode(["address", "uint256", "uint256", "uint256", "uint32"], answer)
            assert said == (payees[index].lower(), total, accrued, 0, own_lane)
            if not own_lane:
                payable = vesting.payable_through(service, moment)
                assert accrued == vesting.vested(total, payable, terms.duration)


def _cut_at(relief, batch, positions, moment):
    """Cut streams at a second, however late: what officers sign is good for a year."""
    move_to(moment - 1)
    next_transaction_at(moment)
    relief.cancel_streams(batch, positions)


# ---- withdrawals ---------------------------------------------------------------------------------


@dataclass
class Stream:
    """A stream as the audit books it.

    Attributes
    ----------
    through
        The second through which it is paid.
    cancel_lane
        Zero, or one more than the second at which it was cut.
    """

    payee: str
    total: int
    through: int = 0
    cancel_lane: int = 0
    paid: int = 0


@dataclass
class Books:
    """A chunk of streams, in the audit's arithmetic, at a moment in Unix seconds."""

    terms: arithmetic.Terms
    streams: list[Stream]
    moment: int

    def pay(self, stream: Stream) -> int:
        """Book a withdrawal from one stream; what it pays."""
        total, duration, lane = stream.total, self.terms.duration, stream.cancel_lane
        before = arithmetic.cut_off(stream.through, lane)
        through = arithmetic.due_through(self.terms.step(self.moment), lane)
        due = arithmetic.vested(total, through, duration) - arithmetic.vested(
            total, before, duration
        )
        stream.through, stream.paid = through, stream.paid + due
        return due


MOVES = st.one_of(
    st.tuples(st.just("own"), st.integers(0, 2)),
    st.tuples(st.just("range"), st.just(0)),
    st.tuples(st.just("cut"), st.integers(0, 2)),
)


@fuzzed(25)
@given(data=st.data())
def test_withdrawals_at_any_seconds_pay_what_each_says(relief, data):
    terms = data.draw(all_terms(shortest=20, longest=10 * 365 * DAY), "terms")
    amounts = data.draw(st.lists(st.integers(1, 10**12), min_size=3, max_size=3), "totals")
    waits = data.draw(st.lists(st.integers(1, terms.duration), min_size=6, max_size=6), "waits")
    moves = data.draw(st.lists(MOVES, min_size=6, max_size=6), "moves")
    with put_back():
        start = now() + terms.starts_in
        entries = list(zip(relief.payees(3), amounts, strict=True))
        batch = relief.open_streams(entries, **terms.as_approved(start))
        streams = [Stream(*entry) for entry in entries]
        # From where on each move is signed before its second.
        books = Books(terms.as_the_audit_has_them(start), streams, max(start, now()) + 60)
        for (move, index), wait in zip(moves, waits, strict=True):
            books.moment += -(-wait // len(moves))
            _do(relief, batch, books, move, index)
            held = read_all([(relief.token.balanceOf, (stream.payee,)) for stream in books.streams])
            assert held == [stream.paid for stream in books.streams]
        _end(relief, batch, books, terms.as_the_service_has_them(start))


def _do(relief, batch, books, move, index):
    """Make a move at the books' second, on the chain and in the books."""
    stream, moment = books.streams[index], books.moment
    if move == "cut":
        elapsed = books.terms.elapsed(moment)
        kept = arithmetic.vested(stream.total, elapsed, books.terms.duration)
        if not stream.cancel_lane and kept != stream.total:
            _cut_at(relief, batch, [index], moment)
            stream.cancel_lane = elapsed + 1
        return
    if move == "range":
        function, first, withdrawn = relief.vault.withdrawChunk, 0, books.streams
    else:
        function, first, withdrawn = relief.vault.withdraw, index, [stream]
    dues = [books.pay(each) for each in withdrawn]
    next_transaction_at(moment)
    if any(dues):
        gas_of(send(function, batch.id, first, sender=relief.anyone))
    else:
        with refused("NothingToWithdraw", batch.id, first):
            function(batch.id, first, {"from": relief.anyone})


def _end(relief, batch, books, terms):
    """Withdraw what is left at the end: to a unit what each stream was to be paid."""
    end = books.moment = max(terms.start_unix_s + terms.duration_s, now() + 60)
    _do(relief, batch, books, "range", 0)
    for stream in books.streams:
        assert relief.token.balanceOf(stream.payee) == stream.paid
        if stream.cancel_lane:
            kept = vesting.vested(stream.total, stream.cancel_lane - 1, terms.duration_s)
            assert stream.paid == kept
        else:
            through = vesting.payable_through(terms, end)
            assert stream.paid == vesting.vested(stream.total, through, terms.duration_s)
            assert stream.paid == stream.total
    assert relief.token.committed() == 0
