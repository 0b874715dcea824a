// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {IBenefitToken} from "./interfaces/IBenefitToken.sol";
import {IOfficerRegistry} from "./interfaces/IOfficerRegistry.sol";
import {IVaultCorrections} from "./interfaces/IVaultCorrections.sol";
import {Entries} from "./libraries/Entries.sol";
import {Vesting} from "./libraries/Vesting.sol";
import {VaultState} from "./VaultState.sol";

/// @title The part of the vault for what changes a batch after its approval, other than paying it
contract VaultCorrections is IVaultCorrections, VaultState {
    bytes32 private constant BATCH_CANCELLATION_TYPEHASH =
        keccak256("BatchCancellation(bytes32 batchId,bytes32 actionId,uint40 deadline)");
    bytes32 private constant STREAM_CANCELLATION_TYPEHASH = keccak256(
        "StreamCancellation(bytes32 batchId,uint256 chunkIndex,uint256 maskLow,uint256 maskHigh,bytes32 actionId,uint40 deadline)"
    );
    bytes32 private constant BATCH_HOLD_TYPEHASH =
        keccak256("BatchHold(bytes32 batchId,bytes32 actionId,uint40 deadline)");
    bytes32 private constant ENTRY_HOLD_TYPEHASH =
        keccak256("EntryHold(bytes32 batchId,uint256 index,bytes32 actionId,uint40 deadline)");
    bytes32 private constant WALLET_CHANGE_TYPEHASH = keccak256(
        "WalletChange(bytes32 batchId,uint256 index,address from,address to,bytes32 actionId,uint40 deadline)"
    );

    uint40 private constant MAX_HOLD = 72 hours;
    /// @dev So long before the time to run chunks is over a hold of their batch ends, so that it never kills one.
    uint40 private constant TIME_TO_EXECUTE = 1 days;

    uint8 private constant FROZEN = 4;

    constructor(address manager, IBenefitToken token_, IOfficerRegistry registry_)
        VaultState(manager, token_, registry_)
    {}

    // ------------------------------------------------------------------------------------------------ cancelling

    /// @inheritdoc IVaultCorrections
    function cancelBatch(bytes32 batchId, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        Batch storage target = _requireBatch(batchId);
        require(target.status == BatchStatus.Approved, BatchIsCancelled(batchId));
        bytes32 structHash = keccak256(abi.encode(BATCH_CANCELLATION_TYPEHASH, batchId, actionId, deadline));
        _consumeReviewers(structHash, actionId, deadline, target, signatures);

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
        _consumeReviewers(structHash, actionId, deadline, target, signatures);

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
        // Positions fit 9 bits, indexes 32; a word was begun before the first was left; 500 amounts fit 73 bits, and none
        // vests more than itself.
        unchecked {
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
        }
        if (changed) _cancelLanes[batchId][(terms.firstIndex + terms.count - 1) / Vesting.LANES] = cancelWord;
    }

    // ------------------------------------------------------------------------------------------------------ holding

    /// @inheritdoc IVaultCorrections
    function holdBatch(bytes32 batchId, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        Batch storage target = _requireBatch(batchId);
        require(target.status == BatchStatus.Approved, BatchIsCancelled(batchId));
        bytes32 structHash = keccak256(abi.encode(BATCH_HOLD_TYPEHASH, batchId, actionId, deadline));
        uint32 officerId = _requireReviewer(structHash, actionId, deadline, target, signatures);
        require(!_batchHolds[batchId][officerId], AlreadyHeld(batchId, officerId));

        uint40 until = uint40(block.timestamp) + MAX_HOLD;
        uint40 latest = target.executeBefore - TIME_TO_EXECUTE;
        if (until > latest) until = latest;
        require(
            target.unexecuted != 0 && until > block.timestamp && until > target.executeFrom, NothingToHold(batchId)
        );
        _batchHolds[batchId][officerId] = true;
        target.executeFrom = until;
        emit BatchHeld(batchId, officerId, until, actionId, deadline, signatures, _nextSeq());
    }

    /// @inheritdoc IVaultCorrections
    function holdEntry(bytes32 batchId, uint256 index, bytes32 actionId, uint40 deadline, bytes calldata signatures)
        external
    {
        Batch storage target = _requireBatch(batchId);
        bytes32 structHash = keccak256(abi.encode(ENTRY_HOLD_TYPEHASH, batchId, index, actionId, deadline));
        uint32 officerId = _requireReviewer(structHash, actionId, deadline, target, signatures);
        require(!_entryHolds[batchId][index][officerId], AlreadyHeld(batchId, officerId));

        _entryHolds[batchId][index][officerId] = true;
        uint40 until = uint40(block.timestamp) + MAX_HOLD;
        if (target.kind == Kind.OneOff) {
            _skipped[batchId][index] = Entries.withHold(_requireSkipped(batchId, index), until);
        } else {
            (StreamChunk storage chunk,) = _requireUnpaid(target, batchId, index);
            _override(chunk, batchId, index).heldUntil = until;
        }
        emit EntryHeld(batchId, uint32(index), officerId, until, actionId, deadline, signatures, _nextSeq());
    }

    /// @dev One reviewer for the batch's region signed, before the deadline; returns who.
    function _requireReviewer(
        bytes32 structHash,
        bytes32 actionId,
        uint40 deadline,
        Batch storage target,
        bytes calldata signatures
    ) private view returns (uint32 officerId) {
        require(block.timestamp <= deadline, IOfficerRegistry.ActionExpired(actionId, deadline));
        return _registry.requireOne(
            _hashTypedDataV4(structHash), REVIEWER, target.regionCode, target.regionDigits, signatures
        );
    }

    function _consumeReviewers(
        bytes32 structHash,
        bytes32 actionId,
        uint40 deadline,
        Batch storage target,
        bytes calldata signatures
    ) private {
        _registry.consumeQuorum(
            _hashTypedDataV4(structHash),
            actionId,
            deadline,
            REVIEWER,
            target.regionCode,
            target.regionDigits,
            signatures
        );
    }

    // ---------------------------------------------------------------------------------------------- another wallet

    /// @inheritdoc IVaultCorrections
    function changeWallet(
        bytes32 batchId,
        uint256 index,
        address from,
        address to,
        bytes32 actionId,
        uint40 deadline,
        bytes calldata signatures
    ) external {
        Batch storage target = _requireBatch(batchId);
        bytes32 structHash =
            keccak256(abi.encode(WALLET_CHANGE_TYPEHASH, batchId, index, from, to, actionId, deadline));
        _consumeReviewers(structHash, actionId, deadline, target, signatures);
        uint8 reason = _token.unpayableReason(to, address(this));
        require(reason == 0, Unpayable(to, reason));

        // The officers who signed know of a hold, which was for them: it is over.
        if (target.kind == Kind.OneOff) {
            uint256 entry = _requireSkipped(batchId, index);
            _requireOther(batchId, index, from, to, Entries.payee(entry));
            _skipped[batchId][index] = (uint256(uint160(to)) << 64) | Entries.amount(entry);
        } else {
            (StreamChunk storage chunk, address payee) = _requireUnpaid(target, batchId, index);
            _requireOther(batchId, index, from, to, payee);
            StreamOverride storage changed = _override(chunk, batchId, index);
            changed.payee = to;
            changed.heldUntil = 0;
        }
        emit WalletChanged(batchId, uint32(index), from, to, actionId, signatures, _nextSeq());
    }

    function _requireOther(bytes32 batchId, uint256 index, address from, address to, address payee) private pure {
        require(from == payee && from != to, WrongPayee(batchId, index, payee));
    }

    function _requireSkipped(bytes32 batchId, uint256 index) private view returns (uint256 entry) {
        entry = _skipped[batchId][index];
        require(entry != 0, NotSkipped(batchId, index));
    }

    /// @dev An open stream of which something is unpaid, accrued or not: its chunk, and who is paid now.
    function _requireUnpaid(Batch storage target, bytes32 batchId, uint256 index)
        private
        view
        returns (StreamChunk storage chunk, address payee)
    {
        uint256 chunkIndex = index / target.chunkSize;
        chunk = _requireOpen(batchId, chunkIndex);
        Terms memory terms = _terms(target, chunkIndex);
        require(index - terms.firstIndex < terms.count, StreamsNotOpen(batchId, chunkIndex));
        uint256 entry = _entryAt(chunk.pointer, index - terms.firstIndex);
        (, uint256 unpaid) = _unpaid(
            Entries.amount(entry),
            chunk.watermark,
            Vesting.lane(_ownLanes[batchId][index / Vesting.LANES], index),
            Vesting.lane(_cancelLanes[batchId][index / Vesting.LANES], index),
            terms.duration
        );
        require(unpaid != 0, NothingUnpaid(batchId, index));
        payee = _overrides[batchId][index].payee;
        if (payee == address(0)) payee = Entries.payee(entry);
    }

    /// @dev The time through which a stream is paid, and what of it is not, accrued or still to accrue.
    function _unpaid(uint256 amount, uint256 watermark, uint32 ownLane, uint32 cancelLane, uint256 duration)
        private
        pure
        returns (uint256 through, uint256 unpaid)
    {
        through = Vesting.cutOff(Vesting.paidThrough(watermark, ownLane), cancelLane);
        unpaid = Vesting.vested(amount, Vesting.dueThrough(duration, cancelLane), duration)
            - Vesting.vested(amount, through, duration);
    }

    /// @dev A stream's override, marked as being one wherever withdrawals look.
    function _override(StreamChunk storage chunk, bytes32 batchId, uint256 index)
        private
        returns (StreamOverride storage)
    {
        chunk.flags |= HAS_OVERRIDE;
        _overridden[batchId][index / 256] |= 1 << (index % 256);
        return _overrides[batchId][index];
    }

    // ------------------------------------------------------------------------------------------------------- expiry

    /// @inheritdoc IVaultCorrections
    function expireUnexecuted(bytes32 batchId) external {
        Batch storage target = _requireBatch(batchId);
        require(block.timestamp >= target.executeBefore, NotExpired(batchId, target.executeBefore));
        uint80 returned = target.unexecuted;
        require(returned != 0, NothingToExpire(batchId));
        target.unexecuted = 0;
        _returnToBudget(target.programme, returned);
        emit UnexecutedExpired(batchId, returned, _nextSeq());
    }

    /// @inheritdoc IVaultCorrections
    function expirePayout(bytes32 batchId, uint256 index) external {
        _requireNotPaused(EXECUTION);
        Batch storage target = _requireExpired(batchId);
        uint256 entry = _requireSkipped(batchId, index);
        uint40 held = uint40(Entries.heldUntil(entry));
        require(block.timestamp >= held, EntryIsHeld(batchId, index, held));
        address payee = Entries.payee(entry);
        uint8 reason = _token.unpayableReason(payee, address(this));
        require(reason != 0, StillPayable(batchId, index));
        require(reason != FROZEN, Unpayable(payee, reason));
        delete _skipped[batchId][index];
        _returnToBudget(target.programme, Entries.amount(entry));
        emit PayoutExpired(batchId, uint32(index), payee, uint64(entry), reason, _nextSeq());
    }

    /// @inheritdoc IVaultCorrections
    function expireStreams(bytes32 batchId, uint256 chunkIndex) external {
        _requireNotPaused(WITHDRAWALS);
        Batch storage target = _requireExpired(batchId);
        StreamChunk storage chunk = _requireOpen(batchId, chunkIndex);
        (uint256 maskLow, uint256 maskHigh, uint256 returned) =
            _cutUnpayable(batchId, chunk, _terms(target, chunkIndex));
        require(returned != 0, NothingToExpire(batchId));
        chunk.flags |= HAS_CANCELLED;
        _returnToBudget(target.programme, returned);
        emit StreamsExpired(batchId, uint32(chunkIndex), maskLow, maskHigh, returned, _nextSeq());
    }

    function _requireExpired(bytes32 batchId) private view returns (Batch storage target) {
        target = _requireBatch(batchId);
        require(block.timestamp >= target.expiresAt, NotExpired(batchId, target.expiresAt));
    }

    /// @dev Cuts each stream that can never be paid and is not held where it is paid through, and sums what is left.
    function _cutUnpayable(bytes32 batchId, StreamChunk storage chunk, Terms memory terms)
        private
        returns (uint256 maskLow, uint256 maskHigh, uint256 returned)
    {
        bytes memory entries = SSTORE2.read(chunk.pointer);
        for (uint256 i; i < terms.count; ++i) {
            uint256 index = terms.firstIndex + i;
            StreamOverride memory changed = _overrides[batchId][index];
            address payee = changed.payee == address(0) ? _payeeAt(entries, i) : changed.payee;
            uint8 reason = _token.unpayableReason(payee, address(this));
            if (reason == 0 || reason == FROZEN || block.timestamp < changed.heldUntil) continue;
            uint256 cancelWord = _cancelLanes[batchId][index / Vesting.LANES];
            (uint256 through, uint256 unpaid) = _unpaid(
                _amountAt(entries, i),
                chunk.watermark,
                Vesting.lane(_ownLanes[batchId][index / Vesting.LANES], index),
                Vesting.lane(cancelWord, index),
                terms.duration
            );
            if (unpaid == 0) continue;
            _cancelLanes[batchId][index / Vesting.LANES] = Vesting.withLane(cancelWord, index, uint32(through + 1));
            returned += unpaid;
            if (i < 256) maskLow |= 1 << i;
            else maskHigh |= 1 << (i - 256);
        }
    }

    /// @dev Payee of word `i` of packed entries in memory; `i` must be below their count.
    function _payeeAt(bytes memory entries, uint256 i) private pure returns (address payee) {
        assembly ("memory-safe") {
            // The word's first 20 of 28 bytes.
            payee := shr(96, mload(add(add(entries, 32), mul(i, 28))))
        }
    }
}
