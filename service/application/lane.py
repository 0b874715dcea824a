"""What the emergency lane says of itself: its limits, what is left of each, and what it refuses.

The lane checks everything again; asked here first, so that an officer hears before anybody signs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.application.arguments import arguments_view
from service.application.context import Application
from service.approvals.grants import GrantTerms
from service.chain.contracts import ContractRefusal
from service.errors import InvalidInput
from service.regions import WHOLE_COUNTRY, Region
from service.units import BASE_UNITS_PER_TOKEN, amounts, format_unix_s

ZERO_ADDRESS = "0x" + "00" * 20

_FROZEN = 4
"""``BenefitToken.unpayableReason``."""

_THRESHOLD_OF_DIGITS = {2: "provinceOverdue", 4: "cityOverdue", 6: "countyOverdue"}


@dataclass(frozen=True, slots=True)
class RegionRoom:
    """What one region may still be granted.

    Attributes
    ----------
    cap_base_units, granted_base_units
        Most over the rolling window, and what was granted in it.
    overdue_base_units, threshold_base_units
        What is overdue, and above what the region closes; None for the whole country.
    """

    region: Region
    cap_base_units: int
    granted_base_units: int
    overdue_base_units: int | None
    threshold_base_units: int | None

    @property
    def left_base_units(self) -> int:
        """Most that one more grant may be for the cap's sake."""
        return _left(self.cap_base_units, self.granted_base_units)

    @property
    def closed(self) -> bool:
        """Whether too much is overdue."""
        if self.overdue_base_units is None or self.threshold_base_units is None:
            return False
        return self.overdue_base_units > self.threshold_base_units


class Lane:
    """The lane's views at one block.

    Parameters
    ----------
    app
        Its node and contracts.

    Raises
    ------
    ChainUnavailable
        When the node does not answer; so does every method.
    """

    def __init__(self, app: Application) -> None:
        self._app = app
        self.block_number = app.rpc.block_number()
        self.limits: dict[str, int] = self.read("limits")
        self.paused: bool = self.read("paused")
        self.outstanding_base_units: int = self.read("outstanding")

    def read(self, function: str, *args: Any, contract: str = "lane") -> Any:
        """Call a view at the block."""
        return self._app.contracts.read(
            self._app.rpc, contract, function, *args, block=self.block_number
        )

    def granted_by(self, officer_id: int) -> int:
        """Return what an officer granted over the window, base units."""
        granted: int = self.read("grantedBy", officer_id)
        return granted

    def overdue_by(self, officer_id: int) -> int:
        """Return what of an officer's grants is overdue, base units."""
        overdue: int = self.read("overdueBy", officer_id)
        return overdue

    def regions(self, region: Region) -> list[RegionRoom]:
        """Return a region, those above it, and the whole country, in this order."""
        return [self._room(each) for each in (region, *reversed(region.ancestors()))] + (
            [] if region == WHOLE_COUNTRY else [self._room(WHOLE_COUNTRY)]
        )

    def _room(self, region: Region) -> RegionRoom:
        pair = (region.code, region.digits)
        country = region == WHOLE_COUNTRY
        return RegionRoom(
            region=region,
            cap_base_units=self.limits["country"] if country else self.read("regionCap", *pair),
            granted_base_units=self.read("grantedIn", *pair),
            overdue_base_units=None if country else self.read("overdueIn", *pair),
            threshold_base_units=None
            if country
            else self.limits[_THRESHOLD_OF_DIGITS[region.digits]],
        )

    @property
    def minter(self) -> Mapping[str, int]:
        """The lane as the token has it: cap and minted, base units."""
        found: Mapping[str, int] = self.read("minter", self._app.deployment.lane, contract="token")
        return found

    def token(self, function: str) -> int:
        """Call a view of the token that gives a number."""
        return int(self.read(function, contract="token"))


def refuse_grant(app: Application, terms: GrantTerms, officer_id: int) -> None:
    """Refuse a grant that the lane would refuse as things are, in the lane's own words.

    Raises
    ------
    InvalidInput
        When the payee is the zero address or one of the deployed contracts.
    ContractRefusal
        With the error that the lane, or the token, would give.
    ChainUnavailable
        When the node does not answer.
    """
    _refuse_payee(app, terms.payee)
    lane, amount = Lane(app), terms.amount_base_units
    if lane.paused:
        raise ContractRefusal("GrantsArePaused", {})
    commitment = bytes.fromhex(terms.commitment)
    if lane.read("caseGranted", commitment):
        raise ContractRefusal("CaseAlreadyGranted", {"caseCommitment": commitment})
    if amount > (cap := lane.limits["perGrant"]):
        raise ContractRefusal("GrantAboveCap", {"amount": amount, "cap": cap})
    _refuse_by_officer(lane, officer_id, amount)
    for room in lane.regions(terms.region):
        _refuse_in_region(room, amount)
    outstanding = lane.outstanding_base_units + amount
    if outstanding > (cap := lane.limits["outstanding"]):
        raise ContractRefusal("OutstandingCapExceeded", {"outstanding": outstanding, "cap": cap})
    _refuse_by_token(app, lane, terms)


def _refuse_payee(app: Application, payee: str) -> None:
    if payee == ZERO_ADDRESS:
        raise InvalidInput("the zero address can be paid nothing")
    for key, contract in app.deployment.contracts.items():
        if payee == contract.address:
            raise InvalidInput(f"{payee} is one of the deployed contracts ({key}): it has no owner")


def _refuse_by_officer(lane: Lane, officer_id: int, amount: int) -> None:
    if overdue := lane.overdue_by(officer_id):
        raise ContractRefusal("OfficerClosed", {"officer": officer_id, "overdue": overdue})
    total = lane.granted_by(officer_id) + _whole_tokens(amount)
    if total > (cap := lane.limits["perOfficer"]):
        words = {"officer": officer_id, "sum": total, "cap": cap}
        raise ContractRefusal("OfficerCapExceeded", words)


def _refuse_in_region(room: RegionRoom, amount: int) -> None:
    named = {"regionCode": room.region.code, "regionDigits": room.region.digits}
    total, cap = room.granted_base_units + _whole_tokens(amount), room.cap_base_units
    if total > cap:
        raise ContractRefusal("RegionCapExceeded", named | {"sum": total, "cap": cap})
    if room.closed:
        late = {"overdue": room.overdue_base_units, "threshold": room.threshold_base_units}
        raise ContractRefusal("RegionClosed", {**named, **late})


def _refuse_by_token(app: Application, lane: Lane, terms: GrantTerms) -> None:
    amount, minter = terms.amount_base_units, lane.minter
    minted = minter["minted"] + minter["committed"] + amount
    if minted > minter["cap"]:
        words = {"minter": app.deployment.lane, "requested": minted, "cap": minter["cap"]}
        raise ContractRefusal("MinterCapExceeded", words)
    total = lane.token("totalSupply") + lane.token("committed") + amount
    if total > (cap := lane.token("cap")):
        raise ContractRefusal("CapExceeded", {"requested": total, "cap": cap})
    if total > (reserve := lane.token("reserve")):
        raise ContractRefusal("ReserveExceeded", {"requested": total, "reserve": reserve})
    if lane.read("isFrozen", terms.payee, contract="token"):
        raise ContractRefusal("Unpayable", {"payee": terms.payee, "reason": _FROZEN})


def _whole_tokens(amount: int) -> int:
    """Round up as the lane's rolling sums count (``RollingSum``)."""
    whole: int = -(-amount // BASE_UNITS_PER_TOKEN) * BASE_UNITS_PER_TOKEN
    return whole


def _left(cap: int, used: int) -> int:
    """Most that still fits a cap which counts in whole tokens."""
    whole: int = max(cap - used, 0) // BASE_UNITS_PER_TOKEN * BASE_UNITS_PER_TOKEN
    return whole


# ---- Looking -----------------------------------------------------------------------------------


def lane_view(
    app: Application, *, region: Region | None = None, officer_id: int | None = None
) -> dict[str, Any]:
    """Return the lane's limits and what is left of each now, for JSON.

    Parameters
    ----------
    region
        Also what it and the regions above it have left; the whole country alone when None.
    officer_id
        Also what this officer has left.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    lane = Lane(app)
    planned, from_unix_s = lane.read("pendingLimits")
    minter = lane.minter
    carried = lane.token("totalSupply") + lane.token("committed")
    ever_left = max(minter["cap"] - minter["minted"] - minter["committed"], 0)
    free = max(min(lane.token("reserve"), lane.token("cap")) - carried, 0)
    rooms = lane.regions(region or WHOLE_COUNTRY)
    officer = None if officer_id is None else _officer(lane, officer_id)
    outstanding_left = max(lane.limits["outstanding"] - lane.outstanding_base_units, 0)
    left = [lane.limits["perGrant"], outstanding_left, ever_left, free]
    left += [0 if room.closed else room.left_base_units for room in rooms]
    if officer is not None:
        left.append(0 if officer["closed"] else int(officer["left_base_units"]))
    return {
        "block_number": lane.block_number,
        "paused": lane.paused,
        **amounts(
            largest_grant=0 if lane.paused else min(left),
            outstanding=lane.outstanding_base_units,
            outstanding_left=outstanding_left,
            granted_ever=minter["minted"],
            granted_ever_left=ever_left,
            reserve_left=free,
        ),
        "limits": arguments_view(lane.limits),
        "planned_limits": _planned(planned, from_unix_s),
        "officer": officer,
        "regions": [_region(lane, room) for room in rooms],
    }


def _officer(lane: Lane, officer_id: int) -> dict[str, Any]:
    granted, overdue = lane.granted_by(officer_id), lane.overdue_by(officer_id)
    cap = lane.limits["perOfficer"]
    return {
        "officer_id": officer_id,
        **amounts(cap=cap, granted=granted, left=_left(cap, granted), overdue=overdue),
        "closed": overdue > 0,
    }


def _region(lane: Lane, room: RegionRoom) -> dict[str, Any]:
    planned = None
    if room.region != WHOLE_COUNTRY:
        cap, from_unix_s = lane.read("pendingRegionCap", room.region.code, room.region.digits)
        planned = _planned({"cap": cap}, from_unix_s)
    return {
        "region": str(room.region),
        **amounts(
            cap=room.cap_base_units,
            granted=room.granted_base_units,
            left=room.left_base_units,
            overdue=room.overdue_base_units or 0,
        ),
        "closed": room.closed,
        "planned": planned,
    }


def _planned(raised: Mapping[str, int], from_unix_s: int) -> dict[str, Any] | None:
    if not from_unix_s:
        return None
    return {**arguments_view(raised), "applies_from": format_unix_s(from_unix_s)}


def current_limits(app: Application) -> dict[str, int]:
    """Return the limits in force by the contract's names, amounts in base units.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    return Lane(app).limits
