"""What all deeds of the driver have in common: who is drawn to do them, and with what flaws."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from eth_utils.crypto import keccak

from tests.audit.driving.chain import EVERYWHERE, GOVERNOR, REVIEWER, ROLE_IDS, Driven, Idle
from tests.audit.driving.facts import Facts, Region, covers
from tests.support.deployed import account
from tests.support.rows import SignedBatch
from tests.support.walks import ACTION, DAY_S, ZERO, Walk

WALLETS = 8
QUORUM = 2
REGIONS = ((51, 2), (5107, 4), (510722, 6), (33, 2), (3301, 4), (330102, 6), (11, 2))

T = TypeVar("T")


class Deeds(Walk):
    """A walk on a driven chain.

    Parameters
    ----------
    folder
        Where the manifests of planned batches are written.
    """

    _deployed: Driven

    def __init__(self, chain: Driven, seed: int, folder: Path) -> None:
        super().__init__(chain, seed)
        self._folder = folder
        self._used: list[bytes] = []
        chain.draw = self._draw

    @property
    def _facts(self) -> Facts:
        return self._deployed.facts

    # ---- drawing ---------------------------------------------------------------------------------

    def _chance(self, share: float) -> bool:
        return self._draw.random() < share

    def _pick(self, items: Iterable[T]) -> T:
        """Draw one, if there is one; what has no order of its own is given sorted."""
        given = list(items)
        if not given:
            raise Idle("nothing to choose from")
        return self._draw.choice(given)

    def _number(self) -> int:
        self._actions += 1
        return self._actions

    def _hash(self, what: str) -> bytes:
        return keccak(text=f"{self.seed} {what} {self._number()}")

    def _wallet(self) -> str:
        if self._chance(0.06):
            return self._special()
        return self._holder().address

    def _holder(self) -> Any:
        return account(f"fuzz {self._draw.randrange(WALLETS)}")

    def _special(self) -> str:
        chain = self._deployed
        return self._pick([ZERO, chain.token, chain.vault, chain.lane, chain.registry])

    def _region(self, inside: Region = EVERYWHERE) -> Region:
        if self._chance(0.03):
            return self._pick([*REGIONS, EVERYWHERE, (9, 2), (510722, 4)])
        return self._pick(region for region in REGIONS if covers(inside, region))

    def _ripe(self, prefix: str, otherwise: Callable[[], int]) -> int:
        """Mostly the number of something planned that may be applied by now."""
        if self._chance(0.08):
            return otherwise()
        now = self._deployed.now()
        due = sorted(self._facts.due.items())
        return self._pick(
            int(name.removeprefix(prefix))
            for name, time in due
            if name.startswith(prefix) and time <= now
        )

    def _mostly_when_paused(self, key: str) -> None:
        if not self._facts.paused.get(key) and self._chance(0.9):
            raise Idle("it is not paused")

    # ---- who -------------------------------------------------------------------------------------

    def _able(self, role: int, region: Region = EVERYWHERE) -> list[int]:
        """Officers who can sign in a role for a region now."""
        return [
            number
            for number, officer in sorted(self._facts.officers.items())
            if officer.roles & role
            and (not region[1] or covers(officer.region, region))
            and self._deployed.signers_of(number)
        ]

    def _some(self, able: list[int], least: int) -> tuple[int, ...]:
        """So many of them, sometimes more, seldom fewer or others."""
        if self._chance(0.02):
            able = sorted(self._facts.officers)
        count = least + self._chance(0.2) - self._chance(0.03)
        return tuple(sorted(self._draw.sample(able, min(max(1, count), len(able)))))

    def _reviewers(self, batch: SignedBatch) -> tuple[int, ...]:
        return self._some(self._able(REVIEWER, _region_of(batch)), QUORUM)

    def _reviewer(self, batch: SignedBatch) -> int:
        return self._pick(self._able(REVIEWER, _region_of(batch)))

    def _governors(self) -> tuple[int, ...]:
        return self._some(self._able(GOVERNOR), QUORUM)

    def _role(self, role: str, key: str, function: str, *args: Any) -> None:
        """Have somebody with a role do it at once, seldom somebody else."""
        holders = [
            holder
            for (number, holder), delay in sorted(self._facts.holders.items())
            if number == ROLE_IDS[role] and not delay
        ]
        if self._chance(0.03) or not holders:
            holders = [account("stranger").address]
        self._deployed.send(self._pick(holders), key, function, *args)

    # ---- what officers sign ----------------------------------------------------------------------

    def _signed(
        self,
        key: str,
        name: str,
        members: list[tuple[str, str]],
        message: Mapping[str, Any],
        by: tuple[int, ...],
    ) -> tuple[bytes, int, bytes]:
        action = self._hash("action")
        if self._used and self._chance(0.01):
            action = self._pick(self._used)
        self._used.append(action)
        now = self._deployed.now()
        deadline = (
            now + self._draw.choices([DAY_S, 400 * DAY_S, 30, 0, -1], [20, 1, 1, 0.2, 0.2])[0]
        )
        full = {**message, "actionId": action, "deadline": deadline}
        signatures = self._deployed.sign_action(key, name, [*members, *ACTION], full, by)
        return action, deadline, self._perhaps_spoilt(signatures)

    def _perhaps_spoilt(self, signatures: bytes) -> bytes:
        """Seldom with a byte changed, or cut off, or twice."""
        if not signatures or not self._chance(0.02):
            return signatures
        at = self._draw.randrange(len(signatures))
        changed = bytes([signatures[at] ^ 1 << self._draw.randrange(8)])
        return self._pick(
            [
                signatures[:at] + changed + signatures[at + 1 :],
                signatures[:at],
                signatures + signatures,
                signatures + bytes(3),
                b"",
            ]
        )


def _region_of(batch: SignedBatch) -> Region:
    return batch.approval["regionCode"], batch.approval["regionDigits"]
