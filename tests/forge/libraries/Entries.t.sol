// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entries} from "../../../contracts/libraries/Entries.sol";
import {Cheats} from "../Vm.sol";

contract EntriesTest is Cheats {
    function sum(bytes calldata entries, uint256 cap) external pure returns (uint256) {
        return Entries.sum(entries, cap);
    }

    /// @dev Of entries that other ones stand around.
    function sumOfPart(bytes calldata entries, uint256 first, uint256 end, uint256 cap) external pure returns (uint256) {
        return Entries.sum(entries[28 * first:28 * end], cap);
    }

    function entryAt(bytes calldata entries, uint256 index) external pure returns (address, uint256) {
        uint256 entry = Entries.at(entries, index);
        return (Entries.payee(entry), Entries.amount(entry));
    }

    function _packed(address[] memory payees, uint64[] memory amounts) private pure returns (bytes memory packed) {
        for (uint256 i; i < payees.length && i < amounts.length; ++i) {
            packed = abi.encodePacked(packed, payees[i], amounts[i]);
        }
    }

    function testFuzz_eachEntryIsReadAsItWasPacked(address[] memory payees, uint64[] memory amounts) external view {
        bytes memory packed = _packed(payees, amounts);
        for (uint256 i; i < packed.length / 28; ++i) {
            (address payee, uint256 amount) = this.entryAt(packed, i);
            vm.assertEq(payee, payees[i]);
            vm.assertEq(amount, amounts[i]);
        }
    }

    function testFuzz_sumIsTheSumOfAmounts(address[] memory payees, uint64[] memory amounts) external view {
        bytes memory packed = _packed(payees, amounts);
        uint256 expected;
        for (uint256 i; i < packed.length / 28; ++i) {
            expected += amounts[i];
        }
        vm.assertEq(this.sum(packed, type(uint64).max), expected);
    }

    function testFuzz_sumEndsWithTheEntries(uint64[] memory amounts, uint256 first, uint256 end) external view {
        bytes memory packed = _packed(new address[](amounts.length), amounts);
        end = between(end, 0, amounts.length);
        first = between(first, 0, end);
        uint256 expected;
        for (uint256 i = first; i < end; ++i) {
            expected += amounts[i];
        }
        vm.assertEq(this.sumOfPart(packed, first, end, type(uint64).max), expected);
    }

    function testFuzz_aHoldStandsBesideTheEntryAndTakesTheFormersPlace(
        address payee,
        uint64 amount,
        uint32 until,
        uint32 later
    ) external pure {
        uint256 entry = (uint256(uint160(payee)) << 64) | amount;
        vm.assertEq(Entries.heldUntil(entry), 0);
        uint256 held = Entries.withHold(entry, until);
        vm.assertEq(Entries.heldUntil(held), until);
        vm.assertEq(Entries.payee(held), payee);
        vm.assertEq(Entries.amount(held), amount);
        vm.assertEq(Entries.withHold(held, later), Entries.withHold(entry, later));
    }

    function testFuzz_sumRefusesTheFirstEntryAboveTheCap(
        address[] memory payees,
        uint64[] memory amounts,
        uint256 pick,
        uint64 cap
    ) external {
        uint256 count = payees.length < amounts.length ? payees.length : amounts.length;
        vm.assume(count != 0);
        cap = uint64(between(cap, 0, type(uint64).max - 1));
        uint256 first = pick % count;
        for (uint256 i; i < first; ++i) {
            amounts[i] = uint64(between(amounts[i], 0, cap));
        }
        amounts[first] = uint64(between(amounts[first], uint256(cap) + 1, type(uint64).max));
        bytes memory packed = _packed(payees, amounts);
        vm.expectRevert(abi.encodeWithSelector(Entries.EntryAboveCap.selector, first, amounts[first], cap));
        this.sum(packed, cap);
    }
}
