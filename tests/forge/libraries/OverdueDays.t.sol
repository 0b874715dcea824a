// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OverdueDays} from "../../../contracts/libraries/OverdueDays.sol";
import {Cheats} from "../Vm.sol";

contract OverdueDaysTest is Cheats {
    using OverdueDays for OverdueDays.Sums;

    uint256 private constant FIRST_DAY = 20_000;

    struct Added {
        uint256 dueDay;
        uint256 amount;
        bool settled;
    }

    OverdueDays.Sums private _sums;
    Added[] private _added;

    function add(uint256 today, uint256 dueDay, uint256 amount) external returns (uint256) {
        return _sums.add(today, dueDay, amount);
    }

    /// @dev One row an amount, added up anew.
    function _overdueByRows(uint256 today) private view returns (uint256 sum) {
        for (uint256 i; i < _added.length; ++i) {
            if (!_added[i].settled && _added[i].dueDay <= today) sum += _added[i].amount;
        }
    }

    /// @param steps Low bits what is done, then whom it concerns, how many days pass, how long until it is due.
    function testFuzz_itIsThePlainSumOfWhatIsDueAndNotSettled(uint256[24] memory steps) external {
        uint256 today = FIRST_DAY;
        for (uint256 i; i < steps.length; ++i) {
            uint256 step = uint256(keccak256(abi.encode(steps[i])));
            // Mostly the same day or the next, now and then long after the last bucket.
            today += (step >> 8) % 4 == 0 ? (step >> 16) % 40 : (step >> 16) % 2;
            if (step % 3 != 0 || _added.length == 0) {
                uint256 dueDay = today + 1 + (step >> 32) % 15;
                uint256 amount = (step >> 64) % 2 ** 64;
                vm.assertEq(_sums.add(today, dueDay, amount), _overdueByRows(today));
                _added.push(Added(dueDay, amount, false));
            } else {
                Added storage chosen = _added[(step >> 48) % _added.length];
                if (!chosen.settled) _sums.settle(chosen.dueDay, chosen.amount);
                chosen.settled = true;
            }
            for (uint256 ahead; ahead < 18; ++ahead) {
                vm.assertEq(_sums.overdue(today + ahead), _overdueByRows(today + ahead));
            }
        }
        for (uint256 i; i < _added.length; ++i) {
            if (!_added[i].settled) _sums.settle(_added[i].dueDay, _added[i].amount);
        }
        vm.assertEq(_sums.overdue(today + 1_000), 0);
    }

    function testFuzz_whatIsDueTodayOrBeforeIsNotAdded(uint256 today, uint256 before) external {
        today = between(today, FIRST_DAY, FIRST_DAY + 10_000);
        uint256 dueDay = today - between(before, 0, FIRST_DAY);
        vm.expectRevert(abi.encodeWithSelector(OverdueDays.DueDayPassed.selector, dueDay, today));
        this.add(today, dueDay, 1);
    }

    function testFuzz_aCallReadsNoMoreDaysThanTheWindowHowLongItRested(uint256 rest) external {
        rest = between(rest, 16, 1_000_000);
        _sums.add(FIRST_DAY, FIRST_DAY + 15, 7);
        vm.assertEq(_sums.last - _sums.next, 14);
        // A thousand days more cost what sixteen do: the gas of one call, bucket and head cold or warm alike.
        uint256 gas = gasleft();
        uint256 sum = _sums.overdue(FIRST_DAY + rest);
        gas -= gasleft();
        vm.assertEq(sum, 7);
        vm.assertLe(gas, 60_000, "gas");
    }
}
