"""The check of a payment proof: offline, from the file alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from service.audit.abi import Contract
from service.audit.decode import Event, address_text, hex_text
from service.audit.findings import Finding, Findings, Severity
from service.audit.proofs.batches import BatchStatements
from service.audit.proofs.document import PaymentProof
from service.audit.proofs.evidence import Evidence, Header, gather
from service.audit.proofs.grants import GrantStatements
from service.audit.proofs.statements import Payment, Statements
from service.audit.receipts import unhex
from service.errors import InvalidInput
from service.terminal import visible
from service.units import format_amount, format_unix_s


@dataclass(frozen=True, slots=True)
class Verification:
    """What a payment proof proves, and what it does not.

    Attributes
    ----------
    claims
        What the events prove of the payout, as the file's ``payout`` has it.
    sentences
        The same in words; empty unless all of it holds.
    unproven
        What no such file can prove, and signatures that only a contract can tell.
    headers
        Blocks it rests on, ascending.
    compared
        Numbers of those whose hash was given from elsewhere, all of them blocks it rests on.
    """

    claims: dict[str, Any]
    sentences: list[str]
    unproven: list[str]
    headers: list[Header]
    compared: frozenset[int]
    findings: list[Finding]

    @property
    def holds(self) -> bool:
        """Whether every statement is true."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def verdict(self) -> str:
        """What the proof comes to, in a line: proven only if its blocks are those of the chain."""
        if not self.holds:
            return "NOT proven: what the file says is false"
        blocks, left = len(self.headers), self.not_compared
        if not left:
            return "Proven"
        which = "none of their hashes was" if left == blocks else f"the hashes of {left} were not"
        return f"Proven, if its {blocks} blocks are on the chain: {which} compared"

    @property
    def not_compared(self) -> int:
        """How many of the blocks have no hash from elsewhere to be held against."""
        return sum(header.number not in self.compared for header in self.headers)

    def as_json(self) -> dict[str, Any]:
        """Return it as one document; amounts and block numbers are strings.

        ``proven`` says that every statement holds: of the chain only if its blocks are there, which
        ``blocks_compared`` and ``blocks_not_compared`` count.
        """
        return {
            "proven": self.holds,
            "verdict": self.verdict,
            "blocks_compared": len(self.compared),
            "blocks_not_compared": self.not_compared,
            "payout": self.claims if self.holds else None,
            "statements": self.sentences,
            "not_proven": self.unproven,
            "blocks": [
                {
                    "number": str(header.number),
                    "hash": hex_text(header.hash),
                    "timestamp": _time(header.timestamp),
                    "compared": header.number in self.compared,
                }
                for header in self.headers
            ],
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def render(self) -> RenderableType:
        """Return it for a terminal."""
        lines: list[Text] = []
        if self.holds:
            style = "bold yellow" if self.not_compared else "bold green"
            lines += [Text(self.verdict, style=style), *_listed(self.sentences)]
            lines += [Text("Not proven by this file", style="bold"), *_listed(self.unproven)]
            lines += [Text("Blocks it rests on", style="bold"), *_listed(self._blocks())]
            return Group(*lines)
        lines.append(Text(self.verdict, style="bold red"))
        for finding in self.findings:
            if finding.severity is Severity.ERROR:
                values = "".join(
                    f"; {name} {value}"
                    for name, value in (("expected", finding.expected), ("found", finding.found))
                    if value is not None
                )
                lines += _listed([f"{finding.code.value}: {finding.message}{values}"])
        return Group(*lines)

    def _blocks(self) -> list[str]:
        return [
            f"{header.number} {hex_text(header.hash)} of {_time(header.timestamp)}, "
            f"{'as given' if header.number in self.compared else 'not compared'}"
            for header in self.headers
        ]


def _listed(sentences: list[str]) -> list[Text]:
    return [Text(f"  {visible(sentence)}") for sentence in sentences]


def verify(proof: PaymentProof, known: Mapping[int, bytes]) -> Verification:
    """Recompute everything that a proof states.

    Parameters
    ----------
    known
        Block hashes from elsewhere, by number.

    Raises
    ------
    InvalidInput
        When a hash is given of a block that the proof does not rest on.
    """
    strangers = known.keys() - {block.number for block in proof.blocks}
    if strangers:
        raise InvalidInput(f"the proof does not rest on block {min(strangers)}")
    findings = Findings()
    evidence = gather(proof, findings, known)
    statements = statements_of(proof, evidence, findings)
    claims = statements.run()
    holds = not findings.errors
    headers = [evidence.headers[number] for number in sorted(evidence.headers)]
    return Verification(
        claims=claims,
        sentences=_sentences(proof, statements, claims) if holds else [],
        unproven=_unproven(proof, statements, findings, known),
        headers=headers,
        compared=frozenset(known),
        findings=findings.items,
    )


def statements_of(proof: PaymentProof, evidence: Evidence, findings: Findings) -> Statements:
    """Return what checks the statements about the proof's kind of payout."""
    payout = proof.payout
    if proof.kind == "grant":
        lane = Contract.LANE
        return GrantStatements(proof, evidence, findings, lane, grant=unhex(payout["grant"]))
    return BatchStatements(
        proof,
        evidence,
        findings,
        Contract.VAULT,
        batch=unhex(payout["batch"]),
        index=int(payout["index"]),
        programme_id=int(payout["programme"]),
    )


# ---- words ---------------------------------------------------------------------------------------


def name_of(claims: Mapping[str, Any]) -> str:
    """Return how a person calls the payout."""
    if claims["kind"] == "grant":
        return f"emergency grant {claims['grant']}"
    return (
        f"payout {claims['number']} of programme {claims['programme']} "
        f"(index {claims['index']} of batch {claims['batch']})"
    )


def _sentences(proof: PaymentProof, statements: Statements, claims: dict[str, Any]) -> list[str]:
    approval = statements.approval
    if approval is None:  # then there is a finding, and nothing is proven
        return []
    name = name_of(claims)
    amount = format_amount(int(claims["amount_base_units"]))
    payee, made = _address(claims["payee"]), "made" if claims["kind"] == "grant" else "approved"
    what = f"{name[0].upper()}{name[1:]} is {amount} to {payee}{_terms(approval, claims)}."
    who = f"signed by {_signers(approval, claims)} over the digest {claims['digest']}"
    paid, payments = format_amount(int(claims["paid_base_units"])), len(statements.payments)
    token, payer = (proof.contracts[each] for each in (Contract.TOKEN, statements.payer))
    plural = "" if payments == 1 else "s"
    where = f"token {address_text(token)} on chain {proof.chain_id}, by {address_text(payer)}"
    return [
        what,
        f"It was {made} {_when(approval)}, {who}.",
        *(_changed(event) for event in statements.changes),
        *(_paid(payment) for payment in statements.payments),
        f"In all {paid} were paid, in {payments} payment{plural}, of the {where}.",
    ]


def _changed(event: Event) -> str:
    if event.name == "WalletChanged":
        old, new = (address_text(event.args[name]) for name in ("from", "to"))
        return f"Reviewers had {new} paid in place of {old} {_when(event)}."
    return f"Reviewers cut the stream at its second {event.args['cut']} {_when(event)}."


def _paid(payment: Payment) -> str:
    return (
        f"{format_amount(payment.amount)} were minted to {address_text(payment.payee)} "
        f"{_when(payment.event)} ({payment.event.name})."
    )


def _terms(approval: Event, claims: Mapping[str, Any]) -> str:
    if claims["kind"] != "stream":
        return ""
    signed = approval.args["approval"]
    start, end = signed["start"], signed["start"] + signed["duration"]
    return f", accruing from {_time(start)} to {_time(end)} unless it is cut"


def _signers(approval: Event, claims: Mapping[str, Any]) -> str:
    maker = approval.args.get("approval", {}).get("maker")
    named = [
        f"officer {number}{' (who made the batch)' if number == str(maker) else ''}"
        for number in claims["officers"]
    ]
    return " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))


def _when(event: Event) -> str:
    return f"at {_time(event.timestamp)} in block {event.block}, transaction {hex_text(event.tx)}"


def _time(unix_s: int) -> str:
    """Write a time; a header made up may have one that no calendar has."""
    try:
        return format_unix_s(unix_s)
    except (ValueError, OverflowError, OSError):
        return f"second {unix_s} of Unix time"


def _address(text: str) -> str:
    return address_text(unhex(text))


def _unproven(
    proof: PaymentProof,
    statements: Statements,
    findings: Findings,
    known: Mapping[int, bytes],
) -> list[str]:
    unproven = []
    if any(block.number not in known for block in proof.blocks):
        unproven.append(
            "That its blocks are on the chain everybody follows: compare their hashes with a node, "
            "an explorer or a published checkpoint (--block-hash NUMBER=HASH)."
        )
    addresses = ", ".join(
        f"{contract} {address_text(address)}" for contract, address in proof.contracts.items()
    )
    unproven.append(
        f"That these contracts are the programme's, and do what their events say: {addresses}. "
        "Compare them with what the office publishes."
    )
    unproven.append(
        "That no officer, signer or verifier of keys had been removed before it signed, and that "
        f"a quorum is {statements.officers.registry.quorum} officers and not more: the contracts "
        "check both; relief audit replay proves it."
    )
    if proof.kind == "grant":
        unproven.append(
            "That the grant was within the lane's caps, and whether a second officer countersigned."
        )
    else:
        unproven.append("That the batch was within budget, caps and the attested reserve.")
    unproven.append(
        "What happened after its last block: a freeze, a transfer"
        + (", a later withdrawal or cut." if proof.kind == "stream" else ".")
    )
    unproven.append("Whose wallet it is.")
    unproven += [
        f"{finding.message[0].upper()}{finding.message[1:]}."
        for finding in findings.items
        if finding.severity is Severity.WARNING
    ]
    return unproven
