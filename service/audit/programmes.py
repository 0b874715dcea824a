"""The vault's programmes: created, budgets raised with a delay and lowered at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from service.audit.arithmetic import region_valid
from service.audit.decode import Event, hex_text
from service.audit.findings import Code, Findings, Place
from service.audit.state import Programme, State
from service.audit.token import TokenReplay

RAISE_DELAY_S = 2 * 86_400
MAX_TIERS = 4


@dataclass
class ProgrammeReplay:
    """Replays programmes and their budgets."""

    state: State
    findings: Findings
    token: TokenReplay

    @property
    def handlers(self) -> dict[str, Callable[[Event], None]]:
        """What to do with each event."""
        return {
            "ProgrammeCreated": self._created,
            "BudgetIncreaseScheduled": self._budget_scheduled,
            "BudgetChanged": self._budget_changed,
        }

    def _created(self, event: Event) -> None:
        self._require_no_sunset(event)
        args = event.args
        number, region = args["programme"], (args["regionCode"], args["regionDigits"])
        if number == 0 or number in self.state.programmes:
            self._broken(event, "was there already")
        if not region_valid(*region) or not args["budget"] or not args["payoutCap"]:
            self._broken(event, "has an impossible region, budget or cap")
        if not _tiers_valid(args["tiers"]):
            self._broken(event, "has impossible tiers")
        if args["activeFrom"] != event.timestamp + RAISE_DELAY_S:
            self._broken(event, "is in force before its two days are over")
        self.state.programmes[number] = Programme(
            region=region,
            budget=args["budget"],
            payout_cap=args["payoutCap"],
            tiers=args["tiers"],
            metadata_hash=args["metadataHash"],
            active_from=args["activeFrom"],
        )
        self.token.post(event, "funding", f"budget:{number}", args["budget"])

    def _budget_scheduled(self, event: Event) -> None:
        self._require_no_sunset(event)
        programme = self._programme(event)
        if programme is None:
            return
        if event.args["budget"] <= programme.budget:
            self._broken(event, "was to be raised to no more than it has")
        if event.args["appliesFrom"] != event.timestamp + RAISE_DELAY_S:
            self._broken(event, "is raised before its two days are over")
        programme.pending_budget = event.args["budget"]
        programme.pending_budget_from = event.args["appliesFrom"]

    def _budget_changed(self, event: Event) -> None:
        programme = self._programme(event)
        if programme is None:
            return
        number, budget, before = event.args["programme"], event.args["budget"], programme.budget
        if budget > before:
            self._require_no_sunset(event)
            due = 0 < programme.pending_budget_from <= event.timestamp
            if not due or budget != programme.pending_budget:
                self._broken(event, "was raised unplanned or too early")
            self.token.post(event, "funding", f"budget:{number}", budget - before)
        else:
            if budget == before or budget < programme.allocated:
                self._broken(event, "was lowered by nothing, or below what is approved")
            self.token.post(event, f"budget:{number}", "funding", before - budget)
        programme.budget = budget
        programme.pending_budget = programme.pending_budget_from = 0

    def _programme(self, event: Event) -> Programme | None:
        programme = self.state.programmes.get(event.args["programme"])
        if programme is None:
            self._broken(event, "does not exist")
        return programme

    def _require_no_sunset(self, event: Event) -> None:
        if self.state.sunset:
            self.findings.error(
                Code.SUNSET_IGNORED,
                f"{event.name} in block {event.block} happened after the vault's sunset",
                Place(block=event.block, tx=hex_text(event.tx)),
            )

    def _broken(self, event: Event, what: str) -> None:
        self.findings.error(
            Code.PROGRAMME_RULE_BROKEN,
            f"{event.name}: programme {event.args['programme']} {what}",
            Place(block=event.block, tx=hex_text(event.tx)),
        )


def _tiers_valid(tiers: Sequence[dict[str, int]]) -> bool:
    if not 0 < len(tiers) <= MAX_TIERS or not all(t["upTo"] and t["reviewers"] for t in tiers):
        return False
    return all(
        low["upTo"] < high["upTo"] and low["reviewers"] <= high["reviewers"]
        for low, high in pairwise(tiers)
    )
