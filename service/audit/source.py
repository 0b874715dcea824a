"""Where a replay's events come from, a node or an archive, and who is asked what besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from service.audit.abi import Contract
from service.audit.archive.answers import RecordingNode
from service.audit.archive.reading import NO_BLOCK, Archive, ArchiveEngine, ArchiveReader, Reader
from service.audit.archive.writing import ArchiveWriter
from service.audit.blocks import BlockReader, Progress
from service.audit.decode import address_text
from service.audit.deployment import Deployment, code_hashes, discover
from service.audit.engines.duck import Duck
from service.audit.findings import Code, Findings
from service.audit.report import ReplayReport
from service.audit.reports.verifying import REPLAYED
from service.audit.rpc import Node
from service.audit.signers import Ask, asking
from service.audit.state import State, Token
from service.errors import InvalidInput

if TYPE_CHECKING:
    from service.audit.engines.name import EngineName
    from service.audit.replay import Options


def require_whole(archive: Archive, options: Options, node: Node | None) -> None:
    """Make sure that an archive can tell what is asked of it."""
    if options.resume or options.from_block is not None or not options.receipts:
        raise InvalidInput(
            "--archive is read whole and has no receipts: --resume, --from-block and --no-receipts "
            "are about a chain"
        )
    if options.to_block not in (None, archive.last):
        raise InvalidInput(
            f"--archive {archive.folder} tells the state of block {archive.last} alone, not of "
            f"block {options.to_block}"
        )
    if options.vault not in (None, archive.contracts.get("vault")):
        raise InvalidInput(f"--archive {archive.folder} is of another vault")
    if options.database and node is None:
        raise InvalidInput("--database needs a node beside the archive: give --rpc too")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the events come from, and who is asked.

    Attributes
    ----------
    asked
        Asked what belongs to the replay itself; an archive has these answers.
    live
        Asked for views and transactions; None where there is no node.
    """

    asked: Node
    live: Node | None
    archive: Archive | None
    engine: ArchiveEngine
    writer: ArchiveWriter | None

    @classmethod
    def of(
        cls,
        node: Node | None,
        archive: Archive | None,
        writer: ArchiveWriter | None,
        engine: EngineName,
    ) -> Self:
        """Return the archive where there is one, else the node.

        Raises
        ------
        InvalidInput
            When there is neither.
        """
        if archive is not None:
            return cls(archive.node(), node, archive, engine.start(), None)
        if node is None:
            raise InvalidInput("give a node, --rpc, or an archive, --archive")
        live = node.unrecorded if isinstance(node, RecordingNode) else node
        return cls(node, live, None, Duck(), writer)

    def reader(
        self,
        contracts: Mapping[bytes, Contract],
        findings: Findings,
        progress: Progress,
        options: Options,
        watched: set[int],
    ) -> Reader:
        """Return what reads the events.

        Parameters
        ----------
        contracts
            Which contract an address (bytes) is.
        watched
            Numbers of blocks of which more is kept.
        """
        if self.archive is not None:
            return ArchiveReader(self.archive, self.engine, contracts, findings, progress, watched)
        return BlockReader(
            self.asked,
            contracts,
            findings,
            progress,
            prove=options.receipts,
            archive=self.writer,
            watched=watched,
        )

    def newest(self, newest: int) -> int:
        """Return the newest block that is known of: what an archive does not reach is not gone."""
        if self.archive is None:
            return newest
        return NO_BLOCK if self.live is None else int(self.live.call("eth_blockNumber"), 16)

    def asking(self) -> Ask:
        """Return who asks contracts: a node where there is one, else who has the answers."""
        kept = asking(self.asked)
        if self.archive is None or self.live is None:
            return kept
        there = asking(self.live)

        def ask(address: bytes, call: bytes, block: int) -> bytes | None:
            answer = there(address, call, block)
            return kept(address, call, block) if answer is None else answer  # a state let go

        return ask

    def compare(
        self, deployment: Deployment, report: ReplayReport, reader: Reader, findings: Findings
    ) -> None:
        """Hold an archive against what was handed over with it, and against a node's chain."""
        if self.archive is None:
            return
        _compare_archive(self.archive, report, reader, findings)
        if self.live is not None:
            _compare_with_node(self.live, deployment, report, findings)

    def state(self) -> State:
        """Return the state before the first event."""
        if self.archive is None:
            return State()
        return State(token=Token(balances=self.archive.balances(self.engine)))


def code_of_verifiers(node: Node, state: State, block: int) -> dict[str, str]:
    """Hash the code of each verifier that the registry allows or ever allowed."""
    named = {f"verifier {address_text(each)}": each for each in sorted(state.registry.verifiers)}
    return code_hashes(node, named, block)


def _compare_archive(
    archive: Archive, report: ReplayReport, reader: Reader, findings: Findings
) -> None:
    """Hold what an archive gives against the result handed over with it."""
    manifest, said = archive.manifest, archive.checked.result
    found = report.as_json()
    pairs = [
        ("state digest", manifest.state_digest, report.state_digest),
        ("last block's hash", manifest.to_block_hash, reader.last_hash),
        ("chain", manifest.chain_id, report.chain_id),
        ("contracts", manifest.contracts, report.addresses),
        *((name, said.get(name), found[name]) for name in REPLAYED),
    ]
    for name, expected, given in pairs:
        if expected != given:
            _mismatch(findings, f"the archive replayed gives another {name}", expected, given)


def _compare_with_node(
    live: Node, deployment: Deployment, report: ReplayReport, findings: Findings
) -> None:
    """Hold an archive's last block, and what it says of code and contracts, against a node."""
    last = report.to_block
    header = live.call("eth_getBlockByNumber", hex(last), False)
    found = None if header is None else header["hash"]
    if found != report.to_block_hash:
        what = f"block {last} of the node's chain is another than the archive's"
        _mismatch(findings, what, report.to_block_hash, found)
        return
    there = discover(live, deployment.addresses[Contract.VAULT], last)
    codes = there.code_hashes | code_of_verifiers(live, report.state, last)
    for name, expected, given in (
        ("chain", report.chain_id, there.chain_id),
        ("contracts", deployment.addresses, there.addresses),
        ("quorum", deployment.quorum, there.quorum),
        ("code", report.code_hashes, codes),
    ):
        if expected != given:
            _mismatch(findings, f"the node has another {name} than the archive", expected, given)


def _mismatch(findings: Findings, what: str, expected: object, found: object) -> None:
    findings.error(Code.ARCHIVE_MISMATCH, what, expected=str(expected), found=str(found))
