"""The token's events: balances, supply, commitments, reserve, freezes, minters.

Its events have no count of their own, so each is held against another: a mint against the vault's
entries, a burn against ``Redeemed``, a commitment against the batch it was made for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from service.audit.abi import Contract
from service.audit.amounts import amounts_of
from service.audit.arithmetic import ADDRESS_BYTES, ENTRY_BYTES, pack, unpack
from service.audit.authorizations import Ended
from service.audit.decode import Event, LogPlace, address_text, hex_text
from service.audit.findings import Code, Findings, Place
from service.audit.officers import Claim, Officers
from service.audit.postings import Posting
from service.audit.state import Minter, State
from service.audit.transfer_rows import is_of_others
from service.audit.transfers import TransferRun

RESERVE_MAX_AGE_S = 35 * 86_400
RAISE_DELAY_S = 2 * 86_400
MINTER_DELAY_S = 14 * 86_400
ZERO_ADDRESS = bytes(ADDRESS_BYTES)

AMOUNT_BITS = 64
"""Of an entry's amount, and of a grant's."""

MOST_IN_CIRCULATION = 2**80 - 1
"""The token keeps its supply and its cap in 80 bits (contracts/BenefitToken.sol)."""


@dataclass
class TokenReplay:
    """Replays the token.

    Attributes
    ----------
    vault, lane
        Their addresses: the two minters whose events explain every mint.
    mints, burns, commitments, releases
        Of the present transaction, until another event explains them; mints packed as a chunk's
        entries are, commitments with who made each.
    """

    state: State
    findings: Findings
    officers: Officers
    vault: bytes
    lane: bytes
    mints: bytearray = field(default_factory=bytearray)
    burns: list[tuple[bytes, int]] = field(default_factory=list)
    commitments: list[tuple[bytes, int]] = field(default_factory=list)
    releases: list[int] = field(default_factory=list)
    _last: Event | LogPlace | None = None
    _created_in: bytes | None = None

    def apply(self, event: Event) -> None:
        """Apply one event of the token."""
        self._last = event
        handlers: dict[str, Callable[[Event], None]] = {
            "Transfer": self._transfer,
            "AuthorizationUsed": self._authorization_ended,
            "AuthorizationCanceled": self._authorization_ended,
            "Committed": self._committed,
            "Released": self._released,
            "Redeemed": self._redeemed,
            "ReserveAttested": self._attested,
            "Frozen": self._frozen,
            "Unfrozen": self._unfrozen,
            "TransfersPaused": self._transfers_paused,
            "TransfersUnpaused": self._transfers_unpaused,
            "MinterScheduled": self._minter_scheduled,
            "MinterActivated": self._minter_activated,
            "MinterRemoved": self._minter_removed,
            "CapLowered": self._cap_lowered,
            "CapIncreaseScheduled": self._cap_increase_scheduled,
            "CapRaised": self._cap_raised,
        }
        handler = handlers.get(event.name)
        if handler is not None:
            handler(event)

    def close_transaction(self) -> None:
        """Name what no event of the transaction explained."""
        event = self._last
        if event is None:
            return
        for payee, amount in unpack(self.take_mints()):
            self._unexplained(event, payee, amount)
        for holder, amount in self.burns:
            self.findings.error(
                Code.REDEMPTION_MISMATCH,
                f"{amount} base units of {address_text(holder)} were burned without a redemption",
                _place(event),
            )
        for _, amount in self.commitments:
            self.findings.error(
                Code.COMMITMENT_MISMATCH,
                f"{amount} base units were committed and neither batch approved nor grant made",
                _place(event),
            )
        for amount in self.releases:
            self.findings.error(
                Code.COMMITMENT_MISMATCH,
                f"{amount} base units were released and nothing cancelled",
                _place(event),
            )
        self.burns.clear()
        self.commitments.clear()
        self.releases.clear()
        self._last = None

    # ---- transfers -------------------------------------------------------------------------------

    def apply_transfers(self, run: TransferRun) -> None:
        """Apply transfers that stand behind each other, all mints at once where all are mints."""
        token = self.state.token
        token.balances.add_run(run)
        lane = token.minters.get(self.lane)
        amounts = amounts_of(run.entries)
        mints_alone = not is_of_others(run.sources) and amounts.least > 0
        of_lane = lane is not None and lane.committed
        if not mints_alone or of_lane or self.holds_frozen(run.entries):
            for event in run.events():
                self._last = event
                self._transferred(event)
            return
        self._last = run.place
        self._minted(amounts.total)
        self.mints += run.entries

    def holds_frozen(self, entries: bytes) -> bool:
        """Whether a payee of packed entries is frozen."""
        frozen = self.state.token.frozen
        return bool(frozen) and any(
            entries[at : at + ADDRESS_BYTES] in frozen for at in range(0, len(entries), ENTRY_BYTES)
        )

    def take_mints(self) -> bytes:
        """Return the mints that wait to be explained, packed, and leave none."""
        taken = bytes(self.mints)
        self.mints.clear()
        return taken

    def _transfer(self, event: Event) -> None:
        source, value = event.args["from"], event.args["value"]
        if value > MOST_IN_CIRCULATION:
            self.findings.error(
                Code.BALANCE_IMPOSSIBLE,
                f"{address_text(source)} sent more than can be in circulation",
                _place(event),
                expected=f"at most {MOST_IN_CIRCULATION}",
                found=value,
            )
            return
        self.state.token.balances.add(event)
        self._transferred(event)

    def _transferred(self, event: Event) -> None:
        """Check a transfer that balances have already."""
        source, target, value = event.args["from"], event.args["to"], event.args["value"]
        token = self.state.token
        if source == ZERO_ADDRESS:
            # Anybody can have a transfer of nothing from the zero address logged: it is no mint.
            if value:
                self._mint(event, target, value)
            return
        self._not_frozen(event, source)
        if token.transfers_paused:
            self.findings.error(
                Code.PAUSE_IGNORED, "tokens moved while transfers were paused", _place(event)
            )
        if target == ZERO_ADDRESS:
            token.supply -= value
            self.burns.append((source, value))
            return
        self._not_frozen(event, target)

    def _mint(self, event: Event, payee: bytes, amount: int) -> None:
        self._not_frozen(event, payee)
        self._minted(amount)
        if amount >> AMOUNT_BITS:
            self._unexplained(event, payee, amount)
        else:
            self.mints += pack(payee, amount)

    def _unexplained(self, event: Event | LogPlace, payee: bytes, amount: int) -> None:
        self.findings.error(
            Code.MINT_UNEXPLAINED,
            f"{amount} base units were minted to {address_text(payee)} and no approved payout "
            "explains it",
            _place(event),
            found=amount,
        )

    def check_spending(self) -> None:
        """Name payments of more than was there, once the last block is over."""
        for overdraft in self.state.token.balances.overdrafts():
            self.findings.error(
                Code.BALANCE_IMPOSSIBLE,
                f"{address_text(overdraft.account)} spent more than it held",
                Place(block=overdraft.block, tx=hex_text(overdraft.tx)),
                expected=overdraft.held,
                found=overdraft.spent,
            )

    def check_authorizations(self) -> None:
        """Name authorizations that were used a second time, once the last block is over."""
        for again in self.state.token.authorizations.reused():
            self.findings.error(
                Code.AUTHORIZATION_REUSED,
                f"an authorization of {address_text(again.account)} was used or cancelled a second "
                "time",
                Place(block=again.block, tx=hex_text(again.tx)),
                found=again.nonce,
            )

    def _minted(self, amount: int) -> None:
        token = self.state.token
        token.supply += amount
        token.committed -= amount
        # What the lane commits it mints in the same call: while it has something committed, a mint
        # is its own.
        lane = token.minters.get(self.lane)
        minter = lane if lane and lane.committed else token.minters.get(self.vault)
        if minter is not None:
            minter.committed -= amount
            minter.minted += amount

    def _not_frozen(self, event: Event, account: bytes) -> None:
        if account in self.state.token.frozen:
            self.findings.error(
                Code.FREEZE_IGNORED,
                f"tokens of the frozen wallet {address_text(account)} moved",
                _place(event),
            )

    def _redeemed(self, event: Event) -> None:
        args, token = event.args, self.state.token
        burn = (args["from"], args["amount"])
        if burn in self.burns:
            self.burns.remove(burn)
        else:
            self.findings.error(
                Code.REDEMPTION_MISMATCH,
                f"{args['amount']} base units of {address_text(args['from'])} were redeemed and "
                "not burned",
                _place(event),
            )
        token.redeemed += args["amount"]
        token.redemptions += 1
        if token.redeemed != args["redeemedTotal"]:
            self.findings.error(
                Code.REDEMPTION_MISMATCH,
                "the sum of all redemptions is not what the token says",
                _place(event),
                expected=token.redeemed,
                found=args["redeemedTotal"],
            )
        self.post(event, "circulating", "redeemed", args["amount"])

    def _authorization_ended(self, event: Event) -> None:
        """A holder's authorization was used or cancelled, as each can be once (ERC-3009)."""
        args = event.args
        ended = Ended(args["authorizer"], args["nonce"], event.block, event.tx)
        self.state.token.authorizations.add(ended)

    # ---- commitments and the reserve -------------------------------------------------------------

    def _committed(self, event: Event) -> None:
        args, token = event.args, self.state.token
        amount = args["amount"]
        minter = token.minters.get(args["minter"])
        if minter is None or not minter.active:
            self._minter_broken(event, f"{address_text(args['minter'])}, no minter, committed")
        else:
            minter.committed += amount
            if minter.committed + minter.minted > minter.cap:
                self._limit(event, Code.CAP_EXCEEDED, minter.cap, "the minter's cap")
        token.committed += amount
        outstanding = self._announced(event)
        if outstanding > token.cap:
            self._limit(event, Code.CAP_EXCEEDED, token.cap, "the token's cap")
        if outstanding > token.reserve:
            self._limit(event, Code.RESERVE_EXCEEDED, token.reserve, "the attested reserve")
        stale = event.timestamp > token.attested_as_of + RESERVE_MAX_AGE_S
        if stale and args["minter"] != self.lane:
            self.findings.error(
                Code.RESERVE_STALE,
                "money was committed on an attestation older than 35 days",
                _place(event),
            )
        if args["minter"] in {self.vault, self.lane}:
            self.commitments.append((args["minter"], amount))

    def _released(self, event: Event) -> None:
        args, token = event.args, self.state.token
        token.committed -= args["amount"]
        minter = token.minters.get(args["minter"])
        if minter is not None:
            minter.committed -= args["amount"]
        self._announced(event)
        if args["minter"] == self.vault:
            self.releases.append(args["amount"])

    def _announced(self, event: Event) -> int:
        """Return supply and commitments together, which is what the event must say."""
        token, found = self.state.token, event.args["outstanding"]
        outstanding = token.supply + token.committed
        if outstanding != found or token.committed < 0:
            self.findings.error(
                Code.COMMITMENT_MISMATCH,
                "supply and commitments are together not what the token says",
                _place(event),
                expected=outstanding,
                found=found,
            )
        return outstanding

    def _limit(self, event: Event, code: Code, limit: int, name: str) -> None:
        token = self.state.token
        self.findings.error(
            code,
            f"supply and commitments passed {name}",
            _place(event),
            expected=f"at most {limit}",
            found=token.supply + token.committed,
        )

    def _attested(self, event: Event) -> None:
        args, token = event.args, self.state.token
        if not token.attested_as_of < args["asOf"] <= event.timestamp:
            self._reserve_broken(event, "an attestation is not newer than the last, or of later")
        if not token.attested_redemptions <= args["redemptionsIncluded"] <= token.redeemed:
            self._reserve_broken(event, "an attestation includes redemptions that never were")
        token.attested = args["amount"]
        token.attested_redemptions = args["redemptionsIncluded"]
        token.attested_as_of = args["asOf"]

    def _reserve_broken(self, event: Event, message: str) -> None:
        self.findings.error(Code.RESERVE_RULE_BROKEN, message, _place(event))

    def _cap_lowered(self, event: Event) -> None:
        token = self.state.token
        if not 0 < event.args["cap"] < token.cap:
            self._cap_broken(event, "was raised")
        token.cap, token.pending_cap = event.args["cap"], (0, 0)

    def _cap_increase_scheduled(self, event: Event) -> None:
        args, token = event.args, self.state.token
        self.officers.prove_action(event, Claim(Contract.TOKEN, "CapIncrease", (args["cap"],)))
        if args["cap"] <= token.cap:
            self._cap_broken(event, "is to be raised to one that is not higher")
        if args["appliesFrom"] != event.timestamp + RAISE_DELAY_S:
            self._cap_broken(event, "is to be raised before two days are over")
        token.pending_cap = (args["cap"], args["appliesFrom"])

    def _cap_raised(self, event: Event) -> None:
        token = self.state.token
        planned, applies_from = token.pending_cap
        if not applies_from or planned != event.args["cap"] or event.timestamp < applies_from:
            self._cap_broken(event, "was raised unplanned, or too early")
        token.cap, token.pending_cap = event.args["cap"], (0, 0)

    def _cap_broken(self, event: Event, what: str) -> None:
        self._minter_broken(event, f"the token's cap {what}")

    # ---- freezing and pausing --------------------------------------------------------------------

    def _frozen(self, event: Event) -> None:
        self.state.token.frozen.add(event.args["account"])

    def _unfrozen(self, event: Event) -> None:
        self.state.token.frozen.discard(event.args["account"])

    def _transfers_paused(self, _event: Event) -> None:
        self.state.token.transfers_paused = True

    def _transfers_unpaused(self, event: Event) -> None:
        self.officers.prove_action(event, Claim(Contract.TOKEN, "UnpauseTransfers", ()))
        self.state.token.transfers_paused = False

    # ---- minters ---------------------------------------------------------------------------------

    def _minter_scheduled(self, event: Event) -> None:
        args, token = event.args, self.state.token
        facts = (args["minter"], args["cap"])
        self.officers.prove_action(event, Claim(Contract.TOKEN, "MinterAddition", facts))
        known = token.minters.get(args["minter"])
        if known is not None and not known.active:
            self._minter_broken(event, f"{address_text(args['minter'])}, removed, is to come back")
        elif args["cap"] <= (known.cap if known else 0):
            self._minter_broken(event, "a minter's cap is to be raised to one that is not higher")
        if args["activeFrom"] != event.timestamp + MINTER_DELAY_S:
            self._minter_broken(event, "a minter is in force before its 14 days are over")
        token.pending_minters[args["minter"]] = (args["cap"], args["activeFrom"])

    def _minter_activated(self, event: Event) -> None:
        args, token = event.args, self.state.token
        account, cap = args["minter"], args["cap"]
        # Vault and lane are set once by the constructor, the vault with the token's own cap.
        if not token.minters and account == self.vault:
            token.cap, self._created_in = cap, event.tx
        elif set(token.minters) != {self.vault} or (account, event.tx) != (
            self.lane,
            self._created_in,
        ):
            planned = token.pending_minters.pop(account, None)
            if planned is None or planned[0] != cap or event.timestamp < planned[1]:
                self._minter_broken(event, f"{address_text(account)} became a minter unplanned")
        minter = token.minters.setdefault(account, Minter(cap))
        minter.cap, minter.active = cap, True

    def _minter_removed(self, event: Event) -> None:
        account = event.args["minter"]
        self.officers.prove_action(event, Claim(Contract.TOKEN, "MinterRemoval", (account,)))
        token = self.state.token
        planned = token.pending_minters.pop(account, None)
        minter = token.minters.get(account)
        if planned is None and (minter is None or not minter.active):
            self._minter_broken(event, f"{address_text(account)}, no minter, was removed")
        if minter is not None:
            minter.active = False

    def _minter_broken(self, event: Event, message: str) -> None:
        self.findings.error(Code.MINTER_RULE_BROKEN, message, _place(event))

    # ---- for the minters -------------------------------------------------------------------------

    def post(
        self,
        event: Event,
        source: str,
        target: str,
        amount: int,
        *,
        first_index: int | None = None,
        payouts: int = 0,
    ) -> None:
        """Note what the ledger must say of an event."""
        if amount:
            self.state.postings.append(
                Posting(
                    event.block,
                    event.block_hash,
                    event.log_index,
                    event.tx,
                    event.name,
                    source,
                    target,
                    amount,
                    event.args.get("batchId"),
                    first_index,
                    payouts,
                )
            )

    def unpayable_reason(self, payee: bytes, token: bytes, minter: bytes) -> int:
        """Why a payee cannot be minted to by a minter (``unpayableReason``), 0 if it can."""
        if payee == ZERO_ADDRESS:
            return 1
        if payee == token:
            return 2
        if payee == minter:
            return 3
        return 4 if payee in self.state.token.frozen else 0


def _place(event: Event | LogPlace) -> Place:
    return Place(block=event.block, tx=hex_text(event.tx))
