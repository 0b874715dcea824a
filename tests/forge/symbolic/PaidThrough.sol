// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vesting} from "../../../contracts/libraries/Vesting.sol";
import {Cheats} from "../Vm.sol";

/// @title What a stream was paid, whatever happened before, in whatever order
/// @notice By induction, on {Vesting} as the vault uses it. A stream is in any state that follows the rules (`_follows`);
/// something is done once, at any time; then it follows the rules again, and the time that it is paid through has moved
/// by exactly what was paid. A stream just opened, all zeros, follows the rules, and time passing breaks none, since a
/// step never goes back (VestingCheck): so they hold after any number of actions in any order.
contract PaidThroughCheck is Cheats {
    /// @param step Through which a withdrawal pays now.
    /// @param marked Whether the chunk's flags say that lanes of their own count.
    struct Stream {
        uint64 amount;
        uint32 duration;
        uint32 elapsed;
        uint32 step;
        uint32 watermark;
        bool marked;
        uint32 own;
        uint32 cancelled;
    }

    /// @dev Marks count only where the flags say so, no cut is later than now, nothing is paid beyond its due.
    function _follows(Stream memory stream) private pure returns (bool) {
        if (stream.step > stream.elapsed || stream.elapsed > stream.duration) return false;
        if (stream.watermark > stream.step || stream.cancelled > uint256(stream.elapsed) + 1) return false;
        if (!stream.marked && stream.own > stream.watermark) return false;
        return (stream.own & ~Vesting.ALONE) <= Vesting.dueThrough(stream.step, stream.cancelled);
    }

    function _through(Stream memory stream) private pure returns (uint256) {
        return Vesting.cutOff(Vesting.paidThrough(stream.watermark, stream.own), stream.cancelled);
    }

    function _vested(Stream memory stream, uint256 time) private pure returns (uint256) {
        return Vesting.vested(stream.amount, time, stream.duration);
    }

    /// @return before What the stream was paid.
    /// @return due What it is to be paid in all by now.
    function _assume(Stream memory stream) private pure returns (uint256 before, uint256 due) {
        vm.assume(stream.duration != 0 && stream.duration <= Vesting.MAX_DURATION && _follows(stream));
        before = _vested(stream, _through(stream));
        due = _vested(stream, Vesting.dueThrough(stream.step, stream.cancelled));
        // VestingCheck: later vests no less, since a stream is never paid beyond its due.
        assert(_through(stream) <= Vesting.dueThrough(stream.step, stream.cancelled));
        vm.assume(before <= due);
    }

    /// @dev As AllowanceVault._dueEach: a lane is read where the flags say that it counts.
    function _dueInRange(Stream memory stream) private pure returns (uint256) {
        uint32 own = stream.marked ? stream.own : 0;
        uint256 from = Vesting.cutOff(Vesting.paidThrough(stream.watermark, own), stream.cancelled);
        return _vested(stream, Vesting.dueThrough(stream.step, stream.cancelled)) - _vested(stream, from);
    }

    function check_theRangePaysWhatIsDue(Stream memory stream) external pure {
        (uint256 before, uint256 due) = _assume(stream);
        uint256 paid = _dueInRange(stream);
        assert(paid == due - before);
        // As AllowanceVault._markLanes, where the stream is not skipped.
        uint256 to = Vesting.dueThrough(stream.step, stream.cancelled);
        if (stream.own & Vesting.ALONE != 0 || to > stream.step) stream.own = uint32(to);
        stream.watermark = stream.step;
        stream.marked = stream.own > stream.step;
        assert(_follows(stream));
        assert(_vested(stream, _through(stream)) == due);
    }

    function check_theRangeThatSkipsAStreamLeavesWhatItIsDue(Stream memory stream) external pure {
        (uint256 before, uint256 due) = _assume(stream);
        uint256 through = _through(stream);
        // As AllowanceVault._markLanes, where it is skipped: only where something is due.
        vm.assume(before != due);
        stream.own = uint32(Vesting.paidThrough(stream.watermark, stream.own)) | Vesting.ALONE;
        stream.watermark = stream.step;
        stream.marked = true;
        assert(_follows(stream));
        assert(_through(stream) == through);
    }

    function check_aWithdrawalOfItsOwnPaysWhatIsDue(Stream memory stream) external pure {
        (uint256 before, uint256 due) = _assume(stream);
        // As AllowanceVault.withdraw.
        uint256 through = Vesting.dueThrough(stream.step, stream.cancelled);
        uint256 paid = _vested(stream, through) - _vested(stream, _through(stream));
        stream.own = uint32(through);
        stream.marked = true;
        assert(paid == due - before);
        assert(_follows(stream));
        assert(_vested(stream, _through(stream)) == due);
    }

    function check_aCutLeavesWhatWasPaidAndWhatHadAccrued(Stream memory stream) external pure {
        _assume(stream);
        uint256 through = _through(stream);
        vm.assume(stream.cancelled == 0 && stream.elapsed < stream.duration);
        // As VaultCorrections._cut.
        stream.cancelled = stream.elapsed + 1;
        assert(_follows(stream));
        assert(_through(stream) == through);
        assert(Vesting.dueThrough(stream.step, stream.cancelled) == stream.elapsed);
    }

    function check_expiryCutsWhereAStreamIsPaidThrough(Stream memory stream) external pure {
        _assume(stream);
        // As VaultCorrections._cutUnpayable, after the end.
        vm.assume(stream.step == stream.duration);
        uint256 through = _through(stream);
        stream.cancelled = uint32(through + 1);
        assert(_follows(stream));
        assert(_through(stream) == through && Vesting.dueThrough(stream.step, stream.cancelled) == through);
    }

    function check_timeBreaksNoRule(Stream memory stream, uint32 elapsed, uint32 step) external pure {
        _assume(stream);
        uint256 through = _through(stream);
        // VestingCheck: a step never goes back, and is none of the future.
        vm.assume(elapsed >= stream.elapsed && elapsed <= stream.duration && step >= stream.step && step <= elapsed);
        (stream.elapsed, stream.step) = (elapsed, step);
        assert(_follows(stream));
        assert(_through(stream) == through);
    }
}
