"""A draft batch, officers in the mirror of the registry, and keys that sign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from sqlalchemy.orm import Session

from service.approvals.domain import SigningDomain
from service.approvals.models import Officer, OfficerSigner
from service.approvals.service import ApprovalStatus, submit_signature, typed_data
from service.clock import ManualClock
from service.payouts.models import Batch
from tests.support.deployed import account
from tests.support.programme import (
    NOW,
    AddCases,
    Build,
    add_cases,
    build,
    clock,
    manifests_dir,
    programme,
    session,
)
from tests.support.rows import wallet
from tests.support.world import deployed, deployed_once, make_world, world

__all__ = [
    "add_cases",
    "build",
    "clock",
    "deployed",
    "deployed_once",
    "make_world",
    "manifests_dir",
    "programme",
    "session",
    "world",
]

MAKER, REVIEWER, GOVERNOR = 1, 2, 8
ACTIVE = NOW - timedelta(days=30)
DOMAIN = SigningDomain(31337, wallet(1001), wallet(1002), wallet(1003), wallet(1004))


@dataclass(frozen=True)
class Person:
    """An officer of the tests; ``region`` is code and digits, 0 digits the whole country."""

    roles: int
    region: tuple[int, int] = (0, 0)
    removed: bool = False
    from_days: int = 0


PEOPLE: Mapping[int, Person] = {
    1: Person(MAKER | REVIEWER),
    2: Person(REVIEWER | GOVERNOR),
    3: Person(REVIEWER | GOVERNOR, (51, 2)),
    4: Person(REVIEWER, (32, 2)),
    5: Person(GOVERNOR),
    6: Person(REVIEWER | GOVERNOR, removed=True),
    7: Person(REVIEWER | GOVERNOR, from_days=1),
}
SIGNERS: Mapping[str, int] = {
    **{f"officer {number}": number for number in PEOPLE},
    "officer 1's other": 1,
    "officer 2's other": 2,
    "officer 3's lost": 3,
    "officer 3's coming": 3,
}


@pytest.fixture
def domain() -> SigningDomain:
    return DOMAIN


@pytest.fixture
def officers(session: Session) -> None:
    """Everybody of PEOPLE and SIGNERS, as events would leave them."""
    for number, person in PEOPLE.items():
        code, digits = person.region
        session.add(
            Officer(
                officer_id=number,
                roles=person.roles,
                region_code=code,
                region_digits=digits,
                active_from=NOW + timedelta(days=person.from_days) if person.from_days else ACTIVE,
                removed=person.removed,
            )
        )
    session.flush()
    for name, number in SIGNERS.items():
        session.add(
            OfficerSigner(
                signer_type=1,
                signer=account(name).address.lower(),
                officer_id=number,
                active_from=NOW + timedelta(days=1) if "coming" in name else ACTIVE,
                removed="lost" in name,
            )
        )
    session.flush()


@pytest.fixture
def batch(officers: None, add_cases: AddCases, build: Build) -> Batch:
    """A draft of three payouts in Sichuan (51), made by officer 1."""
    add_cases("a", "b", "c")
    return build()[0]


def sign(name: str, document: Mapping[str, Any]) -> str:
    """Sign typed data as a wallet library does that is not ours."""
    signed = account(name).sign_message(encode_typed_data(full_message=dict(document)))
    return "0x" + bytes(signed.signature).hex()


class Desk:
    """Where officers' signatures over the batch are handed in."""

    def __init__(
        self, session: Session, batch: Batch, manifests_dir: Path, clock: ManualClock
    ) -> None:
        self.session = session
        self.batch = batch
        self.clock = clock
        self.manifests_dir = manifests_dir

    def document(self, domain: SigningDomain = DOMAIN) -> dict[str, Any]:
        return typed_data(
            self.session, self.batch.id, domain, manifests_dir=self.manifests_dir, clock=self.clock
        )

    def submit(self, signature: str, *, reviewers: int = 1, **more: Any) -> ApprovalStatus:
        return submit_signature(
            self.session,
            self.batch.id,
            signature,
            DOMAIN,
            required_reviewers=reviewers,
            manifests_dir=self.manifests_dir,
            clock=self.clock,
            **more,
        )

    def sign(self, name: str, **more: Any) -> ApprovalStatus:
        """The named signer signs what the service handed out."""
        return self.submit(sign(name, self.document()), **more)


@pytest.fixture
def desk(session: Session, batch: Batch, manifests_dir: Path, clock: ManualClock) -> Desk:
    return Desk(session, batch, manifests_dir, clock)
