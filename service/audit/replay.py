"""The replay: events in, state and findings out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from eth_hash.auto import keccak

from service.audit.abi import Contract
from service.audit.blocks import NODE_CODES, BlockReader, Progress
from service.audit.calls import Call, CallOf
from service.audit.checkpoints.compare import CheckpointCheck, read_checkpoints
from service.audit.corrections import CorrectionReplay
from service.audit.database import Snapshot
from service.audit.decode import Event, address_text, hex_text
from service.audit.deployment import Deployment, discover
from service.audit.findings import Code, Findings, Place
from service.audit.lane import LaneReplay
from service.audit.listening import Listener
from service.audit.manifests import ManifestCheck
from service.audit.officers import Officers
from service.audit.powers import ADMIN_ROLE
from service.audit.programmes import ProgrammeReplay
from service.audit.report import ReplayReport, totals
from service.audit.rows import DatabaseCheck
from service.audit.rpc import Node
from service.audit.signers import Signatures, asking
from service.audit.state import State
from service.audit.streams import StreamReplay
from service.audit.token import TokenReplay
from service.audit.transfers import Happened, TransferRun, events_of
from service.audit.vault import VaultReplay
from service.audit.views import ViewCheck
from service.errors import ChainUnavailable, InvalidInput

SMALLEST_QUORUM = 2

POWERS = frozenset(
    {
        "RoleAdminChanged",
        "RoleGrantDelayChanged",
        "RoleGranted",
        "RoleGuardianChanged",
        "TargetAdminDelayUpdated",
        "TargetClosed",
        "TargetFunctionRoleUpdated",
    }
)
"""Events of the manager that change who may do what. Giving a role up oneself needs nobody."""


def no_progress(_stage: str, _done: int, _total: int | None) -> None:
    """Say nothing."""


@dataclass
class Replayer:
    """Applies events in their order and checks each.

    Attributes
    ----------
    listeners
        Told every event and withdrawal.
    counts
        Events of each contract and name.
    begun_late
        Whether the first events seen are not the contracts' first.
    """

    deployment: Deployment
    findings: Findings
    call_of: CallOf
    signatures: Signatures
    listeners: Sequence[Listener] = ()
    state: State = field(default_factory=State)
    counts: dict[Contract, dict[str, int]] = field(
        default_factory=lambda: {contract: {} for contract in Contract}
    )
    begun_late: bool = False
    _transaction: bytes | None = None
    _handed_over: bool = False
    _powers_changed: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        addresses = self.deployment.addresses
        self.state.registry.quorum = max(self.deployment.quorum, SMALLEST_QUORUM)
        self.officers = Officers(
            self.state.registry,
            self.findings,
            self.deployment.domains(),
            addresses,
            self.call_of,
            self.signatures,
        )
        vault, token = addresses[Contract.VAULT], addresses[Contract.TOKEN]
        lane = addresses[Contract.LANE]
        self.token = TokenReplay(self.state, self.findings, self.officers, vault, lane)
        self.lane = LaneReplay(self.state, self.findings, self.officers, self.token, lane, token)
        self.vault = VaultReplay(self.state, self.findings, self.officers, self.token, vault, token)
        streams = StreamReplay(self.vault, self.findings, self.listeners)
        corrections = CorrectionReplay(self.vault, self.findings)
        programmes = ProgrammeReplay(self.state, self.findings, self.token)
        self._vault_handlers = {
            **programmes.handlers,
            **self.vault.handlers,
            **streams.handlers,
            **corrections.handlers,
        }

    def apply(self, happened: Happened) -> None:
        """Apply one event, or transfers that stand behind each other."""
        for event in events_of(happened) if self.listeners else ():
            for listener in self.listeners:
                listener.saw(event, self.state)
        if isinstance(happened, TransferRun):
            self._begin(happened.place.tx)
            self._count(Contract.TOKEN, "Transfer", len(happened))
            self.token.apply_transfers(happened)
        else:
            self._apply_event(happened)

    def _apply_event(self, event: Event) -> None:
        self._begin(event.tx)
        self._count(event.contract, event.name, 1)
        self._check_sequence(event)
        if event.name == "AuthorityUpdated":
            self.state.authorities[event.contract] = event.args["authority"]
        if event.contract is Contract.TOKEN:
            self.token.apply(event)
        elif event.contract is Contract.VAULT:
            handler = self._vault_handlers.get(event.name)
            if handler is not None:
                handler(event)
        elif event.contract is Contract.LANE:
            self.lane.apply(event)
        elif event.contract is Contract.REGISTRY:
            self.officers.apply(event)
            if event.name == "ManagerCalled":
                self._powers_changed.clear()
        else:
            self._apply_manager(event)

    def _begin(self, tx: bytes) -> None:
        """Close the transaction before, where this is another one."""
        if tx != self._transaction:
            self.close_transaction()
            self._transaction = tx

    def _count(self, contract: Contract, name: str, times: int) -> None:
        names = self.counts[contract]
        names[name] = names.get(name, 0) + times

    def close_transaction(self) -> None:
        """Check what must hold once a transaction is over."""
        self.officers.close_transaction()
        self.token.close_transaction()
        self.vault.close_transaction()
        for event in self._powers_changed:
            self.findings.error(
                Code.POWERS_CHANGED_UNSIGNED,
                f"{event.name} in block {event.block}: housekeeping powers were changed and no "
                "quorum of officers signed it",
                Place(block=event.block, tx=hex_text(event.tx)),
            )
        self._powers_changed.clear()

    def _check_sequence(self, event: Event) -> None:
        seq = event.args.get("seq")
        if seq is None:
            return
        before = self._counted(event.contract)
        if seq != before + 1:
            self.begun_late |= before == 0
            self.findings.error(
                Code.SEQUENCE_GAP,
                f"events {before + 1} to {seq - 1} of the {event.contract} are missing before "
                f"{event.name}"
                if seq > before
                else f"event {seq} of the {event.contract} comes a second time",
                Place(block=event.block, tx=hex_text(event.tx)),
                expected=before + 1,
                found=seq,
            )
        if event.contract is Contract.VAULT:
            self.state.vault_seq = seq
        elif event.contract is Contract.LANE:
            self.state.lane.seq = seq
        else:
            self.state.registry.seq = seq

    def _counted(self, contract: Contract) -> int:
        """Return the last count of a contract that counts its events."""
        if contract is Contract.VAULT:
            return self.state.vault_seq
        return self.state.lane.seq if contract is Contract.LANE else self.state.registry.seq

    def _apply_manager(self, event: Event) -> None:
        if self._handed_over and event.name in POWERS:
            self._powers_changed.append(event)
        self.state.powers.apply(event)
        self._handed_over |= self._administrators() == {self._registry}

    @property
    def _registry(self) -> bytes:
        return self.deployment.addresses[Contract.REGISTRY]

    def _administrators(self) -> set[bytes]:
        return self.state.powers.holders(ADMIN_ROLE)

    def check_end(self) -> None:
        """Check what must hold of the whole: sums, commitments, who administers."""
        self.close_transaction()
        state, token = self.state, self.state.token
        held = sum(token.balances.values())
        if held != token.supply:
            self._unequal("the balances sum to another supply", token.supply, held)
        owed = sum(unpaid(state, batch_id) for batch_id in state.batches)
        minter = token.minters.get(self.deployment.addresses[Contract.VAULT])
        committed = minter.committed if minter else 0
        if owed != committed:
            self._unequal("what is approved and unpaid is not what is committed", owed, committed)
        self._check_lane()
        if self._administrators() != {self._registry}:
            admins = sorted(address_text(admin) for admin in self._administrators())
            self.findings.error(
                Code.ADMIN_NOT_REGISTRY,
                "the housekeeping roles are administered by others than the officers' registry",
                expected=address_text(self._registry),
                found=", ".join(admins) or "nobody",
            )
        manager = self.deployment.addresses[Contract.MANAGER]
        for contract, authority in sorted(state.authorities.items()):
            if authority != manager:
                self.findings.error(
                    Code.ADMIN_NOT_REGISTRY,
                    f"the {contract} asks another manager of roles than the registry administers",
                    expected=address_text(manager),
                    found=address_text(authority),
                )
        if self.deployment.quorum < SMALLEST_QUORUM:
            self.findings.error(
                Code.OFFICER_RULE_BROKEN,
                "the registry's quorum is smaller than any registry of ours can have",
                expected=f"at least {SMALLEST_QUORUM}",
                found=self.deployment.quorum,
            )
        self.vault.prove_chunks(self.call_of)

    def _check_lane(self) -> None:
        """The lane has nothing committed, and minted what it granted."""
        minter = self.state.token.minters.get(self.deployment.addresses[Contract.LANE])
        if minter is None:
            return
        if minter.committed:
            self._unequal("the emergency lane has money committed", 0, minter.committed)
        granted = sum(grant.amount for grant in self.state.lane.grants.values())
        if granted != minter.minted:
            self._unequal(
                "the emergency lane minted another sum than it granted", granted, minter.minted
            )

    def _unequal(self, message: str, expected: int, found: int) -> None:
        self.findings.error(Code.ACCOUNTING_MISMATCH, message, expected=expected, found=found)


def unpaid(state: State, batch_id: bytes) -> int:
    """Return what a batch has approved and neither paid nor given back, base units."""
    batch = state.batches[batch_id]
    total = batch.unexecuted
    if batch.is_stream:
        for payout in state.payouts(batch):
            if payout.amount is not None:
                total += payout.amount - payout.withdrawn - payout.returned
        return total
    for chunk in batch.chunks.values():
        total += sum(chunk.entry(at)[1] for at in chunk.skipped if chunk.waits(at))
    return total


@dataclass(frozen=True, slots=True)
class Options:
    """What to replay, and what to hold it against.

    Attributes
    ----------
    vault
        Address of the AllowanceVault, 20 bytes.
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
    checkpoints, trusted_keys
        Checkpoints and folders of them, and public keys of the auditors whose they must be.
    """

    vault: bytes
    from_block: int | None = None
    to_block: int | None = None
    manifests: Path | None = None
    database: str | None = None
    checkpoints: tuple[Path, ...] = ()
    trusted_keys: tuple[str, ...] = ()
    receipts: bool = True


def replay(
    node: Node,
    options: Options,
    progress: Progress = no_progress,
    listeners: Sequence[Listener] = (),
) -> ReplayReport:
    """Rebuild everything from the chain's events and name each difference.

    Parameters
    ----------
    progress
        Told how far it is.
    listener
        Told every event and withdrawal as it is replayed.

    Raises
    ------
    ChainUnavailable, NodeRefused
        When the node does not answer, lacks a block or its state, or the chain was reorganised
        meanwhile.
    InvalidInput
        When there is no vault at the address, the blocks asked for are not there, or what was given
        as a checkpoint is none.
    ConfigurationError
        When the database cannot be read.
    """
    snapshot = Snapshot(options.database) if options.database else None
    try:
        return _replay(node, options, snapshot, progress, listeners)
    finally:
        if snapshot is not None:
            snapshot.close()


def _code_of_verifiers(node: Node, state: State, block: int) -> dict[str, str]:
    """Hash the code of each verifier that the registry allows or ever allowed."""
    verifiers = {address_text(a): hex_text(a) for a in sorted(state.registry.verifiers)}
    asked = [(address, hex(block)) for address in verifiers.values()]
    codes = node.batch("eth_getCode", asked)
    return {
        f"verifier {name}": hex_text(keccak(bytes.fromhex(code[2:])))
        for name, code in zip(verifiers, codes, strict=True)
    }


def _replay(
    node: Node,
    options: Options,
    snapshot: Snapshot | None,
    progress: Progress,
    listeners: Sequence[Listener],
) -> ReplayReport:
    first, last, newest = _range(node, options)
    findings = Findings()
    checkpoints = read_checkpoints(options.checkpoints, options.trusted_keys, findings)
    deployment = discover(node, options.vault, last)
    replayer = Replayer(
        deployment, findings, calls_of(node), Signatures(asking(node)), listeners=listeners
    )
    state = replayer.state
    database = None
    if snapshot is not None:
        database = DatabaseCheck(snapshot, node, deployment, findings)
        database.attach(last)
    contracts = {address: contract for contract, address in deployment.addresses.items()}
    reader = BlockReader(
        node, contracts, findings, progress, prove=options.receipts, watched=checkpoints.blocks
    )
    skip_empty = options.from_block is None
    blocks = (first, last)
    began = _read(reader, replayer, database, checkpoints, blocks, skip_empty=skip_empty)
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
        views = ViewCheck(node, addresses, state, findings, last, time).run(progress)
        manifests = _check_manifests(options, replayer, database, time, progress)
        checkpoints.compare(deployment, reader.headers, last, newest)
    else:
        database = None
        findings.keep_only(NODE_CODES)
        findings.error(
            Code.DEPLOYMENT_NOT_READ,
            f"the contracts are older than block {first}: without their first events nothing can "
            "be compared, and nothing was",
            Place(block=first),
        )
    return ReplayReport(
        chain_id=deployment.chain_id,
        addresses={name.value: address_text(a) for name, a in deployment.addresses.items()},
        code_hashes=deployment.code_hashes | _code_of_verifiers(node, state, last),
        from_block=first if options.from_block is not None else began,
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
        manifest_lines={} if manifests is None else manifests.lines,
        checkpoints_compared=checkpoints.compared if options.checkpoints else None,
        checkpoint_notes=tuple(checkpoints.notes),
    )


def _range(node: Node, options: Options) -> tuple[int, int, int]:
    """Return first and last block to replay, and the newest there is."""
    head = int(node.call("eth_blockNumber"), 16)
    last = head if options.to_block is None else options.to_block
    first = options.from_block or 0
    if not 0 <= first <= last <= head:
        raise InvalidInput(f"blocks {first} to {last} are not there: the newest is {head}")
    return first, last, head


def _read(
    reader: BlockReader,
    replayer: Replayer,
    database: DatabaseCheck | None,
    checkpoints: CheckpointCheck,
    blocks: tuple[int, int],
    *,
    skip_empty: bool,
) -> int:
    """Replay every event; return the block of the first."""
    began: int | None = None
    for happened in reader.events(*blocks, skip_empty=skip_empty):
        block, timestamp = _time_of(happened[0])
        if began is None:
            began = block
        if database is not None and database.due(block):
            replayer.close_transaction()
            database.compare(replayer.state, timestamp, reader.progress)
        if checkpoints.due(block):
            replayer.close_transaction()
            checkpoints.keep(block, replayer.state)
        for each in happened:
            replayer.apply(each)
            if database is not None:
                for event in events_of(each):
                    database.see(event)
    replayer.check_end()
    if checkpoints.due(None):
        checkpoints.keep(None, replayer.state)
    if not replayer.state.token.minters:
        replayer.findings.error(
            Code.DEPLOYMENT_NOT_READ, "the events of the deployment are not in these blocks"
        )
    return blocks[0] if began is None else began


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
        database.compare_lines(replayer.state, check.lines)
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
