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
}
