"""Statements about an emergency grant: one officer makes it, and it is paid in the same call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.audit.abi import Contract
from service.audit.decode import Event, hex_text
from service.audit.findings import Code, Place
from service.audit.officers import EMERGENCY
from service.audit.proofs.statements import Statements
from service.audit.terms import grant_problems


@dataclass
class GrantStatements(Statements):
    """Checks one grant."""

    grant: bytes = b""

    @property
    def handlers(self) -> Mapping[str, Callable[[Event], None]]:
        """What to do with each event of the lane."""
        return {"GrantMade": self._made}

    def place(self, event: Event | None = None) -> Place:
        """Name the grant."""
        return Place(
            block=event.block if event else None,
            tx=hex_text(event.tx) if event else None,
            grant=hex_text(self.grant),
        )

    def run(self) -> dict[str, Any]:
        """Check that it is there, too."""
        proven = super().run()
        if self.approval is None:
            self.lacks("the event of the grant")
        return proven

    def facts(self) -> dict[str, Any]:
        """Return who was granted what by the officer's word."""
        given: dict[str, Any] = self.approval.args["grant"] if self.approval else {}
        return {
            "grant": given["grantId"],
            "payee": given["payee"],
            "amount_base_units": given["amount"],
            "digest": self.officers.domains[Contract.LANE].digest_of("EmergencyGrant", given),
        }

    def _made(self, event: Event) -> None:
        args, given = event.args, event.args["grant"]
        if args["grantId"] != self.grant:
            return
        place = self.place(event)
        if self.approval is not None:
            self.findings.error(Code.GRANT_REPEATED, "the grant was made twice", place)
            return
        self.approval = event
        self.use(event)
        problems = grant_problems(given, event.timestamp)
        named = (args["grantId"], args["officer"], args["payee"])
        if named != (given["grantId"], given["officer"], given["payee"]):
            problems.append("its topics name another grant, officer or payee")
        region = (given["regionCode"], given["regionDigits"])
        signer = self.officers.prove_one(
            event,
            self.officers.domains[Contract.LANE].digest_of("EmergencyGrant", given),
            EMERGENCY,
            region,
            place,
            broken=Code.GRANT_RULE_BROKEN,
        )
        if signer is not None and signer != given["officer"]:
            problems.append(f"officer {signer} signed it and not the one it names")
        for problem in problems:
            self.findings.error(
                Code.GRANT_RULE_BROKEN, f"the grant cannot stand so: {problem}", place
            )
        paid = (given["payee"], given["amount"])
        self.pay(event, *paid, minted=self.minted_last(paid))
