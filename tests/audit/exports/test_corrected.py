"""Tables of a life with holds, another wallet, expiry and sunset."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.audit.command import audit_app
from service.audit.exports.tables import TABLES
from service.chain.devnode import DevNode, start_anvil
from tests.audit.conftest import OFFICERS
from tests.audit.corrected import ZERO_ADDRESS, live_corrected
from tests.audit.exports.reading import as_dicts
from tests.audit.scenario import UNIT, Scenario, payee
from tests.support.deployed import deploy
from tests.support.world import World

BY_NAME = {table.name: table for table in TABLES}


@pytest.fixture(scope="module")
def corrected(
    anvil: DevNode, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Scenario, Path]]:
    """The life, and its tables."""
    folder = tmp_path_factory.mktemp("corrected")
    shutil.copyfile(sqlite_template, folder / "relief.db")
    with start_anvil() as node:
        deployed = deploy(node, officers=OFFICERS)
        world = World(deployed, f"sqlite:///{folder / 'relief.db'}", folder, 0)
        scenario = live_corrected(deployed, world, folder)
        words = ["replay", "--rpc", node.rpc_url, "--vault", deployed.vault, "--out"]
        done = CliRunner().invoke(audit_app, [*words, str(folder / "out")])
        assert done.exit_code == 0, done.output
        yield scenario, folder / "out"
        deployed.rpc.close()


def rows_of(corrected: tuple[Scenario, Path], table: str, batch: str) -> list[dict[str, Any]]:
    scenario, out = corrected
    wanted = scenario.batches[batch].hex
    return [row for row in as_dicts(out, BY_NAME[table]) if row["batch_id"] == wanted]


def test_one_off_payouts_say_who_is_paid_now_what_expired_and_what_returned(
    corrected: tuple[Scenario, Path],
) -> None:
    rows = rows_of(corrected, "payouts", "one-off")
    assert [row["status"] for row in rows] == ["expired", "paid", "paid", "skipped", "expired"]
    assert [row["signed_payee"] for row in rows] == [
        *(ZERO_ADDRESS, payee(60).address, payee(61).address, payee(66).address),
        None,  # its chunk never ran, and no manifest was given
    ]
    assert rows[1]["payee"] == payee(62).address
    assert (rows[1]["retried"], rows[1]["skip_reason"], rows[0]["skip_reason"]) == (1, 4, 1)
    assert [row["returned_base_units"] for row in rows] == [5 * UNIT, 0, 0, 0, None]
    assert [row["commitment"] for row in rows] == [None] * 5
    (batch,) = rows_of(corrected, "batches", "one-off")
    assert (batch["state"], batch["held_by"]) == ("expired", "2 3")
    assert rows[4]["expired_block"] == batch["expired_block"]
    assert rows[0]["expired_block"] > batch["expired_block"] > batch["block"]


def test_streams_say_what_was_withdrawn_by_which_wallet_and_what_returned(
    corrected: tuple[Scenario, Path],
) -> None:
    rows = rows_of(corrected, "payouts", "streams")
    assert [row["payee"] for row in rows] == [
        *(payee(65).address, ZERO_ADDRESS, payee(64).address),
    ]
    assert rows[0]["signed_payee"] == payee(63).address
    assert [row["paid_base_units"] for row in rows] == [30 * UNIT, 0, 30 * UNIT + 2]
    assert [row["returned_base_units"] for row in rows] == [0, 30 * UNIT + 1, 0]
    assert rows[2]["held_until_unix_s"] is not None
    withdrawals = rows_of(corrected, "withdrawals", "streams")
    assert {row["payee"] for row in withdrawals} == {payee(65).address, payee(64).address}
    assert sum(row["amount_base_units"] for row in withdrawals) == 60 * UNIT + 2


def test_the_sunset_is_among_the_pauses(corrected: tuple[Scenario, Path]) -> None:
    _, out = corrected
    assert [row["event"] for row in as_dicts(out, BY_NAME["pauses"])] == ["SunsetBegan"]
