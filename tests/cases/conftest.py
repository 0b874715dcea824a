"""Programmes, keys and a database that the case tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session, sessionmaker

from service.db import create_database_engine, session_factory
from service.intake.programmes import ProgrammeList, ProgrammeRef
from service.privacy import Keyring
from service.regions import Region


@pytest.fixture(scope="session")
def programmes() -> ProgrammeList:
    sichuan = Region(51, 2)
    return ProgrammeList(
        [
            ProgrammeRef(1, "flood-2026", "Flood relief 2026", sichuan),
            ProgrammeRef(2, "allowance-2026", "Allowance 2026", sichuan),
        ]
    )


@pytest.fixture(scope="session")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    path = tmp_path_factory.mktemp("keys") / "keyring.json"
    return Keyring.create(path, "correct horse battery", scrypt_n=2**4)


@pytest.fixture
def sessions(database_url: str) -> Iterator[sessionmaker[Session]]:
    engine = create_database_engine(database_url)
    yield session_factory(engine)
    engine.dispose()
