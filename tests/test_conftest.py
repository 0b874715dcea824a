"""The fixtures give what they promise."""

from __future__ import annotations

import time

import pytest
from eth_account import Account
from sqlalchemy import inspect, text

from service.chain.devnode import DevNode
from service.db import Base, create_database_engine
from tests.conftest import ASLEEP_S


def test_a_blank_database_is_empty(blank_database_url: str) -> None:
    engine = create_database_engine(blank_database_url)

    assert inspect(engine).get_table_names() == []
    engine.dispose()


@pytest.mark.parametrize("use", ["first", "second"])
def test_a_database_has_every_table_and_nothing_of_the_test_before(
    database_url: str, use: str
) -> None:
    engine = create_database_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE left_by_a_test (name TEXT)"))

    tables = set(inspect(engine).get_table_names())
    assert tables == {"left_by_a_test", *Base.metadata.tables}
    engine.dispose()


def test_a_transaction_that_the_node_thinks_too_early_is_handed_in_anew(chain: DevNode) -> None:
    key = Account.create()
    chain.rpc("anvil_setBalance", key.address, hex(10**18))
    for nonce in (1, 2):
        signed = key.sign_transaction(
            {
                "type": 2,
                "chainId": chain.chain_id,
                "nonce": nonce,
                "to": key.address,
                "value": 0,
                "gas": 21_000,
                "maxFeePerGas": 10**9,
                "maxPriorityFeePerGas": 0,
            }
        )
        chain.rpc("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
    chain.rpc("anvil_setNonce", key.address, "0x1")  # as if the first came to be mined meanwhile
    assert chain.rpc("txpool_status") == {"pending": "0x0", "queued": "0x2"}

    deadline = time.monotonic() + 4 * ASLEEP_S
    while chain.rpc("eth_getTransactionCount", key.address, "latest") != "0x3":
        assert time.monotonic() < deadline, "it still waits for a nonce that is used"
        time.sleep(0.1)
