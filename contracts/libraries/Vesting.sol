// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Vesting of a stream, and how far it has been paid
/// @notice All times here are seconds since the stream's start. What was paid is kept as a time, never as an amount:
/// the amount paid is `vested(total, paid through)`, so rounding never loses a base unit.
///
/// How far stream `i` is paid follows from the chunk's watermark `W` (set by range withdrawals) and its own lane, a
/// uint32 of which bit 31 is ALONE and the rest a time `own`:
///  - not ALONE: max(W, own), for streams paid with the range, or ahead of it: by a withdrawal of their own, or because
///    they were cut behind the step;
///  - ALONE: own, for a stream that a range withdrawal had to skip (frozen): W passed it by without paying.
/// Its cancel lane is zero, or one more than the time at which it was cut.
library Vesting {
    uint32 internal constant ALONE = 1 << 31;
    uint256 internal constant MAX_DURATION = 2 ** 31 - 2;
    uint256 internal constant LANES = 8;

    /// @notice The amount vested after `elapsed` seconds: floor(total * elapsed / duration).
    /// @dev `total` fits uint64 and `elapsed` uint32, so the product fits; `duration` > 0.
    function vested(uint256 total, uint256 elapsed, uint256 duration) internal pure returns (uint256) {
        unchecked {
            return (total * elapsed) / duration;
        }
    }

    /// @notice The time through which a withdrawal after `elapsed` seconds pays: whole cadence steps, nothing before the
    /// cliff, everything from the end on.
    function step(uint256 elapsed, uint256 cliff, uint256 cadence, uint256 duration) internal pure returns (uint256) {
        if (elapsed >= duration) return duration;
        if (elapsed < cliff) return 0;
        return elapsed - (elapsed % cadence);
    }

    /// @notice The time through which a stream is paid, from the chunk's watermark and its own lane.
    function paidThrough(uint256 watermark, uint32 ownLane) internal pure returns (uint256) {
        uint256 own = ownLane & (ALONE - 1);
        if (ownLane & ALONE != 0) return own;
        return own > watermark ? own : watermark;
    }

    /// @notice The time through which a stream is due when `step_` is the step: where it was cut, once it is, for what it
    /// had accrued by then is its own whatever cliff and cadence say.
    function dueThrough(uint256 step_, uint32 cancelLane) internal pure returns (uint256) {
        return cancelLane == 0 ? step_ : cancelLane - 1;
    }

    /// @notice `time`, or where the stream was cut if that came earlier.
    function cutOff(uint256 time, uint32 cancelLane) internal pure returns (uint256) {
        if (cancelLane == 0) return time;
        uint256 cut = cancelLane - 1;
        return time < cut ? time : cut;
    }

    /// @notice Lane `index % 8` of a word of eight uint32 lanes, lowest first.
    function lane(uint256 word, uint256 index) internal pure returns (uint32) {
        return uint32(word >> ((index % LANES) * 32));
    }

    /// @notice `word` with lane `index % 8` set to `value`.
    function withLane(uint256 word, uint256 index, uint32 value) internal pure returns (uint256) {
        uint256 shift = (index % LANES) * 32;
        return (word & ~(uint256(type(uint32).max) << shift)) | (uint256(value) << shift);
    }
}
