"""Deeds on the vault: batches of every kind and shape, programmes, pauses, the sunset."""

from __future__ import annotations

from service.payouts.entries import pack_entries
from tests.audit.driving.chain import EVERYWHERE, REVIEWER
from tests.audit.driving.planning import MOST_TRIES, Planning
from tests.support.deployed import account
from tests.support.rows import SignedBatch
from tests.support.walks import DAY_S, UNIT, ZERO


class VaultDeeds(Planning):
    """What anybody, officers and housekeepers do with the vault."""

    # ---- which batch -----------------------------------------------------------------------------

    def _batch(self, *, streams: bool | None = None) -> tuple[SignedBatch, bytes]:
        """Mostly one that was approved and, of streams, has opened some."""
        wanted = [b for b in self.batches if streams is None or bool(b.approval["kind"]) == streams]
        if not self._chance(0.08):
            known = self._facts.run if streams else self._facts.approved
            wanted = [b for b in wanted if b.approval["batchId"] in known]
        batch = self._pick(wanted)
        return batch, batch.approval["batchId"]

    def _index(self, batch: SignedBatch) -> int:
        """Mostly of a chunk that ran, first and last ones more often."""
        last = len(batch.amounts) - 1
        run = sorted(self._facts.run.get(batch.approval["batchId"], ()))
        if not run or self._chance(0.08):
            return self._draw.randint(0, last + self._chance(0.05))
        size = batch.approval["chunkSize"]
        first = self._pick(run) * size
        final = min(last, first + size - 1)
        return self._pick([first, final, self._draw.randint(first, final)])

    def _chunk(self, batch: SignedBatch) -> int:
        return self._index(batch) // max(1, batch.approval["chunkSize"])

    def _unapproved(self) -> SignedBatch:
        if self._chance(0.05):
            return self._pick(self.batches)
        approved, now = self._facts.approved, self._deployed.now()
        batch = self._pick(
            b
            for b in self.batches
            if b.approval["batchId"] not in approved
            and now < b.approval["executeBefore"]
            and self._tried[b.id] < MOST_TRIES
        )
        self._tried[batch.id] += 1
        return batch

    def _unrun(self) -> tuple[SignedBatch, int]:
        facts, now = self._facts, self._deployed.now()
        if self._chance(0.1):
            batch = self._pick(b for b in self.batches if b.approval["chunkSize"] > 0)
            return batch, self._draw.randrange(_chunks(batch))
        batch = self._pick(
            b
            for b in self.batches
            if facts.approved.get(b.approval["batchId"], 2**40) <= now < b.approval["executeBefore"]
            and b.approval["batchId"] not in facts.cancelled
            and len(facts.run.get(b.approval["batchId"], ())) < _chunks(b)
        )
        run = facts.run.get(batch.approval["batchId"], frozenset())
        return batch, self._pick(chunk for chunk in range(_chunks(batch)) if chunk not in run)

    def _skipped(self) -> tuple[SignedBatch, int]:
        """Mostly one whose payee has become payable."""
        if self._chance(0.1):
            batch, _ = self._batch(streams=False)
            return batch, self._index(batch)
        chain, frozen = self._deployed, self._facts.frozen
        never = {ZERO, chain.token, chain.vault}
        waiting = self._waiting()
        payable = [
            (batch, index)
            for batch, index in waiting
            if self._payee_now(batch, index) not in never | frozen
        ]
        return self._pick(payable if self._chance(0.85) else waiting)

    def _waiting(self) -> list[tuple[SignedBatch, int]]:
        """Every payout that was skipped and neither retried nor expired."""
        skipped = self._facts.skipped
        return [
            (batch, index)
            for batch in self.batches
            for index in range(len(batch.payees))
            if (batch.approval["batchId"], index) in skipped
        ]

    def _unpaid(self) -> tuple[SignedBatch, int]:
        if self._chance(0.5):
            return self._pick(self._waiting())
        batch, _ = self._batch(streams=True)
        return batch, self._index(batch)

    def _unpayable(self) -> tuple[SignedBatch, int]:
        waiting, now = self._waiting(), self._deployed.now()
        if self._chance(0.1):
            return self._pick(waiting)
        return self._pick(each for each in waiting if each[0].approval["expiresAt"] <= now)

    def _payee_now(self, batch: SignedBatch, index: int) -> str:
        signed = batch.payees[index] if index < len(batch.payees) else self._wallet()
        return self._facts.payees.get((batch.approval["batchId"], index), signed)

    def _withdraw(self) -> None:
        self._accrue()
        super()._withdraw()

    def _withdraw_chunk(self) -> None:
        self._accrue()
        super()._withdraw_chunk()

    def _accrue(self) -> None:
        """Mostly let some time pass before a withdrawal."""
        if self._chance(0.6):
            seconds = self._pick([1, 3_600, DAY_S, DAY_S, 7 * DAY_S])
            self._deployed.next_block_at(self._deployed.now() + seconds)

    def _expire_unexecuted(self) -> None:
        if self._chance(0.1):
            super()._expire_unexecuted()
            return
        facts, now = self._facts, self._deployed.now()
        batch = self._pick(
            b
            for b in self.batches
            if b.approval["batchId"] in facts.approved
            and b.approval["executeBefore"] <= now
            and b.approval["batchId"] not in facts.expired
            and len(facts.run.get(b.approval["batchId"], ())) < _chunks(b)
        )
        self._send("vault", "expireUnexecuted", batch.approval["batchId"])

    def _expire_streams(self) -> None:
        if self._chance(0.1):
            super()._expire_streams()
            return
        now, run = self._deployed.now(), self._facts.run
        batch, chunk = self._pick(
            (batch, chunk)
            for batch in self.batches
            if batch.approval["kind"] and batch.approval["expiresAt"] <= now
            for chunk in sorted(run.get(batch.approval["batchId"], ()))
            if self._never_payable(batch, chunk)
        )
        self._send("vault", "expireStreams", batch.approval["batchId"], chunk)

    def _never_payable(self, batch: SignedBatch, chunk: int) -> bool:
        """Whether somebody in a chunk can never be paid."""
        size = batch.approval["chunkSize"]
        payees = batch.payees[chunk * size : (chunk + 1) * size]
        return bool({ZERO, self._deployed.token, self._deployed.vault} & set(payees))

    def _mask(self, batch: SignedBatch) -> tuple[int, int]:
        """One stream, or several, or all of the chunk, sometimes past its end."""
        size = max(1, batch.approval["chunkSize"])
        index = self._index(batch)
        if self._chance(0.5):
            return index // size, 1 << index % size
        length = min(size, len(batch.amounts) - index // size * size)
        every = (1 << max(1, length) + self._chance(0.05)) - 1
        return index // size, (every & self._draw.getrandbits(512)) or every

    def _signatures_of(self, batch: SignedBatch) -> bytes:
        """Of the maker and as many reviewers as the tier asks for, sometimes more or fewer."""
        approval = batch.approval
        region = (approval["regionCode"], approval["regionDigits"])
        _, tiers = self._facts.programmes.get(approval["programme"], (EVERYWHERE, ()))
        before = self._deployed.read("vault", "rollingSum", approval["programme"], *region)
        total = before + approval["total"]
        least = next((t["reviewers"] for t in tiers if total <= t["upTo"]), 1)
        able = [n for n in self._able(REVIEWER, region) if n != approval["maker"]]
        maker, reviewers = approval["maker"], self._some(able, least)
        if self._chance(0.02):
            maker = self._pick(able)
        signed = self._deployed.sign_batch(approval, maker=maker, reviewers=reviewers)
        return self._perhaps_spoilt(signed)

    # ---- programmes ------------------------------------------------------------------------------

    def _programme(self) -> int:
        if self._chance(0.02):
            return 99
        return self._pick(sorted(self._facts.programmes))

    def _create_programme(self) -> None:
        tiers, limit, reviewers = [], 0, 0
        for _ in range(self._draw.randint(1, 5)):
            limit += self._draw.randint(1, 1_000) * UNIT
            reviewers = max(1, reviewers + self._draw.randint(0, 1))
            tiers.append((limit, reviewers, self._pick([0, 0, 1, 3_600, 3 * DAY_S])))
        region = self._pick([EVERYWHERE, self._region()])
        self._role(
            "programme_manager",
            "vault",
            "createProgramme",
            self._draw.randint(1, 6),
            *region,
            self._pick([0, UNIT, 10**9, 10**10, 2**80 - 1]),
            self._pick([1, 50 * UNIT, 10**9, 2**64 - 1]),
            tiers,
            self._hash("programme"),
        )

    def _raise_budget(self) -> None:
        number = self._programme()
        budget = self._budget(number) + self._pick([0, 1, UNIT, 10**12])
        self._role("programme_manager", "vault", "scheduleBudgetIncrease", number, budget)

    def _apply_budget(self) -> None:
        self._send("vault", "applyBudgetIncrease", self._ripe("budget ", self._programme))

    def _lower_budget(self) -> None:
        number = self._programme()
        programme = self._deployed.read("vault", "programme", number)
        least, budget = programme["allocated"], programme["budget"]
        lower = self._pick(
            [least, max(0, least - 1), budget, (least + budget) // 2, budget * 3 // 4]
        )
        self._role("programme_manager", "vault", "decreaseBudget", number, lower)

    def _budget(self, number: int) -> int:
        return min(2**80 - 10**13, self._deployed.read("vault", "programme", number)["budget"])

    # ---- pauses and the end ----------------------------------------------------------------------

    def _pause(self) -> None:
        self._role("guardian", "vault", "pause", self._pick([1, 2, 4, 3, 7, 7, 0, 8]))

    def _unpause(self) -> None:
        self._mostly_when_paused("vault")
        operations = self._pick([7, 7, 1, 2, 4, 0])
        members, message = [("operations", "uint8")], {"operations": operations}
        action = self._signed("vault", "Unpause", members, message, self._governors())
        self._send("vault", "unpause", operations, *action)

    def _begin_sunset(self) -> None:
        action = self._signed("vault", "Sunset", [], {}, self._governors())
        self._send("vault", "beginSunset", *action)

    def _trespass(self) -> None:
        """Somebody without any power tries what only others may; whoever gets through is named."""
        chain, stranger = self._deployed, account("stranger")
        accomplice = account("accomplice").address  # never frozen: that would be a skip, no error
        key, function, args = self._pick(
            [
                ("vault", "pause", (1,)),
                ("vault", "decreaseBudget", (1, 0)),
                ("vault", "setAuthority", (stranger.address,)),
                ("token", "setAuthority", (stranger.address,)),
                ("lane", "setAuthority", (stranger.address,)),
                ("token", "commit", (1,)),
                ("token", "release", (1,)),
                ("token", "mintEntry", (accomplice, 1)),
                ("token", "mintBatch", (pack_entries([(accomplice, 1)]), 1)),
                ("token", "attestReserve", (2**79, 0, chain.now(), bytes(32))),
                ("token", "unfreeze", (stranger.address,)),
                ("lane", "lowerRegionCap", (51, 2, 1)),
                ("manager", "grantRole", (0, stranger.address, 0)),
                ("manager", "labelRole", (1, "mine")),
                ("manager", "consumeScheduledOp", (stranger.address, b"\0\0\0\0")),
                ("manager", "updateAuthority", (chain.token, stranger.address)),
            ]
        )
        before = chain.done[f"{key}.{function}"]
        try:
            chain.send(stranger, key, function, *args)
        finally:
            if chain.done[f"{key}.{function}"] > before and not chain.in_company:
                raise RuntimeError(f"a stranger did {key}.{function}")


def _chunks(batch: SignedBatch) -> int:
    return -(-len(batch.amounts) // max(1, int(batch.approval["chunkSize"])))
