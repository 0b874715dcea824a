"""Calls, events and refusals by the tables of the compiled ABIs."""

from __future__ import annotations

from pathlib import Path

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from service.chain.contracts import Contracts, load_abi
from service.chain.deployment import parse_deployment
from service.chain.rpc import RpcError
from service.config import PROJECT_ROOT
from service.errors import ConfigurationError

ARTIFACTS = PROJECT_ROOT / "build" / "contracts"


def address(number: int) -> str:
    return "0x" + f"{number:040x}"


@pytest.fixture(scope="module")
def contracts() -> Contracts:
    keys = (
        *("vault", "token", "registry", "manager", "lane", "administration", "corrections"),
        *("p256_verifier", "passkey_verifier"),
    )
    deployment = parse_deployment(
        {
            "chain_id": 1,
            "deployment_block": 0,
            "finality_depth_blocks": 0,
            "contracts": {
                key: {"address": address(n), "runtime_code_hash": "0x" + "00" * 32}
                for n, key in enumerate(keys, start=1)
            },
        }
    )
    return Contracts(deployment, ARTIFACTS)


def test_a_call_starts_with_the_selector_and_encodes_its_arguments(contracts: Contracts) -> None:
    data = contracts.encode_call("token", "transfer", address(9), 5)
    assert data == keccak(text="transfer(address,uint256)")[:4] + encode(
        ["address", "uint256"], [address(9), 5]
    )


def test_an_event_is_decoded_with_its_indexed_arguments(contracts: Contracts) -> None:
    log = {
        "address": address(2),
        "topics": [
            "0x" + keccak(text="Redeemed(address,uint256,bytes32,uint256)").hex(),
            "0x" + "00" * 12 + address(9)[2:],
            "0x" + "ab" * 32,
        ],
        "data": "0x" + encode(["uint256", "uint256"], [2**60, 7]).hex(),
        "blockNumber": "0x10",
        "blockHash": "0x" + "01" * 32,
        "transactionHash": "0x" + "02" * 32,
        "logIndex": "0x3",
    }
    event = contracts.decode_log(log)

    assert event is not None
    assert (event.contract, event.name, event.block_number) == ("token", "Redeemed", 16)
    assert event.args["amount"] == 2**60
    assert event.json_args() == {
        "from": address(9),
        "amount": str(2**60),
        "paymentReference": "0x" + "ab" * 32,
        "redeemedTotal": "7",
    }


def test_a_log_of_another_contract_is_not_an_event(contracts: Contracts) -> None:
    topic = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
    assert contracts.decode_log({"address": address(77), "topics": [topic], "data": "0x"}) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            keccak(text="BudgetExceeded(uint256,uint256)")[:4]
            + encode(["uint256", "uint256"], [9, 5]),
            "BudgetExceeded(requested=9, budget=5)",
        ),
        (
            keccak(text="BatchExists(bytes32)")[:4] + b"\x01" * 32,
            "BatchExists(batchId=0x" + "01" * 32 + ")",
        ),
        (
            bytes.fromhex("08c379a0") + encode(["string"], ["no"]),
            "Revert(message=no)",
        ),
        (bytes.fromhex("4e487b71") + encode(["uint256"], [17]), "Panic(code=17)"),
        (b"\xde\xad\xbe\xef", "Unknown(data=0xdeadbeef)"),
        (b"", "Unknown(data=0x)"),
    ],
)
def test_a_refusal_is_read_in_words(contracts: Contracts, data: bytes, words: str) -> None:
    refusal = contracts.refusal(RpcError(3, "execution reverted", "0x" + data.hex()))
    assert refusal is not None
    assert refusal.words == refusal.problems[0].value == words
    assert refusal.detail != words


def test_an_error_of_the_node_is_no_refusal(contracts: Contracts) -> None:
    assert contracts.refusal(RpcError(-32000, "header not found")) is None


def test_a_missing_artifact_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="make compile"):
        load_abi(tmp_path, "AllowanceVault")
