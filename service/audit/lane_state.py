"""What the emergency lane's events say: its limits, and every grant with where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from service.audit.arithmetic import RollingSum, region_covers
from service.audit.decode import Event, hex_text
from service.audit.findings import Place

Region = tuple[int, int]
"""Code and digits; (0, 0) is the whole country."""


CAP_OF_DIGITS = {0: "country", 2: "perProvince", 4: "perCity", 6: "perCounty"}
"""Limit that holds for a region without a cap of its own."""


class GrantState(StrEnum):
    """Where a grant stands."""

    OUTSTANDING = "outstanding"
    OVERDUE = "overdue"
    """Outstanding past the time for countersigning."""
    COUNTERSIGNED = "countersigned"
    WRITTEN_OFF = "written_off"


@dataclass
class Grant:
    """A grant that was paid.

    Attributes
    ----------
    given
        What its officer signed.
    overdue_from
        Midnight UTC from which it is overdue unless it was ended, Unix seconds.
    ended
        How it was ended, None while it was not; `ended_block` says where.
    """

    given: dict[str, Any]
    overdue_from: int
    block: int
    block_hash: bytes
    tx: bytes
    ended: GrantState | None = None
    ended_block: int = 0
    countersigned_by: int | None = None

    @property
    def id(self) -> bytes:
        """Grant id."""
        value: bytes = self.given["grantId"]
        return value

    @property
    def amount(self) -> int:
        """Base units."""
        return int(self.given["amount"])

    @property
    def officer(self) -> int:
        """Who granted it."""
        return int(self.given["officer"])

    @property
    def region(self) -> Region:
        """Region of its case."""
        return self.given["regionCode"], self.given["regionDigits"]

    def state(self, time: int) -> GrantState:
        """Where it stands at a Unix time."""
        if self.ended is not None:
            return self.ended
        return GrantState.OVERDUE if time >= self.overdue_from else GrantState.OUTSTANDING

    def place(self, event: Event | None = None) -> Place:
        """Name it where an event happened, or where it was made."""
        block, tx = (self.block, self.tx) if event is None else (event.block, event.tx)
        return Place(block=block, tx=hex_text(tx), grant=hex_text(self.id))


@dataclass
class Lane:
    """The emergency lane.

    Attributes
    ----------
    limits
        Those in force, by the name of the member.
    pending_limits
        Planned ones and from when they may be applied, or None.
    region_caps, pending_region_caps
        Caps that regions have of their own; planned ones and from when they may be applied.
    officer_sums, region_sums
        Granted over the rolling window; region (0, 0) is the whole country.
    cases
        Commitment of each case granted → its grant.
    uncountersigned
        Grants neither countersigned nor written off.
    """

    seq: int = 0
    paused: bool = False
    limits: dict[str, int] = field(default_factory=dict)
    pending_limits: tuple[dict[str, int], int] | None = None
    region_caps: dict[Region, int] = field(default_factory=dict)
    pending_region_caps: dict[Region, tuple[int, int]] = field(default_factory=dict)
    officer_sums: dict[int, RollingSum] = field(default_factory=dict)
    region_sums: dict[Region, RollingSum] = field(default_factory=dict)
    grants: dict[bytes, Grant] = field(default_factory=dict)
    cases: dict[bytes, bytes] = field(default_factory=dict)
    uncountersigned: dict[bytes, Grant] = field(default_factory=dict)

    @property
    def outstanding(self) -> int:
        """Sum of what is neither countersigned nor written off."""
        return sum(grant.amount for grant in self.uncountersigned.values())

    def cap_of(self, region: Region) -> int:
        """Most that may be granted in a region over the rolling window."""
        return self.region_caps.get(region) or self.limits.get(CAP_OF_DIGITS[region[1]], 0)

    def overdue(self, time: int) -> Iterator[Grant]:
        """Yield the grants overdue at a Unix time."""
        for grant in self.uncountersigned.values():
            if time >= grant.overdue_from:
                yield grant

    def overdue_by(self, officer: int, time: int) -> int:
        """Sum of an officer's grants overdue at a Unix time."""
        return sum(grant.amount for grant in self.overdue(time) if grant.officer == officer)

    def overdue_in(self, region: Region, time: int) -> int:
        """Sum of the grants in a region overdue at a Unix time."""
        return sum(g.amount for g in self.overdue(time) if region_covers(region, g.region))
