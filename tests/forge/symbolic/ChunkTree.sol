// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ChunkTree} from "../../../contracts/libraries/ChunkTree.sol";
import {Cheats} from "../Vm.sol";

/// @notice Unless hashes collide, which Halmos takes for granted that they do not.
/// @custom:halmos --loop 8 --array-lengths entries={0,28,56},others={0,28,56}
contract ChunkTreeCheck is Cheats {
    struct Path {
        bytes32 node;
        uint256 index;
        bytes32[8] proof;
    }

    function check_aLeafBindsBatchPositionAndEntries(
        bytes32 batchId,
        uint256 index,
        bytes calldata entries,
        bytes32 otherBatchId,
        uint256 otherIndex,
        bytes calldata others
    ) external pure {
        vm.assume(ChunkTree.leaf(batchId, index, entries) == ChunkTree.leaf(otherBatchId, otherIndex, others));
        assert(batchId == otherBatchId && index == otherIndex);
        assert(entries.length == others.length && keccak256(entries) == keccak256(others));
    }

    function check_aLeafIsNoNode(bytes32 batchId, uint256 index, bytes calldata entries, bytes32 left, bytes32 right)
        external
        pure
    {
        bytes32 node = keccak256(abi.encode(ChunkTree.NODE_TYPEHASH, left, right));
        assert(ChunkTree.leaf(batchId, index, entries) != node);
    }

    // Each bit of a position decides alone on which side its level's sibling stands: two bits are any, the others zero.

    function check_oneNodeStandsWhateverBits0And1Are(Path calldata path, Path calldata other) external pure {
        _checkPosition(path, other, 3);
    }

    function check_oneNodeStandsWhateverBits2And3Are(Path calldata path, Path calldata other) external pure {
        _checkPosition(path, other, 3 << 2);
    }

    function check_oneNodeStandsWhateverBits4And5Are(Path calldata path, Path calldata other) external pure {
        _checkPosition(path, other, 3 << 4);
    }

    function check_oneNodeStandsWhateverBits6And7Are(Path calldata path, Path calldata other) external pure {
        _checkPosition(path, other, 3 << 6);
    }

    /// @dev A root and a position have one node, whatever siblings are claimed.
    function _checkPosition(Path calldata path, Path calldata other, uint256 bits) private pure {
        vm.assume(path.index & ~bits == 0);
        bytes32 root = ChunkTree.root(path.node, path.index, path.proof);
        vm.assume(root == ChunkTree.root(other.node, path.index, other.proof));
        assert(path.node == other.node);
    }
}
