// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IBenefitToken} from "./interfaces/IBenefitToken.sol";
import {IOfficerRegistry} from "./interfaces/IOfficerRegistry.sol";
import {IVaultRecords} from "./interfaces/IVaultRecords.sol";
import {Vesting} from "./libraries/Vesting.sol";

/// @title The vault's storage, and what all of its parts do with it
/// @notice The vault stands in three contracts, since one would pass 24,576 bytes: {AllowanceVault}, which has the address
/// and the money, and two parts whose code it runs on its own storage. Each part inherits this contract and declares no
/// storage of its own, so that all three mean the same slots.
abstract contract VaultState is IVaultRecords, AccessManaged, EIP712 {
    uint16 internal constant REVIEWER = 2;
    uint16 internal constant GOVERNOR = 8;

    uint8 internal constant APPROVALS = 1;
    uint8 internal constant EXECUTION = 2;
    uint8 internal constant WITHDRAWALS = 4;

    uint8 internal constant HAS_OWN = 1;
    uint8 internal constant HAS_CANCELLED = 2;
    uint8 internal constant HAS_OVERRIDE = 4;

    uint256 internal constant MAX_TIERS = 4;

    uint40 internal constant _RAISE_DELAY = 2 days;
    uint40 internal constant _MAX_WITHDRAWAL_PAUSE = 72 hours;

    /// @dev As {IAllowanceVault-token}.
    IBenefitToken internal immutable _token;
    /// @dev As {IAllowanceVault-registry}.
    IOfficerRegistry internal immutable _registry;

    /// @dev One slot: the event count, what is paused, and whether nothing more is approved.
    /// @param seq How many events it has emitted.
    /// @param paused Bits: 1 approvals, 2 execution, 4 withdrawals. The last counts only until its time.
    /// @param withdrawalsPausedUntil When a pause of withdrawals ends by itself. It stays when a quorum lifts the pause: the
    /// guardian's next one waits as if this one had run to its end.
    /// @param sunset Whether nothing more is approved, for good.
    struct Status {
        uint64 seq;
        uint8 paused;
        uint40 withdrawalsPausedUntil;
        bool sunset;
    }

    /// @dev The vault's own state.
    Status internal _status;
    /// @dev Each programme; version 0 for a number that none has.
    mapping(uint32 id => Programme) internal _programmes;
    /// @dev Ascending; the first with a limit of 0 is none, nor are those behind it.
    mapping(uint32 id => Tier[MAX_TIERS]) internal _tiers;
    /// @dev Sums approved lately, a word of {RollingSum} each; the key is programme << 32 | region code << 8 | digits.
    mapping(uint256 programmeAndRegion => uint256) internal _rollingSums;
    /// @dev Each batch that was approved.
    mapping(bytes32 batchId => Batch) internal _batches;
    /// @dev Bit i: chunk i was run.
    mapping(bytes32 batchId => uint256) internal _executedChunks;
    /// @dev Skipped payouts until they are retried or expire, as {Entries} has them: hold until (32) | payee (160) | amount
    /// (64).
    mapping(bytes32 batchId => mapping(uint256 index => uint256)) internal _skipped;
    /// @dev Each chunk of streams that was run.
    mapping(bytes32 batchId => mapping(uint256 chunkIndex => StreamChunk)) internal _streamChunks;
    /// @dev Eight uint32 lanes a word, see {Vesting}: how far a stream of the batch was paid by itself.
    mapping(bytes32 batchId => mapping(uint256 word => uint256)) internal _ownLanes;
    /// @dev Eight uint32 lanes a word: one more than the second at which a stream was cut.
    mapping(bytes32 batchId => mapping(uint256 word => uint256)) internal _cancelLanes;
    /// @dev Streams with another payee than their entry has, or held.
    mapping(bytes32 batchId => mapping(uint256 index => StreamOverride)) internal _overrides;
    /// @dev 256 streams a word: those that have an override.
    mapping(bytes32 batchId => mapping(uint256 word => uint256)) internal _overridden;
    /// @dev Which officer has held a batch.
    mapping(bytes32 batchId => mapping(uint32 officerId => bool)) internal _batchHolds;
    /// @dev Which officer has held a payout.
    mapping(bytes32 batchId => mapping(uint256 index => mapping(uint32 officerId => bool))) internal _entryHolds;

    /// @dev A part gets the same token and registry as the vault; it never uses the storage that it has itself.
    constructor(address manager, IBenefitToken token_, IOfficerRegistry registry_)
        AccessManaged(manager)
        EIP712("Relief AllowanceVault", "1")
    {
        _token = token_;
        _registry = registry_;
    }

    function _requireProgramme(uint32 id) internal view returns (Programme storage found) {
        found = _programmes[id];
        require(found.version != 0, UnknownProgramme(id));
    }

    function _requireBatch(bytes32 batchId) internal view returns (Batch storage found) {
        found = _batches[batchId];
        require(found.status != BatchStatus.Unknown, UnknownBatch(batchId));
    }

    function _returnToBudget(uint32 programmeId, uint256 amount) internal {
        // Part of what was allocated at approval, so it fits and does not underflow.
        _programmes[programmeId].allocated -= uint80(amount);
        _token.release(amount);
    }

    /// @dev What a withdrawal from one chunk needs, read once.
    struct Terms {
        uint256 elapsed;
        uint256 duration;
        uint256 step;
        uint256 firstIndex;
        uint256 count;
    }

    function _terms(Batch storage target, uint256 chunkIndex) internal view returns (Terms memory terms) {
        uint256 start = target.start;
        uint256 duration = target.duration;
        uint256 size = target.chunkSize;
        // The chunk is open, so its first stream is one of the batch's.
        unchecked {
            uint256 elapsed = block.timestamp > start ? block.timestamp - start : 0;
            if (elapsed > duration) elapsed = duration;
            terms.elapsed = elapsed;
            terms.duration = duration;
            terms.step = Vesting.step(elapsed, target.cliff, target.cadence, duration);
            terms.firstIndex = chunkIndex * size;
            uint256 left = target.count - terms.firstIndex;
            terms.count = left < size ? left : size;
        }
    }

    function _requireStreams(bytes32 batchId) internal view returns (Batch storage target) {
        target = _requireBatch(batchId);
        require(target.kind == Kind.Stream, WrongKind(batchId));
    }

    /// @dev A chunk of a batch of streams, which must be open.
    function _requireOpen(bytes32 batchId, uint256 chunkIndex) internal view returns (StreamChunk storage chunk) {
        chunk = _streamChunks[batchId][chunkIndex];
        require(chunk.pointer != address(0), StreamsNotOpen(batchId, chunkIndex));
    }

    /// @dev Entry `position` of a chunk's stored ones, as `payee << 64 | amount`; `position` must be below their count.
    function _entryAt(address pointer, uint256 position) internal view returns (uint256 entry) {
        // Only its 28 bytes are copied, behind the STOP byte, into scratch space.
        assembly ("memory-safe") {
            extcodecopy(pointer, 0x00, add(1, mul(position, 28)), 28)
            entry := shr(32, mload(0x00))
        }
    }

    function _isSet(uint256 low, uint256 high, uint256 i) internal pure returns (bool) {
        return (i < 256 ? low >> i : high >> (i - 256)) & 1 == 1;
    }

    /// @dev Amount of word `i` of packed entries in memory; `i` must be below their count.
    function _amountAt(bytes memory entries, uint256 i) internal pure returns (uint256 amount) {
        assembly ("memory-safe") {
            // The word's last 8 of 28 bytes end 28 * (i + 1) behind the length word.
            amount := and(mload(add(entries, mul(add(i, 1), 28))), 0xffffffffffffffff)
        }
    }

    /// @dev Bits of what is paused now.
    function _pausedOperations() internal view returns (uint8 operations) {
        operations = _status.paused;
        if (block.timestamp >= _status.withdrawalsPausedUntil) operations &= ~WITHDRAWALS;
    }

    function _requireNotPaused(uint8 operation) internal view {
        require(_pausedOperations() & operation == 0, OperationPaused(operation));
    }

    function _requireNoSunset() internal view {
        require(!_status.sunset, InSunset());
    }

    function _nextSeq() internal returns (uint64) {
        return ++_status.seq;
    }
}
