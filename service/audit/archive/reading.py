"""An archive read in place of a chain: its files are those of its manifest, its blocks linked."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import pyarrow.parquet as pq
from eth_hash.auto import keccak

from service.audit.abi import Contract
from service.audit.archive.answers import ArchivedNode
from service.audit.archive.parts import Part, happened, read_blocks, require_columns
from service.audit.archive.schemas import ANSWERS, FOLDER, TRANSFERS_FILE
from service.audit.arithmetic import ADDRESS_BYTES
from service.audit.balances import CREDITS, DEBITS, Balances, Engine, every_wallet, opened
from service.audit.blocks import NODE_CODES, BlockReader, Evidence, Header, Progress
from service.audit.decode import hex_text
from service.audit.findings import Code, Finding, Findings, Place, Severity
from service.audit.inclusion import Misfit, unrlp_list
from service.audit.overdrafts import Overdraft
from service.audit.receipts import integer
from service.audit.reports.manifest import Manifest
from service.audit.reports.verifying import Checked, check
from service.audit.transfer_rows import TRANSFERS, TransferRows, is_of_others
from service.audit.transfers import Happened, TransferRun
from service.audit.wallets import Wallets
from service.errors import InvalidInput

PARENT, NUMBER, TIMESTAMP = 0, 8, 11
"""Where they stand in a header's RLP (yellow paper 4.4)."""

NO_BLOCK = 2**62
"""After every block."""

PART_NAME = re.compile(r"blocks-([0-9]{12})-([0-9]{12})")
SHOWN_PROBLEMS = 5
RETOLD = NODE_CODES | {Code.EVIDENCE_WEAK}
"""Findings about the node that the archive was read from."""


class ArchiveEngine(Engine, Protocol):
    """Reads an archive's parts too."""

    def parts(self, folders: Sequence[Path]) -> Generator[Part, None, None]:
        """Yield parts in their order."""


@dataclass
class ArchivedBalances(Balances):
    """Balances of transfers that stand in an archive's files already.

    They are summed up while the events are replayed, where the engine can.
    """

    _begun: Future[tuple[int, Wallets]] | None = None

    def __post_init__(self) -> None:
        if self.engine.beside:
            thread = ThreadPoolExecutor(1, thread_name_prefix="sum")
            self._begun = thread.submit(self._sum_all_up)
            thread.shutdown(wait=False)

    def _sum_all_up(self) -> tuple[int, Wallets]:
        rows = sum(pq.read_metadata(path).num_rows for path in self.rows.files)
        question = every_wallet(CREDITS, DEBITS, until=NO_BLOCK)
        return rows, Wallets.of(self.engine.answer(question, self.rows, opened(b"")))

    def wallets(self) -> Wallets:
        """Return every wallet and what it holds after the last row."""
        self._wait()
        return super().wallets()

    def overdrafts(self) -> Iterator[Overdraft]:
        """Yield payments of more than was there, of blocks not looked at before."""
        self._wait()
        return super().overdrafts()

    def _wait(self) -> None:
        """Wait for what was begun: an engine answers one at a time."""
        if self._begun is not None:
            begun, self._begun = self._begun, None
            self._wallets = begun.result()

    def _sums(self) -> str:
        # The files hold what comes later too.
        return every_wallet(CREDITS, DEBITS, until=self.rows.last_block)

    def add_run(self, run: TransferRun) -> None:
        """Count transfers that stand behind each other: they are in the files."""
        self.rows.count += len(run)
        self.rows.last_block = run.place.block
        self.rows.moved = self.rows.moved or is_of_others(run.sources)


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive whose files are those that its manifest names.

    Attributes
    ----------
    folder
        As it was handed over.
    parts
        Names of its parts, in the order of the blocks.
    first, last
        Its blocks.
    contracts
        Address of each.
    checked, manifest
        What its manifest and its result say, and who signed.
    """

    folder: Path
    parts: tuple[str, ...]
    first: int
    last: int
    contracts: dict[str, bytes]
    checked: Checked
    manifest: Manifest

    @classmethod
    def open(cls, folder: Path, trusted_keys: Collection[str] = ()) -> Self:
        """Open an archive; every file is held against the manifest.

        Parameters
        ----------
        trusted_keys
            Public keys, one of whom must have signed it; none where anybody may have.

        Raises
        ------
        InvalidInput
            When the folder holds none, or something in it is not what it should be.
        """
        try:
            checked = check(folder)
        except InvalidInput as error:
            raise InvalidInput(f"--archive {error.detail}") from error
        manifest = checked.manifest
        if checked.problems or manifest is None:
            some = "; ".join(checked.problems[:SHOWN_PROBLEMS])
            raise InvalidInput(f"--archive {folder} does not hold: {some}")
        if trusted_keys and checked.signed_by not in {key.lower() for key in trusted_keys}:
            raise InvalidInput(f"--archive {folder}: none of the trusted keys signed it")
        named = {file.path.split("/")[1] for file in manifest.files if _is_part(file.path)}
        if not named or f"{FOLDER}/{ANSWERS}" not in {file.path for file in manifest.files}:
            raise InvalidInput(f"--archive {folder}: it was handed over without an archive in it")
        ends = dict(_range_of(name) for name in named)
        first = last = min(ends)
        while last in ends:
            last = ends[last] + 1
        if last - 1 != manifest.to_block or last - 1 != max(ends.values()):
            raise InvalidInput(f"--archive {folder}: its parts do not follow upon each other")
        try:
            contracts = {
                name.value: bytes.fromhex(manifest.contracts[name][2:]) for name in Contract
            }
            if any(len(address) != ADDRESS_BYTES for address in contracts.values()):
                raise ValueError("an address of another length")  # noqa: TRY301
        except (KeyError, ValueError):
            raise InvalidInput(f"--archive {folder}: a contract's address is none") from None
        return cls(folder, tuple(sorted(named)), first, last - 1, contracts, checked, manifest)

    def folder_of(self, part: str) -> Path:
        """Return the folder of a part."""
        return self.folder / FOLDER / part

    def node(self) -> ArchivedNode:
        """Return a node that gives the archive's answers.

        Raises
        ------
        InvalidInput
            When they cannot be read.
        """
        return ArchivedNode(self.folder / FOLDER / ANSWERS, self.last, self.header)

    def header(self, number: int) -> dict[str, Any] | None:
        """Return a block's header, as far as the archive's columns have it."""
        for part in self.parts:
            first, last = _range_of(part)
            if first <= number <= last:
                for row in read_blocks(self.folder_of(part)):
                    if row[0] == number:
                        return _header(row)
        return None

    def balances(self, engine: ArchiveEngine) -> Balances:
        """Return the balances of all its transfers, which an engine sums up."""
        paths = [self.folder_of(part) / TRANSFERS_FILE for part in self.parts]
        paths = [path for path in paths if path.exists()]
        for path in paths:
            require_columns(path, TRANSFERS)  # before another reader makes of them what it likes
        rows = TransferRows(files=paths)
        return ArchivedBalances(rows=rows, engine=engine)


def _range_of(part: str) -> tuple[int, int]:
    """Return the first and last block of a part.

    Raises
    ------
    InvalidInput
        When its name says none.
    """
    found = PART_NAME.fullmatch(part)
    if found is None or int(found[1]) > int(found[2]):
        raise InvalidInput(f"{part} is no name of an archive's part")
    return int(found[1]), int(found[2])


def _is_part(path: str) -> bool:
    return path.startswith(f"{FOLDER}/blocks-")


def _header(row: tuple[Any, ...]) -> dict[str, Any]:
    number, timestamp, block_hash, parent_hash, _ = row
    return {
        "number": hex(number),
        "timestamp": hex(timestamp),
        "hash": hex_text(block_hash),
        "parentHash": hex_text(parent_hash),
    }


@dataclass
class ArchiveReader:
    """Reads the events of an archive, as :class:`service.audit.blocks.BlockReader` a chain's.

    Attributes
    ----------
    contracts
        Which contract an address (bytes) is.
    """

    archive: Archive
    engine: ArchiveEngine
    contracts: Mapping[bytes, Contract]
    findings: Findings
    progress: Progress
    watched: set[int] = field(default_factory=set)
    evidence: Evidence = field(default_factory=lambda: Evidence(receipts_available=False))
    last_hash: str | None = None
    headers: dict[int, Header] = field(default_factory=dict)
    evidence_at: dict[int, Evidence] = field(default_factory=dict)
    mismatched: list[tuple[int, str]] = field(default_factory=list)
    _last_number: int | None = None
    _headless: list[int] = field(default_factory=list)

    def events(
        self, first: int, last: int, *, skip_empty: bool
    ) -> Generator[list[Happened], None, None]:
        """Yield the events of each block that has some, in order.

        Raises
        ------
        InvalidInput
            When a part is damaged.
        """
        del skip_empty  # all of it, always
        self._tell_again()
        folders = [self.archive.folder_of(part) for part in self.archive.parts]
        with closing(self.engine.parts(folders)) as parts:
            for part in parts:
                first, last = _range_of(part.name)
                if not part.blocks or (part.blocks[0][0], part.blocks[-1][0]) != (first, last):
                    raise InvalidInput(f"{part.name}: its blocks are not {first} to {last}")
                blocks = {row[0]: (row[1], row[2]) for row in part.blocks}
                for row in part.blocks:
                    self._link(row)
                yield from happened(part, self.contracts, blocks)
                self.progress("blocks", part.blocks[-1][0], self.archive.last)
        self._judge_headers()

    def _tell_again(self) -> None:
        """Say by whose word the logs are there, and what was wrong with the node that gave them."""
        evidence = self.archive.checked.result.get("evidence")
        proven = evidence.get("receipts_proven") if isinstance(evidence, dict) else None
        signer = self.archive.checked.signed_by
        by = "nobody signed it" if signer is None else f"signed by the key {signer}"
        self.findings.warning(
            Code.EVIDENCE_WEAK,
            "the logs, and what contracts and transactions said, are there by the archive's word "
            f"({by}), which has it that {proven} receipts roots were proven when it was made",
        )
        for told in self.archive.checked.result.get("findings", []):
            if told.get("code") in RETOLD:
                self.findings.add(_finding(told))

    def _judge_headers(self) -> None:
        """Name headers that are missing, unless the chain hashes all in its own way."""
        if not self.evidence.hashes_recomputed:
            self.findings.warning(
                Code.EVIDENCE_WEAK,
                "no block hash could be recomputed: blocks are linked by the archive's word",
            )
            return
        for number in self._headless:
            self.findings.error(
                Code.HEADER_HASH_MISMATCH,
                f"the archive has no header of block {number} that gives its hash",
                Place(block=number),
            )

    def _link(self, row: tuple[Any, ...]) -> None:
        number, timestamp, block_hash, parent_hash, header = row
        parent = hex_text(parent_hash)
        if self.last_hash is not None and parent != self.last_hash:
            self.findings.error(
                Code.BLOCK_LINKAGE_BROKEN,
                f"block {number} does not follow from block {number - 1}",
                Place(block=number),
                expected=self.last_hash,
                found=parent,
            )
        if self._last_number is not None and number != self._last_number + 1:
            raise InvalidInput(f"block {number} of the archive comes after {self._last_number}")
        self._last_number = number
        self.last_hash = hex_text(block_hash)
        self.evidence.blocks += 1
        if number in self.watched:
            self.headers[number] = _header(row)
        if header is None:
            self._headless.append(number)
            return
        if keccak(header) == block_hash and _says(header, parent_hash, number, timestamp):
            self.evidence.hashes_recomputed += 1
            return
        self.findings.error(
            Code.HEADER_HASH_MISMATCH,
            f"the hash the archive gives for block {number} is not that of its header",
            Place(block=number),
            expected=hex_text(keccak(header)),
        )


Reader = BlockReader | ArchiveReader
"""Where a replay has its events from."""


def _says(header: bytes, parent_hash: bytes, number: int, timestamp: int) -> bool:
    """Whether a header has this parent, number and time."""
    try:
        members = unrlp_list(header)
        said = {PARENT: parent_hash, NUMBER: integer(number), TIMESTAMP: integer(timestamp)}
    except (Misfit, ValueError):
        return False
    return len(members) > TIMESTAMP and all(members[at] == value for at, value in said.items())


def _finding(told: Mapping[str, Any]) -> Finding:
    places = {name: told.get(name) for name in ("block", "tx", "batch", "index", "number", "grant")}
    texts = {name: told.get(name) for name in ("message", "expected", "found")}
    try:
        code, severity = Code(told["code"]), Severity(told["severity"])
    except (KeyError, ValueError) as error:
        raise InvalidInput(f"a finding of the archive's result is none: {error}") from None
    if not all(value is None or isinstance(value, str | int) for value in places.values()):
        raise InvalidInput("a finding of the archive's result has a place that is none")
    shown = {name: None if value is None else str(value) for name, value in texts.items()}
    return Finding(
        code, severity, str(shown["message"]), Place(**places), shown["expected"], shown["found"]
    )
