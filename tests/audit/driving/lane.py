"""Deeds in the emergency lane: grants, what ends them, limits, regions' caps, pauses."""

from __future__ import annotations

from tests.audit.driving.chain import EMERGENCY, REVIEWER, Idle
from tests.audit.driving.deeds import Deeds
from tests.audit.driving.facts import Region
from tests.support.deployed import COUNTERSIGNATURE_TYPE, EMERGENCY_GRANT_TYPE
from tests.support.walks import DAY_S, UNIT

LIMIT_KINDS = ("uint64", "uint80", "uint80", "uint32", *["uint80"] * 7)
REGION_CAP = [("regionCode", "uint24"), ("regionDigits", "uint8"), ("cap", "uint80")]
SOME_CAPS = (1, 10 * UNIT, 500 * UNIT, 20_000 * UNIT, 2**80 - 1)


class LaneDeeds(Deeds):
    """What emergency officers, reviewers, governors and housekeepers do with the lane."""

    def _grant(self) -> None:
        if self._facts.paused.get("lane") and self._chance(0.8):
            raise Idle("grants are paused")
        officer = self._pick(self._able(EMERGENCY))
        region = self._facts.officers[officer].region
        code, digits = self._region(region)
        given = {
            "grantId": self._hash("grant"),
            "officer": officer if self._chance(0.98) else 5,
            "payee": self._wallet(),
            "amount": self._pick([1, UNIT, *[self._draw.randint(1, 400 * UNIT)] * 8, 1_000 * UNIT]),
            "regionCode": code,
            "regionDigits": digits,
            "caseCommitment": self._hash("emergency case"),
            "validUntil": self._deployed.now() + self._pick([*[DAY_S] * 8, 12, 0]),
        }
        if self._facts.grants and self._chance(0.05):
            again = self._facts.grants[self._pick(sorted(self._facts.grants))]
            name = self._pick(["grantId", "caseCommitment"])
            given[name] = again[name]
        if self._chance(0.02):
            given |= self._pick(
                [{"amount": 0}, {"caseCommitment": bytes(32)}, {"amount": 2**64 - 1}]
            )
        digest = self._deployed.digest("lane", "EmergencyGrant", EMERGENCY_GRANT_TYPE, given)
        signatures = self._perhaps_spoilt(self._deployed.sign_as(officer, digest))
        self._send("lane", "grant", tuple(given.values()), signatures)

    def _countersign(self) -> None:
        given = self._facts.grants[self._pick(sorted(self._facts.grants))]
        region = (given["regionCode"], given["regionDigits"])
        officer = self._pick(self._able(REVIEWER, region))
        message = {name: given[name] for name in ("grantId", "payee", "amount")}
        message["deadline"] = self._deployed.now() + self._pick([*[DAY_S] * 8, 30, 0])
        digest = self._deployed.digest(
            "lane", "GrantCountersignature", COUNTERSIGNATURE_TYPE, message
        )
        signatures = self._perhaps_spoilt(self._deployed.sign_as(officer, digest))
        grant_id, deadline = given["grantId"], message["deadline"]
        self._send("lane", "countersign", grant_id, deadline, signatures)

    def _write_off(self) -> None:
        grant_id = self._pick(sorted(self._facts.grants))
        message, members = {"grantId": grant_id}, [("grantId", "bytes32")]
        action = self._signed("lane", "GrantWriteOff", members, message, self._governors())
        self._send("lane", "writeOff", grant_id, *action)

    # ---- limits ----------------------------------------------------------------------------------

    def _limits(self, *, raised: bool) -> dict[str, int]:
        """Those in force with some changed."""
        limits = dict(self._facts.limits)
        for name in self._draw.sample(sorted(limits), self._draw.randint(1, 3)):
            value = limits[name]
            if raised:
                limits[name] = (
                    value + self._pick([1, UNIT, value]) if "Window" not in name else value
                )
            else:
                limits[name] = self._pick([value, value - 1, value * 9 // 10])
        if self._chance(0.3):
            days = self._pick([1, 2, 5, 14])
            limits["countersignWindow"] = days * DAY_S
        if self._chance(0.03):
            limits[self._pick(sorted(limits))] = 0
        limits["perGrant"] = min(limits["perGrant"], 2**64 - 1)
        return {name: min(value, 2**80 - 1) for name, value in limits.items()}

    def _lower_limits(self) -> None:
        self._role("treasurer", "lane", "lowerLimits", tuple(self._limits(raised=False).values()))

    def _schedule_limits(self) -> None:
        limits = self._limits(raised=True)
        members = list(zip(limits, LIMIT_KINDS, strict=True))
        action = self._signed("lane", "LimitsRaise", members, limits, self._governors())
        self._send("lane", "scheduleLimits", tuple(limits.values()), *action)

    def _apply_limits(self) -> None:
        self._ripe("limits ", int)
        self._send("lane", "applyLimits")

    def _lower_region_cap(self) -> None:
        region = self._region()
        cap = self._pick([*SOME_CAPS, self._cap_of(region), self._cap_of(region) * 9 // 10])
        self._role("treasurer", "lane", "lowerRegionCap", *region, cap)

    def _schedule_region_cap(self) -> None:
        region = self._region()
        cap = self._pick([0, *SOME_CAPS, self._cap_of(region) + 1])
        message = {"regionCode": region[0], "regionDigits": region[1], "cap": cap}
        action = self._signed("lane", "RegionCapRaise", REGION_CAP, message, self._governors())
        self._send("lane", "scheduleRegionCap", *region, cap, *action)

    def _apply_region_cap(self) -> None:
        self._send("lane", "applyRegionCap", *self._pick(sorted(self._facts.planned_caps)))

    def _cap_of(self, region: Region) -> int:
        cap: int = self._deployed.read("lane", "regionCap", *region)
        return min(cap, 2**80 - 2)

    def _pause_grants(self) -> None:
        self._role("guardian", "lane", "pause")

    def _unpause_grants(self) -> None:
        self._mostly_when_paused("lane")
        action = self._signed("lane", "UnpauseGrants", [], {}, self._governors())
        self._send("lane", "unpause", *action)
