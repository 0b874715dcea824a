// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {IAllowanceVault} from "./interfaces/IAllowanceVault.sol";
import {IBenefitToken} from "./interfaces/IBenefitToken.sol";
import {IOfficerRegistry} from "./interfaces/IOfficerRegistry.sol";
import {IVaultAdministration} from "./interfaces/IVaultAdministration.sol";
import {IVaultCorrections} from "./interfaces/IVaultCorrections.sol";
import {ChunkTree} from "./libraries/ChunkTree.sol";
import {Entries} from "./libraries/Entries.sol";
import {Regions} from "./libraries/Regions.sol";
import {RollingSum} from "./libraries/RollingSum.sol";
import {Vesting} from "./libraries/Vesting.sol";
import {VaultState} from "./VaultState.sol";

/// @title Programmes, approved batches, one-off payouts and streamed allowances
contract AllowanceVault is IAllowanceVault, VaultState {
    uint256 private constant MAX_CHUNK_SIZE = 500;
    /// @dev A stream may start this long ago at the most: back pay, not a way to vest everything at once by a slip.
    uint256 private constant MAX_BACK_PAY = 366 days;

    bytes32 private constant BATCH_APPROVAL_TYPEHASH = keccak256(
        "BatchApproval(uint32 programme,uint32 programmeVersion,bytes32 batchId,uint32 maker,uint8 kind,uint24 regionCode,uint8 regionDigits,uint16 chunkSize,bytes32 chunksRoot,bytes32 manifestHash,uint32 count,uint80 total,uint40 start,uint32 cliff,uint32 duration,uint32 cadence,uint40 executeBefore,uint40 expiresAt)"
    );

    /// @inheritdoc IAllowanceVault
    uint40 public constant RAISE_DELAY = _RAISE_DELAY;
    /// @inheritdoc IAllowanceVault
    uint40 public constant MIN_CLAIM_TIME = 90 days;
    /// @inheritdoc IAllowanceVault
    uint40 public constant MAX_WITHDRAWAL_PAUSE = _MAX_WITHDRAWAL_PAUSE;

    /// @inheritdoc IAllowanceVault
    address public immutable administration;
    /// @inheritdoc IAllowanceVault
    address public immutable corrections;

    constructor(
        address manager,
        IBenefitToken token_,
        IOfficerRegistry registry_,
        address administration_,
        address corrections_
    ) VaultState(manager, token_, registry_) {
        administration = administration_;
        corrections = corrections_;
    }

    // --------------------------------------------------------------------------------------------------- batches

    /// @inheritdoc IAllowanceVault
    function approveBatch(BatchApproval calldata approval, bytes calldata signatures) external {
        _requireNotPaused(APPROVALS);
        _requireNoSunset();
        _requireWellFormed(approval);
        bytes32 batchId = approval.batchId;
        require(_batches[batchId].status == BatchStatus.Unknown, BatchExists(batchId));

        Programme storage target = _requireProgramme(approval.programme);
        require(block.timestamp >= target.activeFrom, ProgrammeNotActive(approval.programme, target.activeFrom));
        require(
            approval.programmeVersion == target.version,
            ProgrammeVersionMismatch(approval.programmeVersion, target.version)
        );
        require(
            Regions.covers(target.regionCode, target.regionDigits, approval.regionCode, approval.regionDigits),
            RegionOutsideProgramme(approval.regionCode, approval.regionDigits)
        );

        uint256 allocated = uint256(target.allocated) + approval.total;
        require(allocated <= target.budget, BudgetExceeded(allocated, target.budget));
        uint256 sum = _addToRollingSums(approval);
        Tier memory tier = _tierFor(approval.programme, sum);
        _registry.requireApproval(
            approvalDigest(approval),
            approval.maker,
            tier.reviewers,
            approval.regionCode,
            approval.regionDigits,
            signatures
        );

        uint48 firstNumber = target.nextNumber;
        uint40 executeFrom = uint40(block.timestamp) + tier.challengeDelay;
        require(executeFrom < approval.executeBefore, NeverOpen(executeFrom, approval.executeBefore));
        // Within the budget just checked, which fits uint80.
        target.allocated = uint80(allocated);
        target.nextNumber = firstNumber + approval.count;
        _batches[batchId] = Batch({
            chunksRoot: approval.chunksRoot,
            programme: approval.programme,
            status: BatchStatus.Approved,
            kind: Kind(approval.kind),
            regionCode: approval.regionCode,
            chunkSize: approval.chunkSize,
            count: approval.count,
            start: approval.start,
            cliff: approval.cliff,
            duration: approval.duration,
            cadence: approval.cadence,
            regionDigits: approval.regionDigits,
            firstNumber: firstNumber,
            executeFrom: executeFrom,
            executeBefore: approval.executeBefore,
            expiresAt: approval.expiresAt,
            unexecuted: approval.total
        });
        _token.commit(approval.total);
        emit BatchApproved(
            batchId, approval.programme, approval, firstNumber, executeFrom, sum, signatures, _nextSeq()
        );
    }

    /// @inheritdoc IAllowanceVault
    function approvalDigest(BatchApproval calldata approval) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(BATCH_APPROVAL_TYPEHASH, approval)));
    }

    function _requireWellFormed(BatchApproval calldata approval) private view {
        uint256 chunkSize = approval.chunkSize;
        uint256 count = approval.count;
        require(
            chunkSize != 0 && chunkSize <= MAX_CHUNK_SIZE && count != 0 && count <= chunkSize * ChunkTree.MAX_CHUNKS,
            InvalidBatchShape(count, chunkSize)
        );
        require(approval.total != 0, InvalidTerms());
        Regions.requireValid(approval.regionCode, approval.regionDigits);
        require(approval.regionDigits != 0, Regions.InvalidRegion(approval.regionCode, 0));
        require(block.timestamp < approval.executeBefore, ApprovalExpired(approval.executeBefore));

        uint256 lastDue = approval.executeBefore;
        if (approval.kind == uint8(Kind.Stream)) {
            require(
                approval.duration != 0 && approval.duration <= Vesting.MAX_DURATION
                    && approval.cliff <= approval.duration && approval.cadence != 0
                    && approval.cadence <= approval.duration && approval.start + MAX_BACK_PAY >= block.timestamp,
                InvalidTerms()
            );
            uint256 end = uint256(approval.start) + approval.duration;
            if (end > lastDue) lastDue = end;
        } else {
            require(
                approval.kind == uint8(Kind.OneOff) && approval.start == 0 && approval.cliff == 0
                    && approval.duration == 0 && approval.cadence == 0,
                InvalidTerms()
            );
        }
        require(
            approval.expiresAt >= lastDue + MIN_CLAIM_TIME,
            InvalidTimes(approval.executeBefore, approval.expiresAt, lastDue + MIN_CLAIM_TIME)
        );
    }

    /// @dev Adds the batch to the sums of its region and of each region above it, so that a later batch for the wider
    /// region counts what was approved inside; returns the sum of the batch's own region.
    function _addToRollingSums(BatchApproval calldata approval) private returns (uint256 own) {
        uint8 digits = approval.regionDigits;
        for (uint8 to = digits; to >= 2; to -= 2) {
            uint24 code = Regions.truncate(approval.regionCode, digits, to);
            uint256 key = _regionKey(approval.programme, code, to);
            (uint256 updated, uint256 sum) = RollingSum.add(_rollingSums[key], approval.total, block.timestamp);
            _rollingSums[key] = updated;
            if (to == digits) own = sum;
        }
    }

    function _regionKey(uint32 programmeId, uint24 code, uint8 digits) private pure returns (uint256) {
        return (uint256(programmeId) << 32) | (uint256(code) << 8) | digits;
    }

    function _tierFor(uint32 programmeId, uint256 sum) private view returns (Tier memory tier) {
        Tier[MAX_TIERS] storage all = _tiers[programmeId];
        uint256 limit;
        for (uint256 i; i < MAX_TIERS; ++i) {
            tier = all[i];
            if (tier.upTo == 0) break;
            if (sum <= tier.upTo) return tier;
            limit = tier.upTo;
        }
        revert TierLimitExceeded(sum, limit);
    }

    // ---------------------------------------------------------------------------------------------------- chunks

    /// @inheritdoc IAllowanceVault
    function executeChunk(bytes32 batchId, uint256 chunkIndex, bytes calldata entries, bytes32[8] calldata proof)
        external
    {
        _requireNotPaused(EXECUTION);
        Batch storage target = _requireBatch(batchId);
        require(target.status == BatchStatus.Approved, BatchIsCancelled(batchId));
        require(block.timestamp >= target.executeFrom, ExecutionNotOpen(target.executeFrom));
        require(block.timestamp < target.executeBefore, ExecutionClosed(target.executeBefore));
        uint256 chunks = _requireChunkLength(target, chunkIndex, entries.length);
        require(
            ChunkTree.root(ChunkTree.leaf(batchId, chunkIndex, entries), chunkIndex, proof) == target.chunksRoot,
            ChunkNotApproved(batchId, chunkIndex)
        );

        uint256 executed = _executedChunks[batchId];
        require((executed >> chunkIndex) & 1 == 0, ChunkAlreadyExecuted(batchId, chunkIndex));
        executed |= 1 << chunkIndex;
        _executedChunks[batchId] = executed;

        uint256 total = target.kind == Kind.OneOff
            ? _payChunk(target, batchId, chunkIndex, entries)
            : _openStreams(target, batchId, chunkIndex, entries);

        uint256 unexecuted = target.unexecuted;
        bool last = executed == type(uint256).max >> (ChunkTree.MAX_CHUNKS - chunks);
        require(last ? total == unexecuted : total <= unexecuted, TotalMismatch(batchId));
        // At most the former value.
        unchecked {
            target.unexecuted = uint80(unexecuted - total);
        }
    }

    /// @dev Every chunk but the last is full, so the counts of all chunks sum to the signed count.
    function _requireChunkLength(Batch storage target, uint256 chunkIndex, uint256 length)
        private
        view
        returns (uint256 chunks)
    {
        uint256 size = target.chunkSize;
        uint256 count = target.count;
        chunks = (count + size - 1) / size;
        require(chunkIndex < chunks, ChunkOutOfRange(chunkIndex, chunks));
        uint256 expected = Entries.WORD * (chunkIndex == chunks - 1 ? count - chunkIndex * size : size);
        require(length == expected, WrongChunkLength(length, expected));
    }

    function _payChunk(Batch storage target, bytes32 batchId, uint256 chunkIndex, bytes calldata entries)
        private
        returns (uint256 total)
    {
        (uint256 skippedLow, uint256 skippedHigh, uint256 paid, uint256 skipped) =
            _token.mintBatch(entries, _programmes[target.programme].payoutCap);
        emit ChunkPaid(batchId, uint32(chunkIndex), entries, paid, skippedLow, skippedHigh, _nextSeq());
        if (skipped != 0) {
            uint256 first = chunkIndex * target.chunkSize;
            uint256 count = entries.length / Entries.WORD;
            for (uint256 i; i < count; ++i) {
                if (!_isSet(skippedLow, skippedHigh, i)) continue;
                uint256 entry = Entries.at(entries, i);
                _skipped[batchId][first + i] = entry;
                address payee = Entries.payee(entry);
                emit PayoutSkipped(
                    batchId,
                    uint32(first + i),
                    payee,
                    uint64(entry),
                    _token.unpayableReason(payee, address(this)),
                    _nextSeq()
                );
            }
        }
        return paid + skipped;
    }

    function _openStreams(Batch storage target, bytes32 batchId, uint256 chunkIndex, bytes calldata entries)
        private
        returns (uint256 total)
    {
        total = Entries.sum(entries, _programmes[target.programme].payoutCap);
        address pointer = SSTORE2.write(entries);
        _streamChunks[batchId][chunkIndex].pointer = pointer;
        emit StreamsOpened(batchId, uint32(chunkIndex), pointer, entries, total, _nextSeq());
    }

    /// @inheritdoc IAllowanceVault
    function retryPayout(bytes32 batchId, uint256 index) external {
        _requireNotPaused(EXECUTION);
        _requireBatch(batchId);
        uint256 entry = _skipped[batchId][index];
        require(entry != 0, NotSkipped(batchId, index));
        uint256 held = Entries.heldUntil(entry);
        require(block.timestamp >= held, EntryIsHeld(batchId, index, uint40(held)));
        delete _skipped[batchId][index];
        address payee = Entries.payee(entry);
        _payOne(payee, uint64(entry));
        emit PayoutRetried(batchId, uint32(index), payee, uint64(entry), _nextSeq());
    }

    /// @dev Mints one payout, or reverts with the reason why its payee cannot be paid.
    function _payOne(address payee, uint64 amount) private {
        uint8 reason = _token.mintEntry(payee, amount);
        require(reason == 0, Unpayable(payee, reason));
    }

    // --------------------------------------------------------------------------------------------------- streams

    /// @inheritdoc IAllowanceVault
    function withdraw(bytes32 batchId, uint256 index) external {
        _requireNotPaused(WITHDRAWALS);
        Batch storage target = _requireStreams(batchId);
        uint256 chunkIndex = index / target.chunkSize;
        StreamChunk storage chunk = _requireOpen(batchId, chunkIndex);
        Terms memory terms = _terms(target, chunkIndex);
        uint8 flags = chunk.flags;
        // Indexes fit 32 bits, times 32, amounts 64; no stream is paid through a later second than it is due through.
        unchecked {
            require(index - terms.firstIndex < terms.count, NothingToWithdraw(batchId, index));
            mapping(uint256 word => uint256) storage ownLanes = _ownLanes[batchId];
            uint256 ownWord = ownLanes[index / Vesting.LANES];
            uint256 paidThrough = Vesting.paidThrough(chunk.watermark, Vesting.lane(ownWord, index));
            uint256 through = terms.step;
            if (flags & HAS_CANCELLED != 0) {
                uint32 cancelLane = Vesting.lane(_cancelLanes[batchId][index / Vesting.LANES], index);
                paidThrough = Vesting.cutOff(paidThrough, cancelLane);
                through = Vesting.dueThrough(through, cancelLane);
            }
            uint256 entry = _entryAt(chunk.pointer, index - terms.firstIndex);
            uint256 due = Vesting.vested(uint64(entry), through, terms.duration)
                - Vesting.vested(uint64(entry), paidThrough, terms.duration);
            require(due != 0, NothingToWithdraw(batchId, index));

            ownLanes[index / Vesting.LANES] = Vesting.withLane(ownWord, index, uint32(through));
            if (flags & HAS_OWN == 0) chunk.flags = flags | HAS_OWN;
            address payee = Entries.payee(entry);
            if (flags & HAS_OVERRIDE != 0) {
                StreamOverride memory changed = _overrides[batchId][index];
                require(block.timestamp >= changed.heldUntil, EntryIsHeld(batchId, index, changed.heldUntil));
                if (changed.payee != address(0)) payee = changed.payee;
            }
            _payOne(payee, uint64(due));
            emit StreamWithdrawn(batchId, uint32(index), payee, uint64(due), uint32(through), _nextSeq());
        }
    }

    /// @inheritdoc IAllowanceVault
    function withdrawChunk(bytes32 batchId, uint256 chunkIndex) external {
        _requireNotPaused(WITHDRAWALS);
        Batch storage target = _requireStreams(batchId);
        StreamChunk storage chunk = _requireOpen(batchId, chunkIndex);
        Terms memory terms = _terms(target, chunkIndex);
        uint256 watermark = chunk.watermark;
        uint8 flags = chunk.flags;
        bytes memory entries = SSTORE2.read(chunk.pointer);
        bool marks = flags & HAS_OWN != 0;
        if (flags == 0) {
            _dueUniformly(entries, watermark, terms);
        } else if (_dueEach(entries, batchId, watermark, flags, terms)) {
            marks = true;
        }

        (uint256 skippedLow, uint256 skippedHigh, uint256 paid, uint256 skipped) = flags & HAS_OVERRIDE == 0
            ? _token.mintBatch(entries, type(uint64).max)
            : _mintOverridden(entries, batchId, terms);
        require(paid != 0 || (skipped != 0 && terms.step > watermark), NothingToWithdraw(batchId, terms.firstIndex));
        chunk.watermark = uint32(terms.step);
        if (marks || skipped != 0) {
            bool standing = _markLanes(batchId, watermark, flags, terms, skippedLow, skippedHigh);
            chunk.flags = standing ? flags | HAS_OWN : flags & ~HAS_OWN;
        }
        emit StreamsWithdrawn(
            batchId, uint32(chunkIndex), uint32(terms.step), paid, skippedLow, skippedHigh, _nextSeq()
        );
    }

    /// @dev Replaces each amount in `entries` by what is due, where no stream of the chunk is an exception.
    function _dueUniformly(bytes memory entries, uint256 watermark, Terms memory terms) private pure {
        uint256 duration = terms.duration;
        uint256 step = terms.step;
        // Same arithmetic as Vesting.vested, for each 28-byte word in place: amount and times fit 64 and 32 bits, the
        // duration is not zero, and the step is never below the watermark, so nothing wraps. A word is read and
        // written as 32 bytes of which the low 4 belong to the next one and are put back; behind the last word they
        // are memory that the read back leaves as it was.
        assembly ("memory-safe") {
            let at := add(entries, 32)
            for { let end := add(at, mload(entries)) } lt(at, end) { at := add(at, 28) } {
                let word := mload(at)
                let amount := and(shr(32, word), 0xffffffffffffffff)
                let due := sub(div(mul(amount, step), duration), div(mul(amount, watermark), duration))
                word := and(word, not(shl(32, 0xffffffffffffffff)))
                mstore(at, or(word, shl(32, due)))
            }
        }
    }

    /// @dev Replaces each amount in `entries` by what is due, exceptions of their own included. Lanes are read only where
    /// the chunk's flags say that some count.
    /// @return beyond Whether a cut stream is paid beyond the step, which its own lane must then say.
    function _dueEach(bytes memory entries, bytes32 batchId, uint256 watermark, uint8 flags, Terms memory terms)
        private
        view
        returns (bool beyond)
    {
        uint256 ownWord;
        uint256 cancelWord;
        // Positions fit 9 bits, times 32, amounts 64; no stream is paid through a later second than it is due through,
        // since steps and cuts never go back.
        unchecked {
            for (uint256 i; i < terms.count; ++i) {
                uint256 index = terms.firstIndex + i;
                if (i == 0 || index % Vesting.LANES == 0) {
                    if (flags & HAS_OWN != 0) ownWord = _ownLanes[batchId][index / Vesting.LANES];
                    if (flags & HAS_CANCELLED != 0) cancelWord = _cancelLanes[batchId][index / Vesting.LANES];
                }
                uint256 from = watermark;
                uint256 to = terms.step;
                if (ownWord | cancelWord != 0) {
                    uint32 cancelLane = Vesting.lane(cancelWord, index);
                    from = Vesting.cutOff(Vesting.paidThrough(watermark, Vesting.lane(ownWord, index)), cancelLane);
                    to = Vesting.dueThrough(terms.step, cancelLane);
                    if (to > terms.step && from != to) beyond = true;
                }
                uint256 amount = _amountAt(entries, i);
                uint256 due =
                    Vesting.vested(amount, to, terms.duration) - Vesting.vested(amount, from, terms.duration);
                _setAmountAt(entries, i, due);
            }
        }
    }

    /// @dev Mints what is due, where some payee was changed or is held; what is held is skipped like what is frozen.
    function _mintOverridden(bytes memory entries, bytes32 batchId, Terms memory terms)
        private
        returns (uint256 skippedLow, uint256 skippedHigh, uint256 paid, uint256 skipped)
    {
        (uint256 heldLow, uint256 heldHigh) = _applyOverrides(entries, batchId, terms);
        (skippedLow, skippedHigh, paid, skipped) = _token.mintBatch(entries, type(uint64).max);
        skippedLow |= heldLow;
        skippedHigh |= heldHigh;
        skipped |= heldLow | heldHigh;
    }

    /// @dev In `entries`, whose amounts are what is due: sets the payees that were changed, and takes out what is held.
    /// @return heldLow Bit i: something is due to stream i, which is held.
    function _applyOverrides(bytes memory entries, bytes32 batchId, Terms memory terms)
        private
        view
        returns (uint256 heldLow, uint256 heldHigh)
    {
        uint256 overridden;
        for (uint256 i; i < terms.count; ++i) {
            uint256 index = terms.firstIndex + i;
            if (i == 0 || index % 256 == 0) overridden = _overridden[batchId][index / 256];
            if ((overridden >> (index % 256)) & 1 == 0) continue;
            StreamOverride memory changed = _overrides[batchId][index];
            uint256 word;
            // Of the 32 bytes that end with word `i` the first 4 are not its own, then come payee and amount.
            assembly ("memory-safe") {
                word := mload(add(entries, mul(add(i, 1), 28)))
            }
            if (changed.payee != address(0)) {
                word = (word & ~(uint256(type(uint160).max) << 64)) | (uint256(uint160(changed.payee)) << 64);
            }
            if (block.timestamp < changed.heldUntil && uint64(word) != 0) {
                word &= ~uint256(type(uint64).max);
                if (i < 256) heldLow |= 1 << i;
                else heldHigh |= 1 << (i - 256);
            }
            assembly ("memory-safe") {
                mstore(add(entries, mul(add(i, 1), 28)), word)
            }
        }
    }

    /// @dev After a range withdrawal moved the watermark to the step: a stream that it had to skip keeps its own mark,
    /// alone; one that stood alone, or was cut behind the step, is now paid through what was due; the others follow the
    /// watermark.
    /// @return standing Whether a lane still counts: alone, or ahead of the watermark.
    function _markLanes(
        bytes32 batchId,
        uint256 watermark,
        uint8 flags,
        Terms memory terms,
        uint256 skippedLow,
        uint256 skippedHigh
    ) private returns (bool standing) {
        uint256 ownWord;
        uint256 cancelWord;
        bool changed;
        // Positions fit 9 bits; a word was begun before the first was left.
        unchecked {
            for (uint256 i; i < terms.count; ++i) {
                uint256 index = terms.firstIndex + i;
                if (i == 0 || index % Vesting.LANES == 0) {
                    if (changed) _ownLanes[batchId][index / Vesting.LANES - 1] = ownWord;
                    changed = false;
                    ownWord = _ownLanes[batchId][index / Vesting.LANES];
                    if (flags & HAS_CANCELLED != 0) cancelWord = _cancelLanes[batchId][index / Vesting.LANES];
                }
                bool passed = _isSet(skippedLow, skippedHigh, i);
                if (!passed && ownWord | cancelWord == 0) continue;
                uint32 own = Vesting.lane(ownWord, index);
                uint256 to = Vesting.dueThrough(terms.step, Vesting.lane(cancelWord, index));
                uint256 updated = own;
                if (passed) {
                    updated = Vesting.paidThrough(watermark, own) | Vesting.ALONE;
                } else if (own & Vesting.ALONE != 0 || to > terms.step) {
                    updated = to;
                }
                if (updated != own) {
                    ownWord = Vesting.withLane(ownWord, index, uint32(updated));
                    changed = true;
                }
                // ALONE is the highest bit, above every time.
                if (updated > terms.step) standing = true;
            }
            if (changed) _ownLanes[batchId][(terms.firstIndex + terms.count - 1) / Vesting.LANES] = ownWord;
        }
    }

    /// @dev Sets the amount of word `i`; `amount` fits uint64 and `i` is below the count.
    function _setAmountAt(bytes memory entries, uint256 i, uint256 amount) private pure {
        assembly ("memory-safe") {
            let at := add(entries, mul(add(i, 1), 28))
            mstore(at, or(and(mload(at), not(0xffffffffffffffff)), amount))
        }
    }

    // --------------------------------------------------------------------------------- what stands in the parts

    // Each function names its arguments for the ABI, and again so that the compiler does not miss their use: the call goes
    // on as it came.

    /// @dev Runs the call as it came in a part's code, on this contract's storage and for the same caller; reverts as
    /// the part does.
    function _run(address part) private {
        Address.functionDelegateCall(part, msg.data);
    }

    /// @inheritdoc IVaultAdministration
    function createProgramme(
        uint32 id,
        uint24 regionCode,
        uint8 regionDigits,
        uint80 budget,
        uint64 payoutCap,
        Tier[] calldata tiers_,
        bytes32 metadataHash
    ) external {
        (id, regionCode, regionDigits, budget, payoutCap, tiers_, metadataHash);
        _run(administration);
    }

    /// @inheritdoc IVaultAdministration
    function scheduleBudgetIncrease(uint32 id, uint80 budget) external {
        (id, budget);
        _run(administration);
    }

    /// @inheritdoc IVaultAdministration
    function applyBudgetIncrease(uint32 id) external {
        id;
        _run(administration);
    }

    /// @inheritdoc IVaultAdministration
    function decreaseBudget(uint32 id, uint80 budget) external {
        (id, budget);
        _run(administration);
    }

    /// @inheritdoc IVaultAdministration
    function pause(uint8 operations) external {
        operations;
        _run(administration);
    }

    /// @inheritdoc IVaultAdministration
    function unpause(uint8 operations, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        (operations, actionId, deadline, signatures);
        _run(administration);
    }

    /// @inheritdoc IVaultAdministration
    function beginSunset(bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        (actionId, deadline, signatures);
        _run(administration);
    }

    /// @inheritdoc IVaultCorrections
    function cancelBatch(bytes32 batchId, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        (batchId, actionId, deadline, signatures);
        _run(corrections);
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
        (batchId, chunkIndex, maskLow, maskHigh, actionId, deadline, signatures);
        _run(corrections);
    }

    /// @inheritdoc IVaultCorrections
    function holdBatch(bytes32 batchId, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        (batchId, actionId, deadline, signatures);
        _run(corrections);
    }

    /// @inheritdoc IVaultCorrections
    function holdEntry(
        bytes32 batchId,
        uint256 index,
        bytes32 actionId,
        uint40 deadline,
        bytes calldata signatures
    ) external {
        (batchId, index, actionId, deadline, signatures);
        _run(corrections);
    }

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
        (batchId, index, from, to, actionId, deadline, signatures);
        _run(corrections);
    }

    /// @inheritdoc IVaultCorrections
    function expireUnexecuted(bytes32 batchId) external {
        batchId;
        _run(corrections);
    }

    /// @inheritdoc IVaultCorrections
    function expirePayout(bytes32 batchId, uint256 index) external {
        (batchId, index);
        _run(corrections);
    }

    /// @inheritdoc IVaultCorrections
    function expireStreams(bytes32 batchId, uint256 chunkIndex) external {
        (batchId, chunkIndex);
        _run(corrections);
    }

    // ------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IAllowanceVault
    function token() external view returns (address) {
        return address(_token);
    }

    /// @inheritdoc IAllowanceVault
    function registry() external view returns (address) {
        return address(_registry);
    }

    /// @inheritdoc IAllowanceVault
    function seq() external view returns (uint64) {
        return _status.seq;
    }

    /// @inheritdoc IAllowanceVault
    function pausedOperations() external view returns (uint8) {
        return _pausedOperations();
    }

    /// @inheritdoc IAllowanceVault
    function inSunset() external view returns (bool) {
        return _status.sunset;
    }

    /// @inheritdoc IAllowanceVault
    function programme(uint32 id) external view returns (Programme memory) {
        return _programmes[id];
    }

    /// @inheritdoc IAllowanceVault
    function tiers(uint32 programmeId) external view returns (Tier[] memory found) {
        Tier[MAX_TIERS] storage all = _tiers[programmeId];
        uint256 count;
        while (count < MAX_TIERS && all[count].upTo != 0) ++count;
        found = new Tier[](count);
        for (uint256 i; i < count; ++i) {
            found[i] = all[i];
        }
    }

    /// @inheritdoc IAllowanceVault
    function rollingSum(uint32 programmeId, uint24 regionCode, uint8 regionDigits) external view returns (uint256) {
        return RollingSum.at(_rollingSums[_regionKey(programmeId, regionCode, regionDigits)], block.timestamp);
    }

    /// @inheritdoc IAllowanceVault
    function batch(bytes32 batchId) external view returns (Batch memory) {
        return _batches[batchId];
    }

    /// @inheritdoc IAllowanceVault
    function executedChunks(bytes32 batchId) external view returns (uint256) {
        return _executedChunks[batchId];
    }

    /// @inheritdoc IAllowanceVault
    function skippedPayout(bytes32 batchId, uint256 index) external view returns (address, uint256) {
        uint256 entry = _skipped[batchId][index];
        return (Entries.payee(entry), Entries.amount(entry));
    }

    /// @inheritdoc IAllowanceVault
    function streamChunk(bytes32 batchId, uint256 chunkIndex) external view returns (StreamChunk memory) {
        return _streamChunks[batchId][chunkIndex];
    }

    /// @inheritdoc IAllowanceVault
    function heldUntil(bytes32 batchId, uint256 index) external view returns (uint40) {
        return _batches[batchId].kind == Kind.OneOff
            ? uint40(Entries.heldUntil(_skipped[batchId][index]))
            : _overrides[batchId][index].heldUntil;
    }

    /// @inheritdoc IAllowanceVault
    function stream(bytes32 batchId, uint256 index)
        external
        view
        returns (address payee, uint256 total, uint256 accrued, uint256 withdrawn, uint32 cancelled)
    {
        Batch storage target = _requireStreams(batchId);
        uint256 chunkIndex = index / target.chunkSize;
        StreamChunk storage chunk = _requireOpen(batchId, chunkIndex);
        Terms memory terms = _terms(target, chunkIndex);
        require(index < terms.firstIndex + terms.count, StreamsNotOpen(batchId, chunkIndex));
        cancelled = Vesting.lane(_cancelLanes[batchId][index / Vesting.LANES], index);
        uint32 own = Vesting.lane(_ownLanes[batchId][index / Vesting.LANES], index);
        uint256 through = Vesting.cutOff(Vesting.paidThrough(chunk.watermark, own), cancelled);
        uint256 entry = _entryAt(chunk.pointer, index - terms.firstIndex);
        payee = _overrides[batchId][index].payee;
        if (payee == address(0)) payee = Entries.payee(entry);
        total = Entries.amount(entry);
        accrued = Vesting.vested(total, Vesting.dueThrough(terms.step, cancelled), terms.duration);
        withdrawn = Vesting.vested(total, through, terms.duration);
    }
}
