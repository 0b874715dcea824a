"""The positional Merkle tree over a batch's chunks, as contracts/libraries/ChunkTree.sol has it.

Depth 8, 256 leaves, empty ones 32 zero bytes. The position of a leaf is part of its proof, and
leaves and nodes are hashed under different type hashes.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils.crypto import keccak

DEPTH = 8
MAX_CHUNKS = 2**DEPTH
HASH_BYTES = 32

CHUNK_TYPEHASH = keccak(b"Chunk(bytes32 batchId,uint256 chunkIndex,bytes32 entriesHash)")
NODE_TYPEHASH = keccak(b"Node(bytes32 left,bytes32 right)")


def chunk_leaf(batch_id: bytes, chunk_index: int, entries: bytes) -> bytes:
    """Return the leaf of one chunk.

    ``keccak256(abi.encode(CHUNK_TYPEHASH, batchId, chunkIndex, keccak256(entries)))``: four words
    of 32 bytes.

    Parameters
    ----------
    batch_id
        32 bytes.
    chunk_index
        0 to 255.
    entries
        The chunk's packed words.
    """
    index = chunk_index.to_bytes(HASH_BYTES, "big")
    return keccak(CHUNK_TYPEHASH + batch_id + index + keccak(entries))


def _node(left: bytes, right: bytes) -> bytes:
    return keccak(NODE_TYPEHASH + left + right)


def _empty_subtrees() -> tuple[bytes, ...]:
    roots = [bytes(HASH_BYTES)]
    for _ in range(DEPTH):
        roots.append(_node(roots[-1], roots[-1]))
    return tuple(roots)


_EMPTY = _empty_subtrees()
"""Root of a subtree without chunks, by its height."""


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return the nodes of each height that have a chunk below them, leaves first."""
    if not 1 <= len(leaves) <= MAX_CHUNKS:
        raise ValueError(f"a batch has 1 to {MAX_CHUNKS} chunks, not {len(leaves)}")
    levels = [list(leaves)]
    for height in range(DEPTH):
        below = levels[-1]
        padded = below if len(below) % 2 == 0 else [*below, _EMPTY[height]]
        levels.append([_node(padded[i], padded[i + 1]) for i in range(0, len(padded), 2)])
    return levels


def chunks_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over the leaves of the chunks, in their order.

    Raises
    ------
    ValueError
        When there are no leaves, or more than 256.
    """
    return _levels(leaves)[DEPTH][0]


def chunk_proofs(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return each chunk's proof: its 8 siblings, lowest first.

    Raises
    ------
    ValueError
        When there are no leaves, or more than 256.
    """
    levels = _levels(leaves)
    proofs = []
    for index in range(len(leaves)):
        proof = []
        for height in range(DEPTH):
            sibling, level = (index >> height) ^ 1, levels[height]
            proof.append(level[sibling] if sibling < len(level) else _EMPTY[height])
        proofs.append(proof)
    return proofs


def root_from_proof(leaf: bytes, chunk_index: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that a leaf has at an index with these siblings, as the contract does."""
    node = leaf
    for height, sibling in enumerate(proof):
        right = chunk_index >> height & 1
        node = _node(sibling, node) if right else _node(node, sibling)
    return node
