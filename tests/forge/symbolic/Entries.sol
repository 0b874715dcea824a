// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entries} from "../../../contracts/libraries/Entries.sol";
import {Cheats} from "../Vm.sol";

/// @custom:halmos --array-lengths entries={0,28,56,84,112} --loop 5
contract EntriesCheck is Cheats {
    function sum(bytes calldata entries, uint256 cap) external pure returns (uint256) {
        return Entries.sum(entries, cap);
    }

    function check_anEntryIsItsTwentyAndEightBytes(bytes calldata entries) external pure {
        for (uint256 i; i < entries.length / 28; ++i) {
            uint256 entry = Entries.at(entries, i);
            assert(Entries.payee(entry) == address(bytes20(entries[28 * i:])));
            assert(Entries.amount(entry) == uint64(bytes8(entries[28 * i + 20:])));
            assert(entry >> 224 == 0);
        }
    }

    function check_theSumIsThatOfTheAmountsAndNoneIsAboveTheCap(bytes calldata entries, uint256 cap) external view {
        uint256 expected;
        bool within = true;
        for (uint256 i; i < entries.length / 28; ++i) {
            uint256 amount = uint64(bytes8(entries[28 * i + 20:]));
            expected += amount;
            if (amount > cap) within = false;
        }
        try this.sum(entries, cap) returns (uint256 total) {
            assert(within && total == expected);
        } catch {
            assert(!within);
        }
    }

    function check_aHoldLeavesPayeeAndAmount(uint256 entry, uint32 until) external pure {
        uint256 held = Entries.withHold(entry, until);
        assert(Entries.heldUntil(held) == until);
        assert(Entries.payee(held) == Entries.payee(entry));
        assert(Entries.amount(held) == Entries.amount(entry));
    }
}
