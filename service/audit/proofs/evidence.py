"""From a proof's headers and nodes to events: what is bound to a block's hash, and only that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eth_hash.auto import keccak

from service.audit.abi import Contract
from service.audit.calls import Call
from service.audit.decode import Event, MalformedLog, decode_args, event_type, hex_text
from service.audit.findings import Code, Findings, Place
from service.audit.inclusion import Misfit, proven_value, string, unrlp_list
from service.audit.proofs.document import Block, Inclusion, PaymentProof
from service.audit.receipts import HEADER_MEMBERS, SMALL
from service.audit.transactions import call_of_bytes, chain_of_bytes

AT = {name: at for at, (name, _) in enumerate(HEADER_MEMBERS)}
RECEIPT_MEMBERS = 4
"""Status, gas used so far, bloom, logs."""

NUMBER_BYTES = 32
"""Longer than any number of a block."""

Spot = tuple[int, int]
"""Block and position of a transaction."""


@dataclass(frozen=True, slots=True)
class Header:
    """What of a header a proof needs."""

    number: int
    hash: bytes
    timestamp: int
    receipts_root: bytes
    transactions_root: bytes


@dataclass
class Evidence:
    """Events whose logs are proven, in the chain's order.

    Attributes
    ----------
    headers
        By block number.
    calls
        What each proven transaction called, by its hash.
    chains
        For which chain each was signed; None for any.
    """

    headers: dict[int, Header] = field(default_factory=dict)
    calls: dict[bytes, Call] = field(default_factory=dict)
    chains: dict[bytes, int | None] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def call_of(self, tx: bytes) -> Call:
        """Return what a proven transaction called."""
        return self.calls.get(tx, Call(None, b""))


def spot(event: Event) -> Spot:
    """Return where an event's transaction stands."""
    return event.block, event.tx_index


def gather(proof: PaymentProof, findings: Findings, known: Mapping[int, bytes]) -> Evidence:
    """Recompute hashes, walk the tries and decode the logs; name what does not fit.

    Parameters
    ----------
    known
        Block hashes from elsewhere, by number.
    """
    evidence = Evidence()
    for block in proof.blocks:
        header = _header(block, findings)
        if header is not None:
            evidence.headers[block.number] = header
        expected = known.get(block.number, block.hash)
        if expected != block.hash:
            findings.error(
                Code.BLOCK_DIFFERS,
                f"block {block.number} of the proof is another than the one of the hash given",
                Place(block=block.number),
                expected=expected,
                found=block.hash,
            )
    contracts = {address: contract for contract, address in proof.contracts.items()}
    for inclusion in proof.inclusions:
        header = evidence.headers.get(inclusion.block)
        if header is not None:
            _include(evidence, inclusion, header, contracts, findings)
    _compare_chains(proof, evidence, findings)
    return evidence


def _compare_chains(proof: PaymentProof, evidence: Evidence, findings: Findings) -> None:
    """Name transactions that were signed for another chain than the proof's.

    No header says whose it is, and where only contracts can tell who signed a payout nothing else
    does.
    """
    for tx, chain in evidence.chains.items():
        if chain not in (None, proof.chain_id):
            findings.error(
                Code.PROOF_MISMATCH,
                "a transaction of the proof was sent on another chain",
                Place(tx=hex_text(tx)),
                expected=proof.chain_id,
                found=chain,
            )
    if evidence.chains and not any(evidence.chains.values()):
        findings.warning(
            Code.EVIDENCE_WEAK,
            f"that it happened on chain {proof.chain_id}: no transaction of the proof names one",
        )


def _header(block: Block, findings: Findings) -> Header | None:
    place = Place(block=block.number)
    if keccak(block.header) != block.hash:
        findings.error(
            Code.HEADER_HASH_MISMATCH,
            f"the hash given for block {block.number} is not that of its header",
            place,
            expected=keccak(block.header),
            found=block.hash,
        )
        return None
    try:
        members = unrlp_list(block.header)
        found = {name: string(members[at]) for name, at in AT.items()}
        numbers = [_number(found[name]) for name in ("number", "timestamp")]
    except (Misfit, IndexError):
        findings.error(
            Code.HEADER_HASH_MISMATCH, f"block {block.number} has a header that is none", place
        )
        return None
    header = Header(
        numbers[0],
        block.hash,
        numbers[1],
        found["receiptsRoot"],
        found["transactionsRoot"],
    )
    if header.number != block.number:
        findings.error(
            Code.PROOF_MISMATCH,
            f"the header given for block {block.number} is that of another",
            place,
            expected=block.number,
            found=header.number,
        )
        return None
    return header


def _number(value: bytes) -> int:
    if len(value) > NUMBER_BYTES:
        raise Misfit("a number that is none")
    return int.from_bytes(value, "big")


def _include(
    evidence: Evidence,
    inclusion: Inclusion,
    header: Header,
    contracts: Mapping[bytes, Contract],
    findings: Findings,
) -> None:
    where = f"position {inclusion.position} of block {inclusion.block}"
    place = Place(block=inclusion.block)
    try:
        transaction = proven_value(
            header.transactions_root, inclusion.position, inclusion.transaction
        )
        call, chain = call_of_bytes(transaction), chain_of_bytes(transaction)
    except Misfit as error:
        findings.error(
            Code.TRANSACTIONS_ROOT_MISMATCH,
            f"the transaction at {where} is not proven by the block's header: {error}",
            place,
            expected=header.transactions_root,
        )
        return
    tx = keccak(transaction)
    place = Place(block=inclusion.block, tx=hex_text(tx))
    try:
        receipt = proven_value(header.receipts_root, inclusion.position, inclusion.receipt)
        logs = _logs(receipt)
    except Misfit as error:
        findings.error(
            Code.RECEIPTS_ROOT_MISMATCH,
            f"the receipt at {where} is not proven by the block's header: {error}",
            place,
            expected=header.receipts_root,
        )
        return
    evidence.calls[tx], evidence.chains[tx] = call, chain
    for position, (address, topics, data) in enumerate(logs):
        contract = contracts.get(address)
        if contract is None:
            continue
        try:
            kind = event_type(contract, topics)
            args = decode_args(kind, topics, data)
        except MalformedLog as error:
            findings.error(Code.LOG_MALFORMED, f"log {position} at {where}: {error}", place)
            continue
        spot_of_log = (header.hash, tx, inclusion.position, position)
        evidence.events.append(
            Event(contract, kind.name, args, header.number, header.timestamp, *spot_of_log)
        )


def _logs(receipt: bytes) -> list[tuple[bytes, list[bytes], bytes]]:
    """Return address, topics and data of each log of an encoded receipt."""
    typed = bool(receipt) and receipt[0] < SMALL
    members = unrlp_list(receipt[1:] if typed else receipt)
    if len(members) != RECEIPT_MEMBERS or isinstance(members[3], bytes):
        raise Misfit("no receipt")
    logs = []
    for log in members[3]:
        if isinstance(log, bytes) or len(log) != 3 or isinstance(log[1], bytes):  # noqa: PLR2004
            raise Misfit("no log")
        logs.append((string(log[0]), [string(topic) for topic in log[1]], string(log[2])))
    return logs
