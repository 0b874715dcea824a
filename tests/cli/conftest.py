"""The command line in this process, on a folder, a SQLite database and a chain of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer.main

from service.application.context import Application
from service.chain import signers
from service.chain.devnode import DevNode
from service.cli.main import app as command_line
from service.clock import SystemClock
from service.config import PROJECT_ROOT, Settings
from service.payouts.models import Programme
from service.privacy import keyfile
from service.privacy.keyring import Keyring
from tests.support.deployed import TWO_DAYS_S, Deployed, account, deploy
from tests.support.documents import check_document

ROOT = typer.main.get_command(command_line)
"""Built once: with all its options that takes longer than most commands."""

DAY_S = 86_400
PEOPLE = ("51072219800101001X", "510722197503150026")
HEADER = (
    "case_ref,name,id_number,phone,region_code,wallet_address,programme,kind,amount,start_date,"
    "duration_days,cause\n"
)

PASSPHRASE = "correct horse battery staple"
CHEAP = 2


@dataclass
class Ran:
    """What one run of the command line left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON document on stdout: nothing else may be there."""
        document = json.loads(self.out)
        check_document(document)
        return document


class Cli:
    """Runs commands against one application context."""

    def __init__(self, app: Application, capsys: pytest.CaptureFixture[str]) -> None:
        self.app = app
        self._capsys = capsys

    def __call__(self, *args: Any) -> Ran:
        self._capsys.readouterr()
        code = ROOT.main(
            ["--actor", "tester", *map(str, args)], standalone_mode=False, obj=self.app
        )
        out, err = self._capsys.readouterr()
        return Ran(code or 0, out, err)

    def ok(self, *args: Any) -> Any:
        """Run with ``--json``, expect success, return the document."""
        ran = self(*args, "--json")
        assert ran.code == 0, ran.err
        return ran.json


@pytest.fixture
def settings(tmp_path: Path, sqlite_template: Path) -> Settings:
    """Settings of a folder with a passphrase and a database with all tables."""
    passphrase_file = tmp_path / "passphrase"
    passphrase_file.write_text(PASSPHRASE + "\n")
    passphrase_file.chmod(0o600)
    (tmp_path / "relief.db").write_bytes(sqlite_template.read_bytes())
    return Settings(
        data_dir=tmp_path,
        rpc_url="http://127.0.0.1:1",
        artifacts_dir=PROJECT_ROOT / "build" / "contracts",
        key_passphrase_file=passphrase_file,
    )


@pytest.fixture
def application(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """A context whose keys cost nothing to open."""
    monkeypatch.setattr(signers, "SCRYPT_COST", CHEAP)
    for function in (signers.create_keystore, signers.import_keystore):
        assert function.__kwdefaults__ is not None
        monkeypatch.setitem(function.__kwdefaults__, "scrypt_cost", CHEAP)
    monkeypatch.setattr(keyfile, "DEFAULT_SCRYPT_N", CHEAP)
    with Application(settings) as app:
        Keyring.create(app.keyring_path, PASSPHRASE, scrypt_n=CHEAP)
        yield app


@pytest.fixture
def cli(application: Application, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line, with database and keys, without a chain."""
    return Cli(application, capsys)


@pytest.fixture
def deployed(chain: DevNode) -> Iterator[Deployed]:
    """The contracts on the session's chain, gone after the test."""
    made = deploy(chain)
    yield made
    made.rpc.close()


@pytest.fixture
def chain_cli(cli: Cli, deployed: Deployed, tmp_path: Path) -> Cli:
    """The command line with a chain, the contracts, and every key as a keystore here."""
    deployed.write(tmp_path / "deployment.json")
    cli.app.settings.rpc_url = deployed.node.rpc_url
    for name, key in deployed.roles.items():
        keep(cli.app, name.replace("_", "-"), key.key)
    for number, key in deployed.officers.items():
        keep(cli.app, f"officer-{number}", key.key)
    return cli


def keep(app: Application, name: str, key: bytes) -> None:
    """Store a key as a keystore that costs nothing to open."""
    folder = app.settings.resolved_keys_dir
    signers.import_keystore(folder, name, bytes(key), PASSPHRASE, scrypt_cost=CHEAP)


# ---- From cases to money ---------------------------------------------------------------------


@pytest.fixture
def cases_file(tmp_path: Path) -> Path:
    """Two one-off cases and two streams."""
    today = SystemClock().now().date() + timedelta(days=2)
    rows = [
        f"A-{n},王芳,{person},,510722,{account(f'one-off {n}').address},flood,one_off,60{n},"
        f"{today},,房屋倒塌 {n}"
        for n, person in enumerate(PEOPLE)
    ] + [
        f"B-{n},王芳,{person},,510722,{account(f'stream {n}').address},flood,stream,90,"
        f"{today},90,生活补贴"
        for n, person in enumerate(PEOPLE)
    ]
    path = tmp_path / "cases.csv"
    path.write_text(HEADER + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def ready(chain_cli: Cli, deployed: Deployed, cases_file: Path) -> Cli:
    """A programme in force, a reserve, and approved cases."""
    relayer = account("relayer")
    deployed.fund(relayer.address)
    keep(chain_cli.app, "relayer-1", relayer.key)
    cli = chain_cli
    cli.ok("reserve", "attest", "1000000", "--document-hash", "0x" + "11" * 32)
    cli.ok(
        "programme",
        "create",
        "flood",
        *("--name", "Flood", "--region", "51", "--budget", "100000", "--payout-cap", "5000"),
        *("--tier", "50000:1", "--tier", "100000:2"),
    )
    work(cli)
    deployed.advance(TWO_DAYS_S)
    work(cli)
    assert cli.ok("programme", "show", "flood")["state"] == "onchain"
    cli.ok("cases", "import", cases_file)
    cli.ok("cases", "decide", "--all", "--approve")
    return cli


def work(cli: Cli) -> Any:
    report = cli.ok("worker", "run", "--until-idle", "--max-seconds", "60")
    assert report["idle"]
    return report


def pay(cli: Cli, kind: str) -> str:
    """Build, approve, release and pay one batch; returns its id."""
    built = cli.ok("batch", "build", "flood", "--kind", kind, "--maker", "1")
    (batch,) = built["batches"]
    batch_id: str = batch["id"]
    status = cli.ok("batch", "approve", batch_id, "-k", "officer-1", "-k", "officer-2")
    assert status["items"][0]["approved"]
    cli.ok("batch", "release", batch_id[:12])
    work(cli)
    return batch_id


def states(cli: Cli, batch_id: str) -> dict[str, int]:
    shown = cli.ok("batch", "show", batch_id)
    return {item["state"]: item["count"] for item in shown["payouts"]}


def add_flood(cli: Cli, number: int, at: datetime) -> None:
    """A programme of one province, on chain: what case files name as ``flood``."""
    with cli.app.transaction() as session:
        session.add(
            Programme(
                id=number,
                code="flood",
                name="Flood relief",
                region_code=51,
                region_digits=2,
                budget_base_units=10**12,
                payout_cap_base_units=10**10,
                tiers=[],
                metadata_hash="0x" + "00" * 32,
                state="onchain",
                created_by="test",
                created_at=at,
            )
        )
