// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Regions} from "../../../contracts/libraries/Regions.sol";
import {Cheats} from "../Vm.sol";

/// @custom:halmos --loop 5 --solver-command ".venv-halmos/bin/python scripts/toolchain/smt.py"
contract RegionsCheck is Cheats {
    function requireValid(uint24 code, uint8 digits) external pure {
        Regions.requireValid(code, digits);
    }

    /// @dev What a code of so many digits lies below; 1 for none.
    function _limit(uint8 digits) private pure returns (uint256) {
        if (digits == 2) return 100;
        if (digits == 4) return 10_000;
        if (digits == 6) return 1_000_000;
        assert(digits == 0);
        return 1;
    }

    function _isValid(uint24 code, uint8 digits) private pure returns (bool) {
        if (digits == 0) return code == 0;
        if (digits != 2 && digits != 4 && digits != 6) return false;
        return code < _limit(digits) && code >= _limit(digits) / 10;
    }

    /// @dev A valid region whose number of digits is concrete, so that powers of ten are.
    function _digits(uint24 code, uint8 digits) private pure returns (uint8) {
        vm.assume(_isValid(code, digits));
        for (uint8 concrete; concrete < 6; concrete += 2) {
            if (digits == concrete) return concrete;
        }
        return 6;
    }

    function check_aRegionIsValidIfItHasItsDigits(uint24 code, uint8 digits) external view {
        try this.requireValid(code, digits) {
            assert(_isValid(code, digits));
        } catch {
            assert(!_isValid(code, digits));
        }
    }

    function check_aRegionCoversThoseWhoseCodeBeginsWithItsOwn(
        uint24 outer,
        uint8 outerDigits,
        uint24 inner,
        uint8 innerDigits
    ) external pure {
        outerDigits = _digits(outer, outerDigits);
        innerDigits = _digits(inner, innerDigits);
        bool begins;
        if (outerDigits <= innerDigits) {
            uint256 below = _limit(innerDigits) / _limit(outerDigits);
            begins = outer * below <= inner && inner < (outer + 1) * below;
        }
        assert(Regions.covers(outer, outerDigits, inner, innerDigits) == begins);
    }

    function check_anAncestorIsValidAndCoversAndIsTheOnlyOneOfItsDigits(
        uint24 code,
        uint8 digits,
        uint8 to,
        uint24 other
    ) external pure {
        digits = _digits(code, digits);
        for (uint8 concrete; concrete <= digits; concrete += 2) {
            if (to != concrete) continue;
            uint24 above = Regions.truncate(code, digits, concrete);
            assert(_isValid(above, concrete));
            assert(Regions.covers(above, concrete, code, digits));
            if (_isValid(other, concrete) && Regions.covers(other, concrete, code, digits)) assert(other == above);
        }
    }

    function check_anAncestorsAncestorIsOne(uint24 code, uint8 digits, uint8 middle, uint8 to) external pure {
        digits = _digits(code, digits);
        for (uint8 high; high <= digits; high += 2) {
            for (uint8 low; low <= high; low += 2) {
                if (middle != high || to != low) continue;
                uint24 above = Regions.truncate(code, digits, high);
                assert(Regions.truncate(above, high, low) == Regions.truncate(code, digits, low));
            }
        }
    }
}
