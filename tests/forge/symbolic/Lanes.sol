// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vesting} from "../../../contracts/libraries/Vesting.sol";
import {Cheats} from "../Vm.sol";

contract LanesCheck is Cheats {
    function check_aLaneIsItsBitsOfTheWord(uint256 word, uint256 index) external pure {
        vm.assume(index < 2 ** 32);
        assert(Vesting.lane(word, index) == uint32(word >> (32 * (index % 8))));
    }

    function check_writingALaneTouchesNoOther(uint256 word, uint256 index, uint256 other, uint32 value) external pure {
        uint256 written = Vesting.withLane(word, index, value);
        assert(Vesting.lane(written, index) == value);
        if (other % 8 == index % 8) assert(Vesting.lane(written, other) == value);
        else assert(Vesting.lane(written, other) == Vesting.lane(word, other));
        assert(Vesting.withLane(written, index, Vesting.lane(word, index)) == word);
    }
}
