"""``scripts/deploy.py`` in Brownie, on a chain where gas costs: nothing wrong spends anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.application.context import Application
from service.application.doctor.checks import Status
from service.application.doctor.governance import compare
from service.chain.deployment import load_deployment
from service.chain.devnode import DevNode, start_anvil
from service.chain.signers import KeystoreInfo, create_keystore
from service.config import PROJECT_ROOT, Settings
from tests.deployment.test_config import good

PASSPHRASE = "correct horse battery staple"
ONE_ETHER = 10**18


@dataclass
class Deployer:
    """A folder with a configuration, and the keystore of an account with gas money."""

    node: DevNode
    folder: Path
    keystore: KeystoreInfo

    def begin(self, **settings: str) -> subprocess.Popen[str]:
        """Deploy as docs/deployment.md says, from the folder; relative paths mean it."""
        environment = {
            "RELIEF_RPC_URL": self.node.rpc_url,
            "RELIEF_DEPLOYER": "deployer.json",
            "RELIEF_KEY_PASSPHRASE_FILE": "passphrase",
            "RELIEF_DEPLOY_CONFIG": "config.json",
            "RELIEF_DEPLOYMENT_FILE": "deployment.json",
        }
        return subprocess.Popen(
            [
                *(sys.executable, str(PROJECT_ROOT / "scripts" / "brownie.py")),
                *("run", "deploy", "--network", "relief-local"),
            ],
            cwd=self.folder,
            env=os.environ | environment | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, **settings: str) -> tuple[int, str]:
        """Deploy; returns the exit code and all that was said."""
        with self.begin(**settings) as process:
            said, _ = process.communicate()
        return process.returncode, said

    def configure(self, config: dict[str, Any]) -> None:
        (self.folder / "config.json").write_text(json.dumps(config))

    def nonce(self) -> int:
        count = self.node.rpc("eth_getTransactionCount", self.keystore.address, "latest")
        return int(count, 16)

    def fund(self, wei: int) -> None:
        self.node.rpc("anvil_setBalance", self.keystore.address, hex(wei))


def deployer_on(node: DevNode, folder: Path) -> Deployer:
    """All that a deployment needs, in a folder."""
    folder.mkdir(exist_ok=True)
    passphrase = folder / "passphrase"
    passphrase.write_text(PASSPHRASE)
    passphrase.chmod(0o600)
    made = Deployer(node, folder, create_keystore(folder, "deployer", PASSPHRASE, scrypt_cost=2))
    made.fund(ONE_ETHER)
    made.configure(good())
    return made


@pytest.fixture
def deployer(costly_chain: DevNode, tmp_path: Path) -> Deployer:
    return deployer_on(costly_chain, tmp_path)


def test_a_bad_configuration_spends_nothing_and_tells_every_problem(deployer: Deployer) -> None:
    config = good()
    del config["roles"]["programme_manager"]
    config["officers"][1]["signer"] = "0x12"
    config["quorum"] = 3
    deployer.configure(config)

    exit_code, said = deployer.run()

    assert exit_code == 1
    assert "Nothing was deployed" in said
    assert "roles.programme_manager: is missing" in said
    assert 'officers[1].signer: "0x12" is no address' in said
    assert "quorum: 3, but governors are only 2" in said
    assert deployer.nonce() == 0
    assert not (deployer.folder / "deployment.json").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"RELIEF_DEPLOY_CONFIG": ""}, "RELIEF_DEPLOY_CONFIG names no file"),
        ({"RELIEF_DEPLOYER": "nobody.json"}, "there is no keystore"),
        ({"RELIEF_DEPLOYER": "config.json"}, "is no V3 keystore, or the passphrase is wrong"),
        ({"RELIEF_KEY_PASSPHRASE_FILE": "none"}, "the passphrase file cannot be read"),
        ({"RELIEF_DEPLOYMENT_FILE": "no/such/folder/x.json"}, "cannot be written"),
        ({"RELIEF_DEPLOYMENT_FILE": "passphrase"}, "is there already"),
    ],
)
def test_wrong_settings_spend_nothing(
    deployer: Deployer, settings: dict[str, str], words: str
) -> None:
    exit_code, said = deployer.run(**settings)
    assert exit_code == 1
    assert words in said
    assert deployer.nonce() == 0


@pytest.mark.chain
def test_a_node_on_another_chain_than_the_networks_is_refused(tmp_path: Path) -> None:
    with start_anvil(chain_id=20260) as node:
        elsewhere = deployer_on(node, tmp_path)
        exit_code, said = elsewhere.run()

        assert exit_code == 1
        assert "the node is on chain 20260, the network relief-local is chain 31337" in said
        assert elsewhere.nonce() == 0


def test_a_deployer_without_enough_gas_money_begins_nothing(deployer: Deployer) -> None:
    deployer.fund(ONE_ETHER // 100)
    exit_code, said = deployer.run()
    assert exit_code == 1
    assert "send it gas money" in said
    assert deployer.nonce() == 0


def test_a_good_configuration_is_deployed_from_a_keystore_within_the_gas_foretold(
    deployer: Deployer,
) -> None:
    exit_code, said = deployer.run()

    assert exit_code == 0, said
    deployment = load_deployment(deployer.folder / "deployment.json")
    assert deployment.roles == {role: tuple(held) for role, held in good()["roles"].items()}
    blocks = range(deployment.deployment_block, int(deployer.node.rpc("eth_blockNumber"), 16) + 1)
    spent = sum(
        int(deployer.node.rpc("eth_getBlockByNumber", hex(number), False)["gasUsed"], 16)
        for number in blocks
    )
    # As docs/deployment.md foretells for two officers and six holders of roles.
    assert 20_440_000 < spent < 21_144_000
    settings = Settings(data_dir=deployer.folder, rpc_url=deployer.node.rpc_url)
    with Application(settings) as application:
        compared = compare(application)
    assert [one for one in compared if one.status is not Status.OK] == []


@pytest.mark.chain
def test_a_deployment_that_starts_during_another_does_not_meet_it(
    deployer: Deployer, tmp_path: Path
) -> None:
    with start_anvil() as node, deployer.begin() as first:
        assert first.stdout is not None
        for line in first.stdout:
            if "RoleManager deployed" in line:
                break
        exit_code, said = deployer_on(node, tmp_path / "second").run()
        rest, _ = first.communicate()
    assert first.returncode == 0, rest
    assert exit_code == 0, said
