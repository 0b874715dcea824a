// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaultRecords} from "./IVaultRecords.sol";

/// @title What changes a batch after its approval, other than paying it
interface IVaultCorrections is IVaultRecords {
    /// @notice Returns the unexecuted part of a batch to the budget; by a quorum of reviewers for its region. What was
    /// skipped stays payable, what was opened as a stream goes on.
    function cancelBatch(bytes32 batchId, bytes32 actionId, uint40 deadline, bytes calldata signatures) external;
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

    /// @notice Delays a batch's chunks by up to 72 hours from now, but leaves them a day; by one reviewer for the batch's
    /// region, once a batch. It runs out by itself; a quorum may cancel the batch meanwhile.
    function holdBatch(bytes32 batchId, bytes32 actionId, uint40 deadline, bytes calldata signatures) external;
    /// @notice Delays what is unpaid of one payout, a skipped one or a stream, by 72 hours from now; by one reviewer for
    /// the batch's region, once a payout. For while a quorum signs a change of its wallet.
    function holdEntry(bytes32 batchId, uint256 index, bytes32 actionId, uint40 deadline, bytes calldata signatures)
        external;
    /// @notice Pays what is unpaid of one payout, a skipped one or a stream, to another wallet from now on; by a quorum of
    /// reviewers for the batch's region.
    /// @param from Who is paid now.
    /// @param to Must be payable.
    function changeWallet(
        bytes32 batchId,
        uint256 index,
        address from,
        address to,
        bytes32 actionId,
        uint40 deadline,
        bytes calldata signatures
    ) external;

    /// @notice Returns the unexecuted part of a batch to the budget once no chunk may run any more; anyone may.
    function expireUnexecuted(bytes32 batchId) external;
    /// @notice Returns a skipped payout that can never be paid (to the zero address, the token or the vault) to the budget
    /// once its batch has expired; anyone may. One whose payee is frozen stays, for {retryPayout} has no end.
    function expirePayout(bytes32 batchId, uint256 index) external;
    /// @notice The same for the streams of a chunk; all others stay, for {withdraw} and {withdrawChunk} have no end.
    function expireStreams(bytes32 batchId, uint256 chunkIndex) external;
}
