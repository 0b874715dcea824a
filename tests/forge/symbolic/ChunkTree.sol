// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ChunkTree} from "../../../contracts/libraries/ChunkTree.sol";
import {Cheats} from "../Vm.sol";

/// @notice Unless hashes collide, which Halmos takes for granted that they do not.
/// @custom:halmos --array-lengths entries={0,28,56},others={0,28,56}
contract ChunkTreeCheck is Cheats {
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
}
