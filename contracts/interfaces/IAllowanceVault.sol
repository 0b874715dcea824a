// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaultAdministration} from "./IVaultAdministration.sol";
import {IVaultCorrections} from "./IVaultCorrections.sol";

/// @title Programmes, approved batches, one-off payouts and streamed allowances
/// @notice How everything but emergency grants is paid: enough distinct officers sign a batch's root once
/// ({approveBatch}); the contract checks them and sets the money aside; then anyone may run the batch's chunks
/// ({executeChunk}) and push withdrawals ({withdraw}, {withdrawChunk}), which pay the recorded payees and nobody else.
///
/// Amounts are in base units of the token, times in Unix seconds unless said otherwise. Every event carries `seq`,
/// this contract's own count without gaps: a log left out shows.
interface IAllowanceVault is IVaultAdministration, IVaultCorrections {
    /// @notice Seconds before a programme, or a higher budget, comes into force.
    function RAISE_DELAY() external view returns (uint40);
    /// @notice Least time between the last chance to run a one-off chunk, or the end of a stream, and expiry.
    function MIN_CLAIM_TIME() external view returns (uint40);
    /// @notice After so long a pause of withdrawals ends by itself, and cannot be repeated for as long again, whether it
    /// was lifted before or not.
    function MAX_WITHDRAWAL_PAUSE() external view returns (uint40);

    /// @notice The {IBenefitToken} that it commits, mints and releases in; set for good.
    function token() external view returns (address);
    /// @notice The {IOfficerRegistry} whose officers it takes signatures of; set for good.
    function registry() external view returns (address);
    /// @notice Where the code of {IVaultAdministration} stands, which this contract runs on its own storage; set for good.
    function administration() external view returns (address);
    /// @notice Where the code of {IVaultCorrections} stands, which this contract runs on its own storage; set for good.
    function corrections() external view returns (address);
    /// @notice How many events it has emitted.
    function seq() external view returns (uint64);
    /// @notice Bits of what is paused now: 1 approvals, 2 execution, 4 withdrawals.
    function pausedOperations() external view returns (uint8);
    /// @notice Whether approvals, new programmes and higher budgets have ended for good.
    function inSunset() external view returns (bool);
    /// @notice A programme; zeros for a number that none has.
    function programme(uint32 id) external view returns (Programme memory);
    /// @notice A programme's tiers, lowest first.
    function tiers(uint32 programmeId) external view returns (Tier[] memory);
    /// @notice Sum approved in that programme and region over the rolling window.
    function rollingSum(uint32 programmeId, uint24 regionCode, uint8 regionDigits) external view returns (uint256);
    /// @notice A batch; status 0 for one that was never approved.
    function batch(bytes32 batchId) external view returns (Batch memory);
    /// @notice Bit i: chunk i was run.
    function executedChunks(bytes32 batchId) external view returns (uint256);
    /// @notice The digest officers sign.
    function approvalDigest(BatchApproval calldata approval) external view returns (bytes32);
    /// @notice A skipped payout that still waits for a retry; zeros if there is none.
    function skippedPayout(bytes32 batchId, uint256 index) external view returns (address payee, uint256 amount);
    /// @notice A chunk of streams; zeros for one that was not run.
    function streamChunk(bytes32 batchId, uint256 chunkIndex) external view returns (StreamChunk memory);
    /// @notice Before this time a skipped payout is not retried, a stream not withdrawn from; 0 if it was never held since
    /// its wallet was changed.
    function heldUntil(bytes32 batchId, uint256 index) external view returns (uint40);
    /// @notice One stream: its payee, amount, what it has accrued by now (whole steps, or to the second once
    /// cancelled), what it has been paid, and one more than the second it was cut at (0 if it was not).
    function stream(bytes32 batchId, uint256 index)
        external
        view
        returns (address payee, uint256 total, uint256 accrued, uint256 withdrawn, uint32 cancelled);

    /// @notice Approves a batch with its officers' signatures and sets its money aside; anyone may send it.
    function approveBatch(BatchApproval calldata approval, bytes calldata signatures) external;
    /// @notice Runs one chunk: pays its entries, or opens its streams; anyone may.
    /// @param entries Packed words, see {Entries}.
    /// @param proof Siblings in the {ChunkTree}, lowest first.
    function executeChunk(bytes32 batchId, uint256 chunkIndex, bytes calldata entries, bytes32[8] calldata proof)
        external;
    /// @notice Pays a skipped payout whose payee has become payable, however late; anyone may.
    function retryPayout(bytes32 batchId, uint256 index) external;

    /// @notice Pays one stream what it has accrued, a cut one to the second of its cut; anyone may.
    function withdraw(bytes32 batchId, uint256 index) external;
    /// @notice Pays all streams of a chunk what they have accrued, cut ones to the second of their cut; anyone may.
    function withdrawChunk(bytes32 batchId, uint256 chunkIndex) external;
}
