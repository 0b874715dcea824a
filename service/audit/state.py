"""What the events say: officers, programmes, batches, payouts, streams, balances.

A payout is not an object: a chunk keeps its packed entries (28 bytes a payout) and only exceptions
beside them, so that a programme of millions stays small. :meth:`State.payouts` spells them out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from eth_hash.auto import keccak

from service.audit.abi import Contract
from service.audit.arithmetic import (
    ENTRY_BYTES,
    RollingSum,
    Terms,
    cut_off,
    entry_at,
    paid_through,
    unpack,
    vested,
)
from service.audit.authorizations import Authorizations
from service.audit.balances import Balances
from service.audit.decode import Event, hex_text
from service.audit.entry_store import Stored
from service.audit.findings import Place
from service.audit.lane_state import Grant, Lane
from service.audit.postings import Postings
from service.audit.powers import Delay, Powers

BYTES_A_TIME = 1 << 20
DIGEST_FORMAT = b"relief-audit-state-4\n"
ONE_OFF, STREAM = 0, 1


@dataclass
class Officer:
    """A person (contracts/interfaces/IOfficerRegistry.sol)."""

    roles: int
    region: tuple[int, int]
    active_from: int
    removed: bool = False


@dataclass
class Signer:
    """What an officer signs with."""

    officer_id: int
    active_from: int
    removed: bool = False


@dataclass
class Verifier:
    """A contract that checks the signatures of officers' keys."""

    active_from: int
    removed: bool = False


@dataclass
class Registry:
    """Officers, signers, verifiers and the actions used up.

    Attributes
    ----------
    quorum
        A constant of the deployed contract, read from its view.
    actions_used
        Consumer and action id → digest that officers signed.
    signed_alone
        Digests that one officer's signature was enough for; they use up no action id.
    created_in
        Transaction that deployed it: only there may officers come without signatures.
    """

    quorum: int = 0
    seq: int = 0
    created_in: bytes | None = None
    officers: dict[int, Officer] = field(default_factory=dict)
    signers: dict[tuple[int, bytes], Signer] = field(default_factory=dict)
    verifiers: dict[bytes, Verifier] = field(default_factory=dict)
    actions_used: dict[tuple[bytes, bytes], bytes] = field(default_factory=dict)
    signed_alone: set[bytes] = field(default_factory=set)

    def governors(self) -> int:
        """Governors not removed, in force or about to be."""
        return sum(not o.removed and bool(o.roles & 8) for o in self.officers.values())


@dataclass
class Programme:
    """A programme's configuration and what was approved from it."""

    region: tuple[int, int]
    budget: int
    payout_cap: int
    tiers: list[dict[str, int]]
    metadata_hash: bytes
    active_from: int
    version: int = 1
    allocated: int = 0
    next_number: int = 1
    pending_budget: int = 0
    pending_budget_from: int = 0


@dataclass
class Chunk:
    """A chunk that was run.

    Attributes
    ----------
    total
        All of its amounts together, base units.
    stored
        Its entries, packed words.
    leaf
        Its leaf in the batch's tree.
    skipped
        Position → reason of each payout that could not be paid, retried ones included.
    retried
        Position → block, block hash and transaction of the retry.
    expired
        Position of each skipped payout that can never be paid and was returned to the budget → the
        block of that.
    payees
        Position → who is paid now, where the wallet was changed.
    held
        Position → Unix time before which it is not paid, where it was held.
    holders
        Position and officer of each hold.
    pointer, watermark, flags, own, cancelled
        Of streams, as the contract keeps them; `own` and `cancelled` are lanes by position.
    """

    index: int
    total: int
    stored: Stored
    leaf: bytes
    block: int
    block_hash: bytes
    tx: bytes
    skipped: dict[int, int] = field(default_factory=dict)
    retried: dict[int, tuple[int, bytes, bytes]] = field(default_factory=dict)
    expired: dict[int, int] = field(default_factory=dict)
    payees: dict[int, bytes] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)
    holders: set[tuple[int, int]] = field(default_factory=set)
    pointer: bytes = b""
    watermark: int = 0
    flags: int = 0
    own: dict[int, int] = field(default_factory=dict)
    cancelled: dict[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Payouts in it."""
        return len(self.stored) // ENTRY_BYTES

    @property
    def entries(self) -> bytes:
        """Its entries as officers signed them, packed words."""
        return bytes(self.stored)

    def paid_through(self, position: int) -> int:
        """Second through which a stream is paid."""
        cancel = self.cancelled.get(position, 0)
        return cut_off(paid_through(self.watermark, self.own.get(position, 0)), cancel)

    def entry(self, position: int) -> tuple[bytes, int]:
        """Who is paid now, and the amount that officers signed."""
        payee, amount = self.signed(position)
        return self.payees.get(position, payee), amount

    def signed(self, position: int) -> tuple[bytes, int]:
        """Return payee and amount that officers signed."""
        return entry_at(self.stored.part(position * ENTRY_BYTES, ENTRY_BYTES), 0)

    def paid_now(self) -> Iterator[tuple[bytes, int]]:
        """Yield who is paid now, and the amount, of each."""
        for position, (payee, amount) in enumerate(unpack(self.entries)):
            yield self.payees.get(position, payee), amount

    def is_held(self, position: int, time: int) -> bool:
        """Whether a reviewer keeps it from being paid."""
        return time < self.held.get(position, 0)

    def waits(self, position: int) -> bool:
        """Whether a one-off payout was skipped and is neither retried nor expired."""
        done = position in self.retried or position in self.expired
        return position in self.skipped and not done


class PayoutStatus(StrEnum):
    """Where a payout stands on chain."""

    APPROVED = "approved"
    """Its chunk was not run."""
    PAID = "paid"
    OPENED = "opened"
    """A stream."""
    SKIPPED = "skipped"
    """Could not be paid; waits for a retry."""
    CANCELLED = "cancelled"
    """Its batch was cancelled before its chunk was run."""
    EXPIRED = "expired"
    """Its chunk was not run in time, or it can never be paid; returned to the budget."""


@dataclass
class Batch:
    """An approved batch and what became of it."""

    approval: dict[str, Any]
    first_number: int
    execute_from: int
    block: int
    block_hash: bytes
    tx: bytes
    unexecuted: int
    cancelled: bool = False
    cancelled_block: int = 0
    expired_block: int = 0
    holders: set[int] = field(default_factory=set)
    chunks: dict[int, Chunk] = field(default_factory=dict)

    @property
    def id(self) -> bytes:
        """Batch id."""
        value: bytes = self.approval["batchId"]
        return value

    @property
    def programme(self) -> int:
        """Programme number."""
        return int(self.approval["programme"])

    @property
    def is_stream(self) -> bool:
        """Whether its payouts are streams."""
        return bool(self.approval["kind"] == STREAM)

    @property
    def region(self) -> tuple[int, int]:
        """Region code and digits."""
        return self.approval["regionCode"], self.approval["regionDigits"]

    @property
    def chunk_count(self) -> int:
        """Chunks that make up the batch."""
        return -(-int(self.approval["count"]) // int(self.approval["chunkSize"]))

    @property
    def complete(self) -> bool:
        """Whether every chunk was run."""
        return len(self.chunks) == self.chunk_count

    @property
    def terms(self) -> Terms:
        """Terms of its streams."""
        signed = self.approval
        return Terms(signed["start"], signed["cliff"], signed["duration"], signed["cadence"])

    def first_index(self, chunk_index: int) -> int:
        """Index of a chunk's first payout."""
        return chunk_index * int(self.approval["chunkSize"])

    def length_of(self, chunk_index: int) -> int:
        """How many payouts a chunk must have."""
        size, count = int(self.approval["chunkSize"]), int(self.approval["count"])
        return max(0, min(size, count - chunk_index * size))

    def locate(self, index: int) -> tuple[Chunk | None, int]:
        """Chunk (None while it was not run) and position of a payout."""
        size = int(self.approval["chunkSize"])
        return self.chunks.get(index // size), index % size

    def statuses(self) -> dict[PayoutStatus, int]:
        """Count its payouts by where they stand."""
        counts = dict.fromkeys(PayoutStatus, 0)
        run = 0
        for chunk in self.chunks.values():
            run += chunk.count
            waiting = sum(chunk.waits(position) for position in chunk.skipped)
            counts[PayoutStatus.SKIPPED] += waiting
            counts[PayoutStatus.EXPIRED] += len(chunk.expired)
            done = PayoutStatus.OPENED if self.is_stream else PayoutStatus.PAID
            counts[done] += chunk.count - waiting - len(chunk.expired)
        counts[self.status_unrun] += int(self.approval["count"]) - run
        return counts

    @property
    def status_unrun(self) -> PayoutStatus:
        """Where payouts stand whose chunk was not run."""
        # One whose time was over may be cancelled after that, for nothing: its money had returned.
        if self.expired_block:
            return PayoutStatus.EXPIRED
        return PayoutStatus.CANCELLED if self.cancelled else PayoutStatus.APPROVED

    def place(self, event: Event | None = None, index: int | None = None) -> Place:
        """Name one of its payouts, or the batch, where an event happened."""
        return Place(
            block=event.block if event else None,
            tx=hex_text(event.tx) if event else None,
            batch=hex_text(self.id),
            index=index,
            number=None if index is None else self.first_number + index,
        )


@dataclass(frozen=True, slots=True)
class Payout:
    """One payout as the chain has it; payee and amount None while its chunk was not run.

    Attributes
    ----------
    payee, signed_payee
        Who is paid now, and whom officers signed.
    block, block_hash, tx
        Where it was paid, opened or skipped.
    withdrawn, paid_through, cut, returned
        Of a stream: amount paid, second it is paid through, second it was cut at (None if it was
        not), and what the cut gave back to the budget.
    """

    batch: Batch
    index: int
    status: PayoutStatus
    payee: bytes | None = None
    signed_payee: bytes | None = None
    amount: int | None = None
    skip_reason: int | None = None
    block: int | None = None
    block_hash: bytes | None = None
    tx: bytes | None = None
    withdrawn: int = 0
    paid_through: int = 0
    cut: int | None = None
    returned: int = 0

    @property
    def number(self) -> int:
        """Number in the programme."""
        return self.batch.first_number + self.index


@dataclass
class Minter:
    """Who may mint out of what they committed."""

    cap: int
    committed: int = 0
    minted: int = 0
    active: bool = True


@dataclass
class Token:
    """Balances, supply, reserve and freezes.

    Attributes
    ----------
    authorizations
        Those that were used or cancelled (ERC-3009).
    pending_cap
        A planned higher cap and when it may be applied; zeros if there is none.
    """

    balances: Balances = field(default_factory=Balances)
    frozen: set[bytes] = field(default_factory=set)
    authorizations: Authorizations = field(default_factory=Authorizations)
    supply: int = 0
    committed: int = 0
    cap: int = 0
    pending_cap: tuple[int, int] = (0, 0)
    redeemed: int = 0
    redemptions: int = 0
    attested: int = 0
    attested_redemptions: int = 0
    attested_as_of: int = 0
    transfers_paused: bool = False
    minters: dict[bytes, Minter] = field(default_factory=dict)
    pending_minters: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    @property
    def reserve(self) -> int:
        """Attested, less redemptions the attestation does not include."""
        return max(0, self.attested - (self.redeemed - self.attested_redemptions))


@dataclass
class State:
    """Everything rebuilt so far.

    Attributes
    ----------
    sunset
        Whether approvals have ended for good.
    paused, withdrawals_paused_until
        Bits 1 approvals, 2 execution and 4 withdrawals, the last only until a time.
    powers
        Housekeeping roles, who has them, and what they may call.
    authorities
        Contract → the manager that it asks who may do its housekeeping.
    stream_payments
        Payments that withdrawals made, one for each stream paid.
    withdrawals
        Payments of a stream, alone or in a range.
    postings
        What the ledger must say, in order.
    """

    registry: Registry = field(default_factory=Registry)
    token: Token = field(default_factory=Token)
    vault_seq: int = 0
    sunset: bool = False
    paused: int = 0
    withdrawals_paused_until: int = 0
    programmes: dict[int, Programme] = field(default_factory=dict)
    rolling: dict[tuple[int, int, int], RollingSum] = field(default_factory=dict)
    batches: dict[bytes, Batch] = field(default_factory=dict)
    lane: Lane = field(default_factory=Lane)
    powers: Powers = field(default_factory=Powers)
    authorities: dict[Contract, bytes] = field(default_factory=dict)
    stream_payments: int = 0
    withdrawals: int = 0
    postings: Postings = field(default_factory=Postings)

    def paused_operations(self, time: int) -> int:
        """Bits of what the vault has paused at a time."""
        return self.paused & (7 if time < self.withdrawals_paused_until else 3)

    def payouts(self, batch: Batch) -> Iterator[Payout]:
        """Yield every payout of a batch by index."""
        for chunk_index in range(batch.chunk_count):
            chunk = batch.chunks.get(chunk_index)
            first = batch.first_index(chunk_index)
            for position in range(batch.length_of(chunk_index)):
                yield payout_at(batch, chunk, first + position, position)

    def canonical_lines(self) -> Iterator[bytes]:
        """Yield the state in one fixed order, for the digest: JSON lines, and packed balances."""
        token = self.token
        yield _line(
            "token",
            supply=token.supply,
            committed=token.committed,
            cap=token.cap,
            pending_cap=list(token.pending_cap),
            redeemed=token.redeemed,
            attested=[token.attested, token.attested_redemptions, token.attested_as_of],
            transfers_paused=token.transfers_paused,
        )
        for account, minter in sorted(token.minters.items()):
            facts = [minter.cap, minter.committed, minter.minted, minter.active]
            yield _line("minter", account=account, facts=facts)
        for account, pending in sorted(token.pending_minters.items()):
            yield _line("pending_minter", account=account, facts=list(pending))
        for account in sorted(token.frozen):
            yield _line("frozen", account=account)
        for account, nonce in token.authorizations.once():
            yield _line("authorization", account=account, nonce=nonce)
        yield _line("balances", holders=token.balances.wallets().holders)
        yield from token.balances.packed()
        yield from self._registry_lines()
        paused = [self.paused, self.withdrawals_paused_until]
        yield _line("vault", seq=self.vault_seq, paused=paused, sunset=self.sunset)
        for number, programme in sorted(self.programmes.items()):
            yield _line("programme", id=number, **vars(programme))
        for key, rolling in sorted(self.rolling.items()):
            yield _line("rolling", key=list(key), bucket=rolling.bucket, sums=list(rolling.sums))
        for _, batch in sorted(self.batches.items()):
            yield from _batch_lines(batch)
        yield from self._lane_lines()

    def _registry_lines(self) -> Iterator[bytes]:
        registry = self.registry
        yield _line("registry", seq=registry.seq, quorum=registry.quorum)
        for number, officer in sorted(registry.officers.items()):
            yield _line("officer", id=number, **vars(officer))
        for (kind, signer), facts in sorted(registry.signers.items()):
            yield _line("signer", type=kind, signer=signer, **vars(facts))
        for verifier, allowed in sorted(registry.verifiers.items()):
            yield _line("verifier", address=verifier, **vars(allowed))
        for (consumer, action), digest in sorted(registry.actions_used.items()):
            yield _line("action", consumer=consumer, action=action, digest=digest)
        for contract, authority in sorted(self.authorities.items()):
            yield _line("authority", contract=contract, address=authority)
        yield from self._power_lines()

    def _power_lines(self) -> Iterator[bytes]:
        powers = self.powers
        for (role, account), access in sorted(powers.access.items()):
            facts = [access.since, *_delay(access.delay)]
            yield _line("role", id=role, account=account, facts=facts)
        for name in ("admins", "guardians"):
            for role, other in sorted(getattr(powers, name).items()):
                yield _line(name, id=role, role=other)
        for role, delay in sorted(powers.grant_delays.items()):
            yield _line("grant_delay", id=role, facts=_delay(delay))
        for (target, selector), role in sorted(powers.functions.items()):
            yield _line("function", target=target, selector=selector, role=role)
        for target, closed in sorted(powers.closed.items()):
            yield _line("closed", target=target, closed=closed)
        for target, delay in sorted(powers.admin_delays.items()):
            yield _line("admin_delay", target=target, facts=_delay(delay))
        for number, operation in sorted(powers.operations.items()):
            yield _line("operation", id=number, facts=[operation.nonce, operation.time])

    def _lane_lines(self) -> Iterator[bytes]:
        lane = self.lane
        yield _line("lane", seq=lane.seq, paused=lane.paused)
        yield _line("limits", in_force=lane.limits, pending=lane.pending_limits)
        for region, cap in sorted(lane.region_caps.items()):
            yield _line("region_cap", region=region, cap=cap)
        for region, pending in sorted(lane.pending_region_caps.items()):
            yield _line("pending_region_cap", region=region, facts=pending)
        for officer, rolling in sorted(lane.officer_sums.items()):
            yield _line("granted_by", id=officer, bucket=rolling.bucket, sums=rolling.sums)
        for region, rolling in sorted(lane.region_sums.items()):
            yield _line("granted_in", region=region, bucket=rolling.bucket, sums=rolling.sums)
        for _, grant in sorted(lane.grants.items()):
            yield _grant_line(grant)

    def digest(self) -> str:
        """Keccak-256 of the canonical state, 0x-hex: equal states, equal digests."""
        hasher = keccak.new(DIGEST_FORMAT)
        some = bytearray()
        for line in self.canonical_lines():
            if len(some) + len(line) >= BYTES_A_TIME:
                hasher.update(bytes(some))
                some.clear()
            if len(line) >= BYTES_A_TIME:
                hasher.update(line)
            else:
                some += line
        hasher.update(bytes(some))
        return hex_text(hasher.digest())


def payout_at(batch: Batch, chunk: Chunk | None, index: int, position: int) -> Payout:
    """Spell one payout out."""
    if chunk is None:
        return Payout(batch, index, batch.status_unrun)
    payee, amount = chunk.entry(position)
    signed, _ = chunk.signed(position)
    if batch.is_stream:
        duration = batch.terms.duration
        through = chunk.paid_through(position)
        cancel = chunk.cancelled.get(position)
        cut = None if cancel is None else cancel - 1
        return Payout(
            batch,
            index,
            PayoutStatus.OPENED,
            payee,
            signed,
            amount,
            block=chunk.block,
            block_hash=chunk.block_hash,
            tx=chunk.tx,
            withdrawn=vested(amount, through, duration),
            paid_through=through,
            cut=cut,
            returned=0 if cut is None else amount - vested(amount, cut, duration),
        )
    retry = chunk.retried.get(position)
    reason = chunk.skipped.get(position) if retry is None else None
    block, block_hash, tx = retry or (chunk.block, chunk.block_hash, chunk.tx)
    status = PayoutStatus.PAID if reason is None else PayoutStatus.SKIPPED
    if position in chunk.expired:
        status = PayoutStatus.EXPIRED
    return Payout(batch, index, status, payee, signed, amount, reason, block, block_hash, tx)


def _batch_lines(batch: Batch) -> Iterator[bytes]:
    yield _line(
        "batch",
        approval=batch.approval,
        first_number=batch.first_number,
        execute_from=batch.execute_from,
        unexecuted=batch.unexecuted,
        cancelled=batch.cancelled,
        expired_block=batch.expired_block,
        holders=sorted(batch.holders),
        approved_in=[batch.block, batch.block_hash, batch.tx],
    )
    for _, chunk in sorted(batch.chunks.items()):
        yield _line(
            "chunk",
            batch=batch.id,
            index=chunk.index,
            leaf=chunk.leaf,
            run_in=[chunk.block, chunk.block_hash, chunk.tx],
            skipped=sorted(chunk.skipped.items()),
            retried=sorted(chunk.retried.items()),
            expired=sorted(chunk.expired.items()),
            payees=sorted(chunk.payees.items()),
            held=sorted(chunk.held.items()),
            holders=sorted(chunk.holders),
            pointer=chunk.pointer,
            watermark=chunk.watermark,
            flags=chunk.flags,
            own=sorted(chunk.own.items()),
            cancelled=sorted(chunk.cancelled.items()),
        )


def _grant_line(grant: Grant) -> bytes:
    return _line(
        "grant",
        given=grant.given,
        overdue_from=grant.overdue_from,
        made_in=[grant.block, grant.block_hash, grant.tx],
        ended=None if grant.ended is None else grant.ended.value,
        ended_in=grant.ended_block,
        countersigned_by=grant.countersigned_by,
    )


def _delay(delay: Delay) -> list[int]:
    return [delay.before, delay.after, delay.effect]


def _line(kind: str, **facts: Any) -> bytes:
    text = json.dumps([kind, _plain(facts)], sort_keys=True, separators=(",", ":"))
    return text.encode() + b"\n"


def _plain(value: Any) -> Any:
    """Numbers as strings (amounts pass 2**53), bytes as hex."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return hex_text(value)
    if isinstance(value, dict):
        return {str(key): _plain(member) for key, member in value.items()}
    return [_plain(member) for member in value]
