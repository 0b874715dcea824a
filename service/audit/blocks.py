"""The chain read window by window, and what a node says held against itself.

For each window: headers with their parents' hashes, hashes recomputed from the headers, logs by
range, and the receipts of every block whose bloom may hold one of our logs, up to the header's
receipts root. Where a root proves the receipts, their logs are the ones that are replayed, so that
a log which the range query left out or invented is named and does no further harm.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.audit.abi import Contract
from service.audit.decode import Event, MalformedLog, decode
from service.audit.findings import Code, Findings, Place
from service.audit.receipts import bloom_may_hold, header_hash, receipts_root, unhex
from service.audit.rpc import Node, NodeRefused
from service.errors import ChainUnavailable

HEADERS_A_TIME = 500
RECEIPTS_A_TIME = 20

NODE_CODES = frozenset(
    {
        Code.BLOCK_LINKAGE_BROKEN,
        Code.HEADER_HASH_MISMATCH,
        Code.RECEIPTS_ROOT_MISMATCH,
        Code.LOG_MISPLACED,
        Code.LOG_MALFORMED,
        Code.LOG_OMITTED,
        Code.LOG_INVENTED,
    }
)
"""Findings about what a node says, whatever the events mean."""

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how much is done, and of how much."""


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
        Whether the node serves receipts by block.
    """

    blocks: int = 0
    hashes_recomputed: int = 0
    receipts_proven: int = 0
    receipts_available: bool = True


@dataclass
class BlockReader:
    """Reads the events of the five contracts between two blocks.

    Attributes
    ----------
    contracts
        Which contract an address (bytes) is.
    watched, headers
        Numbers of blocks whose headers are kept, and those that were read.
    """

    node: Node
    contracts: Mapping[bytes, Contract]
    findings: Findings
    progress: Progress
    evidence: Evidence = field(default_factory=Evidence)
    last_hash: str | None = None
    watched: Collection[int] = ()
    headers: dict[int, dict[str, Any]] = field(default_factory=dict)
    _mismatched: list[tuple[int, str]] = field(default_factory=list)

    def events(self, first: int, last: int, *, skip_empty: bool) -> Iterator[list[Event]]:
        """Yield the events of each block that has some, in order.

        Parameters
        ----------
        skip_empty
            Whether blocks before the first log are passed over: nothing is known of them.

        Raises
        ------
        ChainUnavailable, NodeRefused
            When the node does not answer, or lacks a block.
        """
        addresses = ["0x" + address.hex() for address in self.contracts]
        for start, end, logs in self.node.log_windows(addresses, first, last):
            begin = start
            if skip_empty and self.evidence.blocks == 0:
                if not logs:
                    continue
                begin = max(start, min(int(log["blockNumber"], 16) for log in logs))
            yield from self._window(begin, end, logs, last)
        self._judge_hashes()

    def _window(
        self, first: int, last: int, logs: list[dict[str, Any]], target: int
    ) -> Iterator[list[Event]]:
        by_block: dict[int, list[dict[str, Any]]] = {}
        for log in logs:
            by_block.setdefault(int(log["blockNumber"], 16), []).append(log)
        for outside in [number for number in by_block if not first <= number <= last]:
            self.findings.error(
                Code.LOG_MISPLACED,
                f"the node gave logs of block {outside} when asked for {first} to {last}",
                Place(block=outside),
            )
            del by_block[outside]
        for start in range(first, last + 1, HEADERS_A_TIME):
            end = min(last, start + HEADERS_A_TIME - 1)
            headers = [
                self._linked(number, header)
                for number, header in enumerate(self.node.headers(start, end), start)
            ]
            proven = self._proven_logs(headers)
            for header in headers:
                number = int(header["number"], 16)
                given = by_block.get(number, [])
                events = self._decoded(header, self._agreed(number, given, proven.get(number)))
                if events:
                    yield events
            self.progress("blocks", end, target)

    # ---- headers ---------------------------------------------------------------------------------

    def _linked(self, number: int, header: dict[str, Any] | None) -> dict[str, Any]:
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
        self.evidence.blocks += 1
        if number in self.watched:
            self.headers[number] = header
        try:
            recomputed = "0x" + header_hash(header).hex()
        except (KeyError, TypeError, ValueError):
            recomputed = ""
        if recomputed == header["hash"]:
            self.evidence.hashes_recomputed += 1
        else:
            self._mismatched.append((number, recomputed))
        return header

    def _judge_hashes(self) -> None:
        """Name headers with a false hash, unless the chain's consensus hashes in its own way."""
        if self.evidence.blocks and not self.evidence.hashes_recomputed:
            self._weak("no block hash could be recomputed: blocks are linked by the node's word")
            return
        for number, recomputed in self._mismatched:
            self.findings.error(
                Code.HEADER_HASH_MISMATCH,
                f"the hash the node gives for block {number} is not that of its header",
                Place(block=number),
                expected=recomputed,
            )

    def _weak(self, message: str) -> None:
        self.findings.warning(Code.EVIDENCE_WEAK, message)

    # ---- logs ------------------------------------------------------------------------------------

    def _proven_logs(self, headers: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
        """Return the logs of the blocks whose receipts give the header's root."""
        if not self.evidence.receipts_available:
            return {}
        wanted = [
            header
            for header in headers
            if bloom_may_hold(unhex(header["logsBloom"]), self.contracts)
        ]
        proven: dict[int, list[dict[str, Any]]] = {}
        for start in range(0, len(wanted), RECEIPTS_A_TIME):
            part = wanted[start : start + RECEIPTS_A_TIME]
            try:
                answers = self.node.batch("eth_getBlockReceipts", [[h["number"]] for h in part])
            except NodeRefused:
                self.evidence.receipts_available = False
                self._weak("the node gives no receipts by block: logs are there by its word")
                return proven
            for header, receipts in zip(part, answers, strict=True):
                number = int(header["number"], 16)
                if self._receipts_fit(header, receipts):
                    self.evidence.receipts_proven += 1
                    proven[number] = [
                        log
                        for receipt in receipts
                        for log in receipt["logs"]
                        if unhex(log["address"]) in self.contracts
                    ]
        return proven

    def _receipts_fit(self, header: Mapping[str, Any], receipts: Any) -> bool:
        number = int(header["number"], 16)
        try:
            root = "0x" + receipts_root(receipts).hex()
        except (KeyError, TypeError, ValueError):
            root = "unreadable receipts"
        if root == header["receiptsRoot"]:
            return True
        self.findings.error(
            Code.RECEIPTS_ROOT_MISMATCH,
            f"the receipts the node gives for block {number} are not those of its header",
            Place(block=number),
            expected=header["receiptsRoot"],
            found=root,
        )
        return False

    def _agreed(
        self,
        number: int,
        given: list[dict[str, Any]],
        proven: list[dict[str, Any]] | None,
    ) -> list[dict[str, Any]]:
        """Return the logs to replay; name those in which range query and receipts differ."""
        if proven is None:
            return given
        by_range = {_identity(log): log for log in given}
        by_receipt = {_identity(log): log for log in proven}
        for identity, log in by_receipt.items():
            if identity not in by_range:
                self._report_log(Code.LOG_OMITTED, number, log, "left out, or altered,")
        for identity, log in by_range.items():
            if identity not in by_receipt:
                self._report_log(Code.LOG_INVENTED, number, log, "invented, or altered,")
        return proven

    def _report_log(self, code: Code, number: int, log: Mapping[str, Any], did: str) -> None:
        contract = self.contracts.get(unhex(log["address"]))
        name = _event_name(contract, log)
        self.findings.error(
            code,
            f"asked for logs by range, the node {did} {name} at position "
            f"{int(log['logIndex'], 16)} of block {number}",
            Place(block=number, tx=log["transactionHash"]),
        )

    def _decoded(self, header: Mapping[str, Any], logs: list[dict[str, Any]]) -> list[Event]:
        number, timestamp = int(header["number"], 16), int(header["timestamp"], 16)
        events: list[Event] = []
        previous = -1
        for log in logs:
            place = Place(block=number, tx=log.get("transactionHash"))
            contract = self.contracts.get(unhex(log["address"]))
            position = int(log["logIndex"], 16)
            if contract is None or log["blockHash"] != header["hash"] or log.get("removed"):
                self.findings.error(
                    Code.LOG_MISPLACED,
                    f"a log given for block {number} belongs to another block or contract",
                    place,
                    expected=header["hash"],
                    found=log["blockHash"],
                )
                continue
            if position <= previous:
                self.findings.error(
                    Code.LOG_MISPLACED, f"logs of block {number} are out of order", place
                )
            previous = position
            try:
                events.append(decode(contract, log, timestamp))
            except MalformedLog as error:
                self.findings.error(Code.LOG_MALFORMED, f"log {position}: {error}", place)
        return events


def _identity(log: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        log["logIndex"],
        log["transactionHash"],
        log["address"].lower(),
        tuple(log["topics"]),
        log["data"],
    )


def _event_name(contract: Contract | None, log: Mapping[str, Any]) -> str:
    if contract is None:
        return "a log of another contract"
    try:
        return f"{decode(contract, log, 0).name} of the {contract}"
    except MalformedLog:
        return f"a log of the {contract}"
