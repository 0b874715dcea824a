"""The replay: events in, state and findings out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from service.audit.abi import Contract
from service.audit.blocks import BlockReader, Progress
from service.audit.decode import Event, address_text, hex_text
from service.audit.findings import Code, Findings, Place
from service.audit.manifests import ManifestCheck
from service.audit.officers import Officers
from service.audit.report import ReplayReport, totals
from service.audit.rows import DatabaseCheck
from service.audit.rpc import Node, NodeRefused
from service.audit.signatures import domain
from service.audit.state import State
from service.audit.streams import StreamReplay
from service.audit.token import TokenReplay
from service.audit.vault import VaultReplay
from service.audit.views import ViewCheck, as_address, calldata
from service.errors import ChainUnavailable, InvalidInput

ADMIN_ROLE = 0


def no_progress(_stage: str, _done: int, _total: int | None) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The contracts that belong together, as the vault names them.

    Attributes
    ----------
    addresses
        Of each contract, bytes.
    quorum
        Officers a quorum action needs, a constant of the deployed registry.
    """

    chain_id: int
    addresses: dict[Contract, bytes]
    quorum: int


def discover(node: Node, vault: bytes, block: int) -> Deployment:
    """Ask the vault for its token and registry, and the registry for its manager.

    Raises
    ------
    ChainUnavailable, NodeRefused
        When the node does not answer.
    InvalidInput
        When there is no vault of ours at that address.
    """

    def ask(address: bytes, name: str) -> bytes:
        try:
            answer = node.view(hex_text(address), calldata(f"{name}()"), block)
        except NodeRefused as error:
            if "revert" not in str(error):
                raise
            answer = b""
        if len(answer) != 32:  # noqa: PLR2004  # one ABI word
            raise InvalidInput(f"there is no AllowanceVault at {address_text(vault)}")
        return answer

    token = as_address(ask(vault, "token"))
    registry = as_address(ask(vault, "registry"))
    manager = as_address(ask(registry, "manager"))
    return Deployment(
        chain_id=int(node.call("eth_chainId"), 16),
        addresses={
            Contract.VAULT: vault,
            Contract.TOKEN: token,
            Contract.REGISTRY: registry,
            Contract.MANAGER: manager,
        },
        quorum=int.from_bytes(ask(registry, "quorum"), "big"),
    )


@dataclass
class Replayer:
    """Applies events in their order and checks each.

    Attributes
    ----------
    counts
        Events of each contract and name.
    """

    deployment: Deployment
    findings: Findings
    input_of: Callable[[bytes], bytes]
    state: State = field(default_factory=State)
    counts: dict[Contract, dict[str, int]] = field(
        default_factory=lambda: {contract: {} for contract in Contract}
    )
    _transaction: bytes | None = None

    def __post_init__(self) -> None:
        addresses = self.deployment.addresses
        self.state.registry.quorum = self.deployment.quorum
        self.officers = Officers(
            self.state.registry,
            self.findings,
            {
                contract: domain(contract, self.deployment.chain_id, address)
                for contract, address in addresses.items()
                if contract is not Contract.MANAGER
            },
            addresses,
            self.input_of,
        )
        vault, token = addresses[Contract.VAULT], addresses[Contract.TOKEN]
        self.token = TokenReplay(self.state, self.findings, self.officers, vault)
        self.vault = VaultReplay(self.state, self.findings, self.officers, self.token, token)
        streams = StreamReplay(self.vault, self.findings)
        self._vault_handlers = {**self.vault.handlers, **streams.handlers}

    def apply(self, event: Event) -> None:
        """Apply one event."""
        if event.tx != self._transaction:
            self.close_transaction()
            self._transaction = event.tx
        names = self.counts[event.contract]
        names[event.name] = names.get(event.name, 0) + 1
        self._check_sequence(event)
        if event.contract is Contract.TOKEN:
            self.token.apply(event)
        elif event.contract is Contract.VAULT:
            handler = self._vault_handlers.get(event.name)
            if handler is not None:
                handler(event)
        elif event.contract is Contract.REGISTRY:
            self.officers.apply(event)
        else:
            self._apply_manager(event)

    def close_transaction(self) -> None:
        """Check what must hold once a transaction is over."""
        self.officers.close_transaction()
        self.token.close_transaction()
        self.vault.close_transaction()

    def _check_sequence(self, event: Event) -> None:
        seq = event.args.get("seq")
        if seq is None:
            return
        registry = self.state.registry
        before = self.state.vault_seq if event.contract is Contract.VAULT else registry.seq
        if seq != before + 1:
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
        else:
            registry.seq = seq

    def _apply_manager(self, event: Event) -> None:
        if event.name == "RoleGranted":
            members = self.state.roles.setdefault(event.args["roleId"], set())
            members.add(event.args["account"])
        elif event.name == "RoleRevoked":
            self.state.roles.get(event.args["roleId"], set()).discard(event.args["account"])

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
        admins = state.roles.get(ADMIN_ROLE, set())
        if admins != {self.deployment.addresses[Contract.REGISTRY]}:
            self.findings.error(
                Code.ADMIN_NOT_REGISTRY,
                "the housekeeping roles are administered by others than the officers' registry",
                expected=address_text(self.deployment.addresses[Contract.REGISTRY]),
                found=", ".join(sorted(address_text(admin) for admin in admins)) or "nobody",
            )

    def _unequal(self, message: str, expected: int, found: int) -> None:
        self.findings.error(Code.ACCOUNTING_MISMATCH, message, expected=expected, found=found)


def unpaid(state: State, batch_id: bytes) -> int:
    """Return what a batch has approved and neither paid nor given back, base units."""
    batch = state.batches[batch_id]
    total = batch.unexecuted
    for payout in state.payouts(batch):
        if payout.amount is None:
            continue
        if batch.is_stream:
            total += payout.amount - payout.withdrawn - payout.returned
        elif payout.skip_reason is not None:
            total += payout.amount
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
    """

    vault: bytes
    from_block: int | None = None
    to_block: int | None = None
    manifests: Path | None = None
    database: str | None = None


def replay(node: Node, options: Options, progress: Progress = no_progress) -> ReplayReport:
    """Rebuild everything from the chain's events and name each difference.

    Raises
    ------
    ChainUnavailable, NodeRefused
        When the node does not answer, lacks a block or its state, or the chain was reorganised
        meanwhile.
    InvalidInput
        When there is no vault at the address, or the blocks asked for are not there.
    ConfigurationError
        When the database cannot be read.
    """
    database = DatabaseCheck.open(options.database) if options.database else None
    try:
        return _replay(node, options, database, progress)
    finally:
        if database is not None:
            database.close()


def _replay(
    node: Node, options: Options, database: DatabaseCheck | None, progress: Progress
) -> ReplayReport:
    first, last = _range(node, options)
    findings = Findings()
    deployment = discover(node, options.vault, last)
    replayer = Replayer(deployment, findings, _inputs(node))
    if database is not None:
        database.attach(node, deployment.chain_id, last, findings)
    contracts = {address: contract for contract, address in deployment.addresses.items()}
    reader = BlockReader(node, contracts, findings, progress)
    began = _read(reader, replayer, database, options, (first, last))
    header = node.call("eth_getBlockByNumber", hex(last), False)
    if header is None or (reader.last_hash is not None and header["hash"] != reader.last_hash):
        raise ChainUnavailable(f"block {last} was replaced while it was read: run again")
    time = int(header["timestamp"], 16)
    if database is not None and database.due(None):
        database.compare(replayer.state, time, progress)
    addresses = {name: hex_text(address) for name, address in deployment.addresses.items()}
    views = ViewCheck(node, addresses, replayer.state, findings, last, time).run(progress)
    manifests = _check_manifests(options, replayer, database, time, progress)
    return ReplayReport(
        chain_id=deployment.chain_id,
        addresses={name.value: address_text(a) for name, a in deployment.addresses.items()},
        from_block=first if options.from_block is not None else began,
        to_block=last,
        to_block_hash=header["hash"],
        events={name.value: counted for name, counted in replayer.counts.items()},
        totals=totals(replayer.state),
        evidence=reader.evidence,
        views=views,
        manifests_checked=None if manifests is None else manifests.checked,
        database_rows=None if database is None else database.rows,
        state_digest=replayer.state.digest(),
        findings=findings.items,
        state=replayer.state,
    )


def _range(node: Node, options: Options) -> tuple[int, int]:
    head = int(node.call("eth_blockNumber"), 16)
    last = head if options.to_block is None else options.to_block
    first = options.from_block or 0
    if not 0 <= first <= last <= head:
        raise InvalidInput(f"blocks {first} to {last} are not there: the newest is {head}")
    return first, last


def _read(
    reader: BlockReader,
    replayer: Replayer,
    database: DatabaseCheck | None,
    options: Options,
    blocks: tuple[int, int],
) -> int:
    """Replay every event; return the block of the first."""
    began: int | None = None
    for events in reader.events(*blocks, skip_empty=options.from_block is None):
        if began is None:
            began = events[0].block
        if database is not None and database.due(events[0].block):
            replayer.close_transaction()
            database.compare(replayer.state, events[0].timestamp, reader.progress)
        for event in events:
            replayer.apply(event)
    replayer.check_end()
    if not replayer.state.token.minters:
        replayer.findings.error(
            Code.SEQUENCE_GAP, "the events of the deployment are not in these blocks"
        )
    return blocks[0] if began is None else began


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
        database.compare_commitments(check.commitments)
    return check


def _inputs(node: Node) -> Callable[[bytes], bytes]:
    @cache
    def input_of(tx: bytes) -> bytes:
        found: dict[str, Any] | None = node.call("eth_getTransactionByHash", hex_text(tx))
        return bytes.fromhex(found["input"][2:]) if found else b""

    return input_of
