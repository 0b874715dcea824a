"""Deeds with the token: holders', minters', the attestor's, the treasurer's and the guardian's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eth_account.signers.local import LocalAccount

from service.payouts.entries import pack_entries
from tests.audit.driving.chain import Idle
from tests.audit.driving.deeds import Deeds
from tests.support.deployed import account
from tests.support.walks import DAY_S, UNIT, ZERO

PERMIT = [
    ("owner", "address"),
    ("spender", "address"),
    ("value", "uint256"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
]
AUTHORIZATION = [
    ("from", "address"),
    ("to", "address"),
    ("value", "uint256"),
    ("validAfter", "uint256"),
    ("validBefore", "uint256"),
    ("nonce", "bytes32"),
]
REDEMPTION = [
    AUTHORIZATION[0],
    AUTHORIZATION[2],
    ("paymentReference", "bytes32"),
    *AUTHORIZATION[3:],
]
CANCELLATION = [("authorizer", "address"), ("nonce", "bytes32")]


class TokenDeeds(Deeds):
    """What holders, minters and housekeepers do with the token."""

    # ---- holders ---------------------------------------------------------------------------------

    def _holding(self) -> tuple[LocalAccount, int]:
        """Somebody, mostly with tokens, and how much of them."""
        holder = self._holder()
        held = self._balance(holder.address)
        if not held and self._chance(0.9):
            raise Idle("nothing to spend")
        part = [held, held // 2, held // 10, 1, self._draw.randint(0, max(1, held))]
        if self._chance(0.05):
            part = [0, held + 1, 2**256 - 1]
        return holder, self._pick(part)

    def _balance(self, address: str) -> int:
        balance: int = self._deployed.read("token", "balanceOf", address)
        return balance

    def _transfer(self) -> None:
        holder, value = self._holding()
        self._deployed.send(holder, "token", "transfer", self._wallet(), value)

    def _approve_spender(self) -> None:
        value = self._pick([0, UNIT, 50 * UNIT, 2**256 - 1])
        self._deployed.send(self._holder(), "token", "approve", self._holder().address, value)

    def _transfer_from(self) -> None:
        allowed = sorted(pair for pair, value in self._facts.allowed.items() if value)
        if self._chance(0.2):  # anybody can have a transfer of nothing from the zero address logged
            allowed = [(ZERO, self._holder().address)]
        source, spender = self._pick(allowed)
        held = 0 if source == ZERO else self._balance(source)
        value = min(held, self._facts.allowed.get((source, spender), 0)) + self._chance(0.1)
        value = self._pick([value, value, self._draw.randint(0, value)])
        self._deployed.send(spender, "token", "transferFrom", source, self._wallet(), value)

    def _redeem(self) -> None:
        holder, value = self._holding()
        self._deployed.send(holder, "token", "redeem", value, self._hash("paid out"))

    def _permit(self) -> None:
        owner = self._holder()
        message = {
            "owner": owner.address,
            "spender": self._holder().address,
            "value": self._draw.randint(0, 50 * UNIT),
            "nonce": self._deployed.read("token", "nonces", owner.address),
            "deadline": self._deployed.now() + self._pick([DAY_S, DAY_S, DAY_S, DAY_S, 0]),
        }
        signature = self._holders_signature(owner, "Permit", PERMIT, message)
        del message["nonce"]
        self._send("token", "permit", *message.values(), *signature)

    def _transfer_authorized(self) -> None:
        holder, message = self._authorization()
        signed = self._holders_signature(
            holder, "TransferWithAuthorization", AUTHORIZATION, message
        )
        self._send("token", "transferWithAuthorization", *message.values(), *signed)

    def _receive_authorized(self) -> None:
        holder, message = self._authorization()
        signed = self._holders_signature(holder, "ReceiveWithAuthorization", AUTHORIZATION, message)
        payee = message["to"] if self._chance(0.9) else account("stranger").address
        self._deployed.send(payee, "token", "receiveWithAuthorization", *message.values(), *signed)

    def _redeem_authorized(self) -> None:
        holder, message = self._authorization()
        message["paymentReference"] = self._hash("paid out")
        message = {name: message[name] for name, _ in REDEMPTION}
        signed = self._holders_signature(holder, "RedeemWithAuthorization", REDEMPTION, message)
        self._send("token", "redeemWithAuthorization", *message.values(), *signed)

    def _cancel_authorization(self) -> None:
        holder = self._holder()
        message = {"authorizer": holder.address, "nonce": self._nonce()}
        signed = self._holders_signature(holder, "CancelAuthorization", CANCELLATION, message)
        self._send("token", "cancelAuthorization", *message.values(), *signed)

    def _authorization(self) -> tuple[LocalAccount, dict[str, Any]]:
        holder, value = self._holding()
        now = self._deployed.now()
        return holder, {
            "from": holder.address,
            "to": self._wallet(),
            "value": value,
            "validAfter": self._pick([0, 0, 0, now - 1, now, now + 60]),
            "validBefore": self._pick([2**40, 2**40, now + DAY_S, now + 2, now]),
            "nonce": self._nonce(),
        }

    def _nonce(self) -> bytes:
        """Of few, so that some come twice."""
        return self._draw.randrange(12).to_bytes(32, "big")

    def _holders_signature(
        self,
        holder: LocalAccount,
        name: str,
        members: Sequence[tuple[str, str]],
        message: Mapping[str, Any],
    ) -> tuple[int, bytes, bytes]:
        """v, r, s; seldom somebody else's."""
        key = holder if self._chance(0.97) else account("stranger")
        signature = self._deployed.sign(key, "token", name, members, message)
        return signature[64], signature[:32], signature[32:64]

    # ---- minters ---------------------------------------------------------------------------------

    def _schedule_minter(self) -> None:
        chain = self._deployed
        minter = self._pick([chain.vault, chain.lane, *(self._keeper(n) for n in (0, 0, 0, 1))])
        cap = chain.read("token", "minter", minter)["cap"] + self._pick([0, 1, UNIT, 10**9])
        members = [("minter", "address"), ("cap", "uint80")]
        message = {"minter": minter, "cap": cap}
        action = self._signed("token", "MinterAddition", members, message, self._governors())
        self._send("token", "scheduleMinter", minter, cap, *action)

    def _activate_minter(self) -> None:
        planned, now = self._facts.planned_minters, self._deployed.now()
        ripe = sorted(minter for minter, since in planned.items() if since <= now)
        if self._chance(0.1):
            ripe = sorted(planned)
        self._send("token", "activateMinter", self._pick(ripe))

    def _remove_minter(self) -> None:
        chain = self._deployed
        known = sorted({*self._facts.minters, *self._facts.planned_minters})
        if not self._chance(0.03):  # without the first two little happens any more
            known = [minter for minter in known if minter not in (chain.vault, chain.lane)]
        minter = self._pick(known)
        members, message = [("minter", "address")], {"minter": minter}
        action = self._signed("token", "MinterRemoval", members, message, self._governors())
        self._send("token", "removeMinter", minter, *action)

    def _other_minter(self) -> None:
        """One beside vault and lane commits and gives back; what it mints is not this vault's."""
        chain = self._deployed
        others = sorted(self._facts.minters - {chain.vault, chain.lane})
        if not others and self._chance(0.9):
            raise Idle("there is no other minter")
        minter = self._pick(others or [self._keeper(0)])
        committed = chain.read("token", "minter", minter)["committed"]
        function, args = self._pick(
            [
                *[("commit", (self._pick([0, 1, UNIT]),))] * 2,
                ("release", (self._pick([0, committed, committed + 1]),)),
                ("mintEntry", (self._wallet(), 0)),
                ("mintBatch", (pack_entries([(self._wallet(), 0)]), self._pick([0, UNIT]))),
            ]
        )
        chain.send(minter, "token", function, *args)

    @staticmethod
    def _keeper(number: int) -> str:
        return account(f"keeper {number}").address

    # ---- freezes ---------------------------------------------------------------------------------

    def _unfreeze(self) -> None:
        if self._chance(0.1):
            super()._unfreeze()
            return
        self._role("freezer", "token", "unfreeze", self._pick(sorted(self._facts.frozen)))

    # ---- reserve, cap and pause ------------------------------------------------------------------

    def _attest(self) -> None:
        read, now = self._deployed.read, self._deployed.now()
        before, redeemed = read("token", "attestation"), read("token", "redeemedTotal")
        outstanding = read("token", "totalSupply") + read("token", "committed")
        amount = self._draw.choices(
            [10**13, outstanding, outstanding + 300 * UNIT, outstanding // 2, 2**80 - 1],
            [14, 0.5, 1.5, 0.3, 0.5],
        )[0]
        included, as_of = redeemed, now
        if self._chance(0.3):
            included = self._pick([before["redemptionsIncluded"], max(0, redeemed - 1)])
        if self._chance(0.1):
            included = redeemed + 1
        if self._chance(0.2):
            as_of = self._pick([before["asOf"], before["asOf"] + 1, now + DAY_S])
        document = self._hash("attestation")
        self._role("attestor", "token", "attestReserve", amount, included, as_of, document)

    def _lower_cap(self) -> None:
        cap = self._deployed.read("token", "cap")
        lower = self._draw.choices([cap - 1, cap // 2, cap, 0, 10**12], [10, 3, 1, 0.3, 0.3])[0]
        self._role("treasurer", "token", "lowerCap", lower)

    def _schedule_cap(self) -> None:
        cap = self._deployed.read("token", "cap")
        higher = min(2**80 - 1, self._pick([cap, cap + 1, 2 * cap, 2**79]))
        action = self._signed(
            "token", "CapIncrease", [("cap", "uint80")], {"cap": higher}, self._governors()
        )
        self._send("token", "scheduleCap", higher, *action)

    def _apply_cap(self) -> None:
        self._ripe("cap ", int)
        self._send("token", "applyCap")

    def _pause_transfers(self) -> None:
        self._role("guardian", "token", "pauseTransfers")

    def _unpause_transfers(self) -> None:
        self._mostly_when_paused("token")
        action = self._signed("token", "UnpauseTransfers", [], {}, self._governors())
        self._send("token", "unpauseTransfers", *action)
