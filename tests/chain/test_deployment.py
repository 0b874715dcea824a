"""The deployment file is read strictly, and the node is held to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.chain.deployment import load_deployment
from service.errors import ConfigurationError


def content() -> dict[str, Any]:
    contract = {
        "name": "X",
        "address": "0x000000000000000000000000000000000000dEaD",
        "runtime_code_hash": "0x" + "00" * 32,
    }
    return {
        "chain_id": 31337,
        "deployment_block": 3,
        "finality_depth_blocks": 12,
        "contracts": {
            key: dict(contract)
            for key in (
                *("vault", "token", "registry", "manager", "lane"),
                *("p256_verifier", "passkey_verifier"),
                *("administration", "corrections"),
            )
        },
        "roles": {"attestor": {"id": 3, "accounts": [contract["address"].lower()]}},
    }


def test_a_deployment_is_read_with_addresses_in_eip55(tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps(content()))

    deployment = load_deployment(path)

    assert (deployment.chain_id, deployment.finality_depth_blocks) == (31337, 12)
    assert deployment.roles["attestor"] == ("0x000000000000000000000000000000000000dEaD",)
    assert load_deployment(path, finality_depth_blocks=0).finality_depth_blocks == 0


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("chain_id",), None, "chain_id"),
        (("finality_depth_blocks",), "12", "finality_depth_blocks"),
        (("contracts", "vault"), None, "contracts.vault is missing"),
        (("contracts", "token", "address"), "0x12", "contracts.token.address"),
        (("contracts", "registry", "runtime_code_hash"), "0x", "runtime_code_hash"),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, path: tuple[str, ...], value: Any, words: str
) -> None:
    broken = content()
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    file = tmp_path / "deployment.json"
    file.write_text(json.dumps(broken))

    with pytest.raises(ConfigurationError, match=words):
        load_deployment(file)


def test_a_missing_file_says_to_deploy_first(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="deploy the contracts first"):
        load_deployment(tmp_path / "none.json")
