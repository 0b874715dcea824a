"""Statements about a payout of a batch: one-off, retried, or a stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.audit.abi import Contract
from service.audit.arithmetic import (
    ENTRY_BYTES,
    Terms,
    bits,
    chunk_leaf,
    due_through,
    entry_at,
    proven_root,
    region_covers,
    unpack,
    vested,
)
from service.audit.decode import Event, address_text, hex_text
from service.audit.findings import Code, Place
from service.audit.officers import REVIEWER, Claim
from service.audit.proofs.statements import Statements
from service.audit.state import ONE_OFF, STREAM
from service.audit.terms import terms_problems

KINDS = {ONE_OFF: "one_off", STREAM: "stream"}
FIRST_VERSION = 1
"""Of a programme; no event raises it."""


@dataclass
class Accrual:
    """One stream: through which second it is paid, and what a withdrawal owes it.

    Other streams of its chunk do not matter: each withdrawal pays all that is due, or nothing.
    """

    total: int
    terms: Terms
    through: int = 0
    cancel: int = 0

    def withdraw(self, step: int) -> int:
        """Return what a withdrawal at a step pays, base units, and pay it."""
        end = due_through(step, self.cancel)
        before, self.through = self.through, max(self.through, end)
        duration = self.terms.duration
        return vested(self.total, self.through, duration) - vested(self.total, before, duration)

    def cut(self, second: int) -> None:
        """Stop accrual at a second."""
        self.cancel = second + 1


@dataclass
class BatchStatements(Statements):
    """Checks what happened to one payout of a batch.

    Attributes
    ----------
    programme, opened
        The events that made its programme and ran its chunk.
    payee
        Who is paid now: as signed, or the wallet it was changed to.
    amount
        As signed, base units.
    """

    programme: Event | None = None
    opened: Event | None = None
    payee: bytes = b""
    amount: int = 0
    skipped: bool = False
    accrual: Accrual | None = None
    batch: bytes = b""
    index: int = 0
    programme_id: int = 0
    _signed_payee: bytes = b""
    _entries: bytes = b""

    @property
    def handlers(self) -> Mapping[str, Callable[[Event], None]]:
        """What to do with each event of the vault."""
        return {
            "ProgrammeCreated": self._programme_created,
            "BatchApproved": self._batch_approved,
            "ChunkPaid": self._chunk_paid,
            "StreamsOpened": self._streams_opened,
            "PayoutRetried": self._retried,
            "StreamWithdrawn": self._withdrawn_alone,
            "StreamsWithdrawn": self._withdrawn_range,
            "StreamsCancelled": self._cut,
            "WalletChanged": self._wallet_changed,
        }

    def place(self, event: Event | None = None) -> Place:
        """Name the payout."""
        number = None
        if self.approval is not None:
            number = self.approval.args["firstNumber"] + self.index
        return Place(
            block=event.block if event else None,
            tx=hex_text(event.tx) if event else None,
            batch=hex_text(self.batch),
            index=self.index,
            number=number,
        )

    def run(self) -> dict[str, Any]:
        """Check that the whole story is there, too."""
        proven = super().run()
        if self.approval is None:
            self.lacks("the approval of its batch")
        elif self.opened is None:
            self.lacks("the event that ran its chunk")
        elif self.skipped and not self.payments:
            self.findings.error(
                Code.SKIP_MISMATCH, "the payout was skipped and no retry is proven", self.place()
            )
        return proven

    def facts(self) -> dict[str, Any]:
        """Return who is to get what by the officers' word."""
        signed = self._signed
        return {
            "kind": KINDS.get(signed["kind"], "none"),
            "programme": signed["programme"],
            "number": self.place().number,
            "batch": signed["batchId"],
            "index": self.index,
            "payee": self._signed_payee,
            "amount_base_units": self.amount,
            "digest": self.officers.domains[Contract.VAULT].digest_of("BatchApproval", signed),
            "changes": [
                {"event": event.name, "block": event.block, "transaction": event.tx}
                for event in self.changes
            ],
        }

    @property
    def _signed(self) -> dict[str, Any]:
        if self.approval is None:
            raise LookupError("no approval yet")
        approval: dict[str, Any] = self.approval.args["approval"]
        return approval

    @property
    def _region(self) -> tuple[int, int]:
        return self._signed["regionCode"], self._signed["regionDigits"]

    @property
    def _chunk(self) -> int:
        return int(self.index // max(1, self._signed["chunkSize"]))

    @property
    def _position(self) -> int:
        return int(self.index % max(1, self._signed["chunkSize"]))

    # ---- approval --------------------------------------------------------------------------------

    def _programme_created(self, event: Event) -> None:
        if event.args["programme"] == self.programme_id and self.programme is None:
            self.programme = event
            self.use(event)

    def _batch_approved(self, event: Event) -> None:
        args, approval = event.args, event.args["approval"]
        if args["batchId"] != self.batch:
            return
        if self.approval is not None:
            self.findings.error(
                Code.BATCH_REPEATED, "the batch was approved twice", self.place(event)
            )
            return
        self.approval = event
        self.use(event)
        place = self.place(event)
        problems = terms_problems(approval, event.timestamp)
        if args["batchId"] != approval["batchId"] or args["programme"] != approval["programme"]:
            problems.append("its topics name another batch or programme")
        if args["executeFrom"] >= approval["executeBefore"]:
            problems.append("its challenge delay ends when no chunk may run any more")
        if self.index >= approval["count"]:
            problems.append(f"it has no payout {self.index}")
        if self.programme is None:
            self.lacks("the event that made its programme")
            reviewers = 1
        else:
            problems += _programme_problems(self.programme.args, event)
            reviewers = self._reviewers(self.programme.args, event, place)
        for problem in problems:
            self.findings.error(
                Code.BATCH_RULE_BROKEN, f"the batch cannot have been approved: {problem}", place
            )
        self.officers.prove_approval(event, reviewers, place)

    def _reviewers(self, programme: dict[str, Any], event: Event, place: Place) -> int:
        """Return how many reviewers the tier of the region's sum asks for; check its delay."""
        rolling = event.args["rollingSum"]
        for tier in programme["tiers"]:
            if rolling <= tier["upTo"]:
                if event.args["executeFrom"] != event.timestamp + tier["challengeDelay"]:
                    self.findings.error(
                        Code.BATCH_RULE_BROKEN, "its challenge delay is not the tier's", place
                    )
                return int(tier["reviewers"])
        self.findings.error(
            Code.TIER_EXCEEDED,
            "the batch passes its programme's highest tier",
            place,
            expected=f"at most {programme['tiers'][-1]['upTo'] if programme['tiers'] else 0}",
            found=rolling,
        )
        return 1

    # ---- its chunk -------------------------------------------------------------------------------

    def _runs_chunk(self, event: Event) -> bool:
        args = event.args
        return (
            self.approval is not None
            and args["batchId"] == self.batch
            and args["chunkIndex"] == self._chunk
        )

    def _run(self, event: Event, kind: int) -> None:
        """Check that the entries that ran are those signed, and take the payout's own."""
        approval, place, args = self._signed, self.place(event), event.args
        entries, chunk = args["entries"], self._chunk
        if self.opened is not None:
            self.findings.error(Code.CHUNK_REPEATED, "its chunk ran a second time", place)
            return
        self.opened = event
        self.use(event)
        problems = []
        if approval["kind"] != kind:
            problems.append("ran as another kind than was approved")
        approved = self.approval.args if self.approval else {}
        if not approved["executeFrom"] <= event.timestamp < approval["executeBefore"]:
            problems.append("ran outside its time")
        length = min(approval["chunkSize"], approval["count"] - chunk * approval["chunkSize"])
        if len(entries) != ENTRY_BYTES * length:
            problems.append("has another length than was approved")
        for problem in problems:
            self.findings.error(Code.CHUNK_RULE_BROKEN, f"its chunk {problem}", place)
        leaf = chunk_leaf(self.batch, chunk, entries)
        root = proven_root(leaf, chunk, self.proof.siblings)
        if root != approval["chunksRoot"]:
            self.findings.error(
                Code.CHUNKS_ROOT_MISMATCH,
                "the entries that ran are not those officers signed",
                place,
                expected=approval["chunksRoot"],
                found=root,
            )
        self._entries = entries
        self._signed_payee, self.amount = entry_at(entries, self._position)
        self.payee = self._signed_payee
        cap = self.programme.args["payoutCap"] if self.programme else 0
        if self.amount > cap:
            self.findings.error(
                Code.PAYOUT_ABOVE_CAP,
                "the payout is above the programme's cap",
                place,
                expected=f"at most {cap}",
                found=self.amount,
            )

    def _chunk_paid(self, event: Event) -> None:
        if not self._runs_chunk(event):
            return
        again = self.opened is not None
        self._run(event, ONE_OFF)
        if again:
            return
        args = event.args
        skips = set(bits(args["skippedLow"], args["skippedHigh"]))
        owed = [
            (payee, amount)
            for position, (payee, amount) in enumerate(unpack(args["entries"]))
            if amount and position not in skips
        ]
        paid = sum(amount for _, amount in owed)
        if paid != args["paid"]:
            self.findings.error(
                Code.TOTAL_MISMATCH,
                "its chunk paid another sum than its entries make",
                self.place(event),
                expected=paid,
                found=args["paid"],
            )
        self.skipped = self._position in skips
        if not self.skipped:
            self.pay(event, self.payee, self.amount, minted=self.minted_last(*owed))

    def _retried(self, event: Event) -> None:
        args = event.args
        if args["batchId"] != self.batch or args["index"] != self.index:
            return
        self.use(event)
        said = (args["payee"], args["amount"])
        if not self.skipped or self.payments or said != (self.payee, self.amount):
            self.findings.error(
                Code.RETRY_INVALID,
                "the retry is of what was not skipped, of what was paid, or of another payout",
                self.place(event),
            )
        self.pay(event, *said, minted=self.minted_last(said))

    # ---- streams ---------------------------------------------------------------------------------

    def _streams_opened(self, event: Event) -> None:
        if not self._runs_chunk(event):
            return
        self._run(event, STREAM)
        signed = self._signed
        if self.accrual is None and signed["duration"] and signed["cadence"]:
            terms = Terms(signed["start"], signed["cliff"], signed["duration"], signed["cadence"])
            self.accrual = Accrual(self.amount, terms)

    def _withdrawn_alone(self, event: Event) -> None:
        args = event.args
        if args["batchId"] != self.batch or args["index"] != self.index:
            return
        self.use(event)
        accrual = self._opened_stream(event)
        if accrual is None:
            return
        due = accrual.withdraw(args["paidThrough"])
        step = due_through(accrual.terms.step(event.timestamp), accrual.cancel)
        said = (args["payee"], args["amount"], args["paidThrough"])
        self._require_due(event, said == (self.payee, due, step) and due > 0)
        self.pay(event, self.payee, due, minted=self.minted_last((self.payee, due)))

    def _withdrawn_range(self, event: Event) -> None:
        args = event.args
        if not self._runs_chunk(event):
            return
        if self._position in bits(args["skippedLow"], args["skippedHigh"]):
            return
        accrual = self._opened_stream(event)
        if accrual is None:
            return
        due = accrual.withdraw(args["watermark"])
        if not due:
            return
        self.use(event)
        self._require_due(event, args["watermark"] == accrual.terms.step(event.timestamp))
        self.pay(event, self.payee, due, minted=self._minted_alone(event, due))

    def _minted_alone(self, event: Event, due: int) -> bool:
        """Tell whether a range minted what is due to this stream, and not to one beside it.

        Its mints stand in the order of the streams. Where streams of one wallet are not minted to
        each (one had nothing due, or another wallet), a proof of one cannot tell them apart.
        """
        args = event.args
        skips = {*bits(args["skippedLow"], args["skippedHigh"])}
        beside = [
            position
            for position, (payee, amount) in enumerate(unpack(self._entries))
            if position == self._position
            or (payee == self.payee and amount and position not in skips)
        ]
        minted = [amount for to, amount in self._minted_summing(args["paid"]) if to == self.payee]
        certain = len(minted) == len(beside) and minted[beside.index(self._position)] == due
        if due in minted and not certain:
            self.findings.warning(
                Code.EVIDENCE_WEAK,
                f"which of the streams of {address_text(self.payee)} was paid {due} base units in "
                f"block {event.block}: that wallet has several",
                self.place(event),
            )
        return due in minted

    def _minted_summing(self, paid: int) -> list[tuple[bytes, int]]:
        """Return the last mints that sum to what a range paid; none where no such are there."""
        total = 0
        for start in range(len(self.mints) - 1, -1, -1):
            total += self.mints[start][1]
            if total >= paid:
                return self.mints[start:] if total == paid else []
        return []

    def _cut(self, event: Event) -> None:
        args = event.args
        if not self._runs_chunk(event):
            return
        if self._position not in bits(args["maskLow"], args["maskHigh"]):
            return
        self.use(event)
        self.changes.append(event)
        accrual = self._opened_stream(event)
        if accrual is None:
            return
        place = self.place(event)
        facts = (self.batch, args["chunkIndex"], args["maskLow"], args["maskHigh"])
        claim = Claim(Contract.VAULT, "StreamCancellation", facts, REVIEWER, self._region, place)
        self.officers.prove_action(event, claim)
        if accrual.cancel or args["cut"] != accrual.terms.elapsed(event.timestamp):
            self.findings.error(
                Code.CANCEL_MISMATCH, "the stream was cut twice, or at another second", place
            )
        accrual.cut(args["cut"])

    def _opened_stream(self, event: Event) -> Accrual | None:
        if self.accrual is None:
            self.findings.error(
                Code.STREAM_UNKNOWN,
                f"{event.name} of a stream that was never opened",
                self.place(event),
            )
        return self.accrual

    def _require_due(self, event: Event, right: bool) -> None:  # noqa: FBT001  # what is checked
        if not right:
            self.findings.error(
                Code.STREAM_MISMATCH,
                f"{event.name} in block {event.block} paid otherwise than the stream accrued",
                self.place(event),
            )

    # ---- another wallet --------------------------------------------------------------------------

    def _wallet_changed(self, event: Event) -> None:
        args = event.args
        if args["batchId"] != self.batch or args["index"] != self.index or not self.approval:
            return
        self.use(event)
        self.changes.append(event)
        place = self.place(event)
        facts = (self.batch, self.index, args["from"], args["to"])
        claim = Claim(Contract.VAULT, "WalletChange", facts, REVIEWER, self._region, place)
        self.officers.prove_action(event, claim)
        waits = self.accrual is not None or (self.skipped and not self.payments)
        if not waits or args["from"] != self.payee or args["to"] == self.payee:
            self.findings.error(
                Code.WALLET_CHANGE_INVALID,
                "the wallet was changed from another than is paid, or with nothing unpaid",
                place,
            )
        self.payee = args["to"]


def _programme_problems(programme: dict[str, Any], event: Event) -> list[str]:
    approval = event.args["approval"]
    problems = []
    if event.timestamp < programme["activeFrom"]:
        problems.append("its programme was not in force yet")
    if approval["programmeVersion"] != FIRST_VERSION:
        problems.append("it was signed for another version of the programme")
    outer = (programme["regionCode"], programme["regionDigits"])
    if not region_covers(outer, (approval["regionCode"], approval["regionDigits"])):
        problems.append("its region is outside the programme")
    return problems
