"""The emergency lane: every grant, cap and ending, checked again (contracts/EmergencyLane.sol)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.audit.abi import STRUCTS, Contract
from service.audit.arithmetic import (
    RollingSum,
    ancestors,
    midnight_at_or_after,
    region_valid,
    unpack,
)
from service.audit.decode import Event, address_text, hex_text
from service.audit.findings import Code, Findings, Place
from service.audit.lane_state import Grant, GrantState, Region
from service.audit.officers import EMERGENCY, REVIEWER, WHOLE_COUNTRY, Claim, Officers
from service.audit.state import State
from service.audit.terms import grant_problems
from service.audit.token import TokenReplay

RAISE_DELAY_S = 2 * 86_400
MIN_WINDOW_S, MAX_WINDOW_S = 86_400, 14 * 86_400
THRESHOLD_OF_DIGITS = {2: "provinceOverdue", 4: "cityOverdue", 6: "countyOverdue"}
LIMITS = tuple(member.split()[1] for member in STRUCTS["Limits"].split(","))
"""Members of the limits in their order."""


@dataclass
class LaneReplay:
    """Replays the emergency lane.

    Attributes
    ----------
    address
        Of the lane.
    token_address
        For the reasons why a payee cannot be paid.
    """

    state: State
    findings: Findings
    officers: Officers
    token: TokenReplay
    address: bytes
    token_address: bytes

    def apply(self, event: Event) -> None:
        """Apply one event of the lane."""
        handlers: dict[str, Callable[[Event], None]] = {
            "GrantMade": self._made,
            "GrantCountersigned": self._countersigned,
            "GrantWrittenOff": self._written_off,
            "LimitsRaiseScheduled": self._limits_scheduled,
            "LimitsChanged": self._limits_changed,
            "RegionCapRaiseScheduled": self._region_cap_scheduled,
            "RegionCapChanged": self._region_cap_changed,
            "GrantsPaused": self._paused,
            "GrantsUnpaused": self._unpaused,
        }
        handler = handlers.get(event.name)
        if handler is not None:
            handler(event)

    # ---- grants ----------------------------------------------------------------------------------

    def _made(self, event: Event) -> None:
        args, lane = event.args, self.state.lane
        grant = Grant(args["grant"], args["overdueFrom"], event.block, event.block_hash, event.tx)
        place = grant.place()
        named = (args["grantId"], args["officer"], args["payee"])
        if named != (grant.id, grant.officer, grant.given["payee"]):
            self._broken(place, "its topics name another grant, officer or payee")
        if grant.id in lane.grants:
            self._repeated(place, "was made twice")
        case = grant.given["caseCommitment"]
        first = lane.cases.setdefault(case, grant.id)
        if first != grant.id:
            self._repeated(place, f"pays the case that grant {hex_text(first)} paid")
        self._check_terms(event, grant, place)
        signer = self.officers.prove_one(
            event,
            self.officers.domains[Contract.LANE].digest_of("EmergencyGrant", grant.given),
            EMERGENCY,
            grant.region,
            place,
            broken=Code.GRANT_RULE_BROKEN,
        )
        if signer is not None and signer != grant.officer:
            self._broken(place, f"officer {signer} signed it and not the one it names")
        self._check_paid(event, grant, place)
        self._check_open(event, grant, place)
        self._check_caps(event, grant, place)
        window = lane.limits.get("countersignWindow", 0)
        due = midnight_at_or_after(event.timestamp + window)
        self._same(place, "is overdue from another midnight", due, grant.overdue_from)
        lane.grants[grant.id] = grant
        lane.uncountersigned[grant.id] = grant
        self._check_outstanding(event, place)
        most = lane.limits.get("outstanding", 0)
        self._within(place, "what may stand uncountersigned", most, lane.outstanding)
        self.token.post(event, "emergency", "circulating", grant.amount)

    def _check_terms(self, event: Event, grant: Grant, place: Place) -> None:
        if self.state.lane.paused:
            self.findings.error(Code.PAUSE_IGNORED, "a grant was made in a pause", place)
        for problem in grant_problems(grant.given, event.timestamp):
            self._broken(place, problem)
        if self.token.unpayable_reason(grant.given["payee"], self.token_address, self.address):
            self._broken(place, "its payee cannot be paid")

    def _check_paid(self, event: Event, grant: Grant, place: Place) -> None:
        """The lane committed the amount and minted it to the payee, and nothing else."""
        payee, amount = grant.given["payee"], grant.amount
        committed, self.token.commitments[:] = list(self.token.commitments), []
        if committed != [(self.address, amount)]:
            self.findings.error(
                Code.COMMITMENT_MISMATCH,
                f"the token committed other money than {event.name} says",
                place,
                expected=amount,
                found=[given for _, given in committed],
            )
        minted = list(unpack(self.token.take_mints()))
        if (payee, amount) in minted:
            minted.remove((payee, amount))
        else:
            self.findings.error(
                Code.MINT_MISSING,
                f"grant {place.grant} was made and the token minted nothing like it",
                place,
                expected=f"{amount} to {address_text(payee)}",
            )
        for other, value in minted:
            self.findings.error(
                Code.MINT_UNEXPLAINED,
                f"{value} base units were minted to {address_text(other)} beside grant "
                f"{place.grant}",
                place,
                found=value,
            )

    def _check_open(self, event: Event, grant: Grant, place: Place) -> None:
        """Neither the officer nor a region is closed by what was overdue before."""
        lane, time = self.state.lane, event.timestamp
        late = lane.overdue_by(grant.officer, time)
        if late:
            self._closed(place, f"officer {grant.officer}", 0, late)
        for region in ancestors(*grant.region):
            threshold = lane.limits.get(THRESHOLD_OF_DIGITS[region[1]], 0)
            late = lane.overdue_in(region, time)
            if late > threshold:
                self._closed(place, f"region {region[0]}", threshold, late)

    def _closed(self, place: Place, who: str, threshold: int, late: int) -> None:
        self.findings.error(
            Code.GRANT_WHILE_CLOSED,
            f"grant {place.grant} was made while {who} had too much overdue",
            place,
            expected=f"at most {threshold}",
            found=late,
        )

    def _check_caps(self, event: Event, grant: Grant, place: Place) -> None:
        lane, limits = self.state.lane, self.state.lane.limits
        self._within(place, "the cap of one grant", limits.get("perGrant", 0), grant.amount)
        own = lane.officer_sums.setdefault(grant.officer, RollingSum())
        total = own.add(grant.amount, event.timestamp)
        self._within(place, "its officer's cap", limits.get("perOfficer", 0), total)
        for region in (*ancestors(*grant.region), WHOLE_COUNTRY):
            rolling = lane.region_sums.setdefault(region, RollingSum())
            total = rolling.add(grant.amount, event.timestamp)
            name = f"the cap of region {region[0]}" if region[1] else "the country's cap"
            self._within(place, name, lane.cap_of(region), total)

    def _within(self, place: Place, name: str, most: int, found: int) -> None:
        if found > most:
            self.findings.error(
                Code.GRANT_ABOVE_CAP,
                f"grant {place.grant} passes {name}",
                place,
                expected=f"at most {most}",
                found=found,
            )

    def _countersigned(self, event: Event) -> None:
        args = event.args
        grant = self._outstanding(event)
        if grant is None:
            return
        place = grant.place(event)
        digest = self.officers.domains[Contract.LANE].digest(
            "GrantCountersignature",
            grant.id,
            grant.given["payee"],
            grant.amount,
            args["deadline"],
        )
        signer = self.officers.prove_one(
            event, digest, REVIEWER, grant.region, place, broken=Code.GRANT_RULE_BROKEN
        )
        if signer is not None and signer != args["officer"]:
            self._broken(place, f"officer {signer} countersigned and not the one it names")
        if args["officer"] == grant.officer:
            self._broken(place, "its granter countersigned it")
        if event.timestamp > args["deadline"]:
            self._broken(place, "it was countersigned after the signature's deadline")
        grant.countersigned_by = args["officer"]
        self._end(event, grant, GrantState.COUNTERSIGNED)

    def _written_off(self, event: Event) -> None:
        grant = self._outstanding(event)
        if grant is None:
            return
        claim = Claim(Contract.LANE, "GrantWriteOff", (grant.id,), place=grant.place(event))
        self.officers.prove_action(event, claim)
        self._end(event, grant, GrantState.WRITTEN_OFF)

    def _outstanding(self, event: Event) -> Grant | None:
        """Return the grant of an event, or name that there is none."""
        grant = self.state.lane.grants.get(event.args["grantId"])
        if grant is None:
            self.findings.error(
                Code.GRANT_UNKNOWN,
                f"{event.name} of a grant that was never made",
                Place(event.block, hex_text(event.tx), grant=hex_text(event.args["grantId"])),
            )
        elif grant.ended is not None:
            self._broken(grant.place(event), f"it was {grant.ended} already")
        return grant

    def _end(self, event: Event, grant: Grant, how: GrantState) -> None:
        grant.ended = how
        grant.ended_block = event.block
        self.state.lane.uncountersigned.pop(grant.id, None)
        self._check_outstanding(event, grant.place(event))

    def _check_outstanding(self, event: Event, place: Place) -> None:
        expected = self.state.lane.outstanding
        self._same(place, "leaves another sum outstanding", expected, event.args["outstanding"])

    def _same(self, place: Place, what: str, expected: int, found: int) -> None:
        if expected != found:
            self.findings.error(
                Code.GRANT_SUM_MISMATCH,
                f"grant {place.grant} {what} than its event says",
                place,
                expected=expected,
                found=found,
            )

    def _broken(self, place: Place, what: str) -> None:
        self.findings.error(
            Code.GRANT_RULE_BROKEN, f"grant {place.grant} cannot stand so: {what}", place
        )

    def _repeated(self, place: Place, what: str) -> None:
        self.findings.error(Code.GRANT_REPEATED, f"grant {place.grant} {what}", place)

    # ---- limits ----------------------------------------------------------------------------------

    def _limits_scheduled(self, event: Event) -> None:
        limits, applies_from = event.args["limits"], event.args["appliesFrom"]
        facts = tuple(limits[name] for name in LIMITS)
        self.officers.prove_action(event, Claim(Contract.LANE, "LimitsRaise", facts))
        self._check_limits(event, limits)
        self._check_delay(event, applies_from)
        self.state.lane.pending_limits = (limits, applies_from)

    def _limits_changed(self, event: Event) -> None:
        lane, limits = self.state.lane, event.args["limits"]
        self._check_limits(event, limits)
        due = lane.pending_limits is not None and (
            lane.pending_limits[0] == limits and lane.pending_limits[1] <= event.timestamp
        )
        raised = [name for name in LIMITS if limits[name] > lane.limits.get(name, 0)]
        if lane.limits and raised and not due:
            self._limits_broken(event, f"raised unplanned or too early: {', '.join(raised)}")
        lane.limits = limits
        lane.pending_limits = None

    def _check_limits(self, event: Event, limits: dict[str, int]) -> None:
        missing = [name for name in LIMITS if not limits[name]]
        if missing:
            self._limits_broken(event, f"unlimited or unset: {', '.join(missing)}")
        if not MIN_WINDOW_S <= limits["countersignWindow"] <= MAX_WINDOW_S:
            self._limits_broken(event, "a time for countersigning that is none")

    def _check_delay(self, event: Event, applies_from: int) -> None:
        if applies_from != event.timestamp + RAISE_DELAY_S:
            self._limits_broken(event, "a raise in force before its two days are over")

    def _region_cap_scheduled(self, event: Event) -> None:
        args = event.args
        region, cap = self._region_of(event)
        claim = Claim(Contract.LANE, "RegionCapRaise", (*region, cap))
        self.officers.prove_action(event, claim)
        self._check_delay(event, args["appliesFrom"])
        self.state.lane.pending_region_caps[region] = (cap, args["appliesFrom"])

    def _region_cap_changed(self, event: Event) -> None:
        lane = self.state.lane
        region, cap = self._region_of(event)
        planned = lane.pending_region_caps.pop(region, None)
        due = planned is not None and planned[0] == cap and planned[1] <= event.timestamp
        if cap > lane.cap_of(region) and not due:
            self._limits_broken(event, f"the cap of region {region[0]} raised unplanned or early")
        lane.region_caps[region] = cap

    def _region_of(self, event: Event) -> tuple[Region, int]:
        region = (event.args["regionCode"], event.args["regionDigits"])
        if not region_valid(*region) or region == WHOLE_COUNTRY or not event.args["cap"]:
            self._limits_broken(event, "a region that is none, or has no cap")
        return region, event.args["cap"]

    def _limits_broken(self, event: Event, what: str) -> None:
        self.findings.error(
            Code.LIMITS_RULE_BROKEN,
            f"{event.name} of the emergency lane: {what}",
            Place(event.block, hex_text(event.tx)),
        )

    # ---- pausing ---------------------------------------------------------------------------------

    def _paused(self, _event: Event) -> None:
        self.state.lane.paused = True

    def _unpaused(self, event: Event) -> None:
        self.officers.prove_action(event, Claim(Contract.LANE, "UnpauseGrants", ()))
        self.state.lane.paused = False
