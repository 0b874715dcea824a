"""The chain read part by part, and what a node says held against itself.

Headers come first: each names its parent's hash, and its own is recomputed from its members. Of the
blocks whose bloom may hold one of our logs the receipts are asked for, which must give the root in
the header; their logs are what is replayed. Only of a node that has no receipts by block, or when
it is asked for, logs are taken by range, by the node's word.

While one part is replayed the node is asked for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from eth_hash.auto import keccak

from service.audit.abi import Contract
from service.audit.ahead import ahead
from service.audit.archive.writing import ArchiveWriter
from service.audit.decode import Event, LogPlace, MalformedLog, decode, hex_text, place_of
from service.audit.findings import Code, Findings, Place
from service.audit.receipts import (
    bloom_may_hold,
    header_hash,
    receipt_bytes,
    trie_root,
    unhex,
)
from service.audit.rpc import Node, NodeRefused
from service.audit.transfers import (
    Happened,
    PackedLogs,
    TransferRun,
    pack_logs,
    read_transfers,
)
from service.errors import ChainUnavailable

HEADERS_A_TIME = 500
GAS_A_TIME = 120_000_000
"""Receipts are asked for of blocks that used so much gas together: some 3,500 transfers."""

RECEIPTS_A_TIME = 50
HEADERS_AHEAD, RECEIPTS_AHEAD = 1, 3
ASKED_AT_ONCE = 2
"""So the node has the next question while one answer is on its way."""

BORN_BY = (
    b"AuthorityUpdated(address)",
    b"RoleGranted(uint64,address,uint32,uint48,bool)",
    b"OfficerAdded(uint32,uint16,uint24,uint8,uint40,bytes32,bytes,uint64)",
)
"""What the contracts' constructors say first."""

NODE_CODES = frozenset(
    {
        Code.BLOCK_LINKAGE_BROKEN,
        Code.HEADER_HASH_MISMATCH,
        Code.RECEIPTS_ROOT_MISMATCH,
        Code.LOG_MISPLACED,
        Code.LOG_MALFORMED,
    }
)
"""Findings about what a node says, whatever the events mean."""

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how much is done, and of how much."""

Header = Mapping[str, Any]
Log = Mapping[str, Any]


@dataclass
class Evidence:
    """How strongly the blocks read are bound together.

    Attributes
    ----------
    blocks
        Headers whose parent hash was checked.
    hashes_recomputed
        Headers whose own hash was recomputed from their members.
    receipts_proven
        Blocks whose receipts gave the root in the header.
    receipts_available
        Whether the node serves receipts by block, and was asked for them.
    """

    blocks: int = 0
    hashes_recomputed: int = 0
    receipts_proven: int = 0
    receipts_available: bool = True


@dataclass(frozen=True, slots=True)
class _Part:
    """Consecutive blocks, and those among them that may hold logs of ours.

    Attributes
    ----------
    recomputed
        How many of their hashes are those of their headers.
    """

    headers: Sequence[Header]
    wanted: Sequence[Header]
    recomputed: int


@dataclass(frozen=True, slots=True)
class _Told:
    """What a node told of a part: receipts by block number, or logs where it has no receipts."""

    receipts: Mapping[int, Any] | None
    logs: Sequence[Log] = ()


@dataclass
class BlockReader:
    """Reads the events of the five contracts between two blocks.

    Attributes
    ----------
    contracts
        Which contract an address (bytes) is.
    prove
        Whether receipts are asked for, which prove the logs.
    archive
        Given everything that is read, where it is kept.
    watched, headers, evidence_at
        Numbers of blocks of which more is kept: their headers, and the evidence up to them.
    mismatched
        Blocks whose hash is not that of their header, and the hash recomputed.
    """

    node: Node
    contracts: Mapping[bytes, Contract]
    findings: Findings
    progress: Progress
    prove: bool = True
    archive: ArchiveWriter | None = None
    evidence: Evidence = field(default_factory=Evidence)
    last_hash: str | None = None
    watched: set[int] = field(default_factory=set)
    headers: dict[int, Header] = field(default_factory=dict)
    evidence_at: dict[int, Evidence] = field(default_factory=dict)
    mismatched: list[tuple[int, str]] = field(default_factory=list)
    _proven_here: int = 0

    def __post_init__(self) -> None:
        self._addresses = [hex_text(address) for address in self.contracts]
        self._contract_of = {hex_text(address): name for address, name in self.contracts.items()}
        (self._token,) = (hex_text(a) for a, name in self.contracts.items() if name == "token")

    def events(
        self, first: int, last: int, *, skip_empty: bool
    ) -> Generator[list[Happened], None, None]:
        """Yield the events of each block that has some, in order.

        Parameters
        ----------
        skip_empty
            Whether blocks before the contracts' first events are passed over: nothing is known of
            them.

        Raises
        ------
        ChainUnavailable, NodeRefused
            When the node does not answer, or lacks a block.
        """
        begin = self._birth(first, last) if skip_empty else first
        if begin is None:
            return
        if not self.prove:
            self._no_receipts("receipts were not asked for: logs are there by the node's word")
        with (
            closing(self._parts(begin, last)) as parts,
            closing(ahead(parts, self._ask, RECEIPTS_AHEAD, at_once=ASKED_AT_ONCE)) as answers,
        ):
            for part, told in answers:
                self._proven_here = 0
                if self.archive is not None:
                    self.archive.blocks(part.headers)
                yield from self._happened(part, told)
                self._count(part)
                self.progress("blocks", int(part.headers[-1]["number"], 16), last)
        self._judge_hashes()

    def _count(self, part: _Part) -> None:
        """Count what a part has shown, once it is over."""
        self.evidence.blocks += len(part.headers)
        self.evidence.hashes_recomputed += part.recomputed
        self.evidence.receipts_proven += self._proven_here
        number = int(part.headers[-1]["number"], 16)
        if number in self.watched:
            self.evidence_at[number] = replace(self.evidence)

    def _birth(self, first: int, last: int) -> int | None:
        """Return the first block in which a contract says what its constructor does."""
        topics = [hex_text(keccak(signature)) for signature in BORN_BY]
        for _, _, logs in self.node.log_windows(self._addresses, first, last, [topics]):
            if logs:
                return max(first, min(int(log["blockNumber"], 16) for log in logs))
        return None

    # ---- headers ---------------------------------------------------------------------------------

    def _parts(self, first: int, last: int) -> Generator[_Part, None, None]:
        """Yield blocks by so many as the node is asked about at once."""
        starts = range(first, last + 1, HEADERS_A_TIME)

        def headers_from(start: int) -> list[dict[str, Any] | None]:
            return self.node.headers(start, min(last, start + HEADERS_A_TIME - 1))

        with closing(ahead(starts, headers_from, HEADERS_AHEAD)) as answers:
            for start, headers in answers:
                yield from self._parted(start, headers)

    def _parted(self, start: int, headers: Sequence[dict[str, Any] | None]) -> Iterator[_Part]:
        part: list[Header] = []
        wanted: list[Header] = []
        gas = recomputed = 0
        for number, given in enumerate(headers, start):
            header = self._linked(number, given)
            part.append(header)
            recomputed += self._is_recomputed(number, header)
            if bloom_may_hold(unhex(header["logsBloom"]), self.contracts):
                wanted.append(header)
                gas += int(header["gasUsed"], 16)
            full = gas >= GAS_A_TIME or len(wanted) >= RECEIPTS_A_TIME
            if full or number in self.watched:
                yield _Part(part, wanted, recomputed)
                part, wanted, gas, recomputed = [], [], 0, 0
        if part:
            yield _Part(part, wanted, recomputed)

    def _linked(self, number: int, header: dict[str, Any] | None) -> Header:
        if header is None or int(header["number"], 16) != number:
            raise ChainUnavailable(f"the node has no block {number}")
        if self.last_hash is not None and header["parentHash"] != self.last_hash:
            self.findings.error(
                Code.BLOCK_LINKAGE_BROKEN,
                f"block {number} does not follow from block {number - 1}",
                Place(block=number),
                expected=self.last_hash,
                found=header["parentHash"],
            )
        self.last_hash = header["hash"]
        if number in self.watched:
            self.headers[number] = header
        return header

    def _is_recomputed(self, number: int, header: Header) -> bool:
        """Whether a block's hash is that of its header; those that are not are named at the end."""
        try:
            recomputed = "0x" + header_hash(header).hex()
        except (KeyError, TypeError, ValueError):
            recomputed = ""
        if recomputed == header["hash"]:
            return True
        self.mismatched.append((number, recomputed))
        return False

    def _judge_hashes(self) -> None:
        """Name headers with a false hash, unless the chain's consensus hashes in its own way."""
        if self.evidence.blocks and not self.evidence.hashes_recomputed:
            self._weak("no block hash could be recomputed: blocks are linked by the node's word")
            return
        for number, recomputed in self.mismatched:
            self.findings.error(
                Code.HEADER_HASH_MISMATCH,
                f"the hash the node gives for block {number} is not that of its header",
                Place(block=number),
                expected=recomputed,
            )

    def _weak(self, message: str) -> None:
        self.findings.warning(Code.EVIDENCE_WEAK, message)

    # ---- what the node is asked ------------------------------------------------------------------

    def _ask(self, part: _Part) -> _Told:
        """Ask for what the blocks of a part hold, in the thread that asks."""
        if not part.wanted:
            return _Told({})
        if self.evidence.receipts_available:
            numbers = [int(header["number"], 16) for header in part.wanted]
            try:
                return _Told(dict(zip(numbers, self._receipts(numbers), strict=True)))
            except NodeRefused:
                pass  # not even of one block
        first, last = (int(part.wanted[end]["number"], 16) for end in (0, -1))
        windows = self.node.log_windows(self._addresses, first, last)
        return _Told(None, [log for _, _, logs in windows for log in logs])

    def _receipts(self, numbers: Sequence[int]) -> list[Any]:
        """Ask for the receipts of blocks; of fewer at once where the node refuses so many."""
        try:
            return self.node.batch("eth_getBlockReceipts", [[hex(number)] for number in numbers])
        except NodeRefused:
            if len(numbers) == 1:
                raise
        half = len(numbers) // 2
        return self._receipts(numbers[:half]) + self._receipts(numbers[half:])

    def _no_receipts(self, why: str) -> None:
        if self.evidence.receipts_available:
            self.evidence.receipts_available = False
            self._weak(why)

    # ---- what it told ----------------------------------------------------------------------------

    def _happened(self, part: _Part, told: _Told) -> Iterator[list[Happened]]:
        if told.receipts is None:
            self._no_receipts("the node gives no receipts by block: logs are there by its word")
            yield from self._given(part, told.logs)
            return
        for header in part.wanted:
            happened = self._proven(header, told.receipts[int(header["number"], 16)])
            if happened:
                yield happened

    def _proven(self, header: Header, receipts: Any) -> list[Happened]:
        """Return what a block's receipts hold, which must give the root in its header."""
        number = int(header["number"], 16)
        try:
            for receipt in receipts:
                unhex(receipt["transactionHash"])  # the root does not have it
            packed = [pack_logs(receipt["logs"], self._token) for receipt in receipts]
            root = hex_text(
                trie_root([receipt_bytes(r, p.rlp) for r, p in zip(receipts, packed, strict=True)])
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            packed, root = [], "unreadable receipts"
        if root == header["receiptsRoot"]:
            self._proven_here += 1
        else:
            self.findings.error(
                Code.RECEIPTS_ROOT_MISMATCH,
                f"the receipts the node gives for block {number} are not those of its header",
                Place(block=number),
                expected=header["receiptsRoot"],
                found=root,
            )
        happened: list[Happened] = []
        behind = 0
        for index, logs in enumerate(packed):
            happened += self._in_receipt(header, index, receipts[index], logs, behind)
            behind += len(receipts[index]["logs"])
        return happened

    def _in_receipt(
        self, header: Header, index: int, receipt: Mapping[str, Any], packed: PackedLogs, first: int
    ) -> Iterator[Happened]:
        """Yield what one receipt holds; where its logs stand follows from its own place."""
        number, tx = int(header["number"], 16), receipt["transactionHash"]
        listed = header.get("transactions", [])
        if index >= len(listed) or listed[index] != tx:
            self.findings.error(
                Code.LOG_MISPLACED,
                f"receipt {index} of block {number} is another transaction's than the block lists",
                Place(block=number, tx=tx),
                expected=listed[index] if index < len(listed) else None,
            )
        place = LogPlace(
            number, int(header["timestamp"], 16), unhex(header["hash"]), unhex(tx), index, first
        )
        in_run = 0
        for position, log in enumerate(receipt["logs"]):
            if in_run:
                in_run -= 1
                continue
            here = place.behind(position)
            if position in packed.runs:
                transfers = _transfers(packed.runs[position], here)
                if transfers is not None:
                    if self.archive is not None:
                        self.archive.transfers(transfers)
                    in_run = len(transfers) - 1
                    yield transfers
                    continue
            contract = self._contract_of.get(log["address"].lower())
            if contract is not None:
                yield from self._event(contract, log, here)

    def _event(self, contract: Contract, log: Log, place: LogPlace) -> Iterator[Event]:
        """Yield the event of a log, or name that no contract of ours can have written it."""
        try:
            event = decode(contract, log, place)
            if self.archive is not None:
                self.archive.log(log, place)
            yield event
        except MalformedLog as error:
            told = Place(block=place.block, tx=hex_text(place.tx))
            self.findings.error(Code.LOG_MALFORMED, f"log {place.log_index}: {error}", told)

    def _given(self, part: _Part, logs: Sequence[Log]) -> Iterator[list[Happened]]:
        """Yield what logs say that are there by the node's word."""
        by_block: dict[int, list[Log]] = {int(h["number"], 16): [] for h in part.wanted}
        for log in logs:
            number = int(log["blockNumber"], 16)
            if number in by_block:
                by_block[number].append(log)
                continue
            self.findings.error(
                Code.LOG_MISPLACED,
                f"the node gave a log of block {number}, which by its header can have none",
                Place(block=number, tx=log.get("transactionHash")),
            )
        for header in part.wanted:
            events = self._decoded(header, by_block[int(header["number"], 16)])
            if events:
                yield events

    def _decoded(self, header: Header, logs: Sequence[Log]) -> list[Happened]:
        number, timestamp = int(header["number"], 16), int(header["timestamp"], 16)
        events: list[Happened] = []
        previous = -1
        for log in logs:
            told = Place(block=number, tx=log.get("transactionHash"))
            contract = self._contract_of.get(log["address"].lower())
            position = int(log["logIndex"], 16)
            if contract is None or log["blockHash"] != header["hash"] or log.get("removed"):
                self.findings.error(
                    Code.LOG_MISPLACED,
                    f"a log given for block {number} belongs to another block or contract",
                    told,
                    expected=header["hash"],
                    found=log["blockHash"],
                )
                continue
            if position <= previous:
                self.findings.error(
                    Code.LOG_MISPLACED, f"logs of block {number} are out of order", told
                )
            previous = position
            events += self._event(contract, log, place_of(log, timestamp))
        return events


def _transfers(packed: bytes, place: LogPlace) -> TransferRun | None:
    """Read transfers that stand behind each other; None where each must be looked at alone."""
    try:
        return read_transfers(packed, place)
    except MalformedLog:
        return None
