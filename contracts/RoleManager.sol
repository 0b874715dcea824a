// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Who may do the housekeeping: pausing, freezing, attesting, planning programmes
/// @notice OpenZeppelin's AccessManager. After deployment its only administrator is the OfficerRegistry, which calls it
/// for a quorum of governors. None of its roles can pay, mint, or approve.
contract RoleManager is AccessManager {
    constructor(address initialAdmin) AccessManager(initialAdmin) {}
}
