"""The chunk tree against a slow one of all 256 leaves, written with eth_abi."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from service.payouts.chunk_tree import chunk_leaf, chunk_proofs, chunks_root, root_from_proof


def slow_root(leaves: list[bytes]) -> bytes:
    typehash = keccak(text="Node(bytes32 left,bytes32 right)")
    nodes = leaves + [b"\0" * 32] * (256 - len(leaves))
    while len(nodes) > 1:
        nodes = [
            keccak(encode(["bytes32"] * 3, [typehash, nodes[i], nodes[i + 1]]))
            for i in range(0, len(nodes), 2)
        ]
    return nodes[0]


def test_a_leaf_is_the_abi_encoding_that_the_contract_hashes() -> None:
    batch_id, entries = bytes(range(32)), b"\x01" * 56
    typehash = keccak(text="Chunk(bytes32 batchId,uint256 chunkIndex,bytes32 entriesHash)")
    types = ["bytes32", "bytes32", "uint256", "bytes32"]

    assert chunk_leaf(batch_id, 7, entries) == keccak(
        encode(types, [typehash, batch_id, 7, keccak(entries)])
    )


@settings(max_examples=20)  # the slow tree takes its time
@given(count=st.integers(1, 256), seed=st.binary(max_size=4))
def test_the_root_is_that_of_the_whole_padded_tree(count: int, seed: bytes) -> None:
    leaves = [keccak(seed + bytes([i])) for i in range(count)]

    assert chunks_root(leaves) == slow_root(leaves)


@pytest.mark.parametrize("count", [1, 2, 3, 128, 129, 255, 256])
def test_each_proof_leads_to_the_root_at_its_own_index_only(count: int) -> None:
    leaves = [keccak(bytes([i])) for i in range(count)]
    root = chunks_root(leaves)

    for index, proof in enumerate(chunk_proofs(leaves)):
        assert len(proof) == 8
        assert root_from_proof(leaves[index], index, proof) == root
        assert root_from_proof(leaves[index], index ^ 1, proof) != root


def test_the_same_entries_at_another_index_have_another_leaf() -> None:
    assert chunk_leaf(bytes(32), 0, b"\0" * 28) != chunk_leaf(bytes(32), 1, b"\0" * 28)


@pytest.mark.parametrize("count", [0, 257])
def test_a_number_of_chunks_that_no_batch_has_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 256"):
        chunks_root([bytes(32)] * count)
