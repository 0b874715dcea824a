// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Relief} from "../support/Relief.sol";
import {Attempts} from "./Attempts.sol";
import {Batches} from "./Batches.sol";
import {Corrections} from "./Corrections.sol";
import {Grants} from "./Grants.sol";
import {Housekeeping} from "./Housekeeping.sol";
import {Strangers} from "./Strangers.sol";
import {Streams} from "./Streams.sol";
import {Wallets} from "./Wallets.sol";

/// @title What people may try, in any order, at any time
/// @notice Foundry calls the functions that change something; each works out from the books whether the rules allow
/// it, tries it, and books what happened. The others show the books to the invariants.
contract Handler is Batches, Streams, Corrections, Grants, Wallets, Housekeeping, Strangers {
    constructor(Relief relief_) Attempts(relief_) {}

    function holders() external view returns (address[] memory) {
        return _holders;
    }

    function balance(address holder) external view returns (uint256) {
        return _balances[holder];
    }

    function supply() external view returns (uint256) {
        return _minted - _redeemed;
    }

    function owedInAll() external view returns (uint256) {
        return _owedInAll();
    }

    function budgetUsed() external view returns (uint256) {
        return _allocated();
    }

    function batchCount() external view returns (uint256) {
        return _batches.length;
    }

    function bookedBatch(uint256 number) external view returns (Booked memory) {
        return _batches[number];
    }

    function bookedPayouts(uint256 number) external view returns (Payout[] memory) {
        return _payouts[number];
    }

    function isOpen(uint256 number, uint256 index) external view returns (bool) {
        return _batches[number].stream && _chunkRan[number][index / _batches[number].chunkSize];
    }

    /// @notice What has vested to the second, cliff and cadence apart; a cut stream's stands still.
    function vestedToTheSecond(uint256 number, uint256 index) external view returns (uint256) {
        Payout storage payout = _payouts[number][index];
        uint256 elapsed = payout.cut ? payout.cutAt : _elapsed(_batches[number]);
        return _vested(payout.amount, elapsed, _batches[number].duration);
    }

    function bookedGrants() external view returns (Grant[] memory) {
        return _grants;
    }

    function grantsOutstanding() external view returns (uint256) {
        return _grantsOutstanding();
    }

    function grantedInAll() external view returns (uint256) {
        return _grantedInAll();
    }

    /// @notice Granted lately by an officer (0 for all) in a region; (0, 0) is the whole country.
    function grantedLately(uint32 officer, uint24 code, uint8 digits) external view returns (uint256) {
        return _grantedLately(officer, code, digits);
    }

    function overdueNow(uint32 officer, uint24 code, uint8 digits) external view returns (uint256) {
        return _overdueNow(officer, code, digits);
    }

    function commitments() external view returns (Commitment[] memory) {
        return _commitments;
    }
}
