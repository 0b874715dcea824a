"""What the charts need of each event, collected while the chain is replayed.

The state keeps where money is, not when it moved. A :class:`Series` listens to the replay and
keeps sums by day, programme and region: its memory does not grow with payouts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from service.audit.abi import Contract
from service.audit.arithmetic import DAY_S, cut_off, unpack, vested
from service.audit.decode import Event
from service.audit.reports.headroom import HeadroomLine
from service.audit.reports.lane_days import LaneDays
from service.audit.signatures import MalformedSignatures, records
from service.audit.state import Batch, Chunk, State

Region = tuple[int, int]


class Flow(StrEnum):
    """Ways of money; each names what an event says moved."""

    APPROVED = "approved"
    PAID = "paid"
    """One-off payouts, retried ones included."""
    WITHDRAWN = "withdrawn"
    """Out of streams."""
    GRANTED = "granted"
    """By the emergency lane: paid at once."""
    RETURNED = "returned"
    """To the budget, by a cancelled batch or a cut stream."""
    EXPIRED = "expired"
    """To the budget, since it was not paid in time."""


OUTFLOWS = (Flow.PAID, Flow.WITHDRAWN, Flow.GRANTED)
"""Money minted to people."""

FLOW_OF_EVENT = {
    "ChunkPaid": (Flow.PAID, "paid"),
    "PayoutRetried": (Flow.PAID, "amount"),
    "StreamWithdrawn": (Flow.WITHDRAWN, "amount"),
    "StreamsWithdrawn": (Flow.WITHDRAWN, "paid"),
    "BatchCancelled": (Flow.RETURNED, "returned"),
    "StreamsCancelled": (Flow.RETURNED, "returned"),
    "UnexecutedExpired": (Flow.EXPIRED, "returned"),
    "PayoutExpired": (Flow.EXPIRED, "amount"),
    "StreamsExpired": (Flow.EXPIRED, "returned"),
}
"""Which member of a vault's event says how much moved, and which way."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Where money moved.

    Attributes
    ----------
    day
        Days since 1970-01-01, UTC.
    programme
        Its number; None for the emergency lane.
    region
        Code and digits of the batch or grant; (0, 0) is the whole country.
    """

    day: int
    programme: int | None
    region: Region


@dataclass
class Signed:
    """What an officer signed: how many, and their sum in base units."""

    made: int = 0
    made_sum: int = 0
    reviewed: int = 0
    reviewed_sum: int = 0
    granted: int = 0
    granted_sum: int = 0
    countersigned: int = 0
    countersigned_sum: int = 0


@dataclass
class Standing:
    """A programme's approved money that was neither paid nor given back, base units.

    Attributes
    ----------
    waiting
        Its chunk was not run.
    skipped
        Its payee could not be paid; waits for a retry.
    accrued
        Of streams: earned by the second, not withdrawn.
    accruing
        Of streams: still to be earned.
    """

    waiting: int = 0
    skipped: int = 0
    accrued: int = 0
    accruing: int = 0


@dataclass
class Series:
    """Listens to a replay: :meth:`saw` before each event, :meth:`close` once after the last.

    Attributes
    ----------
    money
        Sums in base units by day, programme and region, and which way.
    signed
        By officer.
    standing
        By programme, at the end.
    """

    money: dict[Cell, dict[Flow, int]] = field(default_factory=dict)
    signed: dict[int, Signed] = field(default_factory=dict)
    standing: dict[int, Standing] = field(default_factory=dict)
    headroom: HeadroomLine = field(default_factory=HeadroomLine)
    lane: LaneDays = field(default_factory=LaneDays)
    _previous: Event | None = None

    def saw(self, event: Event, state: State) -> None:
        """Take one event before it is applied; `state` is as the event before it left it."""
        self._see_levels(state)
        self._previous = event
        if event.contract is Contract.VAULT:
            if event.name == "BatchApproved":
                self._approved(event)
            elif event.name in FLOW_OF_EVENT:
                self._moved(event, state)
        elif event.contract is Contract.LANE:
            handlers: dict[str, Callable[[Event, State], None]] = {
                "GrantMade": self._granted,
                "GrantCountersigned": self._countersigned,
                "GrantWrittenOff": self._ended,
            }
            handler = handlers.get(event.name)
            if handler is not None:
                handler(event, state)

    def withdrew(
        self, event: Event, batch: Batch, payments: Sequence[tuple[int, bytes, int]]
    ) -> None:
        """Take nothing: what a withdrawal moved its event says."""

    def close(self, state: State, time: int) -> None:
        """Take the state after the last event, as of a Unix time."""
        self._see_levels(state)
        self._previous = None
        self.headroom.close()
        for number in state.programmes:
            self.standing[number] = Standing()
        for batch in state.batches.values():
            self._stand(batch, time)

    def total(self, flow: Flow) -> int:
        """Sum of all that moved one way, base units."""
        return sum(sums.get(flow, 0) for sums in self.money.values())

    def programme_total(self, programme: int, *flows: Flow) -> int:
        """Sum of what moved some ways in a programme, base units."""
        return sum(
            sums.get(flow, 0)
            for cell, sums in self.money.items()
            if cell.programme == programme
            for flow in flows
        )

    def _see_levels(self, state: State) -> None:
        event, token = self._previous, state.token
        if event is not None and event.contract is Contract.TOKEN:
            self.headroom.see(
                event.block, event.timestamp, token.supply, token.committed, token.reserve
            )

    def _add(self, time: int, programme: int | None, region: Region, flow: Flow, sum_: int) -> None:
        sums = self.money.setdefault(Cell(time // DAY_S, programme, region), {})
        sums[flow] = sums.get(flow, 0) + sum_

    def _approved(self, event: Event) -> None:
        approval = event.args["approval"]
        region = (approval["regionCode"], approval["regionDigits"])
        total, maker = approval["total"], approval["maker"]
        self._add(event.timestamp, approval["programme"], region, Flow.APPROVED, total)
        try:
            officers = {record.officer_id for record in records(event.args["signatures"])}
        except MalformedSignatures:  # a finding of its own
            return
        for officer in sorted(officers):
            signed = self.signed.setdefault(officer, Signed())
            if officer == maker:
                signed.made += 1
                signed.made_sum += total
            else:
                signed.reviewed += 1
                signed.reviewed_sum += total

    def _moved(self, event: Event, state: State) -> None:
        flow, member = FLOW_OF_EVENT[event.name]
        batch = state.batches.get(event.args["batchId"])
        if batch is not None:
            amount = event.args[member]
            self._add(event.timestamp, batch.programme, batch.region, flow, amount)

    def _granted(self, event: Event, _state: State) -> None:
        grant = event.args["grant"]
        amount, region = grant["amount"], (grant["regionCode"], grant["regionDigits"])
        self._add(event.timestamp, None, region, Flow.GRANTED, amount)
        self.lane.made(event.timestamp, amount, event.args["overdueFrom"])
        signed = self.signed.setdefault(grant["officer"], Signed())
        signed.granted += 1
        signed.granted_sum += amount

    def _countersigned(self, event: Event, state: State) -> None:
        grant = state.lane.grants.get(event.args["grantId"])
        if grant is None:
            return
        signed = self.signed.setdefault(event.args["officer"], Signed())
        signed.countersigned += 1
        signed.countersigned_sum += grant.amount
        self._ended(event, state)

    def _ended(self, event: Event, state: State) -> None:
        grant = state.lane.uncountersigned.get(event.args["grantId"])
        if grant is not None:
            self.lane.ended(event.timestamp, grant.amount, grant.overdue_from)

    def _stand(self, batch: Batch, time: int) -> None:
        standing = self.standing.setdefault(batch.programme, Standing())
        standing.waiting += batch.unexecuted
        for chunk in batch.chunks.values():
            if batch.is_stream:
                accrued, accruing = _accrual(batch, chunk, time)
                standing.accrued += accrued
                standing.accruing += accruing
            else:
                standing.skipped += sum(
                    chunk.entry(position)[1] for position in chunk.skipped if chunk.waits(position)
                )


def _accrual(batch: Batch, chunk: Chunk, time: int) -> tuple[int, int]:
    """What a chunk's streams have earned and not withdrawn at a Unix time, and will still earn."""
    duration, elapsed = batch.terms.duration, batch.terms.elapsed(time)
    accrued = accruing = 0
    for position, (_, total) in enumerate(unpack(chunk.entries)):
        cancel = chunk.cancelled.get(position, 0)
        end = vested(total, cut_off(duration, cancel), duration)
        now = vested(total, cut_off(elapsed, cancel), duration)
        paid = vested(total, chunk.paid_through(position), duration)
        # A withdrawal within the step of a cut may be ahead of the second that it is asked at.
        accrued += max(0, now - paid)
        accruing += end - max(now, paid)
    return accrued, accruing
