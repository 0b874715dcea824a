// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Packed payout entries: words of 28 bytes, payee (20) | amount (8), amounts in base units of the token
library Entries {
    uint256 internal constant WORD = 28;

    error EntryAboveCap(uint256 index, uint256 amount, uint256 cap);

    /// @notice The total of `entries`, base units; reverts when one amount is above `cap`.
    /// @dev `entries.length` must be a multiple of 28. A sum of at most 500 uint64 cannot overflow.
    function sum(bytes calldata entries, uint256 cap) internal pure returns (uint256 total) {
        unchecked {
            uint256 length = entries.length;
            for (uint256 at; at < length; at += WORD) {
                uint256 word;
                // Reads up to 4 bytes past an entry; past the end of calldata those are zero, and they
                // are shifted out.
                assembly ("memory-safe") {
                    word := calldataload(add(entries.offset, at))
                }
                uint256 value = uint64(word >> 32);
                require(value <= cap, EntryAboveCap(at / WORD, value, cap));
                total += value;
            }
        }
    }

    /// @notice Entry `index` of `entries` as `payee << 64 | amount`.
    /// @dev `index` must be below `entries.length / 28`.
    function at(bytes calldata entries, uint256 index) internal pure returns (uint256 entry) {
        assembly ("memory-safe") {
            entry := shr(32, calldataload(add(entries.offset, mul(index, 28))))
        }
    }

    /// @notice `entry` with a time before which it is not to be paid, in the 32 bits that an entry leaves free.
    /// @dev `until` is a Unix time, below 2 ** 32 until 2106.
    function withHold(uint256 entry, uint256 until) internal pure returns (uint256) {
        return (until << 224) | uint224(entry);
    }

    function heldUntil(uint256 entry) internal pure returns (uint256) {
        return entry >> 224;
    }

    function payee(uint256 entry) internal pure returns (address) {
        return address(uint160(entry >> 64));
    }

    function amount(uint256 entry) internal pure returns (uint256) {
        return uint64(entry);
    }
}
