"""Officers of every type of signer, from the command that adds them to money paid and audited."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.approvals.typed_data import digest_of
from service.audit.replay import Options, replay
from service.audit.rpc import Node
from tests.cli.conftest import Cli, Ran, states, work
from tests.support.chromium import Chromium
from tests.support.deployed import TWO_DAYS_S, Deployed, account, deploy_wallet
from tests.support.officer_keys import P256Key, Passkey

GOVERNORS = ("-k", "officer-2", "-k", "officer-3")
KEY, PASSKEY, OWNER = P256Key("officer 21"), Passkey("officer 22"), account("owner of a wallet")


@pytest.fixture
def officers(ready: Cli, deployed: Deployed) -> str:
    """Officers 21 with a P-256 key, 22 with a passkey, 23 with a contract account (returned)."""
    wallet = deploy_wallet(deployed, OWNER)
    for number, kind, signer in (
        (21, "p256", "0x" + KEY.point.hex()),
        (22, "passkey", "0x" + PASSKEY.point.hex()),
        (23, "contract", wallet),
    ):
        ready.ok(
            *("officer", "add", number, signer, "--signer-type", kind, "--roles", "reviewer"),
            *("--reason", "joins", *GOVERNORS),
        )
    work(ready)
    deployed.advance(TWO_DAYS_S)
    work(ready)
    return wallet


@pytest.fixture
def batch(ready: Cli, officers: str) -> str:
    """A batch that needs its maker and one reviewer."""
    (built,) = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")["batches"]
    batch_id: str = built["id"]
    ready.ok("batch", "approve", batch_id, "-k", "officer-1")
    return batch_id


def refusal(ran: Ran) -> str:
    """What a command that was refused said, on one line."""
    assert ran.code != 0
    return " ".join(ran.err.split())


def digest(cli: Cli, batch: str) -> bytes:
    return digest_of(cli.ok("batch", "typed-data", batch))


def test_signers_of_each_type_are_listed(ready: Cli, officers: str) -> None:
    listed = {item["officer_id"]: item for item in ready.ok("officer", "list")["items"]}
    kinds = {number: listed[number]["signers"][0]["signer_type"] for number in (1, 21, 22, 23)}
    assert kinds == {1: "account", 21: "key", 22: "key", 23: "contract"}
    assert listed[23]["signers"][0]["signer"] == officers


def test_a_batch_signed_with_every_type_is_paid_and_audited(
    ready: Cli, deployed: Deployed, officers: str, batch: str, tmp_path: Path
) -> None:
    signed = digest(ready, batch)
    assertion = tmp_path / "assertion.json"
    assertion.write_text(json.dumps(PASSKEY.browser_assertion(signed)))
    point = "0x" + KEY.point.hex()
    ready.ok(
        *("batch", "approve", batch, "--signature", "0x" + KEY.sign(signed).hex()),
        *("--signer-type", "p256", "--signer", point),
    )
    ready.ok(
        *("batch", "approve", batch, "--assertion", assertion),
        *("--signer", "0x" + PASSKEY.point.hex()),
    )
    owners = "0x" + bytes(OWNER.unsafe_sign_hash(signed).signature).hex()
    done = ready.ok(
        *("batch", "approve", batch, "--signature", owners, "--signer-type", "contract"),
        *("--signer", officers, "--officer", 23),
    )
    assert done["items"][0]["reviewers"] == [21, 22, 23]

    ready.ok("batch", "release", batch)
    work(ready)
    assert states(ready, batch) == {"paid": 2}
    with Node(deployed.node.rpc_url) as node:
        vault = bytes.fromhex(deployed.vault[2:])
        report = replay(node, Options(vault, database=ready.app.settings.resolved_database_url))
    assert report.findings == []


def test_a_passkey_made_in_a_browser_approves_a_batch(
    ready: Cli, deployed: Deployed, browser: Chromium, tmp_path: Path
) -> None:
    point = "0x" + browser.register().hex()
    ready.ok(
        *("officer", "add-signer", 2, point, "--signer-type", "passkey"),
        *("--reason", "a phone", *GOVERNORS),
    )
    work(ready)
    deployed.advance(TWO_DAYS_S)
    work(ready)
    (built,) = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")["batches"]
    ready.ok("batch", "approve", built["id"], "-k", "officer-1")
    assertion = tmp_path / "assertion.json"
    assertion.write_text(json.dumps(browser.sign(digest(ready, built["id"]))))

    ready.ok("batch", "approve", built["id"], "--assertion", assertion, "--signer", point)
    ready.ok("batch", "release", built["id"])
    work(ready)

    assert states(ready, built["id"]) == {"paid": 2}
    with Node(deployed.node.rpc_url) as node:
        assert replay(node, Options(bytes.fromhex(deployed.vault[2:]))).findings == []


def test_what_a_contract_account_refuses_is_not_kept(ready: Cli, officers: str, batch: str) -> None:
    stolen = account("a thief").unsafe_sign_hash(digest(ready, batch)).signature
    ran = ready(
        *("batch", "approve", batch, "--signature", "0x" + bytes(stolen).hex()),
        *("--signer-type", "contract", "--signer", officers),
    )
    assert refusal(ran).endswith(
        f"the account {officers} does not take the signature over this message"
    )


def test_governors_disallow_a_verifier_and_its_keys_sign_no_more(
    ready: Cli, deployed: Deployed, batch: str
) -> None:
    verifier = deployed.deployment.p256_verifier
    ready.ok("officer", "remove-verifier", verifier, "--reason", "weak", *GOVERNORS)
    work(ready)
    assert deployed.read("registry", "verifierOf", verifier)["removed"]
    ran = ready(
        *("batch", "approve", batch, "--signature", "0x" + KEY.sign(digest(ready, batch)).hex()),
        *("--signer-type", "p256", "--signer", "0x" + KEY.point.hex()),
    )
    assert f"{verifier} of this key is not allowed" in refusal(ran)


@pytest.mark.parametrize(
    ("kind", "signer", "words"),
    [
        ("p256", "0x" + KEY.point.hex()[:-2], "64 bytes, not 63"),
        ("passkey", "0x" + "11" * 64, "no point of P-256"),
        ("contract", account("nobody's wallet").address, "no contract stands at"),
        ("contract", "0x12", "no address with an EIP-55 checksum"),
        ("account", "0x" + KEY.point.hex(), "no address with an EIP-55 checksum"),
        ("finger", "0x12", "none of account, contract, p256, passkey"),
    ],
)
def test_a_signer_that_the_registry_would_refuse_is_refused_before_anybody_signs(
    chain_cli: Cli, kind: str, signer: str, words: str
) -> None:
    ran = chain_cli(
        *("officer", "add", 21, signer, "--signer-type", kind, "--roles", "reviewer"),
        *("--reason", "joins"),
    )
    assert words in refusal(ran)


def test_a_keys_signature_without_its_signer_is_refused(chain_cli: Cli) -> None:
    ran = chain_cli("batch", "approve", "0x1234", "--signature", "0x12", "--signer-type", "p256")
    assert "does not tell whose it is" in refusal(ran)
