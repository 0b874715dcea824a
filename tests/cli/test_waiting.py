"""``--wait``: the exit code says whether what was asked for is done, still open, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli, keep
from tests.support.deployed import Deployed, account

WALLET = account("one-off 0").address
NEWCOMER = ("officer", "add", "7", account("newcomer").address, "--roles", "reviewer")


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "statement.pdf"
    path.write_bytes(b"statement")
    return path


def test_a_request_that_is_open_when_the_time_is_over_ends_with_4(
    chain_cli: Cli, document: Path
) -> None:
    ran = chain_cli("reserve", "attest", "1", "--document", document, "--wait", "0.1", "--json")
    assert ran.code == 4
    assert ran.json["state"] == "requested"
    assert "still open after 0.1 s" in ran.err
    assert f"request {ran.json['id']} (attest_reserve) is requested" in ran.err


def test_without_wait_an_open_request_is_no_failure(chain_cli: Cli, document: Path) -> None:
    ran = chain_cli("reserve", "attest", "1", "--document", document)
    assert ran.code == 0
    assert "`relief worker run` sends it" in ran.err


def test_a_programme_that_is_not_on_chain_when_the_time_is_over_ends_with_4(cli: Cli) -> None:
    ran = cli(
        *("programme", "create", "flood", "--name", "Flood", "--budget", "100"),
        *("--payout-cap", "5", "--tier", "100:1", "--wait", "0.1"),
    )
    assert ran.code == 4
    assert "is requested" in ran.err


def test_an_action_that_lacks_signatures_is_open_and_says_how_many(
    chain_cli: Cli, deployed: Deployed
) -> None:
    deployed.fund(account("relayer").address)
    keep(chain_cli.app, "relayer-1", account("relayer").key)
    chain_cli.ok("worker", "run", "--until-idle")  # reads who the officers are
    ran = chain_cli(*NEWCOMER, "--reason", "new", "-k", "officer-1", "--wait", "0.1")
    assert ran.code == 4
    assert "is collecting, signed by 1 of 2" in ran.err


def test_a_freeze_that_is_in_no_block_when_the_time_is_over_ends_with_4(
    chain_cli: Cli, deployed: Deployed
) -> None:
    deployed.rpc.call("evm_setAutomine", False)
    try:
        ran = chain_cli("wallet", "freeze", WALLET, "--wait", "0.1", "--json")
    finally:
        deployed.rpc.call("evm_setAutomine", True)
    assert ran.code == 4
    assert ran.json["tx_hash"] in ran.err


def test_a_note_on_what_a_freeze_does_is_given_only_when_it_was_sent(chain_cli: Cli) -> None:
    refused = chain_cli("wallet", "freeze", WALLET, "--keystore", "attestor")
    assert refused.code == 1
    assert "stays committed" not in refused.err
    assert "stays committed" in chain_cli("wallet", "freeze", WALLET, "--wait", "10").err
