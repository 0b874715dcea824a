"""A programme with approved cases, on both databases, as fixtures: a conftest imports them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from sqlalchemy.orm import Session

from service.cases.models import Beneficiary, Case, Wallet
from service.clock import ManualClock
from service.db import create_database_engine, session_factory
from service.intake.models import Import
from service.payouts.building import build_batches
from service.payouts.models import Batch, Programme
from service.payouts.programmes import Tier, create_programme
from service.regions import Region

NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)
DAY = 86_400
TOKEN = 10**6

AddCases = Callable[..., list[Case]]
Build = Callable[..., list[Batch]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    engine = create_database_engine(database_url)
    with session_factory(engine)() as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def programme(session: Session, clock: ManualClock) -> Programme:
    return create_programme(
        session,
        code="flood-2026",
        name="Flood relief 2026",
        region_code=51,
        region_digits=2,
        budget_base_units=100_000 * TOKEN,
        payout_cap_base_units=2_000 * TOKEN,
        tiers=[Tier(50_000 * TOKEN, 1), Tier(100_000 * TOKEN, 2, 3600)],
        actor="wang",
        clock=clock,
    )


def address_of(name: str) -> str:
    return to_checksum_address(hashlib.sha256(name.encode()).digest()[:20])


@pytest.fixture
def add_cases(session: Session, programme: Programme) -> AddCases:
    """Add approved cases by their references; other columns by keyword."""
    session.add(
        Import(
            id="import-1",
            filename="cases.csv",
            sha256="0" * 64,
            actor="li",
            rows=1,
            accepted=1,
            rejected=0,
            created_at=NOW,
        )
    )
    session.flush()

    def add(*refs: str, **columns: Any) -> list[Case]:
        made = []
        for ref in refs:
            digest = hashlib.sha256(ref.encode()).hexdigest()
            session.add(
                Beneficiary(
                    id=f"person-{digest[:20]}",
                    name=b"sealed",
                    id_number=b"sealed",
                    key_version=1,
                    created_at=NOW,
                )
            )
            session.flush()
            session.add(
                Wallet(
                    address=address_of(ref),
                    beneficiary_id=f"person-{digest[:20]}",
                    created_at=NOW,
                )
            )
            session.flush()
            values: dict[str, Any] = {
                "id": f"case-{digest[:20]}",
                "case_ref": ref,
                "import_id": "import-1",
                "beneficiary_id": f"person-{digest[:20]}",
                "wallet_address": address_of(ref),
                "programme_id": programme.id,
                "region_code": 510722,
                "region_digits": 6,
                "kind": "one_off",
                "amount_base_units": 600 * TOKEN,
                "start_date": date(2026, 11, 1),
                "duration_days": None,
                "cause": "flood",
                "period": "2026-11",
                "commitment": digest,
                "state": "approved",
                "created_at": NOW,
            }
            made.append(Case(**{**values, **columns}))
        session.add_all(made)
        session.flush()
        return made

    return add


@pytest.fixture
def manifests_dir(tmp_path: Path) -> Path:
    return tmp_path / "manifests"


@pytest.fixture
def build(session: Session, programme: Programme, manifests_dir: Path, clock: ManualClock) -> Build:
    """Build batches of the programme, by default one-off in Sichuan."""

    def make(**arguments: Any) -> list[Batch]:
        defaults: dict[str, Any] = {
            "programme": programme,
            "kind": "one_off",
            "region": Region(51, 2),
            "maker_officer_id": 1,
            "execute_before_unix_s": int(NOW.timestamp()) + 7 * DAY,
            "actor": "wang",
            "manifests_dir": manifests_dir,
            "clock": clock,
        }
        return build_batches(session, **{**defaults, **arguments})

    return make
