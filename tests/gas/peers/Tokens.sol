// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20 as OpenZeppelinERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20 as SoladyERC20} from "solady/tokens/ERC20.sol";

/// @title The shortest tokens with a batch mint that two libraries allow
/// @notice Nothing of what Relief checks: anyone may mint anything. They show what the libraries themselves cost.
contract OpenZeppelinToken is OpenZeppelinERC20("Peer", "PEER") {
    function mintBatch(address[] calldata payees, uint256[] calldata amounts) external {
        for (uint256 i; i < payees.length; ++i) {
            _mint(payees[i], amounts[i]);
        }
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

contract SoladyToken is SoladyERC20 {
    function mintBatch(address[] calldata payees, uint256[] calldata amounts) external {
        for (uint256 i; i < payees.length; ++i) {
            _mint(payees[i], amounts[i]);
        }
    }

    function name() public pure override returns (string memory) {
        return "Peer";
    }

    function symbol() public pure override returns (string memory) {
        return "PEER";
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
