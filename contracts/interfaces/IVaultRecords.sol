// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What the vault keeps and tells: its structs, events and errors
/// @notice Amounts are in base units of the token, times in Unix seconds unless said otherwise. Every event carries
/// `seq`, the vault's own count without gaps: a log left out shows.
interface IVaultRecords {
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
    /// @param expiresAt From then on what can never be paid may return to the budget.
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
    /// @param upTo Base units; 0 where there is no such tier.
    /// @param reviewers Distinct officers beside the maker.
    /// @param challengeDelay Seconds between approval and the first chunk.
    struct Tier {
        uint80 upTo;
        uint8 reviewers;
        uint32 challengeDelay;
    }

    /// @notice A programme, in two words of storage.
    /// @param budget Most that may be approved in all, net of what came back.
    /// @param allocated Approved so far, net of what came back.
    /// @param nextNumber Number the next approved payout gets.
    /// @param activeFrom When approvals may begin.
    /// @param regionDigits With `regionCode` the programme's region; 0 digits for the whole country.
    /// @param regionCode GB/T 2260.
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
    /// @param chunksRoot Root of the {ChunkTree} that officers signed.
    /// @param programme Its programme's number.
    /// @param status 0 unknown, 1 approved, 2 cancelled.
    /// @param kind 0 one-off, 1 stream.
    /// @param regionCode GB/T 2260 region of its cases.
    /// @param chunkSize Entries in each chunk but the last.
    /// @param count Number of payouts.
    /// @param start Streams: when accrual begins.
    /// @param cliff Streams: seconds after the start before which nothing can be withdrawn.
    /// @param duration Streams: seconds over which the whole amount accrues.
    /// @param cadence Streams: withdrawals move in whole steps of this many seconds.
    /// @param regionDigits 2, 4 or 6.
    /// @param firstNumber Number of the batch's first payout; a payout's number is `firstNumber + index`.
    /// @param executeFrom End of the challenge delay, or of the last hold.
    /// @param executeBefore Chunks run only before this time.
    /// @param expiresAt From then on what can never be paid may return to the budget.
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

    /// @notice A chunk of streams that was run.
    /// @param pointer Contract whose code holds the chunk's entries (after one STOP byte).
    /// @param watermark Seconds since the start through which range withdrawals have paid.
    /// @param flags Bits: 1 some stream's own lane counts, which stands alone or ahead of the watermark, 2 some stream is
    /// cancelled, 4 some stream's payee was changed or is held, see {StreamOverride}.
    struct StreamChunk {
        address pointer;
        uint32 watermark;
        uint8 flags;
    }

    /// @notice What differs for one stream from its entry.
    /// @param payee Who is paid instead of the entry's payee; zero for the entry's own.
    /// @param heldUntil The stream is not paid before this time.
    struct StreamOverride {
        address payee;
        uint40 heldUntil;
    }

    /// @notice A programme was planned; its payouts can be approved from `activeFrom` on.
    /// @param payoutCap Most one payout may be, base units.
    /// @param tiers How many reviewers a batch needs, by the rolling sum.
    /// @param metadataHash Hash of the programme's public description.
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
    /// @notice A higher budget was planned; the one in force stands until it is applied.
    event BudgetIncreaseScheduled(uint32 indexed programme, uint80 budget, uint40 appliesFrom, uint64 seq);
    /// @notice A planned higher budget was applied, or a lower one set at once; no increase is planned any more.
    /// @param budget The budget now in force.
    event BudgetChanged(uint32 indexed programme, uint80 budget, uint64 seq);
    /// @notice Enough officers signed this batch, and its total was set aside in the token in the same transaction. With
    /// the officers' events of {IOfficerRegistry} the signatures prove it again.
    /// @param approval What the officers signed.
    /// @param firstNumber Number of its first payout; a payout's number is `firstNumber + index`.
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
    /// @notice Nothing was minted for this entry, because its payee could not be paid; its amount stays committed.
    /// @param reason 1 zero address, 2 the token, 3 this vault, 4 frozen.
    event PayoutSkipped(
        bytes32 indexed batchId, uint32 index, address indexed payee, uint64 amount, uint8 reason, uint64 seq
    );
    /// @notice A skipped payout was minted to its payee.
    event PayoutRetried(bytes32 indexed batchId, uint32 index, address indexed payee, uint64 amount, uint64 seq);
    /// @notice A chunk of streams was run: each entry accrues to its payee from the batch's start on. Nothing was
    /// minted.
    /// @param pointer Contract whose code holds `entries` behind one STOP byte.
    event StreamsOpened(
        bytes32 indexed batchId, uint32 chunkIndex, address pointer, bytes entries, uint256 total, uint64 seq
    );
    /// @notice One stream was paid what it had accrued and not been paid.
    /// @param paidThrough Seconds since the start through which this stream is now paid.
    event StreamWithdrawn(
        bytes32 indexed batchId, uint32 index, address indexed payee, uint64 amount, uint32 paidThrough, uint64 seq
    );
    /// @notice Each stream of a chunk was paid what it had accrued and not been paid, but for those of the masks.
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
    /// @notice A quorum cut the streams of the masks; what they accrued until then stays theirs.
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
    /// @notice A quorum cancelled the chunks that were not run.
    event BatchCancelled(bytes32 indexed batchId, uint256 returned, bytes32 actionId, bytes signatures, uint64 seq);
    /// @notice A reviewer delayed the batch's chunks.
    /// @param executeFrom When the batch's chunks may run now, at the earliest.
    event BatchHeld(
        bytes32 indexed batchId,
        uint32 indexed officerId,
        uint40 executeFrom,
        bytes32 actionId,
        uint40 deadline,
        bytes signatures,
        uint64 seq
    );
    /// @notice A reviewer delayed what is unpaid of one payout.
    /// @param until Before this time the payout is neither retried nor withdrawn.
    event EntryHeld(
        bytes32 indexed batchId,
        uint32 index,
        uint32 indexed officerId,
        uint40 until,
        bytes32 actionId,
        uint40 deadline,
        bytes signatures,
        uint64 seq
    );
    /// @notice What is unpaid of this payout goes to `to` from now on; a hold of it is over.
    event WalletChanged(
        bytes32 indexed batchId,
        uint32 index,
        address indexed from,
        address indexed to,
        bytes32 actionId,
        bytes signatures,
        uint64 seq
    );
    /// @notice The time to run chunks is over, and what none of them paid returned to the budget.
    event UnexecutedExpired(bytes32 indexed batchId, uint256 returned, uint64 seq);
    /// @notice A skipped payout that can never be paid returned to the budget.
    /// @param reason As of {PayoutSkipped}, never 4.
    event PayoutExpired(
        bytes32 indexed batchId, uint32 index, address indexed payee, uint64 amount, uint8 reason, uint64 seq
    );
    /// @notice Streams that can never be paid were cut where they were paid through; the rest returned to the budget.
    event StreamsExpired(
        bytes32 indexed batchId, uint32 chunkIndex, uint256 maskLow, uint256 maskHigh, uint256 returned, uint64 seq
    );
    /// @notice A guardian paused these operations.
    /// @param until When the pause ends by itself; 0 for one that does not.
    event Paused(uint8 operations, uint40 until, uint64 seq);
    /// @notice A quorum lifted the pause of these operations.
    event Unpaused(uint8 operations, bytes32 actionId, bytes signatures, uint64 seq);
    /// @notice From now on nothing more is approved; what was approved is paid.
    event SunsetBegan(bytes32 actionId, bytes signatures, uint64 seq);

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
    /// @notice Each officer holds a batch once, and a payout once.
    error AlreadyHeld(bytes32 batchId, uint32 officerId);
    /// @notice Nothing of the batch waits for its chunks, or a hold would not delay them.
    error NothingToHold(bytes32 batchId);
    error EntryIsHeld(bytes32 batchId, uint256 index, uint40 until);
    /// @param payee Who is paid now.
    error WrongPayee(bytes32 batchId, uint256 index, address payee);
    error NothingUnpaid(bytes32 batchId, uint256 index);
    error NotExpired(bytes32 batchId, uint40 expiresAt);
    error NothingToExpire(bytes32 batchId);
    /// @notice What can be paid does not expire: it is paid.
    error StillPayable(bytes32 batchId, uint256 index);
    error InSunset();
    error OperationPaused(uint8 operation);
    error InvalidOperations(uint8 operations);
    error PauseCoolingDown(uint40 until);
}
