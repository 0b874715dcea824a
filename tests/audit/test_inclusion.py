"""Receipts and transactions of real blocks, proven by the tries whose roots their headers have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import rlp as pyrlp
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from service.audit.calls import Call
from service.audit.inclusion import Misfit, inclusion, proven_value, unrlp
from service.audit.receipts import header_hash, receipt_bytes, receipts_root, rlp, trie_root
from service.audit.rpc import Node
from service.audit.transactions import call_of_bytes, chain_of_bytes, transaction_bytes
from service.chain.devnode import DevNode, start_anvil
from tests.support.deployed import account

COUNTS = (1, 2, 16, 17, 130)
SENDER = account("sender of many")
AUTHORITY = account("authority of many")
TARGET = "0x" + "ab" * 20


@pytest.fixture(scope="module")
def blocks(anvil: DevNode) -> Iterator[dict[int, tuple[dict[str, Any], list[dict[str, Any]]]]]:
    """Blocks of so many transactions, of types 0, 1, 2 and 4 by turns, and their receipts."""
    with start_anvil() as chain, Node(chain.rpc_url) as node:
        chain.rpc("anvil_setBalance", SENDER.address, hex(10**21))
        chain.rpc("evm_setAutomine", False)
        nonce, found = 0, {}
        for count in COUNTS:
            for position in range(count):
                raw = signed(nonce, position, chain.rpc("eth_chainId"))
                node.call("eth_sendRawTransaction", raw)
                nonce += 1
            chain.rpc("evm_mine")
            block = node.call("eth_getBlockByNumber", "latest", True)
            found[count] = block, node.call("eth_getBlockReceipts", block["number"])
        yield found


def signed(nonce: int, position: int, chain_id: str) -> str:
    members: dict[str, Any] = {
        "nonce": nonce,
        "gas": 100_000,
        "to": to_checksum_address(TARGET),
        "value": 1,
        "data": b"\x07" * position,
        "chainId": int(chain_id, 16),
    }
    fees = {"maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 10**9}
    listed = [{"address": to_checksum_address(TARGET), "storageKeys": ["0x" + "01" * 32]}]
    if position % 4 == 0:
        members |= {"gasPrice": 3 * 10**9}
    elif position % 4 == 1:
        members |= {"gasPrice": 3 * 10**9, "accessList": listed, "type": 1}
    elif position % 4 == 2:
        members |= {**fees, "accessList": listed, "type": 2}
    else:
        authorized = {
            "chainId": 0,
            "address": to_checksum_address("0x" + "cd" * 20),
            "nonce": 0,
        }
        authorization = Account.sign_authorization(authorized, AUTHORITY.key)
        members |= {**fees, "type": 4, "accessList": [], "authorizationList": [authorization]}
    return "0x" + bytes(SENDER.sign_transaction(members).raw_transaction).hex()


@pytest.mark.parametrize("count", COUNTS)
def test_every_receipt_of_a_block_is_proven_at_its_own_position_only(
    blocks: dict[int, Any], count: int
) -> None:
    block, receipts = blocks[count]
    root = bytes.fromhex(block["receiptsRoot"][2:])
    values = [receipt_bytes(receipt) for receipt in receipts]
    assert len(values) == count
    assert receipts_root(receipts) == root
    assert header_hash(block).hex() == block["hash"][2:]
    for position, value in enumerate(values):
        nodes = inclusion(values, position)
        assert proven_value(root, position, nodes) == value
        for other in {(position + 1) % (count + 1), count}:
            with pytest.raises(Misfit):
                proven_value(root, other, nodes)


@pytest.mark.parametrize("count", COUNTS)
def test_every_transaction_of_a_block_is_proven_with_its_hash_and_call(
    blocks: dict[int, Any], count: int
) -> None:
    block, _ = blocks[count]
    root = bytes.fromhex(block["transactionsRoot"][2:])
    values = [transaction_bytes(each) for each in block["transactions"]]
    assert trie_root(values) == root
    if count >= 4:
        assert {each["type"] for each in block["transactions"]} == {"0x0", "0x1", "0x2", "0x4"}
    for position, each in enumerate(block["transactions"]):
        proven = proven_value(root, position, inclusion(values, position))
        assert "0x" + keccak(proven).hex() == each["hash"]
        called = Call(bytes.fromhex("ab" * 20), b"\x07" * position)
        assert call_of_bytes(proven) == called


@pytest.mark.parametrize("count", [2, 17, 130])
def test_a_node_changed_swapped_missing_or_too_many_proves_nothing(
    blocks: dict[int, Any], count: int
) -> None:
    block, receipts = blocks[count]
    root = bytes.fromhex(block["receiptsRoot"][2:])
    values = [receipt_bytes(receipt) for receipt in receipts]
    nodes, others = inclusion(values, 0), inclusion(values, 1)
    assert len(nodes) > 1
    false = [nodes[::-1], nodes[:-1], nodes[1:], [*nodes, nodes[-1]], [*nodes[:-1], others[-1]], []]
    for at, node in enumerate(nodes):
        for byte in range(0, len(node), 7):
            changed = node[:byte] + bytes([node[byte] ^ 1]) + node[byte + 1 :]
            false.append([*nodes[:at], changed, *nodes[at + 1 :]])
    for each in false:
        with pytest.raises(Misfit):
            proven_value(root, 0, each)


def test_a_blob_transaction_is_encoded_as_eip_4844_has_it() -> None:
    transaction = {
        "type": "0x3",
        "chainId": "0x1",
        "nonce": "0x5",
        "maxPriorityFeePerGas": "0x7",
        "maxFeePerGas": "0x9",
        "gas": "0x5208",
        "to": TARGET,
        "value": "0x0",
        "input": "0x1234",
        "accessList": [],
        "maxFeePerBlobGas": "0xa",
        "blobVersionedHashes": ["0x01" + "11" * 31],
        "yParity": "0x1",
        "r": "0x2",
        "s": "0x3",
    }
    to = bytes.fromhex("ab" * 20)
    blobs = [b"\x01" + b"\x11" * 31]
    body = [1, 5, 7, 9, 0x5208, to, 0, b"\x12\x34", [], 10, blobs, 1, 2, 3]
    assert transaction_bytes(transaction) == b"\x03" + pyrlp.encode(body)
    assert call_of_bytes(transaction_bytes(transaction)) == Call(to, b"\x12\x34")


def test_a_transaction_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(KeyError):
        transaction_bytes({"type": "0x7e"})
    for encoded in (b"", b"\x7e\xc0", b"\x02\xc0", b"\xc0"):
        with pytest.raises(Misfit):
            call_of_bytes(encoded)


VALUES = st.recursive(
    st.binary(max_size=70), lambda inner: st.lists(inner, max_size=20), max_leaves=40
)


def nesting(value: Any) -> int:
    return 0 if isinstance(value, bytes) else 1 + max(map(nesting, value), default=0)


@given(VALUES)
def test_rlp_read_back_is_what_another_implementation_wrote(value: Any) -> None:
    encoded = pyrlp.encode(value)
    assert rlp(value) == encoded
    if nesting(value) <= 8:
        assert unrlp(encoded) == value


@given(st.binary(max_size=80))
def test_bytes_that_are_read_are_the_only_way_to_write_what_they_say(data: bytes) -> None:
    try:
        value = unrlp(data)
    except Misfit:
        return
    assert rlp(value) == data


@pytest.mark.parametrize(
    "data", ["", "8100", "b800", "b90001", "b83700", "c2", "c101ff", "81", "f800", "c0" * 2]
)
def test_what_no_encoder_writes_is_refused(data: str) -> None:
    with pytest.raises(Misfit):
        unrlp(bytes.fromhex(data))


def test_lists_within_lists_end_somewhere() -> None:
    value = b"\xc0"
    for _ in range(9):
        value = bytes([0xC0 + len(value)]) + value
    with pytest.raises(Misfit, match="too deep"):
        unrlp(value)


def test_the_time_to_read_a_list_within_a_list_grows_with_its_length_alone() -> None:
    members = 2_000_000
    value = unrlp(rlp([[b"\1"] * members, b""]))
    assert len(value[0]) == members


@pytest.mark.parametrize(
    ("transaction", "chain"),
    [
        (rlp([b"", b"", b"", b"", b"", b"", bytes([27]), b"", b""]), None),
        (rlp([b"", b"", b"", b"", b"", b"", bytes([37]), b"", b""]), 1),
        (rlp([b"", b"", b"", b"", b"", b"", b"\xf4\xf6", b"", b""]), 31337),
        (b"\1" + rlp([b"\x64", *[b""] * 6, [], b"", b"", b""]), 100),
        (b"\2" + rlp([b"\x7a\x69", *[b""] * 7, [], b"", b"", b""]), 31337),
    ],
)
def test_the_chain_that_a_transaction_was_signed_for_is_read(
    transaction: bytes, chain: int | None
) -> None:
    assert chain_of_bytes(transaction) == chain


def test_a_chain_of_thousands_of_digits_is_none() -> None:
    with pytest.raises(Misfit):
        chain_of_bytes(b"\2" + rlp([b"\1" * 3000, *[b""] * 7, [], b"", b"", b""]))
