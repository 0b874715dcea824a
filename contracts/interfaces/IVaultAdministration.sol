// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaultRecords} from "./IVaultRecords.sol";

/// @title The vault's housekeeping: programmes, budgets, pauses, sunset
interface IVaultAdministration is IVaultRecords {
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

    /// @notice Pauses operations (bits of {pausedOperations}); the access manager's guardian role. Accrual never pauses.
    function pause(uint8 operations) external;
    /// @notice Lifts the pause of operations; by a quorum of governors. A pause of withdrawals rests as if it had run to its end.
    function unpause(uint8 operations, bytes32 actionId, uint40 deadline, bytes calldata signatures) external;
    /// @notice Ends approvals, new programmes and higher budgets for good; by a quorum of governors. What was approved is
    /// executed, paid, retried, cancelled and expires as before.
    function beginSunset(bytes32 actionId, uint40 deadline, bytes calldata signatures) external;
}
