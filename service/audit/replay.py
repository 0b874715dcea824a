"""The replay: events in, state and findings out."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from service.audit.archive.reading import Archive, Reader
from service.audit.archive.writing import ArchiveWriter
from service.audit.blocks import NODE_CODES, Header, Progress
from service.audit.calls import Call, CallOf
from service.audit.checkpoints.compare import CheckpointCheck, read_checkpoints
from service.audit.decode import address_text, hex_text
from service.audit.deployment import discover
from service.audit.engines.name import EngineName
from service.audit.findings import Code, Findings, Place
from service.audit.listening import Listener
from service.audit.manifests import ManifestCheck
from service.audit.replayer import Replayer
from service.audit.report import ReplayReport, totals
from service.audit.resuming.kept import Keeper
from service.audit.resuming.taking_up import kept_of, took_up
from service.audit.rpc import Node
from service.audit.signers import Signatures
from service.audit.source import (
    Source,
    code_of_verifiers,
    require_whole,
)
from service.audit.transfers import Happened, TransferRun, events_of
from service.audit.views import ViewCheck
from service.errors import ChainUnavailable, ConfigurationError, InvalidInput

if TYPE_CHECKING:
    from service.audit.database import Snapshot
    from service.audit.rows import DatabaseCheck

COLLECT_AFTER = (100_000, 50, 100)
"""As :func:`gc.set_threshold` has them: objects more than were let go, collections of the young."""


def no_progress(_stage: str, _done: int, _total: int | None) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to replay, and what to hold it against.

    Attributes
    ----------
    vault
        Address of the AllowanceVault, 20 bytes; None is that of the archive.
    from_block
        First block to read; None begins at the first event.
    to_block
        Last block; None is the newest.
    manifests
        Folder of batch manifests, or None.
    database
        URL of the service's database, or None; only read.
    receipts
        Whether receipts are asked for, which prove the logs.
    views
        Whether the contracts' own views are asked for every balance, payout and limit rebuilt.
    archive
        Folder that was handed over with an archive, which is read in place of a chain, or None.
    engine
        Who reads an archive and sums up its transfers.
    resume
        Folder in which a replay is kept, to go on from; None reads everything.
    checkpoints, trusted_keys
        Checkpoints and folders of them, and public keys of the auditors whose they, and an
        archive, must be.
    """

    vault: bytes | None
    from_block: int | None = None
    to_block: int | None = None
    manifests: Path | None = None
    database: str | None = None
    checkpoints: tuple[Path, ...] = ()
    trusted_keys: tuple[str, ...] = ()
    receipts: bool = True
    resume: Path | None = None
    views: bool = True
    archive: Path | None = None
    engine: EngineName = EngineName.DUCKDB


def replay(
    node: Node | None,
    options: Options,
    progress: Progress = no_progress,
    listeners: Sequence[Listener] = (),
    writer: ArchiveWriter | None = None,
) -> ReplayReport:
    """Rebuild everything from the chain's events and name each difference.

    Parameters
    ----------
    node
        May be None with an archive: then no views are asked.
    progress
        Told how far it is.
    listeners
        Told every event and withdrawal as it is replayed.
    writer
        Given what is read, to make an archive of it; the node must be one that records.

    Raises
    ------
    ChainUnavailable, NodeRefused
        When the node does not answer, lacks a block or its state, or the chain was reorganised
        meanwhile.
    InvalidInput
        When there is no vault at the address, the blocks asked for are not there, what was given
        as a checkpoint or as kept is none, or what goes on needs every event.
    ConfigurationError
        When the database cannot be read.
    """
    if writer is not None and options.from_block is not None:
        raise InvalidInput("--format archive is of the whole chain: leave --from-block out")
    if options.resume and (
        options.from_block is not None
        or options.database
        or options.checkpoints
        or listeners
        or writer
    ):
        raise InvalidInput(
            "--resume reads only what came after the last replay; --from-block, --database, "
            "--checkpoints and --out need every event"
        )
    archive = None
    if options.archive is not None:
        archive = Archive.open(options.archive, options.trusted_keys)
        require_whole(archive, options, node)
    snapshot = None
    if options.database:
        from service.audit.database import Snapshot  # with SQLAlchemy, which takes its time

        snapshot = Snapshot(options.database)
    try:
        with _collecting_seldom(), _giving_memory_back(), _room_on_disk():
            source = Source.of(node, archive, writer, options.engine)
            return _replay(source, options, snapshot, progress, listeners)
    finally:
        if snapshot is not None:
            snapshot.close()


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Have Python look seldom for garbage that refers to itself, of which a replay has none.

    It takes a third of the time to look through all that was rebuilt, over and over.
    """
    before = gc.get_threshold()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _room_on_disk() -> Iterator[None]:
    """Say what went wrong with what does not stay in memory.

    Raises
    ------
    ConfigurationError
        When it cannot be written or summed up.
    """
    try:
        yield
    except (OSError, duckdb.Error) as error:
        raise ConfigurationError(
            f"what does not stay in memory cannot be worked on in {tempfile.gettempdir()} "
            f"(TMPDIR says another place): {error}"
        ) from error


@contextmanager
def _giving_memory_back() -> Iterator[None]:
    """Have Arrow take its memory from the system, and so give back what is over.

    Its own pools keep a hundred megabytes for the next part.
    """
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def _replay(
    source: Source,
    options: Options,
    snapshot: Snapshot | None,
    progress: Progress,
    listeners: Sequence[Listener],
) -> ReplayReport:
    node, live, archive = source.asked, source.live, source.archive
    vault = options.vault or (archive.contracts["vault"] if archive else b"")
    first, last, newest = node.blocks_asked(options.from_block or 0, options.to_block)
    newest = source.newest(newest)
    findings = Findings()
    checkpoints = read_checkpoints(options.checkpoints, options.trusted_keys, findings)
    deployment = discover(node, vault, last)
    keeper = None if options.resume is None else Keeper(options.resume, node)
    kept = keeper and keeper.newest(deployment.chain_id, deployment.addresses, last)
    replayer = Replayer(
        deployment,
        findings,
        calls_of(node),
        Signatures(source.asking()),
        state=kept.state if kept else source.state(),
        listeners=listeners,
    )
    state = replayer.state
    database = None
    if snapshot is not None and live is not None:
        from service.audit.rows import DatabaseCheck

        database = DatabaseCheck(snapshot, live, deployment, findings)
        database.attach(last)
    contracts = {address: contract for contract, address in deployment.addresses.items()}
    reader = source.reader(contracts, findings, progress, options, {*checkpoints.blocks})
    began = first
    if kept:
        took_up(kept, replayer, reader)
        first, began = kept.block + 1, kept.began
    if keeper is not None:
        keeper.plan(kept.block if kept else None, last)
        reader.watched |= set() if keeper.block is None else {keeper.block}
    run = _Run(reader, replayer, database, checkpoints, keeper, began, bool(kept))
    run.read(first, last, skip_empty=options.from_block is None and not kept)
    header = node.call("eth_getBlockByNumber", hex(last), False)
    if header is None or (reader.last_hash is not None and header["hash"] != reader.last_hash):
        raise ChainUnavailable(f"block {last} was replaced while it was read: run again")
    time = int(header["timestamp"], 16)
    views, manifests = 0, None
    complete = not (replayer.begun_late or not state.token.minters)
    if complete or options.from_block is None:
        if database is not None and database.due(None):
            database.compare(state, time, progress)
        addresses = {name: hex_text(address) for name, address in deployment.addresses.items()}
        if options.views and live is not None:
            views = ViewCheck(live, addresses, state, findings, last, time).run(progress)
        manifests = _check_manifests(options, replayer, database, time, progress)
        headers = {**_passed_over(node, checkpoints, reader, last), **reader.headers}
        checkpoints.compare(deployment, headers, last, newest)
    else:
        database = None
        findings.keep_only(NODE_CODES)
        findings.error(
            Code.DEPLOYMENT_NOT_READ,
            f"the contracts are older than block {first}: without their first events nothing can "
            "be compared, and nothing was",
            Place(block=first),
        )
    report = ReplayReport(
        chain_id=deployment.chain_id,
        addresses={name.value: address_text(a) for name, a in deployment.addresses.items()},
        code_hashes=deployment.code_hashes | code_of_verifiers(node, state, last),
        from_block=run.began if options.from_block is None else first,
        to_block=last,
        to_block_hash=header["hash"],
        events={name.value: counted for name, counted in replayer.counts.items()},
        timestamp=time,
        totals=totals(state, time),
        evidence=reader.evidence,
        views=views,
        manifests_checked=None if manifests is None else manifests.checked,
        database_rows=None if database is None else database.rows,
        state_digest=state.digest(),
        findings=findings.items,
        state=state,
        manifest_lists=None if manifests is None else manifests.signed,
        checkpoints_compared=checkpoints.compared if options.checkpoints else None,
        checkpoint_notes=tuple(checkpoints.notes),
    )
    source.compare(deployment, report, reader, findings)
    return report


def _passed_over(
    node: Node, checkpoints: CheckpointCheck, reader: Reader, last: int
) -> dict[int, Header]:
    """Return the headers of checkpoints before the first event read.

    A chain rewritten so that the contracts come after all checkpoints would else pass unseen.
    """
    numbers = sorted(n for n in checkpoints.blocks if n <= last and n not in reader.headers)
    asked = node.batch("eth_getBlockByNumber", [(hex(number), False) for number in numbers])
    if None in asked:
        raise ChainUnavailable(f"the node has no block {numbers[asked.index(None)]}")
    return dict(zip(numbers, asked, strict=True))


@dataclass
class _Run:
    """Blocks read and replayed, and what is compared or kept on the way.

    Attributes
    ----------
    began
        Block of the first event, or the first read before there is one.
    has_begun
        Whether there was one.
    """

    reader: Reader
    replayer: Replayer
    database: DatabaseCheck | None
    checkpoints: CheckpointCheck
    keeper: Keeper | None
    began: int
    has_begun: bool

    def read(self, first: int, last: int, *, skip_empty: bool) -> None:
        """Replay every event."""
        with closing(self.reader.events(first, last, skip_empty=skip_empty)) as blocks:
            for happened in blocks:
                block, timestamp = _time_of(happened[0])
                self._before(block, timestamp)
                for each in happened:
                    self.replayer.apply(each)
                    if self.database is not None:
                        for event in events_of(each):
                            self.database.see(event)
        self._before(None, None)
        self.replayer.check_end()
        if not self.replayer.state.token.minters:
            self.replayer.findings.error(
                Code.DEPLOYMENT_NOT_READ, "the events of the deployment are not in these blocks"
            )

    def _before(self, block: int | None, timestamp: int | None) -> None:
        """Do what is to be done before the next block with events; None at the end."""
        replayer, database, keeper = self.replayer, self.database, self.keeper
        if database is not None and timestamp is not None and database.due(block):
            replayer.close_transaction()
            database.compare(replayer.state, timestamp, self.reader.progress)
        if self.checkpoints.due(block):
            replayer.close_transaction()
            self.checkpoints.keep(block, replayer.state)
        if keeper is not None and keeper.block is not None and keeper.due(block):
            replayer.close_block()
            header = self.reader.headers.get(keeper.block)
            if header is not None:
                keeper.keep(kept_of(replayer, self.reader, header, self.began))
        if not self.has_begun and block is not None:
            self.began, self.has_begun = block, True


def _time_of(happened: Happened) -> tuple[int, int]:
    """Return block and Unix time."""
    place = happened.place if isinstance(happened, TransferRun) else happened
    return place.block, place.timestamp


def _check_manifests(
    options: Options,
    replayer: Replayer,
    database: DatabaseCheck | None,
    time: int,
    progress: Progress,
) -> ManifestCheck | None:
    if options.manifests is None:
        return None
    check = ManifestCheck(options.manifests, replayer.state, replayer.findings)
    check.run(time, progress)
    if database is not None:
        database.compare_lines(replayer.state, check.signed)
    return check


def calls_of(node: Node) -> CallOf:
    """Return a function that asks a node for a transaction's call, once for each."""

    @cache
    def call_of(tx: bytes) -> Call:
        found: dict[str, Any] | None = node.call("eth_getTransactionByHash", hex_text(tx))
        if found is None:
            return Call(None, b"")
        to = found.get("to")
        return Call(
            bytes.fromhex(to[2:]) if to else None, bytes.fromhex(found["input"].removeprefix("0x"))
        )

    return call_of
