"""A payment proof made from what a node says; whoever gets it need not believe the node.

What the events say of the payout is worked out twice: once from bare logs, to find which
transactions matter, and once from what headers and tries prove of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eth_hash.auto import keccak

from service.audit.abi import EVENTS, Contract
from service.audit.arithmetic import TREE_DEPTH, chunk_leaf, chunk_siblings, proven_root
from service.audit.blocks import Progress
from service.audit.decode import Event, MalformedLog, decode, hex_text, place_of
from service.audit.deployment import Deployment, discover
from service.audit.findings import Findings
from service.audit.inclusion import inclusion
from service.audit.proofs.batches import BatchStatements
from service.audit.proofs.document import CONTRACTS, Block, Inclusion, PaymentProof, plain
from service.audit.proofs.evidence import Evidence, Spot, gather
from service.audit.proofs.statements import Statements
from service.audit.proofs.verify import Verification, name_of, statements_of, verify
from service.audit.receipts import header_rlp, receipt_bytes, unhex
from service.audit.rpc import Node, NodeRefused
from service.audit.state import STREAM
from service.audit.transactions import transaction_bytes
from service.errors import ChainUnavailable, InvalidInput

BATCH_EVENTS = (
    *("BatchApproved", "ChunkPaid", "StreamsOpened", "PayoutRetried", "StreamWithdrawn"),
    *("StreamsWithdrawn", "StreamsCancelled", "WalletChanged"),
)
"""Events of a batch that may concern a payout; a batch's id is the first topic of each."""

NO_SIBLINGS = (bytes(32),) * TREE_DEPTH


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which payout: of a batch by index, of a programme by number, or a grant by id."""

    batch: bytes | None = None
    index: int | None = None
    programme: int | None = None
    number: int | None = None
    grant: bytes | None = None


def make(
    node: Node,
    vault: bytes,
    wanted: Wanted,
    progress: Progress,
    *,
    from_block: int = 0,
    to_block: int | None = None,
) -> tuple[PaymentProof, Verification]:
    """Make the proof of a payout, and check it; of what a node lies about it does not hold.

    Parameters
    ----------
    vault
        Address of the AllowanceVault.
    progress
        Told how far the node's logs, and then the blocks that matter, are read.
    from_block
        First block to read, not after the contracts' deployment.
    to_block
        Last block; None is the newest.

    Raises
    ------
    ChainUnavailable, NodeRefused
        When the node does not answer, or lacks a block.
    InvalidInput
        When there is no vault, no such payout, or nothing of it was paid; or when the chain has
        transactions of a type unknown here.
    """
    _, last, _ = node.blocks_asked(from_block, to_block)
    deployment = discover(node, vault, last)
    reading = _Reading(node, deployment, from_block, last, progress)
    events, payout = _events_of(reading, wanted)
    contracts = {contract: deployment.addresses[contract] for contract in CONTRACTS[payout["kind"]]}
    siblings = () if payout["kind"] == "grant" else NO_SIBLINGS
    draft = PaymentProof(deployment.chain_id, contracts, plain(payout), siblings, (), ())
    told = statements_of(draft, Evidence(events=events), Findings())
    told.run()
    _require_paid(told, payout)
    draft = replace(draft, **_bound(node, sorted(told.used), progress))
    lies = Findings()
    evidence = gather(draft, lies, {})
    if lies.errors:
        return draft, verify(draft, {})
    if isinstance(told, BatchStatements):
        draft = replace(draft, siblings=_siblings(told, events, evidence))
    claims = statements_of(draft, evidence, Findings()).run()
    proof = replace(draft, payout=claims)
    return proof, verify(proof, {})


# ---- which payout --------------------------------------------------------------------------------


def _events_of(reading: _Reading, wanted: Wanted) -> tuple[list[Event], dict[str, Any]]:
    """Return the events that may matter, and which payout it is, as claims have it.

    The node is asked for one batch's events only: all chunks of a programme would be too many.
    """
    registry = reading.events("officers", Contract.REGISTRY)
    if wanted.grant is not None:
        made = reading.events("grant", Contract.LANE, ("GrantMade",), wanted.grant)
        if not made:
            raise InvalidInput(f"there is no grant {hex_text(wanted.grant)}")
        return _in_order(registry + made), {"kind": "grant", "grant": wanted.grant}
    names = ("ProgrammeCreated", "BatchApproved")
    beginnings = reading.events("approvals", Contract.VAULT, names)
    approvals = (event for event in beginnings if event.name == "BatchApproved")
    payout = next(filter(None, (_found(event, wanted) for event in approvals)), None)
    if payout is None:
        which = (
            f"batch {hex_text(wanted.batch)}"
            if wanted.batch is not None
            else f"payout {wanted.number} of programme {wanted.programme}"
        )
        raise InvalidInput(
            f"no officers approved {which} in blocks {reading.first} to {reading.last}"
        )
    programmes = [event for event in beginnings if event.name == "ProgrammeCreated"]
    batch = reading.events("payments", Contract.VAULT, BATCH_EVENTS, payout["batch"])
    return _in_order(registry + programmes + batch), payout


def _in_order(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (event.block, event.log_index))


def _found(event: Event, wanted: Wanted) -> dict[str, Any]:
    """Return the payout, if an approved batch has it."""
    approval, first = event.args["approval"], event.args["firstNumber"]
    index = wanted.index
    if wanted.number is not None:
        index = wanted.number - first
        if approval["programme"] != wanted.programme or not 0 <= index < approval["count"]:
            return {}
    elif event.args["batchId"] != wanted.batch:
        return {}
    if index is None or index >= approval["count"]:
        raise InvalidInput(
            f"batch {hex_text(event.args['batchId'])} has payouts 0 to {approval['count'] - 1}"
        )
    return {
        "kind": "stream" if approval["kind"] == STREAM else "one_off",
        "batch": event.args["batchId"],
        "index": index,
        "programme": approval["programme"],
        "number": first + index,
    }


@dataclass(frozen=True, slots=True)
class _Reading:
    """Asks a node for events, from a first to a last block."""

    node: Node
    deployment: Deployment
    first: int
    last: int
    progress: Progress

    def events(
        self, stage: str, contract: Contract, names: Sequence[str] = (), key: bytes | None = None
    ) -> list[Event]:
        """Return a contract's events of some names, of all when none is given.

        Parameters
        ----------
        stage
            What is read, in a word, for the progress.
        key
            First indexed parameter, 32 bytes; None for any.
        """
        topics = [
            [hex_text(each.topic) for each in EVENTS[contract].values() if each.name in names]
        ]
        if key is not None:
            topics.append([hex_text(key)])
        address = hex_text(self.deployment.addresses[contract])
        events: list[Event] = []
        windows = self.node.log_windows([address], self.first, self.last, topics if names else ())
        for _, end, logs in windows:
            try:
                # Their times are not needed to find transactions; headers prove them later.
                events += [decode(contract, log, place_of(log, 0)) for log in logs]
            except MalformedLog as error:
                raise ChainUnavailable(f"the node gave a log that is none: {error}") from error
            self.progress(stage, end, self.last)
        return events


def _require_paid(told: Statements, payout: dict[str, Any]) -> None:
    if not isinstance(told, BatchStatements):
        return
    name = name_of(plain(payout))
    if told.opened is None:
        raise InvalidInput(f"{name} was not paid: its chunk was not run")
    if told.skipped and not told.payments:
        raise InvalidInput(f"{name} was not paid: it was skipped, and not retried since")


def _siblings(told: BatchStatements, events: list[Event], evidence: Evidence) -> tuple[bytes, ...]:
    """Find the chunk's Merkle proof: in the call that ran it, or among its batch's other chunks."""
    approval, opened = told.approval, told.opened
    if approval is None or opened is None:
        return NO_SIBLINGS
    batch, chunk = told.batch, opened.args["chunkIndex"]
    leaves = {
        event.args["chunkIndex"]: chunk_leaf(batch, event.args["chunkIndex"], event.args["entries"])
        for event in events
        if event.name in ("ChunkPaid", "StreamsOpened")
    }
    for siblings in (
        *evidence.call_of(opened.tx).chunk_proofs(batch, chunk),
        chunk_siblings(leaves, chunk),
    ):
        root = proven_root(leaves[chunk], chunk, siblings)
        if root == approval.args["approval"]["chunksRoot"]:
            return tuple(siblings)
    raise InvalidInput(
        f"chunk {chunk} of batch {hex_text(batch)} was run through another contract, without its "
        "proof in the transaction, and its batch is not complete: that officers signed it cannot "
        "be proven yet"
    )


# ---- headers and tries ---------------------------------------------------------------------------


def _bound(node: Node, spots: list[Spot], progress: Progress) -> dict[str, Any]:
    """Bind transactions and their receipts to their blocks."""
    blocks: list[Block] = []
    inclusions: list[Inclusion] = []
    numbers = sorted({block for block, _ in spots})
    for done, number in enumerate(numbers, start=1):
        positions = [position for block, position in spots if block == number]
        try:
            block, bound = _in_block(node, number, positions)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ChainUnavailable(f"the node gave a block {number} that is none") from error
        blocks.append(block)
        inclusions += bound
        progress("blocks", done, len(numbers))
    return {"blocks": tuple(blocks), "inclusions": tuple(inclusions)}


def _in_block(node: Node, number: int, positions: Sequence[int]) -> tuple[Block, list[Inclusion]]:
    header = node.call("eth_getBlockByNumber", hex(number), True)
    if header is None:
        raise ChainUnavailable(f"the node has no block {number}")
    transactions = [_encoded(each, number) for each in header["transactions"]]
    receipts = [receipt_bytes(each) for each in _receipts(node, header)]
    if len(receipts) != len(transactions) or max(positions) >= len(receipts):
        raise ChainUnavailable(f"the node left out receipts of block {number}")
    return Block(number, unhex(header["hash"]), header_rlp(header)), [
        Inclusion(
            number,
            position,
            tuple(inclusion(receipts, position)),
            tuple(inclusion(transactions, position)),
        )
        for position in positions
    ]


def _encoded(transaction: dict[str, Any], block: int) -> bytes:
    """Encode a transaction.

    Raises
    ------
    InvalidInput
        When it is of a type unknown here: no file could prove it.
    """
    try:
        encoded = transaction_bytes(transaction)
    except (KeyError, TypeError, ValueError):
        encoded = b""
    if hex_text(keccak(encoded)) != transaction["hash"]:
        raise InvalidInput(
            f"transaction {transaction['hash']} of block {block} has a type unknown here "
            f"({transaction.get('type')}): the block's transactions cannot be proven"
        )
    return encoded


def _receipts(node: Node, header: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        receipts: list[dict[str, Any]] = node.call("eth_getBlockReceipts", header["number"])
    except NodeRefused:
        hashes = [[each["hash"]] for each in header["transactions"]]
        receipts = node.batch("eth_getTransactionReceipt", hashes)
    return receipts
