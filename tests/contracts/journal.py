"""Balances, supply and commitments rebuilt from events alone, the way an auditor does it.

Two accounts are kept of every mint: what the token says (Transfer) and what follows from the
events of vault (signed entries, masks, watermarks, cuts) and emergency lane. They must agree.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from approvals import BATCH_APPROVAL, EMERGENCY_GRANT
from brownie import web3
from outcomes import ZERO_ADDRESS

STREAM = 1


@dataclass
class Journal:
    """What the events say.

    Attributes
    ----------
    balances, frozen, redeemed
        From the token's events.
    minted, explained
        What each payee was minted, from the token's events and from the minters'.
    committed, announced
        What is committed, from the vault's events and from the token's.
    granted, outstanding
        Grants by id, and those of them that nobody ended, with their amounts.
    withdrawn
        What each stream was paid, by batch id and index.
    skipped
        Payouts that wait for a retry, by batch id and index.
    seqs, lane_seqs
        Event numbers of vault and lane, in the order of the events.
    """

    balances: Counter[str] = field(default_factory=Counter)
    frozen: set[str] = field(default_factory=set)
    redeemed: int = 0
    minted: Counter[str] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)
    committed: int = 0
    announced: int = 0
    withdrawn: dict[tuple[bytes, int], int] = field(default_factory=dict)
    skipped: dict[tuple[bytes, int], int] = field(default_factory=dict)
    granted: dict[bytes, int] = field(default_factory=dict)
    outstanding: dict[bytes, int] = field(default_factory=dict)
    seqs: list[int] = field(default_factory=list)
    lane_seqs: list[int] = field(default_factory=list)

    @property
    def supply(self) -> int:
        """Sum of all balances."""
        return sum(self.balances.values())


def rebuild(relief: Any, first_block: int) -> Journal:
    """Read every event of token, vault and lane from `first_block` on."""
    journal = Journal()
    reader = _Reader(journal)
    for event in _events((relief.token, relief.vault, relief.lane), first_block):
        handle = getattr(reader, f"on_{event['event']}", None)
        if "seq" in event["args"]:
            of_the_lane = event["address"] == relief.lane.address
            seqs = journal.lane_seqs if of_the_lane else journal.seqs
            seqs.append(event["args"]["seq"])
        if handle:
            handle(event["args"])
    return journal


def _events(contracts: tuple[Any, ...], first_block: int) -> list[Any]:
    """Decoded logs in the order they happened."""
    found = []
    for contract in contracts:
        known = web3.eth.contract(address=contract.address, abi=contract.abi)
        for abi in (item for item in contract.abi if item["type"] == "event"):
            found += known.events[abi["name"]].get_logs(from_block=first_block)
    return sorted(found, key=lambda event: (event["blockNumber"], event["logIndex"]))


class _Reader:
    """One method an event."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.approvals: dict[bytes, dict[str, Any]] = {}
        self.entries: dict[bytes, dict[int, tuple[str, int]]] = defaultdict(dict)
        self.cuts: dict[tuple[bytes, int], int] = {}
        self.over: set[tuple[bytes, int]] = set()

    # ---- token -------------------------------------------------------------------------------

    def on_Transfer(self, event: Any) -> None:  # noqa: N802 - the event's name, here and below
        if event["from"] == ZERO_ADDRESS:
            self.journal.minted[event["to"]] += event["value"]
            self.journal.announced -= event["value"]
        else:
            self.journal.balances[event["from"]] -= event["value"]
        if event["to"] != ZERO_ADDRESS:
            self.journal.balances[event["to"]] += event["value"]

    def on_Redeemed(self, event: Any) -> None:  # noqa: N802
        self.journal.redeemed += event["amount"]
        assert event["redeemedTotal"] == self.journal.redeemed

    def on_Frozen(self, event: Any) -> None:  # noqa: N802
        self.journal.frozen.add(event["account"])

    def on_Unfrozen(self, event: Any) -> None:  # noqa: N802
        self.journal.frozen.discard(event["account"])

    def on_Committed(self, event: Any) -> None:  # noqa: N802
        self.journal.announced += event["amount"]
        assert event["outstanding"] == self.journal.supply + self.journal.announced

    def on_Released(self, event: Any) -> None:  # noqa: N802
        self.journal.announced -= event["amount"]
        assert event["outstanding"] == self.journal.supply + self.journal.announced

    # ---- vault -------------------------------------------------------------------------------

    def on_BatchApproved(self, event: Any) -> None:  # noqa: N802
        names = [name for name, _ in BATCH_APPROVAL]
        approval = event["approval"]
        values = approval.values() if hasattr(approval, "values") else approval
        self.approvals[event["batchId"]] = dict(zip(names, values, strict=True))
        self.journal.committed += self.approvals[event["batchId"]]["total"]

    def on_ChunkPaid(self, event: Any) -> None:  # noqa: N802
        mask = event["skippedLow"] | event["skippedHigh"] << 256
        paid = 0
        for position, (index, payee, amount) in enumerate(self._entries(event)):
            if mask >> position & 1:
                self.journal.skipped[event["batchId"], index] = amount
                continue
            self.journal.explained[payee] += amount
            paid += amount
        assert event["paid"] == paid
        self.journal.committed -= paid

    def on_PayoutSkipped(self, event: Any) -> None:  # noqa: N802
        assert self.journal.skipped[event["batchId"], event["index"]] == event["amount"]

    def on_PayoutRetried(self, event: Any) -> None:  # noqa: N802
        assert self.journal.skipped.pop((event["batchId"], event["index"])) == event["amount"]
        self.journal.explained[event["payee"]] += event["amount"]
        self.journal.committed -= event["amount"]

    def on_StreamsOpened(self, event: Any) -> None:  # noqa: N802
        for index, payee, amount in self._entries(event):
            self.entries[event["batchId"]][index] = (payee, amount)
            self.journal.withdrawn[event["batchId"], index] = 0

    def on_StreamWithdrawn(self, event: Any) -> None:  # noqa: N802
        paid = self._pay(event["batchId"], event["index"], event["paidThrough"])
        assert event["amount"] == paid

    def on_StreamsWithdrawn(self, event: Any) -> None:  # noqa: N802
        batch_id, size = event["batchId"], self.approvals[event["batchId"]]["chunkSize"]
        mask = event["skippedLow"] | event["skippedHigh"] << 256
        paid = 0
        for position in range(size):
            index = event["chunkIndex"] * size + position
            if index in self.entries[batch_id] and not mask >> position & 1:
                paid += self._pay(batch_id, index, event["watermark"])
        assert event["paid"] == paid

    def on_StreamsCancelled(self, event: Any) -> None:  # noqa: N802
        batch_id, size = event["batchId"], self.approvals[event["batchId"]]["chunkSize"]
        mask = event["maskLow"] | event["maskHigh"] << 256
        returned = 0
        for position in (position for position in range(size) if mask >> position & 1):
            index = event["chunkIndex"] * size + position
            self.cuts[batch_id, index] = event["cut"]
            returned += self.entries[batch_id][index][1] - self._vested(
                batch_id, index, event["cut"]
            )
        assert event["returned"] == returned
        self.journal.committed -= returned

    def on_WalletChanged(self, event: Any) -> None:  # noqa: N802
        stream = self.entries[event["batchId"]].get(event["index"])
        if stream is not None:
            assert stream[0] == event["from"]
            self.entries[event["batchId"]][event["index"]] = (event["to"], stream[1])

    def on_UnexecutedExpired(self, event: Any) -> None:  # noqa: N802
        self.journal.committed -= event["returned"]

    def on_PayoutExpired(self, event: Any) -> None:  # noqa: N802
        assert self.journal.skipped.pop((event["batchId"], event["index"])) == event["amount"]
        self.journal.committed -= event["amount"]

    def on_StreamsExpired(self, event: Any) -> None:  # noqa: N802
        batch_id, size = event["batchId"], self.approvals[event["batchId"]]["chunkSize"]
        mask = event["maskLow"] | event["maskHigh"] << 256
        returned = 0
        for position in (position for position in range(size) if mask >> position & 1):
            stream = (batch_id, event["chunkIndex"] * size + position)
            kept = self._vested(
                *stream, self.cuts.get(stream, self.approvals[batch_id]["duration"])
            )
            returned += kept - self.journal.withdrawn[stream]
            # Nothing is due to it any more: cut where it was paid, which for amounts is nowhere.
            self.over.add(stream)
        assert event["returned"] == returned
        self.journal.committed -= returned

    def on_BatchCancelled(self, event: Any) -> None:  # noqa: N802
        self.journal.committed -= event["returned"]

    # ---- emergency lane ----------------------------------------------------------------------

    def on_GrantMade(self, event: Any) -> None:  # noqa: N802
        grant = event["grant"]
        values = grant.values() if hasattr(grant, "values") else grant
        amount = dict(zip((name for name, _ in EMERGENCY_GRANT), values, strict=True))["amount"]
        self.journal.explained[event["payee"]] += amount
        self.journal.granted[event["grantId"]] = amount
        self.journal.outstanding[event["grantId"]] = amount
        assert event["outstanding"] == sum(self.journal.outstanding.values())

    def on_GrantCountersigned(self, event: Any) -> None:  # noqa: N802
        del self.journal.outstanding[event["grantId"]]
        assert event["outstanding"] == sum(self.journal.outstanding.values())

    def on_GrantWrittenOff(self, event: Any) -> None:  # noqa: N802
        self.on_GrantCountersigned(event)

    # ---- pieces ------------------------------------------------------------------------------

    def _entries(self, event: Any) -> list[tuple[int, str, int]]:
        """Index, payee and amount of each packed word of a chunk."""
        first = event["chunkIndex"] * self.approvals[event["batchId"]]["chunkSize"]
        packed = event["entries"]
        return [
            (
                first + at // 28,
                web3.to_checksum_address(packed[at : at + 20]),
                int.from_bytes(packed[at + 20 : at + 28], "big"),
            )
            for at in range(0, len(packed), 28)
        ]

    def _vested(self, batch_id: bytes, index: int, through: int) -> int:
        return self.entries[batch_id][index][1] * through // self.approvals[batch_id]["duration"]

    def _pay(self, batch_id: bytes, index: int, through: int) -> int:
        """Take a stream as paid through a second, or its cut; what that paid it."""
        stream = (batch_id, index)
        if stream in self.over:
            return 0
        through = self.cuts.get(stream, through)
        paid = self._vested(batch_id, index, through) - self.journal.withdrawn[stream]
        self.journal.withdrawn[stream] += paid
        self.journal.explained[self.entries[batch_id][index][0]] += paid
        self.journal.committed -= paid
        return paid
