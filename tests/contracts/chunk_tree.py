"""A batch's entries as officers sign them: 28-byte words, chunks, and the positional tree over them.

Written from the rules in docs/contracts.md, not from the Solidity, so that each proves the other.
"""

import functools
from collections.abc import Sequence

from eth_abi import encode
from eth_utils import keccak

DEPTH = 8
CHUNK_TYPEHASH = keccak(text="Chunk(bytes32 batchId,uint256 chunkIndex,bytes32 entriesHash)")
NODE_TYPEHASH = keccak(text="Node(bytes32 left,bytes32 right)")

Entry = tuple[str, int]
"""Payee address and amount in base units."""


def pack_entries(entries: Sequence[Entry]) -> bytes:
    """Pack entries into 28-byte words, payee (20) | amount (8), big-endian."""
    return b"".join(
        bytes.fromhex(str(payee)[2:]) + amount.to_bytes(8, "big") for payee, amount in entries
    )


def packed_chunks(entries: Sequence[Entry], chunk_size: int) -> list[bytes]:
    """Cut entries into chunks of `chunk_size`, the last one shorter, each packed."""
    return [
        pack_entries(entries[first : first + chunk_size])
        for first in range(0, len(entries), chunk_size)
    ]


def leaf(batch_id: bytes, chunk_index: int, packed: bytes) -> bytes:
    """Hash of one chunk at its index."""
    return keccak(
        encode(
            ["bytes32", "bytes32", "uint256", "bytes32"],
            [CHUNK_TYPEHASH, batch_id, chunk_index, keccak(packed)],
        )
    )


@functools.cache
def node(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node; kept, since most of a small batch's tree is empty."""
    return keccak(encode(["bytes32", "bytes32", "bytes32"], [NODE_TYPEHASH, left, right]))


def levels(batch_id: bytes, packed: Sequence[bytes]) -> list[list[bytes]]:
    """All levels of the tree, the 256 leaves first; leaves without a chunk are zero."""
    row = [leaf(batch_id, index, chunk) for index, chunk in enumerate(packed)]
    row += [bytes(32)] * (2**DEPTH - len(row))
    tree = [row]
    while len(row) > 1:
        row = [node(row[i], row[i + 1]) for i in range(0, len(row), 2)]
        tree.append(row)
    return tree


def root(tree: Sequence[Sequence[bytes]]) -> bytes:
    """Root of a tree made by `levels`."""
    return tree[-1][0]


def proof(tree: Sequence[Sequence[bytes]], chunk_index: int) -> list[bytes]:
    """Siblings of a chunk's leaf, lowest first."""
    return [tree[height][(chunk_index >> height) ^ 1] for height in range(DEPTH)]
