// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Regions} from "../../../contracts/libraries/Regions.sol";
import {Cheats} from "../Vm.sol";

contract RegionsTest is Cheats {
    function requireValid(uint24 code, uint8 digits) external pure {
        Regions.requireValid(code, digits);
    }

    /// @dev A code as people write it, for the whole country nothing.
    function _written(uint256 code) private pure returns (bytes memory text) {
        for (; code != 0; code /= 10) {
            text = abi.encodePacked(uint8(48 + code % 10), text);
        }
    }

    function _region(uint256 seed) private pure returns (uint24 code, uint8 digits) {
        digits = uint8(2 * (seed % 4));
        if (digits == 0) return (0, 0);
        uint256 least = 10 ** (digits - 1);
        code = uint24(between(seed >> 8, least, 10 * least - 1));
    }

    function testFuzz_aCodeIsValidIfItHasItsDigits(uint24 code, uint8 digits, bool likely) external {
        if (likely) (code, digits) = _region(uint256(keccak256(abi.encode(code, digits))));
        bool valid = (digits == 0 || digits == 2 || digits == 4 || digits == 6) && _written(code).length == digits;
        if (!valid) vm.expectRevert(abi.encodeWithSelector(Regions.InvalidRegion.selector, code, digits));
        this.requireValid(code, digits);
    }

    function test_eachLevelBeginsAndEndsWithItsDigits() external {
        for (uint8 digits = 2; digits <= 6; digits += 2) {
            uint24 least = uint24(10 ** (digits - 1));
            this.requireValid(least, digits);
            this.requireValid(10 * least - 1, digits);
            uint24[2] memory outside = [least - 1, 10 * least];
            for (uint256 i; i < 2; ++i) {
                vm.expectRevert(abi.encodeWithSelector(Regions.InvalidRegion.selector, outside[i], digits));
                this.requireValid(outside[i], digits);
            }
        }
    }

    function testFuzz_aRegionCoversWhatBeginsWithItsCode(uint256 seed, uint256 otherSeed, bool inside) external pure {
        (uint24 inner, uint8 innerDigits) = _region(seed);
        (uint24 outer, uint8 outerDigits) = _region(otherSeed);
        if (inside && outerDigits <= innerDigits) outer = Regions.truncate(inner, innerDigits, outerDigits);
        bytes memory begins = _written(outer);
        bytes memory text = _written(inner);
        bool expected = begins.length <= text.length;
        for (uint256 i; expected && i < begins.length; ++i) {
            expected = begins[i] == text[i];
        }
        vm.assertEq(Regions.covers(outer, outerDigits, inner, innerDigits), expected);
    }

    function testFuzz_anAncestorIsTheFirstDigits(uint256 seed, uint8 to) external pure {
        (uint24 code, uint8 digits) = _region(seed);
        to = uint8(2 * (to % (digits / 2 + 1)));
        bytes memory text = _written(code);
        bytes memory first = new bytes(to);
        for (uint256 i; i < to; ++i) {
            first[i] = text[i];
        }
        vm.assertEq(_written(Regions.truncate(code, digits, to)), first);
    }
}
