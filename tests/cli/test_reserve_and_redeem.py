from __future__ import annotations

from pathlib import Path

from eth_account import Account

from service.payouts.models import ChainRequest
from tests.cli.conftest import Cli, keep
from tests.support.deployed import Deployed, account

HOLDER = account("holder")


def _hold(deployed: Deployed, amount: int) -> None:
    """Give the holder a balance by writing the token's storage: ours to redeem in a test."""
    from eth_abi.abi import encode
    from eth_utils.crypto import keccak

    token, node = deployed.token, deployed.node
    for slot in range(16):
        place = "0x" + keccak(encode(["address", "uint256"], [HOLDER.address, slot])).hex()
        before = node.rpc("eth_getStorageAt", token, place, "latest")
        node.rpc("anvil_setStorageAt", token, place, "0x" + amount.to_bytes(32, "big").hex())
        if deployed.read("token", "balanceOf", HOLDER.address) == amount:
            return
        node.rpc("anvil_setStorageAt", token, place, before)
    raise AssertionError("no slot of the token is the balances'")


def _requests(cli: Cli) -> list[ChainRequest]:
    with cli.app.sessions() as session:
        return list(session.query(ChainRequest))


def test_the_reserve_shows_what_is_free(chain_cli: Cli, deployed: Deployed) -> None:
    deployed.attest(5_000_000)
    shown = chain_cli.ok("reserve", "show")
    assert shown["reserve_in_force_base_units"] == "5000000"
    assert shown["free"] == "5.00"


def test_attesting_asks_for_one_transaction(chain_cli: Cli, tmp_path: Path) -> None:
    document = tmp_path / "statement.pdf"
    document.write_bytes(b"statement")
    made = chain_cli.ok("reserve", "attest", "1000000", "--document", document)
    assert made["kind"] == "attest_reserve"
    assert made["args"]["amount"] == "1000000.00"
    assert made["args"]["amount_base_units"] == "1000000000000"
    shown = chain_cli("reserve", "attest", "1000000", "--document", document)
    assert "1000000.00" in shown.out
    assert "1000000000000" not in shown.out
    again = chain_cli.ok("reserve", "attest", "1000000", "--document", document)
    assert again["id"] == made["id"]
    assert chain_cli("reserve", "attest", "2000000", "--document", document).code == 1
    assert len(_requests(chain_cli)) == 1


def test_attesting_needs_the_document(chain_cli: Cli) -> None:
    assert chain_cli("reserve", "attest", "1").code == 2
    assert chain_cli("reserve", "attest", "1", "--document", "missing.pdf").code == 2


def test_a_holders_keystore_signs_what_the_token_accepts(
    chain_cli: Cli, deployed: Deployed
) -> None:
    _hold(deployed, 700_000_000)
    keep(chain_cli.app, "holder", HOLDER.key)
    made = chain_cli.ok("redeem", "600", "--keystore", "holder", "--reference", "bank 1")
    assert (made["args"]["holder"], made["args"]["amount"]) == (HOLDER.address, "600.00")
    (request,) = _requests(chain_cli)
    args = request.args
    deployed.send(
        deployed.deployer,
        "token",
        "redeemWithAuthorization",
        args["from"],
        int(args["value"]),
        bytes.fromhex(args["paymentReference"][2:]),
        args["validAfter"],
        args["validBefore"],
        bytes.fromhex(args["nonce"][2:]),
        args["v"],
        bytes.fromhex(args["r"][2:]),
        bytes.fromhex(args["s"][2:]),
    )
    assert deployed.read("token", "balanceOf", HOLDER.address) == 100_000_000


def test_a_holder_elsewhere_signs_the_typed_data(chain_cli: Cli, deployed: Deployed) -> None:
    _hold(deployed, 700_000_000)
    base = ("redeem", "600", "--from", HOLDER.address, "--reference", "bank 2")
    document = chain_cli(*base, "--typed-data").json
    nonce, before = document["message"]["nonce"], document["message"]["validBefore"]
    signed = Account.from_key(HOLDER.key).sign_typed_data(full_message=document)
    same = ("--nonce", nonce, "--valid-before", before)
    made = chain_cli.ok(*base, *same, "--signature", bytes(signed.signature).hex())
    assert made["kind"] == "redeem_with_authorization"
    other = Account.from_key(deployed.deployer.key).sign_typed_data(full_message=document)
    ran = chain_cli(*base, *same, "--signature", bytes(other.signature).hex())
    assert ran.code == 2
    assert deployed.deployer.address in ran.err


def test_more_than_the_balance_is_refused_before_it_is_sent(chain_cli: Cli) -> None:
    keep(chain_cli.app, "holder", HOLDER.key)
    ran = chain_cli("redeem", "600", "--keystore", "holder", "--reference", "bank")
    assert ran.code == 1
    assert _requests(chain_cli) == []
