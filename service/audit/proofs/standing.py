"""Which of the registry's events show that those who signed stood in force.

An officer's addition is signed by governors, whose own additions are signed by others, and so on
back to the registry's deployment, which needs nobody. All of these are asked for here; what a proof
then says of each is checked by :class:`service.audit.officers.Officers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from service.audit.arithmetic import ADDRESS_BYTES
from service.audit.decode import Event
from service.audit.proofs.evidence import spot
from service.audit.signatures import MalformedSignatures, records
from service.audit.signers import SIGNER_KEY

STANDING = frozenset(
    {
        "OfficerAdded",
        "OfficerRemoved",
        "SignerAdded",
        "SignerRemoved",
        "VerifierAdded",
        "VerifierRemoved",
    }
)
"""Events of the registry that say who is in force."""


@dataclass
class _Wanted:
    """Whose additions are needed."""

    officers: set[int] = field(default_factory=set)
    signers: set[tuple[int, bytes]] = field(default_factory=set)
    verifiers: set[bytes] = field(default_factory=set)

    def add_signer(self, kind: int, signer: bytes) -> None:
        self.signers.add((kind, signer))
        if kind == SIGNER_KEY:
            self.verifiers.add(signer[:ADDRESS_BYTES])

    def add_signatures(self, packed: bytes) -> None:
        try:
            given = list(records(packed))
        except MalformedSignatures:  # named where they are checked
            return
        for record in given:
            self.officers.add(record.officer_id)
            self.add_signer(record.signer_type, record.signer)

    def add_event(self, event: Event) -> None:
        """Want what an event of the registry itself rests on."""
        args = event.args
        self.add_signatures(args["signatures"])
        if "officerId" in args:
            self.officers.add(args["officerId"])
        if "signer" in args:
            self.add_signer(args["signerType"], args["signer"])

    def is_met_by(self, event: Event) -> bool:
        """Tell whether an event is the addition of somebody wanted."""
        args = event.args
        if event.name == "OfficerAdded":
            return args["officerId"] in self.officers
        if event.name == "SignerAdded":
            return (args["signerType"], args["signer"]) in self.signers
        return event.name == "VerifierAdded" and args["verifier"] in self.verifiers


def standing(events: Iterable[Event], signatures: Iterable[bytes]) -> list[Event]:
    """Return the registry's events that are needed to believe some signatures.

    Parameters
    ----------
    events
        Of the registry, in order.
    signatures
        Packed, as the contracts get them.
    """
    known = [event for event in events if event.name in STANDING]
    beside: dict[tuple[int, int], list[Event]] = {}
    for event in known:
        beside.setdefault(spot(event), []).append(event)
    wanted = _Wanted()
    for packed in signatures:
        wanted.add_signatures(packed)
    chosen: set[tuple[int, int]] = set()
    while True:
        more = {spot(event) for event in known if wanted.is_met_by(event)} - chosen
        if not more:
            return _of(known, chosen)
        chosen |= more
        for place in more:
            for event in beside[place]:
                wanted.add_event(event)


def _of(events: Sequence[Event], places: set[tuple[int, int]]) -> list[Event]:
    return [event for event in events if spot(event) in places]
