// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Stands for a contract that agrees to each call, with an answer of zeros
contract Willing {
    fallback() external {
        assembly {
            calldatacopy(0, calldatasize(), 128)
            return(0, 128)
        }
    }
}
