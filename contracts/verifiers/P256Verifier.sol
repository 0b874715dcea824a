// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC7913P256Verifier} from "@openzeppelin/contracts/utils/cryptography/verifiers/ERC7913P256Verifier.sol";

/// @title Checks an officer's signature by a P-256 key, such as a smart card's or a hardware module's
/// @notice The signature is r | s, 64 bytes, over the digest itself, s in the lower half of the order.
contract P256Verifier is ERC7913P256Verifier {}
