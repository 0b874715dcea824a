// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Cheats} from "../../Vm.sol";

/// @title Contracts from the artifacts of the build for Halmos, compiled as they are deployed
abstract contract Artifacts is Cheats {
    function _deploy(string memory name, bytes memory arguments) internal returns (address deployed) {
        string memory artifact = string.concat("build/halmos/out/", name, ".sol/", name, ".json");
        bytes memory code = abi.encodePacked(vm.getCode(artifact), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
        }
        assert(deployed != address(0));
    }
}
