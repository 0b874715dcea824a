// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RollingSum} from "../../../contracts/libraries/RollingSum.sol";
import {Cheats} from "../Vm.sol";

contract RollingSumTest is Cheats {
    uint256 private constant START = 1_800_000_000;

    uint256[] private _times;
    uint256[] private _amounts;

    function add(uint256 word, uint256 amount, uint256 time) external pure returns (uint256, uint256) {
        return RollingSum.add(word, amount, time);
    }

    /// @dev What was added since `earliest`, each amount rounded up to whole tokens.
    function _addedSince(uint256 earliest) private view returns (uint256 sum) {
        for (uint256 i; i < _times.length; ++i) {
            if (_times[i] >= earliest) sum += (_amounts[i] + 999_999) / 1_000_000 * 1_000_000;
        }
    }

    function testFuzz_nothingOfThirtyDaysIsLeftOutAndNothingOfThirtySixDaysIsLeftIn(
        uint64[12] memory amounts,
        uint32[12] memory waits
    ) external {
        uint256 word;
        uint256 time = START;
        for (uint256 i; i < 12; ++i) {
            time += waits[i] % 20 days;
            // Twelve of them stay below a bucket's limit.
            uint256 amount = amounts[i] % 5e15;
            uint256 sum;
            (word, sum) = RollingSum.add(word, amount, time);
            _times.push(time);
            _amounts.push(amount);
            vm.assertEq(sum, RollingSum.at(word, time));
            vm.assertLe(_addedSince(time - 30 days), sum);
            vm.assertLe(sum, _addedSince(time - 36 days));
            vm.assertEq(sum, _addedSince((time / 6 days - 5) * 6 days));
        }
        vm.assertEq(RollingSum.at(word, time + 36 days), 0);
    }

    function testFuzz_aBucketTakesAllThatItHolds(uint256 first) external pure {
        uint256 most = (2 ** 36 - 1) * 1e6;
        first = between(first, 0, most / 1e6) * 1e6;
        (uint256 word,) = RollingSum.add(0, first, START);
        (, uint256 sum) = RollingSum.add(word, most - first, START);
        vm.assertEq(sum, most);
    }

    function testFuzz_aFullBucketRefusesRatherThanWraps(uint256 first, uint256 second) external {
        uint256 most = (2 ** 36 - 1) * 1e6;
        first = between(first, 0, most);
        second = between(second, most - first + 1, most + 1);
        (uint256 word,) = RollingSum.add(0, first, START);
        uint256 tokens = (first + 999_999) / 1e6 + (second + 999_999) / 1e6;
        vm.expectRevert(abi.encodeWithSelector(RollingSum.RollingSumOverflow.selector, tokens));
        this.add(word, second, START);
    }
}
