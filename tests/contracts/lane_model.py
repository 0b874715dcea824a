"""The emergency lane as plain Python: one row a grant, every sum added up anew from the rows.

Written from docs/contracts.md, not from the Solidity: no buckets, cursors or packed words. Amounts
are base units, times Unix seconds.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from model import DAY, Model, Refused

TOKEN = 10**6
PERIOD = 6 * DAY
CAPS = {0: "country", 2: "perProvince", 4: "perCity", 6: "perCounty"}
THRESHOLDS = {2: "provinceOverdue", 4: "cityOverdue", 6: "countyOverdue"}
OUTSTANDING, OVERDUE, COUNTERSIGNED, WRITTEN_OFF = 1, 2, 3, 4

Region = tuple[int, int]


@dataclass
class BookedGrant:
    """A grant that was paid; `ended` is its last state, 0 while it is outstanding."""

    given: Mapping[str, Any]
    made_at: int
    overdue_from: int
    ended: int = 0

    @property
    def id(self) -> bytes:
        """The grant id."""
        grant_id: bytes = self.given["grantId"]
        return grant_id

    @property
    def amount(self) -> int:
        """Base units."""
        amount: int = self.given["amount"]
        return amount

    def within(self, region: Region) -> bool:
        """Whether its region is this one or lies in it."""
        code, digits = str(self.given["regionCode"]), region[1]
        return self.given["regionDigits"] >= digits and (
            not digits or code[:digits] == str(region[0])
        )

    def state(self, time: int) -> int:
        """Its state at `time`, by the contract's number."""
        return self.ended or (OVERDUE if time >= self.overdue_from else OUTSTANDING)


@dataclass
class LaneModel:
    """The lane's books, beside those of the token.

    Attributes
    ----------
    address
        Of the lane, which is never paid.
    limits
        By the name of the member.
    cap
        Most the lane may ever mint.
    """

    model: Model
    address: str
    limits: Mapping[str, int]
    cap: int
    paused: bool = False
    grants: list[BookedGrant] = field(default_factory=list)

    # ---- what is so --------------------------------------------------------------------------

    @property
    def minted(self) -> int:
        """All it ever granted."""
        return sum(grant.amount for grant in self.grants)

    @property
    def outstanding(self) -> int:
        """What is neither countersigned nor written off."""
        return sum(grant.amount for grant in self.grants if not grant.ended)

    def granted(self, time: int, concerns: Callable[[BookedGrant], bool]) -> int:
        """Sum over the window at `time`, each grant in whole tokens rounded up."""
        return sum(
            -(-grant.amount // TOKEN) * TOKEN
            for grant in self.grants
            if concerns(grant) and grant.made_at // PERIOD + 5 >= time // PERIOD
        )

    def overdue(self, time: int, concerns: Callable[[BookedGrant], bool]) -> int:
        """Sum of the grants overdue at `time`."""
        return sum(
            grant.amount
            for grant in self.grants
            if concerns(grant) and grant.state(time) == OVERDUE
        )

    # ---- what is done ------------------------------------------------------------------------

    def grant(self, given: Mapping[str, Any], time: int) -> None:
        """Book a grant that one officer who may signed."""
        if self.paused:
            raise Refused("GrantsArePaused")
        if any(grant.id == given["grantId"] for grant in self.grants):
            raise Refused("GrantExists", given["grantId"])
        case = given["caseCommitment"]
        if any(grant.given["caseCommitment"] == case for grant in self.grants):
            raise Refused("CaseAlreadyGranted", case)
        self._require_within_caps(given, time)
        self._require_minted(given["amount"])
        reason = self._unpayable(given["payee"])
        if reason:
            raise Refused("Unpayable", given["payee"], reason)
        due = -(-(time + self.limits["countersignWindow"]) // DAY) * DAY
        self.grants.append(BookedGrant(given, time, due))
        self.model.mint_at_once(given["payee"], given["amount"])

    def countersign(self, grant: BookedGrant, officer: int) -> None:
        """End a grant by a reviewer's signature."""
        self._require_outstanding(grant)
        if officer == grant.given["officer"]:
            raise Refused("CountersignedByGranter", officer)
        grant.ended = COUNTERSIGNED

    def write_off(self, grant: BookedGrant) -> None:
        """End a grant by governors."""
        self._require_outstanding(grant)
        grant.ended = WRITTEN_OFF

    # ---- pieces ------------------------------------------------------------------------------

    def _require_within_caps(self, given: Mapping[str, Any], time: int) -> None:
        limits, amount, officer = self.limits, given["amount"], given["officer"]
        if amount > limits["perGrant"]:
            raise Refused("GrantAboveCap", amount, limits["perGrant"])
        late = self.overdue(time, lambda grant: grant.given["officer"] == officer)
        if late:
            raise Refused("OfficerClosed", officer, late)
        whole = -(-amount // TOKEN) * TOKEN
        total = self.granted(time, lambda grant: grant.given["officer"] == officer) + whole
        if total > limits["perOfficer"]:
            raise Refused("OfficerCapExceeded", officer, total, limits["perOfficer"])
        for region in _upwards(given):
            self._require_within_region(region, whole, time)
        if self.outstanding + amount > limits["outstanding"]:
            total = self.outstanding + amount
            raise Refused("OutstandingCapExceeded", total, limits["outstanding"])

    def _require_within_region(self, region: Region, whole: int, time: int) -> None:
        total = self.granted(time, lambda grant: grant.within(region)) + whole
        most = self.limits[CAPS[region[1]]]
        if total > most:
            raise Refused("RegionCapExceeded", *region, total, most)
        if region[1]:
            late = self.overdue(time, lambda grant: grant.within(region))
            threshold = self.limits[THRESHOLDS[region[1]]]
            if late > threshold:
                raise Refused("RegionClosed", *region, late, threshold)

    def _require_minted(self, amount: int) -> None:
        """What the token refuses; not the age of the attestation."""
        if self.minted + amount > self.cap:
            raise Refused("MinterCapExceeded", self.address, self.minted + amount, self.cap)
        total = self.model.supply + self.model.committed + amount
        if total > self.model.reserve_in_force:
            raise Refused("ReserveExceeded", total, self.model.reserve_in_force)

    def _unpayable(self, payee: str) -> int:
        # The vault is a payee like any other here; the lane is not.
        reason = self.model.ours.get(payee, 0)
        if payee == self.address:
            return 3
        return reason if reason in {1, 2} else 4 if payee in self.model.frozen else 0

    def _require_outstanding(self, grant: BookedGrant) -> None:
        if grant.ended:
            raise Refused("GrantEnded", grant.id, grant.ended)


def _upwards(given: Mapping[str, Any]) -> Iterator[Region]:
    """The grant's region, those above it, and the whole country."""
    code, digits = given["regionCode"], given["regionDigits"]
    for to in range(digits, 0, -2):
        yield code // 10 ** (digits - to), to
    yield 0, 0
