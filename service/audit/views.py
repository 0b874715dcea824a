"""The contracts' own views at the last block, held against the rebuilt state.

Hundreds are compared in one call where the node runs such (:mod:`service.audit.view_batches`); what
differs there, or all of them elsewhere, is asked by itself. One that reverts is a difference like
any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from typing import TypeVar

from eth_hash.auto import keccak

from service.audit.abi import Contract
from service.audit.ahead import ahead
from service.audit.arithmetic import due_through, vested
from service.audit.blocks import ASKED_AT_ONCE, Progress
from service.audit.decode import address_text, hex_text
from service.audit.findings import NOWHERE, Code, Findings, Place
from service.audit.lane_state import Grant, GrantState
from service.audit.powers import ADMIN_ROLE, Delay
from service.audit.rpc import Node, NodeRefused
from service.audit.signatures import word
from service.audit.state import Batch, Chunk, State
from service.audit.view_batches import comparing_code, fitting

CALLS_A_TIME = 1_000
GROUPS_AHEAD = 2
BALANCE_OF, IS_FROZEN = "balanceOf(address)", "isFrozen(address)"
ADDRESS_BYTES, WORD_BYTES = 20, 32
REVERTED = 3
"""JSON-RPC error code of a call that reverted."""

STATES = {
    GrantState.OUTSTANDING: 1,
    GrantState.OVERDUE: 2,
    GrantState.COUNTERSIGNED: 3,
    GrantState.WRITTEN_OFF: 4,
}
"""Numbers of the contract's ``GrantState``."""

Value = int | bytes
T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of at most `size` items (``itertools.batched`` of Python 3.12)."""
    rest = iter(items)
    while group := list(islice(rest, size)):
        yield group


@dataclass(frozen=True, slots=True)
class View:
    """One call and what it must answer.

    Attributes
    ----------
    call
        Signature, such as ``batch(bytes32)``.
    arguments
        Static ones.
    members
        Name and value of each word of the answer.
    about
        Whom or what it is about, for messages.
    """

    contract: Contract
    call: str
    arguments: tuple[Value, ...]
    members: tuple[tuple[str, Value], ...]
    about: str = ""
    place: Place = NOWHERE

    @property
    def data(self) -> bytes:
        """Call data."""
        return calldata(self.call, *self.arguments)

    @property
    def answer(self) -> bytes:
        """What it must answer."""
        return b"".join(word(value) for _, value in self.members)


def calldata(signature: str, *arguments: Value) -> bytes:
    """Encode a call with static arguments."""
    return selector(signature) + b"".join(word(argument) for argument in arguments)


@cache
def selector(signature: str) -> bytes:
    """Return the first four bytes of a call."""
    return keccak(signature.encode())[:4]


def as_address(value: bytes) -> bytes:
    """Read an address from one word."""
    return value[-20:]


@dataclass(frozen=True, slots=True)
class Group:
    """Views that are asked at once.

    Attributes
    ----------
    pairs
        Call data and what must be answered.
    view
        Makes one of the views, for one that is asked by itself.
    """

    contract: Contract
    pairs: Sequence[tuple[bytes, bytes]]
    view: Callable[[int], View]


def _made(make: Callable[[bytes, int], View], held: Sequence[tuple[bytes, int]], at: int) -> View:
    return make(*held[at])


@dataclass
class ViewCheck:
    """Compares every view with the state at one block."""

    node: Node
    addresses: dict[Contract, str]
    state: State
    findings: Findings
    block: int
    timestamp: int

    def run(self, progress: Progress) -> int:
        """Ask all views and return how many there were.

        Raises
        ------
        ChainUnavailable, NodeRefused
            When the node does not answer, or no longer has the block's state.
        """
        done = 0
        with closing(
            ahead(self._groups(), self._compared, GROUPS_AHEAD, at_once=ASKED_AT_ONCE)
        ) as answers:
            for group, said in answers:
                for at in range(len(group.pairs)):
                    if said is None or said[at] != 1:
                        view = group.view(at)
                        (answer,) = self._ask([view])
                        self._compare(view, answer)
                done += len(group.pairs)
                progress("views", done, None)
        self._check_pointers()
        return done

    def _groups(self) -> Iterator[Group]:
        """Yield all views by so many as fit one question: of one contract, of the same lengths."""
        yield from self._groups_of_wallets()
        waiting: dict[tuple[Contract, int, int], tuple[list[tuple[bytes, bytes]], list[View]]] = {}
        for view in self._but_of_wallets():
            call, answer = view.data, view.answer
            kind = (view.contract, len(call), len(answer))
            pairs, views = waiting.setdefault(kind, ([], []))
            pairs.append((call, answer))
            views.append(view)
            if len(pairs) == fitting(len(call), len(answer)):
                yield Group(view.contract, pairs, views.__getitem__)
                del waiting[kind]
        for (contract, _, _), (pairs, views) in waiting.items():
            yield Group(contract, pairs, views.__getitem__)

    def _groups_of_wallets(self) -> Iterator[Group]:
        """Yield the views of wallets, of which there are millions: no object for each."""
        token = self.state.token
        balance, frozen = (selector(call) + bytes(12) for call in (BALANCE_OF, IS_FROZEN))
        size = fitting(len(balance) + ADDRESS_BYTES, WORD_BYTES)
        for some in batched(token.balances.with_others(token.frozen), size):
            held = [(balance + account, word(amount)) for account, amount in some]
            yield Group(Contract.TOKEN, held, partial(_made, self._balance, some))
            kept = [(frozen + account, word(int(account in token.frozen))) for account, _ in some]
            yield Group(Contract.TOKEN, kept, partial(_made, self._frozen, some))

    def _compared(self, group: Group) -> bytes | None:
        """Compare a group's views in one call: a byte each; None where the node says nothing."""
        to = bytes.fromhex(self.addresses[group.contract][2:])
        code = hex_text(comparing_code(to, group.pairs))
        try:
            said = bytes.fromhex(self.node.call("eth_call", {"data": code}, hex(self.block))[2:])
        except NodeRefused:
            return None
        return said if len(said) == len(group.pairs) else None

    def _ask(self, views: Sequence[View]) -> list[bytes | None]:
        calls = [(self.addresses[view.contract], view.data) for view in views]
        try:
            return list(self.node.views(calls, self.block))
        except NodeRefused:
            return [self._ask_alone(to, data) for to, data in calls]

    def _ask_alone(self, to: str, data: bytes) -> bytes | None:
        try:
            return self.node.view(to, data, self.block)
        except NodeRefused as error:
            if error.rpc_code == REVERTED or "revert" in str(error):
                return None
            raise

    def _compare(self, view: View, answer: bytes | None) -> None:
        expected = view.answer
        if answer == expected:
            return
        about = f" of {view.about}" if view.about else ""
        if answer is not None and answer.startswith(expected):
            self.findings.error(
                Code.VIEW_MISMATCH,
                f"the {view.contract}'s {view.call.split('(')[0]}(){about} says more than it can",
                view.place,
                expected=f"{len(expected)} bytes",
                found=f"{len(answer)} bytes",
            )
        for at, (name, value) in enumerate(view.members):
            given = None if answer is None else answer[at * 32 : at * 32 + 32]
            if given == word(value):
                continue
            self.findings.error(
                Code.VIEW_MISMATCH,
                f"the {view.contract}'s {view.call.split('(')[0]}(){about} says another "
                f"{name} than its events",
                view.place,
                expected=value,
                found=_shown(given, value),
            )

    # ---- what is asked ---------------------------------------------------------------------------

    def views(self) -> Iterator[View]:
        """Yield every view with what it must answer."""
        yield from self._but_of_wallets()
        yield from self._of_wallets()

    def _but_of_wallets(self) -> Iterator[View]:
        yield from self._wiring()
        yield from self._token()
        yield from self._registry()
        yield from self._powers()
        yield from self._vault()
        yield from self._lane()
        for _, batch in sorted(self.state.batches.items()):
            yield from self._batch(batch)
            for _, chunk in sorted(batch.chunks.items()):
                yield from self._chunk(batch, chunk)

    def _wiring(self) -> Iterator[View]:
        """Which contract each asks."""
        wired = {
            Contract.VAULT: (Contract.TOKEN, Contract.REGISTRY),
            Contract.LANE: (Contract.TOKEN, Contract.REGISTRY),
            Contract.REGISTRY: (Contract.MANAGER,),
        }
        for asking, asked in wired.items():
            for name in asked:
                address = bytes.fromhex(self.addresses[name][2:])
                yield View(asking, f"{name}()", (), (("address", address),))
        lane = bytes.fromhex(self.addresses[Contract.LANE][2:])
        yield View(Contract.TOKEN, "emergencyLane()", (), (("address", lane),))
        for contract in (Contract.VAULT, Contract.TOKEN, Contract.LANE):
            authority = self.state.authorities.get(contract, bytes(20))
            yield View(contract, "authority()", (), (("authority", authority),))

    def _token(self) -> Iterator[View]:
        token = self.state.token
        single = {
            "totalSupply": token.supply,
            "committed": token.committed,
            "cap": token.cap,
            "redeemedTotal": token.redeemed,
            "reserve": token.reserve,
            "transfersPaused": int(token.transfers_paused),
        }
        for name, value in single.items():
            yield View(Contract.TOKEN, f"{name}()", (), ((name, value),))
        yield View(
            Contract.TOKEN,
            "attestation()",
            (),
            (
                ("amount", token.attested),
                ("redemptionsIncluded", token.attested_redemptions),
                ("asOf", token.attested_as_of),
            ),
        )
        planned = zip(("cap", "appliesFrom"), token.pending_cap, strict=True)
        yield View(Contract.TOKEN, "pendingCap()", (), tuple(planned))
        for account, minter in sorted(token.minters.items()):
            members = (
                ("cap", minter.cap),
                ("committed", minter.committed),
                ("minted", minter.minted),
                ("active", int(minter.active)),
            )
            about = address_text(account)
            yield View(Contract.TOKEN, "minter(address)", (account,), members, about)
        for account in sorted({*token.minters, *token.pending_minters}):
            cap, since = token.pending_minters.get(account, (0, 0))
            pending = (("cap", cap), ("activeFrom", since))
            about = address_text(account)
            yield View(Contract.TOKEN, "pendingMinter(address)", (account,), pending, about)
        for account, nonce in token.authorizations.once():
            about = f"{address_text(account)}, nonce {hex_text(nonce)}"
            used = (("used", 1),)
            call = "authorizationState(address,bytes32)"
            yield View(Contract.TOKEN, call, (account, nonce), used, about)

    def _of_wallets(self) -> Iterator[View]:
        token = self.state.token
        for account, amount in token.balances.with_others(token.frozen):
            yield self._balance(account, amount)
            yield self._frozen(account, amount)

    def _balance(self, account: bytes, amount: int) -> View:
        balance = (("balance", amount),)
        return View(Contract.TOKEN, BALANCE_OF, (account,), balance, address_text(account))

    def _frozen(self, account: bytes, _amount: int) -> View:
        frozen = (("frozen", int(account in self.state.token.frozen)),)
        return View(Contract.TOKEN, IS_FROZEN, (account,), frozen, address_text(account))

    def _registry(self) -> Iterator[View]:
        registry = self.state.registry
        yield View(Contract.REGISTRY, "seq()", (), (("seq", registry.seq),))
        governors = (("governors", registry.governors()),)
        yield View(Contract.REGISTRY, "governorCount()", (), governors)
        for number, officer in sorted(registry.officers.items()):
            members = (
                ("roles", officer.roles),
                ("region", officer.region[0]),
                ("region digits", officer.region[1]),
                ("activeFrom", officer.active_from),
                ("removed", int(officer.removed)),
            )
            about = f"officer {number}"
            yield View(Contract.REGISTRY, "officer(uint32)", (number,), members, about)

        for (kind, signer), facts in sorted(registry.signers.items()):
            padded = signer + bytes(-len(signer) % 32)
            words = (padded[at : at + 32] for at in range(0, len(padded), 32))
            yield View(
                Contract.REGISTRY,
                "signerOf(uint8,bytes)",
                (kind, 64, len(signer), *words),
                (
                    ("officer", facts.officer_id),
                    ("activeFrom", facts.active_from),
                    ("removed", int(facts.removed)),
                ),
                f"signer {hex_text(signer)}",
            )
        for verifier, allowed in sorted(registry.verifiers.items()):
            yield View(
                Contract.REGISTRY,
                "verifierOf(address)",
                (verifier,),
                (("activeFrom", allowed.active_from), ("removed", int(allowed.removed))),
                f"verifier {address_text(verifier)}",
            )
        for consumer, action in sorted(registry.actions_used):
            used = (("used", 1),)
            about = f"action {hex_text(action)}"
            arguments = (consumer, action)
            yield View(Contract.REGISTRY, "actionUsed(address,bytes32)", arguments, used, about)

    def _powers(self) -> Iterator[View]:
        powers, time = self.state.powers, self.timestamp
        for (role, account), access in sorted(powers.access.items()):
            about = f"role {role} for {address_text(account)}"
            current, pending, effect = access.delay.full(time)
            member = (
                ("member", int(0 < access.since <= time)),
                ("delay", current),
            )
            full = (
                ("since", access.since),
                ("delay", current),
                ("pending delay", pending),
                ("effect", effect),
            )
            key = (role, account)
            yield View(Contract.MANAGER, "hasRole(uint64,address)", key, member, about)
            yield View(Contract.MANAGER, "getAccess(uint64,address)", key, full, about)
        for role in sorted({role for role, _ in powers.access} | {*powers.admins}):
            delay = powers.grant_delays.get(role, Delay()).full(time)[0]
            for call, value in (
                ("getRoleAdmin", powers.admins.get(role, ADMIN_ROLE)),
                ("getRoleGuardian", powers.guardians.get(role, ADMIN_ROLE)),
                ("getRoleGrantDelay", delay),
            ):
                answer = ((call.removeprefix("getRole").lower(), value),)
                yield View(Contract.MANAGER, f"{call}(uint64)", (role,), answer, f"role {role}")
        for (target, selector), role in sorted(powers.functions.items()):
            yield View(
                Contract.MANAGER,
                "getTargetFunctionRole(address,bytes4)",
                (target, selector.ljust(32, b"\0")),
                (("role", role),),
                f"{hex_text(selector)} of {address_text(target)}",
            )
        for target in sorted({*powers.closed, *(target for target, _ in powers.functions)}):
            about = address_text(target)
            closed = (("closed", int(powers.closed.get(target, False))),)
            delay = powers.admin_delays.get(target, Delay()).full(time)[0]
            waits = (("delay", delay),)
            yield View(Contract.MANAGER, "isTargetClosed(address)", (target,), closed, about)
            yield View(Contract.MANAGER, "getTargetAdminDelay(address)", (target,), waits, about)
        for number, operation in sorted(powers.operations.items()):
            about = f"operation {hex_text(number)}"
            since, nonce = (("schedule", operation.schedule(time)),), (("nonce", operation.nonce),)
            yield View(Contract.MANAGER, "getSchedule(bytes32)", (number,), since, about)
            yield View(Contract.MANAGER, "getNonce(bytes32)", (number,), nonce, about)

    def _vault(self) -> Iterator[View]:
        state = self.state
        paused = state.paused_operations(self.timestamp)
        yield View(Contract.VAULT, "seq()", (), (("seq", state.vault_seq),))
        yield View(Contract.VAULT, "pausedOperations()", (), (("operations", paused),))
        sunset = (("sunset", int(state.sunset)),)
        yield View(Contract.VAULT, "inSunset()", (), sunset)
        for number, programme in sorted(state.programmes.items()):
            members: tuple[tuple[str, Value], ...] = (
                ("budget", programme.budget),
                ("allocated", programme.allocated),
                ("nextNumber", programme.next_number),
                ("activeFrom", programme.active_from),
                ("region digits", programme.region[1]),
                ("region", programme.region[0]),
                ("version", programme.version),
                ("payoutCap", programme.payout_cap),
                ("pendingBudget", programme.pending_budget),
                ("pendingBudgetFrom", programme.pending_budget_from),
            )
            about = f"programme {number}"
            yield View(Contract.VAULT, "programme(uint32)", (number,), members, about)
            tiers: list[tuple[str, Value]] = [("offset", 32), ("tiers", len(programme.tiers))]
            for tier in programme.tiers:
                tiers += tier.items()
            yield View(Contract.VAULT, "tiers(uint32)", (number,), tuple(tiers), about)
        for (number, code, digits), rolling in sorted(state.rolling.items()):
            yield View(
                Contract.VAULT,
                "rollingSum(uint32,uint24,uint8)",
                (number, code, digits),
                (("sum", rolling.at(self.timestamp)),),
                f"programme {number} in region {code}",
            )

    def _lane(self) -> Iterator[View]:
        lane, time = self.state.lane, self.timestamp
        for name, value in (
            ("seq", lane.seq),
            ("paused", int(lane.paused)),
            ("outstanding", lane.outstanding),
        ):
            yield View(Contract.LANE, f"{name}()", (), ((name, value),))
        yield View(Contract.LANE, "limits()", (), tuple(lane.limits.items()))
        planned, since = lane.pending_limits or (dict.fromkeys(lane.limits, 0), 0)
        pending = (*planned.items(), ("appliesFrom", since))
        yield View(Contract.LANE, "pendingLimits()", (), pending)
        for region in sorted({*lane.region_caps, *lane.region_sums}):
            about, most = f"region {region[0]}", (("cap", lane.cap_of(region)),)
            yield View(Contract.LANE, "regionCap(uint24,uint8)", region, most, about)
        for region in sorted({*lane.region_caps, *lane.pending_region_caps}):
            cap, since = lane.pending_region_caps.get(region, (0, 0))
            yield View(
                Contract.LANE,
                "pendingRegionCap(uint24,uint8)",
                region,
                (("cap", cap), ("appliesFrom", since)),
                f"region {region[0]}",
            )
        for officer, rolling in sorted(lane.officer_sums.items()):
            about = f"officer {officer}"
            granted = (("sum", rolling.at(time)),)
            overdue = (("overdue", lane.overdue_by(officer, time)),)
            yield View(Contract.LANE, "grantedBy(uint32)", (officer,), granted, about)
            yield View(Contract.LANE, "overdueBy(uint32)", (officer,), overdue, about)
        for region, rolling in sorted(lane.region_sums.items()):
            about = f"region {region[0]}"
            granted = (("sum", rolling.at(time)),)
            yield View(Contract.LANE, "grantedIn(uint24,uint8)", region, granted, about)
            if region[1]:
                overdue = (("overdue", lane.overdue_in(region, time)),)
                yield View(Contract.LANE, "overdueIn(uint24,uint8)", region, overdue, about)
        for grant in lane.grants.values():
            yield self._grant(grant)
        for case in sorted(lane.cases):
            about = f"case {hex_text(case)}"
            members = (("granted", 1),)
            yield View(Contract.LANE, "caseGranted(bytes32)", (case,), members, about)

    def _grant(self, grant: Grant) -> View:
        return View(
            Contract.LANE,
            "grantOf(bytes32)",
            (grant.id,),
            (
                ("payee", grant.given["payee"]),
                ("amount", grant.amount),
                ("officer", grant.officer),
                ("region", grant.region[0]),
                ("region digits", grant.region[1]),
                ("overdueFrom", grant.overdue_from),
                ("state", STATES[grant.state(self.timestamp)]),
            ),
            f"grant {hex_text(grant.id)}",
            grant.place(),
        )

    def _batch(self, batch: Batch) -> Iterator[View]:
        signed = batch.approval
        about, place = f"batch {hex_text(batch.id)}", batch.place()
        executed = (("executedChunks", sum(1 << index for index in batch.chunks)),)
        yield View(Contract.VAULT, "executedChunks(bytes32)", (batch.id,), executed, about, place)
        yield View(
            Contract.VAULT,
            "batch(bytes32)",
            (batch.id,),
            (
                ("chunksRoot", signed["chunksRoot"]),
                ("programme", batch.programme),
                ("status", 2 if batch.cancelled else 1),
                *((name, signed[name]) for name in ("kind", "regionCode", "chunkSize", "count")),
                *((name, signed[name]) for name in ("start", "cliff", "duration", "cadence")),
                ("regionDigits", batch.region[1]),
                ("firstNumber", batch.first_number),
                ("executeFrom", batch.execute_from),
                *((name, signed[name]) for name in ("executeBefore", "expiresAt")),
                ("unexecuted", batch.unexecuted),
            ),
            about,
            place,
        )

    def _chunk(self, batch: Batch, chunk: Chunk) -> Iterator[View]:
        first = batch.first_index(chunk.index)
        for position in sorted({*chunk.held, *chunk.payees}):
            # A hold is kept with what waits, and gone with it or with a change of the wallet.
            until = chunk.held.get(position, 0)
            held = batch.is_stream or chunk.waits(position)
            yield View(
                Contract.VAULT,
                "heldUntil(bytes32,uint256)",
                (batch.id, first + position),
                (("until", until if held else 0),),
                f"payout {first + position} of batch {hex_text(batch.id)}",
                batch.place(None, first + position),
            )
        if not batch.is_stream:
            for position in sorted(chunk.skipped):
                payout = chunk.entry(position)
                waiting = chunk.waits(position)
                members = (
                    ("payee", payout[0] if waiting else 0),
                    ("amount", payout[1] if waiting else 0),
                )
                yield View(
                    Contract.VAULT,
                    "skippedPayout(bytes32,uint256)",
                    (batch.id, first + position),
                    members,
                    f"payout {first + position} of batch {hex_text(batch.id)}",
                    batch.place(None, first + position),
                )
            return
        yield View(
            Contract.VAULT,
            "streamChunk(bytes32,uint256)",
            (batch.id, chunk.index),
            (
                ("pointer", chunk.pointer),
                ("watermark", chunk.watermark),
                ("flags", chunk.flags),
            ),
            f"chunk {chunk.index} of batch {hex_text(batch.id)}",
            batch.place(None, first),
        )
        for position in range(chunk.count):
            yield self._stream(batch, chunk, position)

    def _stream(self, batch: Batch, chunk: Chunk, position: int) -> View:
        payee, total = chunk.entry(position)
        duration = batch.terms.duration
        cancel = chunk.cancelled.get(position, 0)
        through = due_through(batch.terms.step(self.timestamp), cancel)
        index = batch.first_index(chunk.index) + position
        return View(
            Contract.VAULT,
            "stream(bytes32,uint256)",
            (batch.id, index),
            (
                ("payee", payee),
                ("total", total),
                ("accrued", vested(total, through, duration)),
                ("withdrawn", vested(total, chunk.paid_through(position), duration)),
                ("cancelled", cancel),
            ),
            f"payout {index} of batch {hex_text(batch.id)}",
            batch.place(None, index),
        )

    def _check_pointers(self) -> None:
        """The code that holds a chunk's streams is the entries, after one STOP byte."""
        opened = [
            (batch, chunk)
            for batch in self.state.batches.values()
            if batch.is_stream
            for chunk in batch.chunks.values()
        ]
        for group in batched(opened, CALLS_A_TIME):
            params = [(hex_text(chunk.pointer), hex(self.block)) for _, chunk in group]
            codes = self.node.batch("eth_getCode", params)
            for (batch, chunk), code in zip(group, codes, strict=True):
                if code != "0x00" + chunk.entries.hex():
                    self.findings.error(
                        Code.VIEW_MISMATCH,
                        f"the stored entries of chunk {chunk.index} are not those of its event",
                        batch.place(None, batch.first_index(chunk.index)),
                    )


def _shown(given: bytes | None, like: Value) -> object:
    if given is None:
        return "the call reverts"
    if isinstance(like, int):
        return int.from_bytes(given, "big") if given else "nothing"
    return given[-len(like) :] if like else given
