// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Administrative regions after GB/T 2260, as a code and how many of its digits count
/// @notice 51 (2 digits) is a province, 5107 (4) a city, 510722 (6) a county; (0, 0) is the whole country.
/// Townships stay off chain.
library Regions {
    error InvalidRegion(uint24 code, uint8 digits);

    /// @notice Reverts unless `digits` is 0, 2, 4 or 6 and `code` has exactly that many, no leading zero.
    function requireValid(uint24 code, uint8 digits) internal pure {
        bool valid = (digits == 6 && code >= 100_000 && code <= 999_999)
            || (digits == 4 && code >= 1_000 && code <= 9_999) || (digits == 2 && code >= 10 && code <= 99)
            || (digits == 0 && code == 0);
        require(valid, InvalidRegion(code, digits));
    }

    /// @notice The one matching rule: a region covers itself and every region whose code starts with its code.
    /// @dev Both regions must be valid.
    function covers(uint24 outer, uint8 outerDigits, uint24 inner, uint8 innerDigits) internal pure returns (bool) {
        if (outerDigits > innerDigits) return false;
        return outer == truncate(inner, innerDigits, outerDigits);
    }

    /// @notice The ancestor of `code` that has `to` digits (`to` <= `from`).
    function truncate(uint24 code, uint8 from, uint8 to) internal pure returns (uint24) {
        // An exponent of at most 6: 10**6 fits uint24.
        return uint24(code / 10 ** (from - to));
    }
}
