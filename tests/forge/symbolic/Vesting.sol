// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vesting} from "../../../contracts/libraries/Vesting.sol";
import {Cheats} from "../Vm.sol";

/// @custom:halmos --solver-command ".venv-halmos/bin/python scripts/toolchain/smt.py"
contract VestingCheck is Cheats {
    function _isDuration(uint256 duration) private pure returns (bool) {
        return duration != 0 && duration <= Vesting.MAX_DURATION;
    }

    function check_vestedNeverFalls(uint64 total, uint32 early, uint32 late, uint32 duration) external pure {
        vm.assume(_isDuration(duration) && early <= late && late <= duration);
        assert(Vesting.vested(total, early, duration) <= Vesting.vested(total, late, duration));
    }

    function check_vestedIsNothingFirstAndNeverMoreThanAll(uint64 total, uint32 elapsed, uint32 duration)
        external
        pure
    {
        vm.assume(_isDuration(duration) && elapsed <= duration);
        assert(Vesting.vested(total, 0, duration) == 0);
        assert(Vesting.vested(total, elapsed, duration) <= total);
    }

    function check_vestedIsAllAtTheEnd(uint64 total, uint32 duration) external pure {
        vm.assume(_isDuration(duration));
        assert(Vesting.vested(total, duration, duration) == total);
    }

    function check_whatWasPaidInPartsIsWhatVested(
        uint64 total,
        uint32 first,
        uint32 second,
        uint32 third,
        uint32 duration
    ) external pure {
        vm.assume(_isDuration(duration) && first <= second && second <= third && third <= duration);
        uint256 paid = Vesting.vested(total, first, duration) - Vesting.vested(total, 0, duration);
        paid += Vesting.vested(total, second, duration) - Vesting.vested(total, first, duration);
        paid += Vesting.vested(total, third, duration) - Vesting.vested(total, second, duration);
        assert(paid == Vesting.vested(total, third, duration));
    }

    function check_aStepIsTheLastWholeCadence(uint32 elapsed, uint32 cliff, uint32 cadence, uint32 duration)
        external
        pure
    {
        vm.assume(_isDuration(duration) && cliff <= duration && cadence != 0 && cadence <= duration);
        uint256 step = Vesting.step(elapsed, cliff, cadence, duration);
        if (elapsed >= duration) assert(step == duration);
        else if (elapsed < cliff) assert(step == 0);
        else assert(step % cadence == 0 && step <= elapsed && elapsed < step + cadence);
    }

    function check_aStepNeverGoesBack(uint32 early, uint32 late, uint32 cliff, uint32 cadence, uint32 duration)
        external
        pure
    {
        vm.assume(_isDuration(duration) && cliff <= duration && cadence != 0 && cadence <= duration && early <= late);
        assert(Vesting.step(early, cliff, cadence, duration) <= Vesting.step(late, cliff, cadence, duration));
    }
}
