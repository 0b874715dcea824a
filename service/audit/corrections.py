"""Holds, changed wallets and expiry: what changes a batch after its approval, other than paying it.

Cancelling is in :mod:`service.audit.vault` (batches) and :mod:`service.audit.streams`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.audit.abi import Contract
from service.audit.arithmetic import bits, due_through, vested
from service.audit.decode import Event, hex_text
from service.audit.findings import Code, Findings, Place
from service.audit.officers import REVIEWER, Claim
from service.audit.state import Batch, Chunk
from service.audit.streams import HAS_CANCELLED, HAS_OVERRIDE
from service.audit.vault import EXECUTION, WITHDRAWALS, VaultReplay

MAX_HOLD_S = 72 * 3_600
TIME_TO_EXECUTE_S = 86_400
FROZEN = 4


@dataclass
class CorrectionReplay:
    """Replays holds, wallet changes and expiry on top of the vault's batches."""

    vault: VaultReplay
    findings: Findings

    @property
    def handlers(self) -> dict[str, Callable[[Event], None]]:
        """What to do with each event."""
        return {
            "BatchHeld": self._batch_held,
            "EntryHeld": self._entry_held,
            "WalletChanged": self._wallet_changed,
            "UnexecutedExpired": self._unexecuted_expired,
            "PayoutExpired": self._payout_expired,
            "StreamsExpired": self._streams_expired,
        }

    # ---- holds -----------------------------------------------------------------------------------

    def _batch_held(self, event: Event) -> None:
        batch = self.vault.batch_of(event)
        if batch is None:
            return
        args, place = event.args, batch.place(event)
        claim = Claim(Contract.VAULT, "BatchHold", (batch.id,), REVIEWER, batch.region, place)
        self.vault.officers.prove_hold(event, claim)
        latest = batch.approval["executeBefore"] - TIME_TO_EXECUTE_S
        until = min(event.timestamp + MAX_HOLD_S, latest)
        if args["executeFrom"] != until or until <= max(event.timestamp, batch.execute_from):
            self._hold_broken(place, "delays the batch by another time than it may", until, args)
        if batch.cancelled or not batch.unexecuted:
            self._hold_broken(place, "is of a batch of which nothing waits")
        if args["officerId"] in batch.holders:
            self._hold_broken(place, f"is the second of officer {args['officerId']}")
        batch.holders.add(args["officerId"])
        batch.execute_from = args["executeFrom"]

    def _entry_held(self, event: Event) -> None:
        batch = self.vault.batch_of(event)
        if batch is None:
            return
        args = event.args
        place = batch.place(event, args["index"])
        facts = (batch.id, args["index"])
        claim = Claim(Contract.VAULT, "EntryHold", facts, REVIEWER, batch.region, place)
        self.vault.officers.prove_hold(event, claim)
        until = event.timestamp + MAX_HOLD_S
        if args["until"] != until:
            self._hold_broken(place, "lasts another time than 72 hours", until, args)
        chunk, position = self._unpaid(batch, args["index"])
        if chunk is None:
            self._hold_broken(place, "is of a payout of which nothing waits")
            return
        if (position, args["officerId"]) in chunk.holders:
            self._hold_broken(place, f"is the second of officer {args['officerId']}")
        chunk.holders.add((position, args["officerId"]))
        chunk.held[position] = args["until"]
        if batch.is_stream:
            chunk.flags |= HAS_OVERRIDE

    def _hold_broken(
        self, place: Place, what: str, until: int | None = None, args: object = None
    ) -> None:
        self.findings.error(
            Code.HOLD_RULE_BROKEN, f"a hold {what}", place, expected=until, found=args and str(args)
        )

    def _unpaid(self, batch: Batch, index: int) -> tuple[Chunk | None, int]:
        """Chunk and position of a payout of which something is unpaid; None if nothing is."""
        chunk, position = batch.locate(index)
        if chunk is None or position >= chunk.count:
            return None, position
        waits = self._left(batch, chunk, position) if batch.is_stream else chunk.waits(position)
        return (chunk if waits else None), position

    @staticmethod
    def _left(batch: Batch, chunk: Chunk, position: int) -> int:
        """What of a stream is unpaid, accrued or still to accrue."""
        _, total = chunk.entry(position)
        duration = batch.terms.duration
        end = due_through(duration, chunk.cancelled.get(position, 0))
        paid = vested(total, chunk.paid_through(position), duration)
        return vested(total, end, duration) - paid

    # ---- another wallet --------------------------------------------------------------------------

    def _wallet_changed(self, event: Event) -> None:
        batch = self.vault.batch_of(event)
        if batch is None:
            return
        args = event.args
        place = batch.place(event, args["index"])
        facts = (batch.id, args["index"], args["from"], args["to"])
        claim = Claim(Contract.VAULT, "WalletChange", facts, REVIEWER, batch.region, place)
        self.vault.officers.prove_action(event, claim)
        chunk, position = self._unpaid(batch, args["index"])
        if chunk is None:
            self._change_invalid(place, "and nothing of it is unpaid")
            return
        payee, _ = chunk.entry(position)
        if args["from"] != payee or args["to"] == payee:
            self._change_invalid(place, "from another wallet than is paid, or to the same")
        if self._unpayable(args["to"]):
            self._change_invalid(place, "to one that cannot be paid")
        chunk.payees[position] = args["to"]
        chunk.held.pop(position, None)
        if batch.is_stream:
            chunk.flags |= HAS_OVERRIDE

    def _change_invalid(self, place: Place, what: str) -> None:
        self.findings.error(
            Code.WALLET_CHANGE_INVALID,
            f"the wallet of payout {place.index} was changed {what}",
            place,
        )

    def _unpayable(self, payee: bytes) -> int:
        token, vault = self.vault.token_address, self.vault.address
        return self.vault.token.unpayable_reason(payee, token, vault)

    # ---- expiry ----------------------------------------------------------------------------------

    def _unexecuted_expired(self, event: Event) -> None:
        batch = self.vault.batch_of(event)
        if batch is None:
            return
        place, returned = batch.place(event), event.args["returned"]
        if event.timestamp < batch.approval["executeBefore"]:
            self._expiry_mismatch(place, "its chunks may still run")
        if returned != batch.unexecuted or not returned:
            self._expiry_mismatch(place, "it returned another sum", batch.unexecuted, returned)
        batch.expired_block = event.block
        batch.unexecuted = 0
        self.vault.return_to_budget(event, batch, returned, place)

    def _payout_expired(self, event: Event) -> None:
        batch = self.vault.batch_of(event)
        if batch is None:
            return
        args = event.args
        place = batch.place(event, args["index"])
        self.vault.require_running(event, EXECUTION, place)
        self._require_expired(event, batch, place)
        chunk, position = batch.locate(args["index"])
        if chunk is None or not chunk.waits(position) or batch.is_stream:
            self._expiry_mismatch(place, "it did not wait for a retry")
        else:
            said = (args["payee"], args["amount"], args["reason"])
            payee, amount = chunk.entry(position)
            due = (payee, amount, self._unpayable(payee))
            if said != due or due[2] in (0, FROZEN) or chunk.is_held(position, event.timestamp):
                self._expiry_mismatch(
                    place,
                    "it can still be paid, or is another payout",
                    f"{amount} to {hex_text(payee)}, reason {due[2]}",
                    f"{args['amount']} to {hex_text(args['payee'])}, reason {args['reason']}",
                )
            chunk.expired[position] = event.block
        self.vault.return_to_budget(event, batch, args["amount"], place)

    def _streams_expired(self, event: Event) -> None:
        batch = self.vault.batch_of(event)
        if batch is None:
            return
        args = event.args
        chunk = batch.chunks.get(args["chunkIndex"])
        place = batch.place(event, batch.first_index(args["chunkIndex"]))
        self.vault.require_running(event, WITHDRAWALS, place)
        self._require_expired(event, batch, place)
        if chunk is None or not batch.is_stream:
            self._expiry_mismatch(place, "no such streams were opened")
            return
        left = {}
        for position in range(chunk.count):
            if self._unpayable(chunk.entry(position)[0]) in (0, FROZEN):
                continue
            unpaid = self._left(batch, chunk, position)
            if unpaid and not chunk.is_held(position, event.timestamp):
                left[position] = unpaid
        said = set(bits(args["maskLow"], args["maskHigh"]))
        if said != set(left) or args["returned"] != sum(left.values()) or not left:
            self._expiry_mismatch(
                place,
                "it returned what can still be paid, or another sum",
                f"{sum(left.values())} of {sorted(left)}",
                f"{args['returned']} of {sorted(said)}",
            )
        for position in left:
            chunk.cancelled[position] = chunk.paid_through(position) + 1
        chunk.flags |= HAS_CANCELLED
        self.vault.return_to_budget(event, batch, args["returned"], place)

    def _require_expired(self, event: Event, batch: Batch, place: Place) -> None:
        if event.timestamp < batch.approval["expiresAt"]:
            self._expiry_mismatch(place, "its batch has not expired")

    def _expiry_mismatch(
        self, place: Place, what: str, expected: object = None, found: object = None
    ) -> None:
        self.findings.error(
            Code.EXPIRY_MISMATCH,
            f"money of batch {place.batch} was taken for expired although {what}",
            place,
            expected=expected,
            found=found,
        )
