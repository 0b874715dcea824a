"""The registry's events, and every signature proven against the officers in force.

A quorum action's event does not carry its deadline, which is part of what officers signed. The
deadline stands behind the action id in the transaction's input; a digest rebuilt with it and equal
to the one in ``ActionConsumed`` proves itself (decision 0041).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from eth_hash.auto import keccak

from service.audit.abi import Contract
from service.audit.arithmetic import ADDRESS_BYTES, region_covers, region_valid
from service.audit.calls import CallOf
from service.audit.decode import Event, address_text, hex_text
from service.audit.findings import Code, Findings, Place
from service.audit.signatures import Domain, MalformedSignatures, Record, records
from service.audit.signers import SIGNER_KEY, Proof, Signatures, well_formed
from service.audit.state import Officer, Registry, Signer, Verifier

MAKER, REVIEWER, EMERGENCY, GOVERNOR = 1, 2, 4, 8
ALL_ROLES = 15
ADDITION_DELAY_S = 2 * 86_400
WHOLE_COUNTRY = (0, 0)
MAX_DEADLINE = 2**40


@dataclass(frozen=True, slots=True)
class Claim:
    """What a quorum must have signed.

    Attributes
    ----------
    contract
        Whose action it is.
    primary_type, facts
        The typed data, and its members before action id and deadline.
    role, region
        What each officer needs; with region (0, 0) any region will do.
    place
        Where to report, when not just the event's block and transaction.
    """

    contract: Contract
    primary_type: str
    facts: tuple[int | bytes, ...]
    role: int = GOVERNOR
    region: tuple[int, int] = WHOLE_COUNTRY
    place: Place | None = None


@dataclass
class Officers:
    """Replays the registry and proves who signed.

    Attributes
    ----------
    addresses
        Of the contracts that consume quorum actions.
    call_of
        Returns what a transaction called.
    signatures
        Proves whose a signature is.
    """

    registry: Registry
    findings: Findings
    domains: dict[Contract, Domain]
    addresses: dict[Contract, bytes]
    call_of: CallOf
    signatures: Signatures
    consumed: dict[tuple[bytes, bytes], tuple[bytes, Event]] = field(default_factory=dict)
    _arriving: Event | None = None

    # ---- events ----------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Apply one event of the registry."""
        if self.registry.created_in is None:
            self.registry.created_in = event.tx
        handler = {
            "OfficerAdded": self._officer_added,
            "OfficerRemoved": self._officer_removed,
            "SignerAdded": self._signer_added,
            "SignerRemoved": self._signer_removed,
            "VerifierAdded": self._verifier_added,
            "VerifierRemoved": self._verifier_removed,
            "ManagerCalled": self._manager_called,
            "ActionConsumed": self._action_consumed,
        }.get(event.name)
        if handler is not None:
            handler(event)

    def close_transaction(self) -> None:
        """Name actions that were used up in the transaction and had no effect."""
        for (consumer, action), (_, event) in self.consumed.items():
            if consumer in self.addresses.values():
                self.findings.error(
                    Code.ACTION_MISSING,
                    f"quorum action {hex_text(action)} of {address_text(consumer)} was used up and "
                    "nothing happened",
                    _place(event),
                )
        self.consumed.clear()
        if self._arriving is not None:
            self._broken(self._arriving, "an officer came without a signer")
            self._arriving = None

    def _action_consumed(self, event: Event) -> None:
        key = (event.args["consumer"], event.args["actionId"])
        if key in self.registry.actions_used:
            self.findings.error(
                Code.ACTION_REUSED,
                f"quorum action {hex_text(key[1])} was used a second time",
                _place(event),
            )
        self.registry.actions_used[key] = event.args["digest"]
        self.consumed[key] = (event.args["digest"], event)

    def _officer_added(self, event: Event) -> None:
        args = event.args
        region = (args["regionCode"], args["regionDigits"])
        if args["officerId"] == 0 or args["officerId"] in self.registry.officers:
            self._broken(event, f"officer {args['officerId']} was there already")
        if not 0 < args["roles"] <= ALL_ROLES or not region_valid(*region):
            self._broken(event, f"officer {args['officerId']} has impossible roles or region")
        self._arriving = event

    def _signer_added(self, event: Event) -> None:
        args = event.args
        arriving, self._arriving = self._arriving, None
        at_deployment = self._at_deployment(event)
        delay = 0 if at_deployment else ADDITION_DELAY_S
        facts: tuple[int | bytes, ...] = (
            args["officerId"],
            args["signerType"],
            keccak(args["signer"]),
        )
        primary_type = "SignerAddition"
        if arriving is not None:
            added = arriving.args
            if (added["officerId"], added["actionId"]) != (args["officerId"], args["actionId"]):
                self._broken(event, "an officer and the signer behind it differ")
            facts = (
                args["officerId"],
                added["roles"],
                added["regionCode"],
                added["regionDigits"],
                *facts[1:],
            )
            primary_type = "OfficerAddition"
        if not at_deployment:
            self.prove_action(event, Claim(Contract.REGISTRY, primary_type, facts))
        if args["activeFrom"] != event.timestamp + delay:
            self._broken(event, f"signer of officer {args['officerId']} is in force too early")
        self._seat(event, arriving)

    def _seat(self, event: Event, arriving: Event | None) -> None:
        args = event.args
        if arriving is not None:
            added = arriving.args
            self.registry.officers[args["officerId"]] = Officer(
                added["roles"], (added["regionCode"], added["regionDigits"]), added["activeFrom"]
            )
            if added["activeFrom"] != args["activeFrom"]:
                self._broken(event, f"officer {args['officerId']} is in force too early")
        officer = self.registry.officers.get(args["officerId"])
        if officer is None or officer.removed:
            self._broken(event, f"officer {args['officerId']}, unknown or removed, got a signer")
        key = (args["signerType"], args["signer"])
        if not well_formed(*key):
            self._broken(event, f"{hex_text(args['signer'])} is no signer of type {key[0]}")
        elif args["signerType"] == SIGNER_KEY:
            verifier = self.registry.verifiers.get(args["signer"][:ADDRESS_BYTES])
            if verifier is None or verifier.removed:
                self._broken(
                    event, f"the verifier of signer {hex_text(args['signer'])} was not allowed"
                )
        if key in self.registry.signers:
            self._broken(event, f"signer {hex_text(args['signer'])} was somebody's already")
        self.registry.signers[key] = Signer(args["officerId"], args["activeFrom"])

    def _officer_removed(self, event: Event) -> None:
        number = event.args["officerId"]
        self.prove_action(event, Claim(Contract.REGISTRY, "OfficerRemoval", (number,)))
        officer = self.registry.officers.get(number)
        if officer is None or officer.removed:
            self._broken(event, f"officer {number}, unknown or removed, was removed")
            return
        officer.removed = True
        if self.registry.governors() < self.registry.quorum:
            self._broken(event, "fewer governors remain than the quorum")

    def _signer_removed(self, event: Event) -> None:
        kind, signer = event.args["signerType"], event.args["signer"]
        facts = (kind, keccak(signer))
        self.prove_action(event, Claim(Contract.REGISTRY, "SignerRemoval", facts))
        known = self.registry.signers.get((kind, signer))
        if known is None or known.removed or known.officer_id != event.args["officerId"]:
            self._broken(event, f"signer {hex_text(signer)}, unknown or removed, was removed")
            return
        known.removed = True

    def _verifier_added(self, event: Event) -> None:
        verifier, active_from = event.args["verifier"], event.args["activeFrom"]
        delay = 0
        if not self._at_deployment(event):
            delay = ADDITION_DELAY_S
            self.prove_action(event, Claim(Contract.REGISTRY, "VerifierAddition", (verifier,)))
        if active_from != event.timestamp + delay:
            self._broken(event, f"verifier {address_text(verifier)} is in force too early")
        if verifier in self.registry.verifiers:
            self._broken(event, f"verifier {address_text(verifier)} was there already")
        self.registry.verifiers[verifier] = Verifier(active_from)

    def _verifier_removed(self, event: Event) -> None:
        verifier = event.args["verifier"]
        self.prove_action(event, Claim(Contract.REGISTRY, "VerifierRemoval", (verifier,)))
        known = self.registry.verifiers.get(verifier)
        if known is None or known.removed:
            self._broken(
                event, f"verifier {address_text(verifier)}, unknown or removed, was removed"
            )
            return
        known.removed = True

    def _at_deployment(self, event: Event) -> bool:
        return event.tx == self.registry.created_in and event.args["actionId"] == bytes(32)

    def _manager_called(self, event: Event) -> None:
        facts = (keccak(event.args["data"]),)
        self.prove_action(event, Claim(Contract.REGISTRY, "ManagerCall", facts))

    def _broken(self, event: Event, message: str) -> None:
        self.findings.error(Code.OFFICER_RULE_BROKEN, message, _place(event))

    # ---- proofs ----------------------------------------------------------------------------------

    def prove_action(
        self,
        event: Event,
        claim: Claim,
    ) -> None:
        """Check that a quorum signed what an event says was done."""
        place = claim.place or _place(event)
        action = event.args["actionId"]
        digest, _ = self.consumed.pop((self.addresses[claim.contract], action), (None, event))
        if digest is None:
            self.findings.error(
                Code.ACTION_MISSING,
                f"{event.name} in block {event.block} happened and no quorum action was used up",
                place,
            )
            return
        self._prove_digest(event, claim, digest, place)
        given = self._signed_by(digest, event, place)
        for record in given:
            self._require(record, claim.role, claim.region, place)
        if len(given) < self.registry.quorum:
            self.findings.error(
                Code.TOO_FEW_OFFICERS,
                f"{event.name} in block {event.block} was signed by too few officers",
                place,
                expected=self.registry.quorum,
                found=len(given),
            )

    def _prove_digest(
        self,
        event: Event,
        claim: Claim,
        digest: bytes,
        place: Place,
    ) -> None:
        action = event.args["actionId"]
        domain = self.domains[claim.contract]
        call = self.call_of(event.tx)
        rebuilt = {
            domain.digest(claim.primary_type, *claim.facts, action, deadline): deadline
            for deadline in call.deadlines(action)
            if deadline < MAX_DEADLINE
        }
        if digest in rebuilt:
            if rebuilt[digest] < event.timestamp:
                self.findings.error(
                    Code.OFFICER_RULE_BROKEN,
                    f"{event.name} in block {event.block} came after its deadline",
                    place,
                )
        elif rebuilt and call.to == self.addresses[claim.contract]:
            self.findings.error(
                Code.DIGEST_MISMATCH,
                f"what officers signed for {event.name} in block {event.block} is not what "
                "happened",
                place,
                expected=min(rebuilt),
                found=digest,
            )
        else:
            self.findings.warning(
                Code.ACTION_UNPROVEN,
                f"the deadline of {event.name} in block {event.block} is not in the transaction: "
                "who signed is proven, what they signed is not",
                place,
            )

    def prove_approval(
        self,
        event: Event,
        reviewers: int,
        place: Place,
    ) -> None:
        """Check that the maker and enough reviewers signed a batch (``requireApproval``)."""
        approval = event.args["approval"]
        maker = approval["maker"]
        region = (approval["regionCode"], approval["regionDigits"])
        digest = self.domains[Contract.VAULT].digest_of("BatchApproval", approval)
        given = self._signed_by(digest, event, place)
        for record in given:
            role = MAKER if record.officer_id == maker else REVIEWER
            self._require(record, role, region, place)
        others = {record.officer_id for record in given} - {maker}
        if all(record.officer_id != maker for record in given):
            self.findings.error(
                Code.MAKER_MISSING, f"officer {maker}, the maker, did not sign the batch", place
            )
        if len(others) < reviewers:
            self.findings.error(
                Code.TOO_FEW_OFFICERS,
                "the batch was signed by too few reviewers for the sum it adds to",
                place,
                expected=reviewers,
                found=len(others),
            )

    def prove_one(
        self,
        event: Event,
        digest: bytes,
        role: int,
        region: tuple[int, int],
        place: Place,
        *,
        broken: Code,
    ) -> int | None:
        """Check that exactly one officer signed (``requireOne``); return who, None if not one."""
        given = self._signed_by(digest, event, place)
        self.registry.signed_alone.add(digest)
        for record in given:
            self._require(record, role, region, place)
        if len(given) == 1:
            return given[0].officer_id
        self.findings.error(
            broken,
            f"{event.name} was signed by {len(given)} officers",
            place,
            expected=1,
            found=len(given),
        )
        return None

    def prove_hold(self, event: Event, claim: Claim) -> None:
        """Check that the one officer whom an event names signed a hold, before its deadline."""
        args, place = event.args, claim.place or _place(event)
        domain = self.domains[claim.contract]
        digest = domain.digest(claim.primary_type, *claim.facts, args["actionId"], args["deadline"])
        if args["deadline"] < event.timestamp:
            self.findings.error(
                Code.OFFICER_RULE_BROKEN,
                f"{event.name} in block {event.block} came after its deadline",
                place,
            )
        broken = Code.HOLD_RULE_BROKEN
        signed = self.prove_one(event, digest, claim.role, claim.region, place, broken=broken)
        if signed not in (None, args["officerId"]):
            self.findings.error(
                broken,
                f"{event.name} in block {event.block} names another officer than who signed it",
                place,
                expected=signed,
                found=args["officerId"],
            )

    def _signed_by(self, digest: bytes, event: Event, place: Place) -> list[Record]:
        """Return the records, each proven and of a signer in force; name those that are not."""
        try:
            given = list(records(event.args["signatures"]))
        except MalformedSignatures as error:
            self.findings.error(Code.SIGNATURES_MALFORMED, str(error), place)
            return []
        previous = 0
        for record in given:
            officer_id = record.officer_id
            if officer_id <= previous:
                self.findings.error(
                    Code.OFFICERS_NOT_ASCENDING,
                    f"officer {officer_id} stands behind officer {previous}",
                    place,
                )
            previous = officer_id
            self._prove_signature(digest, record, event.block, place)
            self._require_in_force(record, event.timestamp, place)
        return given

    def _prove_signature(self, digest: bytes, record: Record, block: int, place: Place) -> None:
        proof = self.signatures.prove(record, digest, block)
        if proof is Proof.WRONG:
            self.findings.error(
                Code.SIGNATURE_INVALID,
                f"the signature given for officer {record.officer_id} is not that signer's",
                place,
                expected=hex_text(record.signer),
            )
        elif proof is Proof.UNPROVEN:
            contract = address_text(record.signer[:ADDRESS_BYTES])
            self.findings.warning(
                Code.SIGNATURE_UNPROVEN,
                f"only the contract {contract} can tell whether officer {record.officer_id} signed,"
                f" and it could not be asked as of block {block}: a node that keeps that state can",
                place,
            )

    def _require_in_force(self, record: Record, time: int, place: Place) -> None:
        """Name an officer, signer or verifier that was not in force."""
        officer_id = record.officer_id
        signer = self.registry.signers.get((record.signer_type, record.signer))
        if (
            signer is None
            or signer.officer_id != officer_id
            or signer.removed
            or time < signer.active_from
        ):
            self.findings.error(
                Code.SIGNER_NOT_IN_FORCE,
                f"{hex_text(record.signer)} did not sign for officer {officer_id} then",
                place,
            )
        elif record.signer_type == SIGNER_KEY:
            address = record.signer[:ADDRESS_BYTES]
            verifier = self.registry.verifiers.get(address)
            if verifier is None or verifier.removed or time < verifier.active_from:
                self.findings.error(
                    Code.VERIFIER_NOT_IN_FORCE,
                    f"the verifier {address_text(address)} of officer {officer_id}'s key was not "
                    "allowed then",
                    place,
                )
        officer = self.registry.officers.get(officer_id)
        if officer is None or officer.removed or time < officer.active_from:
            self.findings.error(
                Code.OFFICER_NOT_IN_FORCE, f"officer {officer_id} was not in force", place
            )

    def _require(self, record: Record, role: int, region: tuple[int, int], place: Place) -> None:
        officer = self.registry.officers.get(record.officer_id)
        if officer is None:
            return
        if not officer.roles & role:
            self.findings.error(
                Code.OFFICER_LACKS_ROLE,
                f"officer {record.officer_id} lacks the role {role}",
                place,
                expected=role,
                found=officer.roles,
            )
        if region[1] and not region_covers(officer.region, region):
            self.findings.error(
                Code.OFFICER_OUTSIDE_REGION,
                f"officer {record.officer_id} has no say in region {region[0]}",
                place,
                expected=region,
                found=officer.region,
            )


def _place(event: Event) -> Place:
    return Place(block=event.block, tx=hex_text(event.tx))
