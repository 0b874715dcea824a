// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AllowanceVault} from "../../../contracts/AllowanceVault.sol";
import {IBenefitToken} from "../../../contracts/interfaces/IBenefitToken.sol";
import {IOfficerRegistry} from "../../../contracts/interfaces/IOfficerRegistry.sol";
import {ChunkTree} from "../../../contracts/libraries/ChunkTree.sol";
import {Cheats} from "../Vm.sol";
import {Willing} from "./support/Willing.sol";

/// @title A chunk is run once, and marks no other
/// @notice The vault's own code, on any bitmap of chunks that were run, with a token that mints what it is asked to.
/// @custom:halmos --loop 8
contract ExecutedChunksCheck is AllowanceVault, Cheats {
    uint256 private constant CHUNKS = 256;

    constructor()
        AllowanceVault(
            address(this),
            IBenefitToken(address(new Willing())),
            IOfficerRegistry(address(new Willing())),
            address(0),
            address(0)
        )
    {}

    function check_theFirst(bytes32 batchId, uint256 executed, uint80 unexecuted, uint256 other) external {
        _check(batchId, 0, executed, unexecuted, other);
    }

    function check_oneOfTheMiddle(bytes32 batchId, uint256 executed, uint80 unexecuted, uint256 other) external {
        _check(batchId, 165, executed, unexecuted, other);
    }

    function check_theLast(bytes32 batchId, uint256 executed, uint80 unexecuted, uint256 other) external {
        _check(batchId, 255, executed, unexecuted, other);
    }

    /// @param executed Bitmap of the chunks run before.
    /// @param unexecuted What chunks not run have to pay, base units.
    /// @param other Any other chunk.
    function _check(bytes32 batchId, uint256 index, uint256 executed, uint80 unexecuted, uint256 other) private {
        vm.warp(1_800_000_000);
        vm.assume(other < CHUNKS && other != index);
        bytes memory entries = abi.encodePacked(address(0xA11CE), uint64(1));
        bytes32[8] memory proof;
        _executedChunks[batchId] = executed;
        Batch storage target = _batches[batchId];
        (target.status, target.kind) = (BatchStatus.Approved, Kind.OneOff);
        (target.chunkSize, target.count, target.executeBefore) = (1, uint32(CHUNKS), type(uint40).max);
        target.unexecuted = unexecuted;
        target.chunksRoot = this.rootOf(batchId, index, entries, proof);

        (bool done,) = address(this).call(abi.encodeCall(this.executeChunk, (batchId, index, entries, proof)));

        uint256 later = _executedChunks[batchId];
        // The token minted nothing, so the last chunk to run must find nothing left.
        bool last = later == type(uint256).max;
        assert(done == ((executed >> index) & 1 == 0 && !(executed | (1 << index) == type(uint256).max && unexecuted != 0)));
        assert((later >> other) & 1 == (executed >> other) & 1);
        assert((later >> index) & 1 == (done ? 1 : (executed >> index) & 1));
        if (done && last) assert(_batches[batchId].unexecuted == 0);
    }

    function rootOf(bytes32 batchId, uint256 index, bytes calldata entries, bytes32[8] calldata proof)
        external
        pure
        returns (bytes32)
    {
        return ChunkTree.root(ChunkTree.leaf(batchId, index, entries), index, proof);
    }
}
