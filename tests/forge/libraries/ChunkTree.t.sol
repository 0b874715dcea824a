// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ChunkTree} from "../../../contracts/libraries/ChunkTree.sol";
import {Cheats} from "../Vm.sol";

contract ChunkTreeTest is Cheats {
    function leaf(bytes32 batchId, uint256 chunk, bytes calldata entries) external pure returns (bytes32) {
        return ChunkTree.leaf(batchId, chunk, entries);
    }

    function root(bytes32 node, uint256 index, bytes32[8] calldata proof) external pure returns (bytes32) {
        return ChunkTree.root(node, index, proof);
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("Node(bytes32 left,bytes32 right)"), left, right));
    }

    /// @dev All 511 nodes in one array, the root at 1, the leaves from 256 on; `count` leaves are not zero.
    function _nodes(bytes32 seed, uint256 count) private pure returns (bytes32[] memory nodes) {
        nodes = new bytes32[](512);
        for (uint256 i; i < count; ++i) {
            nodes[256 + i] = keccak256(abi.encode(seed, i));
        }
        for (uint256 i = 255; i > 0; --i) {
            nodes[i] = _node(nodes[2 * i], nodes[2 * i + 1]);
        }
    }

    function _proof(bytes32[] memory nodes, uint256 index) private pure returns (bytes32[8] memory proof) {
        uint256 at_ = 256 + index;
        for (uint256 height; height < 8; ++height) {
            proof[height] = nodes[at_ ^ 1];
            at_ /= 2;
        }
    }

    function testFuzz_everyLeafProvesTheRootAtItsPlace(bytes32 seed, uint256 count, uint256 index) external view {
        count = between(count, 1, 256);
        index = index % count;
        bytes32[] memory nodes = _nodes(seed, count);
        vm.assertEq(this.root(nodes[256 + index], index, _proof(nodes, index)), nodes[1]);
    }

    function testFuzz_noLeafProvesTheRootAtAnotherPlace(bytes32 seed, uint256 count, uint256 index, uint256 other)
        external
        view
    {
        count = between(count, 2, 256);
        index = index % count;
        other = other % 256;
        vm.assume(other != index);
        bytes32[] memory nodes = _nodes(seed, count);
        vm.assertNotEq(this.root(nodes[256 + index], other, _proof(nodes, index)), nodes[1]);
        vm.assertNotEq(this.root(nodes[256 + index], other, _proof(nodes, other)), nodes[1]);
    }

    function testFuzz_anInnerNodeIsNoLeaf(bytes32 seed, uint256 index, bytes32[8] memory proof) external view {
        bytes32[] memory nodes = _nodes(seed, 256);
        index = index % 256;
        // The inner node above the leaf, with the rest of the way to the root, is one level short.
        bytes32[8] memory way = _proof(nodes, index);
        for (uint256 height; height < 7; ++height) {
            proof[height] = way[height + 1];
        }
        vm.assertNotEq(this.root(nodes[(256 + index) / 2], index / 2, proof), nodes[1]);
    }

    function testFuzz_leafBindsBatchPlaceAndBytes(bytes32 batchId, uint256 chunk, bytes memory entries, bytes32 other)
        external
        view
    {
        bytes32 expected = keccak256(
            abi.encode(
                keccak256("Chunk(bytes32 batchId,uint256 chunkIndex,bytes32 entriesHash)"),
                batchId,
                chunk,
                keccak256(entries)
            )
        );
        vm.assertEq(this.leaf(batchId, chunk, entries), expected);
        vm.assume(other != batchId && uint256(other) != chunk);
        vm.assertNotEq(this.leaf(other, chunk, entries), expected);
        vm.assertNotEq(this.leaf(batchId, uint256(other), entries), expected);
        vm.assertNotEq(this.leaf(batchId, chunk, abi.encodePacked(entries, bytes1(0))), expected);
    }
}
