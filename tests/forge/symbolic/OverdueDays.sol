// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OverdueDays} from "../../../contracts/libraries/OverdueDays.sol";
import {Cheats} from "../Vm.sol";

/// @notice By induction: sums in any state, one addition or settling, and what is overdue on a day from then on has changed
/// by the amount if its day has come by then. So it is always the plain sum of what is due and not settled.
/// @custom:halmos --loop 5
contract OverdueDaysCheck is Cheats {
    using OverdueDays for OverdueDays.Sums;

    uint256 private constant NEXT = 20_000;
    /// @dev Buckets from the cursor on, and the last day on which something may fall due.
    uint256 private constant BUCKETS = 2;
    uint256 private constant LATEST = NEXT + BUCKETS;

    OverdueDays.Sums private _sums;

    /// @dev One path a number, so that days and loops are concrete on it.
    function _number(uint256 symbolic, uint256 least, uint256 most) private pure returns (uint256) {
        vm.assume(symbolic >= least && symbolic <= most);
        for (uint256 number = least; number < most; ++number) {
            if (symbolic == number) return number;
        }
        return most;
    }

    function _arrange(uint64 passed, uint64[2] memory dueOn, uint256 last) private {
        _sums.passed = passed;
        _sums.next = uint40(NEXT);
        _sums.last = uint40(last);
        for (uint256 i; i < BUCKETS; ++i) {
            // Nothing is due behind the last bucket in use.
            if (NEXT + i <= last) _sums.dueOn[NEXT + i] = dueOn[i];
        }
    }

    function check_anAdditionIsOverdueFromItsDayOn(
        uint64 passed,
        uint64[2] memory dueOn,
        uint256 last,
        uint256 today,
        uint256 dueDay,
        uint256 later,
        uint64 amount
    ) external {
        _arrange(passed, dueOn, _number(last, NEXT - 1, NEXT + 1));
        today = _number(today, NEXT - 1, LATEST - 1);
        dueDay = _number(dueDay, today + 1, LATEST);
        later = _number(later, today, LATEST);
        uint256 before = _sums.overdue(later);
        assert(_sums.overdue(today) == _sums.add(today, dueDay, amount));
        assert(_sums.overdue(later) == before + (dueDay <= later ? amount : 0));
    }

    function check_whatIsSettledIsNotOverdue(
        uint64 passed,
        uint64[2] memory dueOn,
        uint256 last,
        uint256 dueDay,
        uint256 later,
        uint64 amount
    ) external {
        _arrange(passed, dueOn, _number(last, NEXT - 1, NEXT + 1));
        dueDay = _number(dueDay, NEXT - 1, _sums.last);
        later = _number(later, NEXT - 1, LATEST);
        // It was added with this day.
        vm.assume(amount <= (dueDay < NEXT ? passed : _sums.dueOn[dueDay]));
        uint256 before = _sums.overdue(later);
        _sums.settle(dueDay, amount);
        assert(_sums.overdue(later) == before - (dueDay <= later ? amount : 0));
    }

    function add(uint256 today, uint256 dueDay, uint256 amount) external {
        _sums.add(today, dueDay, amount);
    }

    function check_whatIsDueTodayOrBeforeIsNotAdded(uint32 today, uint32 dueDay, uint64 amount) external {
        vm.assume(dueDay <= today);
        (bool added,) = address(this).call(abi.encodeCall(this.add, (today, dueDay, amount)));
        assert(!added);
    }
}
