from __future__ import annotations

from tests.cli.conftest import Cli
from tests.support.deployed import Deployed, account

WALLET = account("beneficiary").address


def test_a_wallet_shows_what_the_chain_says(chain_cli: Cli) -> None:
    shown = chain_cli.ok("wallet", "show", WALLET)
    assert shown["balance_base_units"] == "0"
    assert shown["frozen"] is False
    assert shown["streams"] == []


def test_freezing_and_unfreezing_go_by_the_freezers_keystore(
    chain_cli: Cli, deployed: Deployed
) -> None:
    frozen = chain_cli.ok("wallet", "freeze", WALLET, "--wait", "10")
    assert frozen["sender"] == deployed.roles["freezer"].address
    assert frozen["block_number"] is not None
    assert deployed.read("token", "isFrozen", WALLET)
    chain_cli.ok("wallet", "unfreeze", WALLET, "--wait", "10")
    assert not deployed.read("token", "isFrozen", WALLET)


def test_who_is_no_freezer_is_refused_by_the_contract(chain_cli: Cli) -> None:
    ran = chain_cli("wallet", "freeze", WALLET, "--keystore", "attestor")
    assert ran.code == 1
    assert "does not hold the role" in ran.err
    assert "AccessManagedUnauthorized" not in ran.err
    assert ran.out == ""
    ran = chain_cli("wallet", "freeze", WALLET, "--keystore", "attestor", "--json")
    (problem,) = ran.json["error"]["problems"]
    assert problem["value"].startswith("AccessManagedUnauthorized(caller=0x")


def test_an_address_without_its_checksum_is_refused(chain_cli: Cli) -> None:
    ran = chain_cli("wallet", "show", WALLET.lower())
    assert ran.code == 2
    assert WALLET in ran.err
