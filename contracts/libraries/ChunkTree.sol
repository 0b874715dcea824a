// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Positional Merkle tree over the chunks of a batch: depth 8, 256 leaves, empty ones zero
/// @notice The position of a leaf is part of the proof (bit `h` of the index says on which side the node of height
/// `h` stands), so one chunk cannot be run under two indices; nodes and leaves are hashed under different type
/// hashes, so neither can pass for the other.
library ChunkTree {
    uint256 internal constant DEPTH = 8;
    uint256 internal constant MAX_CHUNKS = 256;

    bytes32 internal constant CHUNK_TYPEHASH =
        keccak256("Chunk(bytes32 batchId,uint256 chunkIndex,bytes32 entriesHash)");
    bytes32 internal constant NODE_TYPEHASH = keccak256("Node(bytes32 left,bytes32 right)");

    function leaf(bytes32 batchId, uint256 chunkIndex, bytes calldata entries) internal pure returns (bytes32) {
        return keccak256(abi.encode(CHUNK_TYPEHASH, batchId, chunkIndex, keccak256(entries)));
    }

    /// @notice The root that `node` at `index` has with the siblings of `proof`, lowest first.
    /// @dev `index` must be below 256.
    function root(bytes32 node, uint256 index, bytes32[DEPTH] calldata proof) internal pure returns (bytes32) {
        bytes32 typehash = NODE_TYPEHASH;
        for (uint256 height; height < DEPTH; ++height) {
            bytes32 sibling = proof[height];
            bool right = (index >> height) & 1 == 1;
            node = keccak256(right ? abi.encode(typehash, sibling, node) : abi.encode(typehash, node, sibling));
        }
        return node;
    }
}
