// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {IBenefitToken} from "./interfaces/IBenefitToken.sol";
import {IOfficerRegistry} from "./interfaces/IOfficerRegistry.sol";
import {IVaultCorrections} from "./interfaces/IVaultCorrections.sol";
import {Vesting} from "./libraries/Vesting.sol";
import {VaultState} from "./VaultState.sol";

/// @title The part of the vault for what changes a batch after its approval, other than paying it
contract VaultCorrections is IVaultCorrections, VaultState {
    bytes32 private constant BATCH_CANCELLATION_TYPEHASH =
        keccak256("BatchCancellation(bytes32 batchId,bytes32 actionId,uint40 deadline)");
    bytes32 private constant STREAM_CANCELLATION_TYPEHASH = keccak256(
        "StreamCancellation(bytes32 batchId,uint256 chunkIndex,uint256 maskLow,uint256 maskHigh,bytes32 actionId,uint40 deadline)"
    );

    constructor(address manager, IBenefitToken token_, IOfficerRegistry registry_)
        VaultState(manager, token_, registry_)
    {}

    // ------------------------------------------------------------------------------------------------ cancelling

    /// @inheritdoc IVaultCorrections
    function cancelBatch(bytes32 batchId, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        Batch storage target = _requireBatch(batchId);
        require(target.status == BatchStatus.Approved, BatchIsCancelled(batchId));
        bytes32 structHash = keccak256(abi.encode(BATCH_CANCELLATION_TYPEHASH, batchId, actionId, deadline));
        _consumeQuorum(structHash, actionId, deadline, REVIEWER, target, signatures);

        uint80 returned = target.unexecuted;
        target.status = BatchStatus.Cancelled;
        target.unexecuted = 0;
        _returnToBudget(target.programme, returned);
        emit BatchCancelled(batchId, returned, actionId, signatures, _nextSeq());
    }

    /// @inheritdoc IVaultCorrections
    function cancelStreams(
        bytes32 batchId,
        uint256 chunkIndex,
        uint256 maskLow,
        uint256 maskHigh,
        bytes32 actionId,
        uint40 deadline,
        bytes calldata signatures
    ) external {
        Batch storage target = _requireStreams(batchId);
        StreamChunk storage chunk = _requireOpen(batchId, chunkIndex);
        bytes32 structHash = keccak256(
            abi.encode(STREAM_CANCELLATION_TYPEHASH, batchId, chunkIndex, maskLow, maskHigh, actionId, deadline)
        );
        _consumeQuorum(structHash, actionId, deadline, REVIEWER, target, signatures);

        Terms memory terms = _terms(target, chunkIndex);
        require(terms.elapsed < terms.duration, NothingToCancel(batchId, chunkIndex));
        chunk.flags |= HAS_CANCELLED;
        uint256 returned = _cut(batchId, chunk.pointer, terms, maskLow, maskHigh);
        require(returned != 0, NothingToCancel(batchId, chunkIndex));
        _returnToBudget(target.programme, returned);
        emit StreamsCancelled(
            batchId,
            uint32(chunkIndex),
            maskLow,
            maskHigh,
            uint32(terms.elapsed),
            returned,
            actionId,
            signatures,
            _nextSeq()
        );
    }

    /// @dev Cuts the streams of the masks now and sums what they will never accrue. What a stream was paid lies at or
    /// before now, so it is never more than what it keeps.
    function _cut(bytes32 batchId, address pointer, Terms memory terms, uint256 maskLow, uint256 maskHigh)
        private
        returns (uint256 returned)
    {
        require(maskHigh >> (terms.count > 256 ? terms.count - 256 : 0) == 0, NothingToCancel(batchId, terms.count));
        require(terms.count >= 256 || maskLow >> terms.count == 0, NothingToCancel(batchId, terms.count));
        bytes memory entries = SSTORE2.read(pointer);
        uint32 lane = uint32(terms.elapsed) + 1;
        uint256 cancelWord;
        bool changed;
        for (uint256 i; i < terms.count; ++i) {
            uint256 index = terms.firstIndex + i;
            if (i == 0 || index % Vesting.LANES == 0) {
                if (changed) _cancelLanes[batchId][index / Vesting.LANES - 1] = cancelWord;
                changed = false;
                cancelWord = _cancelLanes[batchId][index / Vesting.LANES];
            }
            if (!_isSet(maskLow, maskHigh, i)) continue;
            require(Vesting.lane(cancelWord, index) == 0, AlreadyCancelled(batchId, index));
            cancelWord = Vesting.withLane(cancelWord, index, lane);
            changed = true;
            uint256 amount = _amountAt(entries, i);
            returned += amount - Vesting.vested(amount, terms.elapsed, terms.duration);
        }
        if (changed) _cancelLanes[batchId][(terms.firstIndex + terms.count - 1) / Vesting.LANES] = cancelWord;
    }
}
