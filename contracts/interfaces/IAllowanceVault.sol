// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Programmes, approved batches, one-off payouts and streamed allowances
/// @notice How everything but emergency grants is paid: enough distinct officers sign a batch's root once
/// ({approveBatch}); the contract checks them and sets the money aside; then anyone may run the batch's chunks
/// ({executeChunk}) and push withdrawals ({withdraw}, {withdrawChunk}), which pay the recorded payees and nobody else.
///
/// Amounts are in base units of the token, times in Unix seconds unless said otherwise. Every event carries `seq`,
/// this contract's own count without gaps: a log left out shows.
interface IAllowanceVault {
    enum Kind {
        OneOff,
        Stream
    }

    enum BatchStatus {
        Unknown,
        Approved,
        Cancelled
    }

    /// @notice What officers sign (EIP-712, in this contract's domain). Member order is the type's order.
    /// @param programme Programme number.
    /// @param programmeVersion Version of the programme's configuration the officers saw.
    /// @param batchId Chosen by the maker, used once for ever.
    /// @param maker Officer id of the maker, whose signature over the same digest must be among the signatures.
    /// @param kind 0 one-off, 1 stream.
    /// @param regionCode GB/T 2260 region of all the batch's cases.
    /// @param regionDigits 2, 4 or 6.
    /// @param chunkSize Entries in each chunk but the last, 1 to 500.
    /// @param chunksRoot Root of the {ChunkTree} over the batch's chunks.
    /// @param manifestHash Keccak-256 of the batch's manifest file.
    /// @param count Number of payouts.
    /// @param total Sum of their amounts.
    /// @param start Streams: when accrual begins; 0 for one-off.
    /// @param cliff Streams: seconds after the start before which nothing can be withdrawn.
    /// @param duration Streams: seconds over which the whole amount accrues.
    /// @param cadence Streams: withdrawals move in whole steps of this many seconds.
    /// @param executeBefore Chunks run only before this time.
    /// @param expiresAt What is unpaid then may return to the budget.
    struct BatchApproval {
        uint32 programme;
        uint32 programmeVersion;
        bytes32 batchId;
        uint32 maker;
        uint8 kind;
        uint24 regionCode;
        uint8 regionDigits;
        uint16 chunkSize;
        bytes32 chunksRoot;
        bytes32 manifestHash;
        uint32 count;
        uint80 total;
        uint40 start;
        uint32 cliff;
        uint32 duration;
        uint32 cadence;
        uint40 executeBefore;
        uint40 expiresAt;
    }

    /// @notice How many reviewers a batch needs while the rolling sum, itself included, is at most `upTo`.
    /// @param challengeDelay Seconds between approval and the first chunk.
    struct Tier {
        uint80 upTo;
        uint8 reviewers;
        uint32 challengeDelay;
    }

    /// @param budget Most that may be approved in all, net of what came back.
    /// @param allocated Approved so far, net of what came back.
    /// @param nextNumber Number the next approved payout gets.
    /// @param activeFrom When approvals may begin.
    /// @param regionDigits With `regionCode` the programme's region; 0 digits for the whole country.
    /// @param version Version of the configuration, signed by officers.
    /// @param payoutCap Most one payout may be.
    /// @param pendingBudget A planned higher budget, 0 if none.
    /// @param pendingBudgetFrom When it may be applied.
    struct Programme {
        uint80 budget;
        uint80 allocated;
        uint48 nextNumber;
        uint40 activeFrom;
        uint8 regionDigits;
        uint24 regionCode;
        uint32 version;
        uint64 payoutCap;
        uint80 pendingBudget;
        uint40 pendingBudgetFrom;
    }

    /// @notice An approved batch, in three words of storage; the second has all that a withdrawal needs.
    /// @param firstNumber Number of the batch's first payout; a payout's number is `firstNumber + index`.
    /// @param executeFrom End of the challenge delay.
    /// @param unexecuted Amount of the chunks not run yet.
    struct Batch {
        bytes32 chunksRoot;
        uint32 programme;
        BatchStatus status;
        Kind kind;
        uint24 regionCode;
        uint16 chunkSize;
        uint32 count;
        uint40 start;
        uint32 cliff;
        uint32 duration;
        uint32 cadence;
        uint8 regionDigits;
        uint48 firstNumber;
        uint40 executeFrom;
        uint40 executeBefore;
        uint40 expiresAt;
        uint80 unexecuted;
    }

    /// @param pointer Contract whose code holds the chunk's entries (after one STOP byte).
    /// @param watermark Seconds since the start through which range withdrawals have paid.
    /// @param flags Bits: 1 some stream's own lane counts, which stands alone or ahead of the watermark, 2 some stream is
    /// cancelled, 4 some payee was changed.
    struct StreamChunk {
        address pointer;
        uint32 watermark;
        uint8 flags;
    }

    event ProgrammeCreated(
        uint32 indexed programme,
        uint24 regionCode,
        uint8 regionDigits,
        uint80 budget,
        uint64 payoutCap,
        Tier[] tiers,
        bytes32 metadataHash,
        uint40 activeFrom,
        uint64 seq
    );
    event BudgetIncreaseScheduled(uint32 indexed programme, uint80 budget, uint40 appliesFrom, uint64 seq);
    /// @param budget The budget now in force.
    event BudgetChanged(uint32 indexed programme, uint80 budget, uint64 seq);
    /// @param rollingSum Sum approved in the batch's region over the rolling window, this batch included.
    /// @param signatures As given, so that the events alone prove the approval again.
    event BatchApproved(
        bytes32 indexed batchId,
        uint32 indexed programme,
        BatchApproval approval,
        uint48 firstNumber,
        uint40 executeFrom,
        uint256 rollingSum,
        bytes signatures,
        uint64 seq
    );
    /// @notice A one-off chunk was run: each entry was minted to its payee unless its bit in the masks is set.
    event ChunkPaid(
        bytes32 indexed batchId,
        uint32 chunkIndex,
        bytes entries,
        uint256 paid,
        uint256 skippedLow,
        uint256 skippedHigh,
        uint64 seq
    );
    /// @param reason 1 zero address, 2 the token, 3 this vault, 4 frozen.
    event PayoutSkipped(
        bytes32 indexed batchId, uint32 index, address indexed payee, uint64 amount, uint8 reason, uint64 seq
    );
    event PayoutRetried(bytes32 indexed batchId, uint32 index, address indexed payee, uint64 amount, uint64 seq);
    event StreamsOpened(
        bytes32 indexed batchId, uint32 chunkIndex, address pointer, bytes entries, uint256 total, uint64 seq
    );
    /// @param paidThrough Seconds since the start through which this stream is now paid.
    event StreamWithdrawn(
        bytes32 indexed batchId, uint32 index, address indexed payee, uint64 amount, uint32 paidThrough, uint64 seq
    );
    /// @param watermark Seconds since the start through which the chunk's payable streams are now paid; those that were
    /// cut are paid through their cut, be it before or behind.
    /// @param skippedLow Bit i: stream i of the chunk had something to withdraw and could not be paid.
    event StreamsWithdrawn(
        bytes32 indexed batchId,
        uint32 chunkIndex,
        uint32 watermark,
        uint256 paid,
        uint256 skippedLow,
        uint256 skippedHigh,
        uint64 seq
    );
    /// @param cut Seconds since the start at which the streams of the masks were cut.
    event StreamsCancelled(
        bytes32 indexed batchId,
        uint32 chunkIndex,
        uint256 maskLow,
        uint256 maskHigh,
        uint32 cut,
        uint256 returned,
        bytes32 actionId,
        bytes signatures,
        uint64 seq
    );
    event BatchCancelled(bytes32 indexed batchId, uint256 returned, bytes32 actionId, bytes signatures, uint64 seq);
    /// @param until When the pause ends by itself; 0 for one that does not.
    event Paused(uint8 operations, uint40 until, uint64 seq);
    event Unpaused(uint8 operations, bytes32 actionId, bytes signatures, uint64 seq);

    error InvalidProgramme(uint32 programme);
    error ProgrammeExists(uint32 programme);
    error UnknownProgramme(uint32 programme);
    error ProgrammeNotActive(uint32 programme, uint40 activeFrom);
    error ProgrammeVersionMismatch(uint32 signed, uint32 inForce);
    error InvalidTiers();
    error InvalidCap();
    error BudgetNotHigher(uint256 requested, uint256 budget);
    error BudgetNotLower(uint256 requested, uint256 budget);
    error BudgetBelowAllocated(uint256 requested, uint256 allocated);
    error BudgetIncreaseNotDue(uint32 programme, uint40 appliesFrom);
    error BudgetExceeded(uint256 requested, uint256 budget);
    error RegionOutsideProgramme(uint24 regionCode, uint8 regionDigits);
    error TierLimitExceeded(uint256 rollingSum, uint256 limit);
    error InvalidBatchShape(uint256 count, uint256 chunkSize);
    error InvalidTerms();
    /// @param expiresAtLeast May lie beyond what fits the approval's 40 bits: then the end of accrual is too late.
    error InvalidTimes(uint40 executeBefore, uint40 expiresAt, uint256 expiresAtLeast);
    /// @notice The challenge delay of the batch's tier lasts until no chunk may run any more.
    error NeverOpen(uint40 executeFrom, uint40 executeBefore);
    error BatchExists(bytes32 batchId);
    error UnknownBatch(bytes32 batchId);
    error BatchIsCancelled(bytes32 batchId);
    error WrongKind(bytes32 batchId);
    error ApprovalExpired(uint40 executeBefore);
    error ExecutionNotOpen(uint40 executeFrom);
    error ExecutionClosed(uint40 executeBefore);
    error BatchExpired(bytes32 batchId, uint40 expiresAt);
    error ChunkOutOfRange(uint256 chunkIndex, uint256 chunks);
    error ChunkAlreadyExecuted(bytes32 batchId, uint256 chunkIndex);
    error WrongChunkLength(uint256 given, uint256 expected);
    /// @notice These entries at this index are not what the officers signed.
    error ChunkNotApproved(bytes32 batchId, uint256 chunkIndex);
    error TotalMismatch(bytes32 batchId);
    error NotSkipped(bytes32 batchId, uint256 index);
    error Unpayable(address payee, uint8 reason);
    error StreamsNotOpen(bytes32 batchId, uint256 chunkIndex);
    error NothingToWithdraw(bytes32 batchId, uint256 index);
    error NothingToCancel(bytes32 batchId, uint256 chunkIndex);
    error AlreadyCancelled(bytes32 batchId, uint256 index);
    error OperationPaused(uint8 operation);
    error InvalidOperations(uint8 operations);
    error PauseCoolingDown(uint40 until);

    /// @notice Seconds before a programme, or a higher budget, comes into force.
    function RAISE_DELAY() external view returns (uint40);
    /// @notice Least time between the last chance to run a one-off chunk, or the end of a stream, and expiry.
    function MIN_CLAIM_TIME() external view returns (uint40);
    /// @notice After so long a pause of withdrawals ends by itself, and cannot be repeated for as long again, whether it
    /// was lifted before or not.
    function MAX_WITHDRAWAL_PAUSE() external view returns (uint40);

    function token() external view returns (address);
    function registry() external view returns (address);
    function seq() external view returns (uint64);
    /// @notice Bits of what is paused now: 1 approvals, 2 execution, 4 withdrawals.
    function pausedOperations() external view returns (uint8);
    function programme(uint32 id) external view returns (Programme memory);
    function tiers(uint32 programmeId) external view returns (Tier[] memory);
    /// @notice Sum approved in that programme and region over the rolling window.
    function rollingSum(uint32 programmeId, uint24 regionCode, uint8 regionDigits) external view returns (uint256);
    function batch(bytes32 batchId) external view returns (Batch memory);
    /// @notice Bit i: chunk i was run.
    function executedChunks(bytes32 batchId) external view returns (uint256);
    /// @notice The digest officers sign.
    function approvalDigest(BatchApproval calldata approval) external view returns (bytes32);
    /// @notice A skipped payout that still waits for a retry; zeros if there is none.
    function skippedPayout(bytes32 batchId, uint256 index) external view returns (address payee, uint256 amount);
    function streamChunk(bytes32 batchId, uint256 chunkIndex) external view returns (StreamChunk memory);
    /// @notice One stream: its payee, amount, what it has accrued by now (whole steps, or to the second once
    /// cancelled), what it has been paid, and one more than the second it was cut at (0 if it was not).
    function stream(bytes32 batchId, uint256 index)
        external
        view
        returns (address payee, uint256 total, uint256 accrued, uint256 withdrawn, uint32 cancelled);

    /// @notice Creates a programme, in force after {RAISE_DELAY}; the access manager's programme manager role.
    /// @param tiers_ At most 4, ascending in `upTo` and `reviewers`; above the last nothing can be approved.
    /// @param metadataHash Hash of the programme's public description.
    function createProgramme(
        uint32 id,
        uint24 regionCode,
        uint8 regionDigits,
        uint80 budget,
        uint64 payoutCap,
        Tier[] calldata tiers_,
        bytes32 metadataHash
    ) external;
    /// @notice Plans a higher budget; the access manager's programme manager role.
    function scheduleBudgetIncrease(uint32 id, uint80 budget) external;
    /// @notice Applies a planned budget once its delay is over; anyone may.
    function applyBudgetIncrease(uint32 id) external;
    /// @notice Lowers the budget at once and drops a planned increase; the programme manager role.
    function decreaseBudget(uint32 id, uint80 budget) external;

    /// @notice Approves a batch with its officers' signatures and sets its money aside; anyone may send it.
    function approveBatch(BatchApproval calldata approval, bytes calldata signatures) external;
    /// @notice Returns the unexecuted part of a batch to the budget; by a quorum of reviewers for its region. What was
    /// skipped stays payable, what was opened as a stream goes on.
    function cancelBatch(bytes32 batchId, bytes32 actionId, uint40 deadline, bytes calldata signatures) external;
    /// @notice Runs one chunk: pays its entries, or opens its streams; anyone may.
    /// @param entries Packed words, see {Entries}.
    /// @param proof Siblings in the {ChunkTree}, lowest first.
    function executeChunk(bytes32 batchId, uint256 chunkIndex, bytes calldata entries, bytes32[8] calldata proof)
        external;
    /// @notice Pays a skipped payout whose payee has become payable; anyone may.
    function retryPayout(bytes32 batchId, uint256 index) external;

    /// @notice Pays one stream what it has accrued, a cut one to the second of its cut; anyone may.
    function withdraw(bytes32 batchId, uint256 index) external;
    /// @notice Pays all streams of a chunk what they have accrued, cut ones to the second of their cut; anyone may.
    function withdrawChunk(bytes32 batchId, uint256 chunkIndex) external;
    /// @notice Cuts streams of a chunk now: what accrued, to the second, stays theirs; the rest returns to the budget.
    /// By a quorum of reviewers for the batch's region.
    function cancelStreams(
        bytes32 batchId,
        uint256 chunkIndex,
        uint256 maskLow,
        uint256 maskHigh,
        bytes32 actionId,
        uint40 deadline,
        bytes calldata signatures
    ) external;

    /// @notice Pauses operations (bits of {pausedOperations}); the access manager's guardian role. Accrual never pauses.
    function pause(uint8 operations) external;
    /// @notice By a quorum of governors. A pause of withdrawals rests as if it had run to its end.
    function unpause(uint8 operations, bytes32 actionId, uint40 deadline, bytes calldata signatures) external;
}
