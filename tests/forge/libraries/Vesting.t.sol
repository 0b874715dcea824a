// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vesting} from "../../../contracts/libraries/Vesting.sol";
import {Cheats} from "../Vm.sol";

contract VestingTest is Cheats {
    uint32 private constant ALONE = 0x80000000;

    function testFuzz_vestedGrowsFromNothingToAll(uint64 total, uint256 early, uint256 late, uint256 duration)
        external
        pure
    {
        duration = between(duration, 1, 2 ** 31 - 2);
        late = late % (duration + 1);
        early = early % (late + 1);
        vm.assertEq(Vesting.vested(total, 0, duration), 0);
        vm.assertEq(Vesting.vested(total, duration, duration), total);
        vm.assertLe(Vesting.vested(total, early, duration), Vesting.vested(total, late, duration));
        vm.assertLe(Vesting.vested(total, late, duration), total);
    }

    function testFuzz_vestedIsRoundedDownByLessThanOneUnit(uint64 total, uint256 elapsed, uint256 duration)
        external
        pure
    {
        duration = between(duration, 1, 2 ** 31 - 2);
        elapsed = elapsed % (duration + 1);
        uint256 vested = Vesting.vested(total, elapsed, duration);
        vm.assertLe(vested * duration, uint256(total) * elapsed);
        vm.assertTrue((vested + 1) * duration > uint256(total) * elapsed, "more than one unit lost");
    }

    function testFuzz_stepIsAWholeCadenceNotYetPassed(uint256 elapsed, uint256 cliff, uint256 cadence, uint256 duration)
        external
        pure
    {
        duration = between(duration, 1, 2 ** 31 - 2);
        cliff = cliff % (duration + 1);
        cadence = between(cadence, 1, duration);
        elapsed = elapsed % (2 * duration);
        uint256 step = Vesting.step(elapsed, cliff, cadence, duration);
        if (elapsed >= duration) {
            vm.assertEq(step, duration);
        } else if (elapsed < cliff) {
            vm.assertEq(step, 0);
        } else {
            vm.assertEq(step % cadence, 0);
            vm.assertLe(step, elapsed);
            vm.assertTrue(elapsed < step + cadence, "a step behind");
        }
    }

    function testFuzz_atTheCliffTheStepsBeforeItAreDue(uint256 cliff, uint256 cadence, uint256 duration) external pure {
        duration = between(duration, 1, 2 ** 31 - 2);
        cliff = cliff % duration;
        cadence = between(cadence, 1, duration);
        vm.assertEq(Vesting.step(cliff, cliff, cadence, duration), cliff / cadence * cadence);
        if (cliff != 0) vm.assertEq(Vesting.step(cliff - 1, cliff, cadence, duration), 0);
    }

    function testFuzz_stepNeverGoesBack(uint256 early, uint256 late, uint256 cliff, uint256 cadence, uint256 duration)
        external
        pure
    {
        duration = between(duration, 1, 2 ** 31 - 2);
        cliff = cliff % (duration + 1);
        cadence = between(cadence, 1, duration);
        late = late % (2 * duration);
        early = early % (late + 1);
        vm.assertLe(Vesting.step(early, cliff, cadence, duration), Vesting.step(late, cliff, cadence, duration));
    }

    function testFuzz_paidThroughIsTheLaterUnlessAlone(uint32 watermark, uint32 own) external pure {
        own &= ~ALONE;
        vm.assertEq(Vesting.paidThrough(watermark, own), own > watermark ? own : watermark);
        vm.assertEq(Vesting.paidThrough(watermark, own | ALONE), own);
    }

    function test_theLongestStreamsLastCutIsTheLastLaneThatIsNotAlone() external pure {
        vm.assertEq(Vesting.MAX_DURATION + 1, uint256(ALONE) - 1);
        vm.assertEq(uint256(Vesting.ALONE), ALONE);
    }

    function testFuzz_cutOffEndsAtTheCut(uint32 time, uint32 cut) external pure {
        vm.assertEq(Vesting.cutOff(time, 0), time);
        cut = uint32(between(cut, 0, type(uint32).max - 1));
        vm.assertEq(Vesting.cutOff(time, cut + 1), time < cut ? time : cut);
    }

    function testFuzz_aLaneIsWrittenAndItsNeighboursStand(uint256 word, uint256 index, uint256 other, uint32 value)
        external
        pure
    {
        uint256 written = Vesting.withLane(word, index, value);
        vm.assertEq(Vesting.lane(written, index), value);
        vm.assume(other % 8 != index % 8);
        vm.assertEq(Vesting.lane(written, other), Vesting.lane(word, other));
    }

    function testFuzz_aCutStreamIsDueThroughItsCut(uint32 step, uint32 cut) external pure {
        cut = uint32(between(cut, 0, type(uint32).max - 1));
        vm.assertEq(Vesting.dueThrough(step, 0), step);
        vm.assertEq(Vesting.dueThrough(step, cut + 1), cut);
    }

    /// @notice The range, the stream alone, being skipped and being cut, in every order, against a sum of payments.
    /// @param moves Two bits a move: 0 range withdrawal, 1 own withdrawal, 2 range while frozen, 3 cut.
    function testFuzz_paidThroughNeverLosesNorDoubles(
        uint64 total,
        uint32 duration,
        uint32 cadence,
        uint256 moves,
        uint256 waits
    ) external pure {
        duration = uint32(between(duration, 16, 2 ** 31 - 2));
        cadence = uint32(between(cadence, 1, duration));
        Paid memory stream = Paid(total, duration, 0, 0, 0, 0);
        uint256 elapsed;
        uint256 kept = total;
        for (uint256 i; i < 16; ++i) {
            elapsed += ((waits >> (i * 16)) % 65536) * duration / (16 * 65536);
            uint256 step = Vesting.step(elapsed, 0, cadence, duration);
            uint256 move = (moves >> (2 * i)) & 3;
            if (move == 3 && stream.cancelLane == 0) {
                stream.cancelLane = uint32(elapsed) + 1;
                kept = Vesting.vested(total, elapsed, duration);
            } else if (move == 1) {
                stream.paid += _due(stream, step);
                stream.own = uint32(Vesting.dueThrough(step, stream.cancelLane));
            } else if (move == 2) {
                if (_due(stream, step) != 0) {
                    stream.own = uint32(Vesting.paidThrough(stream.watermark, stream.own)) | ALONE;
                }
                stream.watermark = uint32(step);
            } else if (move == 0) {
                stream.paid += _due(stream, step);
                uint256 through = Vesting.dueThrough(step, stream.cancelLane);
                // A mark that does not count need not be read again.
                stream.own = stream.own & ALONE != 0 || through > step ? uint32(through) : 0;
                stream.watermark = uint32(step);
            }
            uint256 accrued = Vesting.vested(total, elapsed, duration);
            vm.assertLe(stream.paid, accrued < kept ? accrued : kept, "paid more than accrued");
        }
        vm.assertEq(stream.paid + _due(stream, duration), kept, "paid in all");
    }

    struct Paid {
        uint256 total;
        uint256 duration;
        uint32 watermark;
        uint32 own;
        uint32 cancelLane;
        uint256 paid;
    }

    /// @dev Reverts where a stream was paid through a later second than it is due through.
    function _due(Paid memory stream, uint256 step) private pure returns (uint256) {
        uint256 from = Vesting.cutOff(Vesting.paidThrough(stream.watermark, stream.own), stream.cancelLane);
        uint256 to = Vesting.dueThrough(step, stream.cancelLane);
        vm.assertLe(from, to, "paid ahead");
        return Vesting.vested(stream.total, to, stream.duration) - Vesting.vested(stream.total, from, stream.duration);
    }
}
