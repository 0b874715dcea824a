"""Every event of the chain applied to the state, in its order, and held against every rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from service.audit.abi import Contract
from service.audit.calls import CallOf
from service.audit.corrections import CorrectionReplay
from service.audit.decode import Event, address_text, hex_text
from service.audit.deployment import Deployment
from service.audit.findings import Code, Findings, Place
from service.audit.lane import LaneReplay
from service.audit.listening import Listener
from service.audit.officers import Officers
from service.audit.powers import ADMIN_ROLE
from service.audit.programmes import ProgrammeReplay
from service.audit.signers import Signatures
from service.audit.state import State
from service.audit.streams import StreamReplay
from service.audit.token import TokenReplay
from service.audit.transfers import Happened, TransferRun, events_of
from service.audit.vault import VaultReplay

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
    handed_over
        Whether nobody but the registry administers, as from the end of the deployment on.
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
    handed_over: bool = False
    _transaction: bytes | None = None
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

    def close_block(self) -> None:
        """Check what must hold once a block is over."""
        self.close_transaction()
        self.token.check_spending()
        self.token.check_authorizations()

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
        if self.handed_over and event.name in POWERS:
            self._powers_changed.append(event)
        self.state.powers.apply(event)
        self.handed_over |= self._administrators() == {self._registry}

    @property
    def _registry(self) -> bytes:
        return self.deployment.addresses[Contract.REGISTRY]

    def _administrators(self) -> set[bytes]:
        return self.state.powers.holders(ADMIN_ROLE)

    def check_end(self) -> None:
        """Check what must hold of the whole: sums, commitments, who administers."""
        self.close_block()
        state, token = self.state, self.state.token
        held = token.balances.wallets().total
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
