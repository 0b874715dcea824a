"""What proven events say of one payout, and whether it is what the proof claims."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.audit.abi import Contract
from service.audit.decode import Event, address_text
from service.audit.findings import Code, Findings, Place
from service.audit.officers import Officers
from service.audit.proofs.document import PaymentProof, plain
from service.audit.proofs.evidence import Evidence, Spot, spot
from service.audit.proofs.standing import standing
from service.audit.signatures import MalformedSignatures, domain, records
from service.audit.signers import Signatures
from service.audit.state import Registry

SMALLEST_QUORUM = 2
"""Of any registry of ours (contracts/OfficerRegistry.sol); its own stands in no event."""

CODE_OF_CLAIM = {
    "number": Code.NUMBER_MISMATCH,
    "digest": Code.DIGEST_MISMATCH,
    "amount_base_units": Code.TOTAL_MISMATCH,
    "paid_base_units": Code.TOTAL_MISMATCH,
}
"""Where a false claim has a code of its own."""


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that reached a wallet: base units minted to it.

    Attributes
    ----------
    event
        Of the vault or lane, that said so.
    """

    event: Event
    payee: bytes
    amount: int


@dataclass
class Statements(ABC):
    """Goes through proven events in order and checks those of one payout.

    Attributes
    ----------
    approval
        The event with the officers' signatures; None until it came.
    payments
        What was paid, in order.
    changes
        Of its wallet, and the cut of its stream.
    used
        Transactions that say something of the payout.
    mints
        Of the transaction at hand, since the last event of the contract that pays.
    """

    proof: PaymentProof
    evidence: Evidence
    findings: Findings
    payer: Contract
    approval: Event | None = None
    payments: list[Payment] = field(default_factory=list)
    changes: list[Event] = field(default_factory=list)
    used: set[Spot] = field(default_factory=set)
    mints: list[tuple[bytes, int]] = field(default_factory=list)
    _signatures: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        contracts = self.proof.contracts
        self._registry_events = [
            event for event in self.evidence.events if event.contract is Contract.REGISTRY
        ]
        self.officers = Officers(
            Registry(quorum=SMALLEST_QUORUM, created_in=self._created_in()),
            self.findings,
            {
                contract: domain(contract, self.proof.chain_id, address)
                for contract, address in contracts.items()
            },
            contracts,
            self.evidence.call_of,
            Signatures(lambda _address, _call, _block: None),
        )

    def _created_in(self) -> bytes:
        """Return the transaction of the registry's first event; empty where it is not proven."""
        first = (event.tx for event in self._registry_events if event.args.get("seq") == 1)
        return next(first, b"")

    # ---- events ----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def handlers(self) -> Mapping[str, Callable[[Event], None]]:
        """What to do with each event of the contract that pays; other payouts' do nothing."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what is proven beside who signed and what was paid."""

    @abstractmethod
    def place(self, event: Event | None = None) -> Place:
        """Name the payout, where an event happened."""

    def run(self) -> dict[str, Any]:
        """Check every event, then every claim; return what is proven, as the claims have it."""
        transaction: Spot | None = None
        for event in self.evidence.events:
            if spot(event) != transaction:
                transaction = spot(event)
                self.mints.clear()
            self._apply(event)
        self._require_all_used()
        proven: dict[str, Any] = plain(self.claims())
        self._compare("payout", self.proof.payout, proven)
        return proven

    def _apply(self, event: Event) -> None:
        if event.contract is Contract.REGISTRY:
            self.officers.apply(event)
        elif event.contract is Contract.TOKEN:
            args = event.args
            if event.name == "Transfer" and not any(args["from"]) and args["value"]:
                self.mints.append((args["to"], args["value"]))
        else:
            handler = self.handlers.get(event.name)
            if handler is not None:
                handler(event)
            self.mints.clear()

    def use(self, event: Event) -> None:
        """Note that an event says something of the payout, and who signed it."""
        self.used.add(spot(event))
        if "signatures" in event.args:
            self._signatures.append(event.args["signatures"])

    def _require_all_used(self) -> None:
        needed = standing(self._registry_events, self._signatures)
        self.used |= {spot(event) for event in needed}
        for inclusion in self.proof.inclusions:
            where = (inclusion.block, inclusion.position)
            if where not in self.used:
                self.findings.error(
                    Code.PROOF_MISMATCH,
                    f"the transaction at position {where[1]} of block {where[0]} says nothing of "
                    "this payout",
                    Place(block=where[0]),
                )

    def lacks(self, what: str) -> None:
        """Name evidence that is not there."""
        self.findings.error(Code.PROOF_MISMATCH, f"the proof lacks {what}", self.place())

    # ---- mints -----------------------------------------------------------------------------------

    def pay(self, event: Event, payee: bytes, amount: int, *, minted: bool) -> None:
        """Note a payment; name that the token minted nothing like it."""
        if not minted:
            self.findings.error(
                Code.MINT_MISSING,
                f"{event.name} in block {event.block} paid and the token minted nothing like it",
                self.place(event),
                expected=f"{amount} to {address_text(payee)}",
            )
        self.payments.append(Payment(event, payee, amount))

    def minted_last(self, *owed: tuple[bytes, int]) -> bool:
        """Tell whether the last mints before an event are these, in order."""
        return self.mints[len(self.mints) - len(owed) :] == list(owed)

    # ---- claims ----------------------------------------------------------------------------------

    def claims(self) -> dict[str, Any]:
        """Return what the events prove of the payout, every member as the file has it.

        ``payments`` lists what reached a wallet; ``paid_base_units`` is their sum, ``digest`` what
        the officers signed, ``approved`` where that is.
        """
        approval = self.approval
        paid = sum(payment.amount for payment in self.payments)
        shown = [
            {
                "block": payment.event.block,
                "transaction": payment.event.tx,
                "payee": payment.payee,
                "amount_base_units": payment.amount,
            }
            for payment in self.payments
        ]
        proven = {"kind": self.proof.kind, "paid_base_units": paid, "payments": shown}
        if approval is None:
            return proven
        return {
            **proven,
            **self.facts(),
            "approved": {"block": approval.block, "transaction": approval.tx},
            "officers": _officers_of(approval),
        }

    def _compare(self, where: str, claimed: Any, proven: Any) -> None:
        if isinstance(claimed, dict) and isinstance(proven, dict):
            for name in sorted(claimed.keys() | proven.keys()):
                self._compare(f"{where}.{name}", claimed.get(name), proven.get(name))
        elif isinstance(claimed, list) and isinstance(proven, list) and len(claimed) == len(proven):
            for at, (each, other) in enumerate(zip(claimed, proven, strict=True)):
                self._compare(f"{where}[{at}]", each, other)
        elif claimed != proven:
            self.findings.error(
                CODE_OF_CLAIM.get(where.removeprefix("payout."), Code.PROOF_MISMATCH),
                f"{where} is not what the events prove",
                self.place(),
                expected="nothing" if proven is None else proven,
                found="nothing" if claimed is None else claimed,
            )


def _officers_of(approval: Event) -> list[int]:
    try:
        return [record.officer_id for record in records(approval.args["signatures"])]
    except MalformedSignatures:  # named where they were checked
        return []
