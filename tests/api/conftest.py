"""The API served by a real server in this process, on a real database and, where asked, a chain."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, text

from service.api.app import create_app
from service.application.context import Application
from service.clock import SystemClock
from service.config import PROJECT_ROOT, Settings
from service.db import Base
from service.identity.tokens import issue_token
from service.payouts.models import Programme
from service.privacy.keyring import Keyring
from tests.api.description import Description
from tests.conftest import BOTH_DATABASES, PostgresServer
from tests.support.deployed import Deployed, account
from tests.support.world import (  # noqa: F401  # fixtures
    World,
    deployed,
    deployed_once,
    make_world,
    world,
)

PASSPHRASE = "correct horse battery staple"
CHEAP = 2
PEOPLE = ("51072219800101001X", "510722197503150026")
HEADER = (
    "case_ref,name,id_number,phone,region_code,wallet_address,programme,kind,amount,start_date,"
    "duration_days,cause\n"
)
START_TIMEOUT_S = 10


class Api(httpx.Client):
    """A client of one actor; a POST gets a new idempotency key unless it brings one."""

    def __init__(
        self, url: str, token: str, application: Application, description: Description | None
    ) -> None:
        super().__init__(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=60,
        )
        self.url = url
        self.token = token
        self.application = application
        self.description = description

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request; the reply must be one that the description documents."""
        reply = super().send(request, **options)
        if self.description is not None:
            self.description.check(reply)
        return reply

    def post(self, url: Any, *, key: str | None = None, **options: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key or str(uuid4()), **options.pop("headers", {})}
        return super().post(url, headers=headers, **options)

    def ok(self, method: str, path: str, **options: Any) -> Any:
        """Call, expect success, return the document."""
        call = self.post if method == "POST" else self.get
        reply = call(path, **options)
        assert reply.is_success, reply.text
        return reply.json()


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an application on a free port; yields its URL."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="on")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_TIMEOUT_S
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.002)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def new_token(application: Application, name: str = "Chen Wei") -> str:
    with application.transaction() as session:
        return issue_token(session, name).token


def with_keys(settings: Settings, folder: Path) -> Settings:
    """Give a deployment a passphrase and a keyring that costs nothing to open."""
    passphrase_file = folder / "passphrase"
    passphrase_file.write_text(PASSPHRASE)
    passphrase_file.chmod(0o600)
    settings.key_passphrase_file = passphrase_file
    path = Application(settings).keyring_path
    path.parent.mkdir(parents=True, exist_ok=True)
    Keyring.create(path, PASSPHRASE, scrypt_n=CHEAP)
    return settings


@dataclass(frozen=True, slots=True)
class Served:
    """A deployment without a chain, and where its API is served."""

    application: Application
    url: str


@contextmanager
def served_without_chain(database_url: str, folder: Path) -> Iterator[Served]:
    settings = Settings(
        data_dir=folder,
        database_url=database_url,
        rpc_url="http://127.0.0.1:1",
        artifacts_dir=PROJECT_ROOT / "build" / "contracts",
    )
    with (
        Application(with_keys(settings, folder)) as application,
        serving(create_app(application)) as url,
    ):
        yield Served(application, url)


@pytest.fixture(scope="session")
def served_on_sqlite(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("api")
    shutil.copyfile(sqlite_template, folder / "relief.db")
    with served_without_chain(f"sqlite:///{folder / 'relief.db'}", folder) as served:
        yield served


@pytest.fixture(scope="session")
def served_on_postgresql(
    postgres_server: PostgresServer,
    postgres_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    url = postgres_server.create_database("api", template=postgres_template)
    with served_without_chain(url, tmp_path_factory.mktemp("api")) as served:
        yield served


def empty(engine: Engine) -> None:
    """Delete every row, so that a test finds the tables as new ones."""
    tables = Base.metadata.sorted_tables
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            names = ", ".join(table.name for table in tables)
            connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
            return
        for table in reversed(tables):
            connection.execute(table.delete())


@pytest.fixture(scope="session")
def description(tmp_path_factory: pytest.TempPathFactory) -> Description:
    """The description of the API, which depends on no deployment."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("description"))
    with Application(settings) as application:
        return Description(create_app(application).openapi())


@pytest.fixture(params=BOTH_DATABASES)
def api(request: pytest.FixtureRequest, description: Description) -> Iterator[Api]:
    """A client of the API without a chain, served once a session, on empty tables."""
    served: Served = request.getfixturevalue(f"served_on_{request.param}")
    application = served.application
    empty(application.engine)
    with Api(served.url, new_token(application), application, description) as client:
        yield client


@dataclass
class Office:
    """The API on a deployed chain, with a programme in force and approved cases."""

    api: Api
    world: World
    deployed: Deployed

    def work(self) -> None:
        """Let a worker do all there is to do."""
        self.world.run()

    def build(self, kind: str = "one_off") -> str:
        """Build one batch; returns its id."""
        order = {"programme": "P1", "kind": kind, "region": "51", "maker_officer_id": 1}
        (batch,) = self.api.ok("POST", "/v1/batches", json=order)["batches"]
        batch_id: str = batch["id"]
        return batch_id

    def sign(self, path: str, *officers: int) -> Any:
        """Sign the typed data of a batch or an action; returns the last answer."""
        document = self.api.ok("GET", f"{path}/typed-data")
        answer = None
        for number in officers:
            signed = self.deployed.officers[number].sign_typed_data(full_message=document)
            given = {"signature": "0x" + bytes(signed.signature).hex(), "officer_id": number}
            answer = self.api.ok("POST", f"{path}/signatures", json=given)
        return answer

    def grant(self, case: str, officer: int = 3) -> str:
        """Grant a case in an emergency, signed and paid; returns the grant's id."""
        given = {"case": case, "officer_id": officer, "reason": "the house fell"}
        grant_id: str = self.api.ok("POST", "/v1/emergency/grants", json=given)["id"]
        assert self.sign(f"/v1/actions/{grant_id}", officer)["state"] == "ready"
        self.work()
        return grant_id

    def pay(self, kind: str = "one_off") -> str:
        """Build, sign, release and pay one batch; returns its id."""
        batch_id = self.build(kind)
        assert self.sign(f"/v1/batches/{batch_id}", 1, 2)["approved"]
        self.api.ok("POST", f"/v1/batches/{batch_id}/release")
        self.work()
        return batch_id


@pytest.fixture
def cases_file() -> bytes:
    """Two one-off cases and two streams."""
    today = SystemClock().now().date() + timedelta(days=2)
    rows = [
        f"A-{n},王芳,{person},,510722,{account(f'one-off {n}').address},P1,one_off,60{n},"
        f"{today},,房屋倒塌 {n}"
        for n, person in enumerate(PEOPLE)
    ] + [
        f"B-{n},王芳,{person},,510722,{account(f'stream {n}').address},P1,stream,90,"
        f"{today},90,生活补贴"
        for n, person in enumerate(PEOPLE)
    ]
    return (HEADER + "\n".join(rows) + "\n").encode()


def add_programme(application: Application) -> None:
    """Programme 1 of tests/support/world.py, as it was proposed; the worker finds it on chain."""
    with application.transaction() as session:
        session.add(
            Programme(
                id=1,
                code="P1",
                name="Relief",
                region_code=0,
                region_digits=0,
                budget_base_units=10**13,
                payout_cap_base_units=10**10,
                tiers=[
                    {
                        "up_to_base_units": str(2**80 - 1),
                        "reviewers": 1,
                        "challenge_delay_s": 0,
                    }
                ],
                metadata_hash="0x" + "00" * 32,
                version=1,
                state="proposed",
                created_by="test",
                created_at=SystemClock().now(),
            )
        )


def import_cases(api: Api, content: bytes, **query: Any) -> httpx.Response:
    return api.post("/v1/imports", files={"file": ("cases.csv", content)}, params=query)


@pytest.fixture
def office(
    world: World,  # noqa: F811  # the fixture
    description: Description,
    cases_file: bytes,
    tmp_path: Path,
) -> Iterator[Office]:
    with_keys(world.settings, tmp_path)
    with Application(world.settings) as application, serving(create_app(application)) as url:
        add_programme(application)
        with Api(url, new_token(application), application, description) as client:
            made = Office(client, world, world.deployed)
            made.work()
            assert import_cases(client, cases_file).status_code == 201
            decision = {"decision": "approved", "all": True}
            client.ok("POST", "/v1/cases/decisions", json=decision)
            yield made


@pytest.fixture
def filed(api: Api, cases_file: bytes) -> Callable[[], Any]:
    """A function that imports the cases of the file, where there is no chain."""

    def file() -> Any:
        add_programme(api.application)
        return api.ok("POST", "/v1/imports", files={"file": ("cases.csv", cases_file)})

    return file
