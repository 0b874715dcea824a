// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    ERC7913WebAuthnVerifier
} from "@openzeppelin/contracts/utils/cryptography/verifiers/ERC7913WebAuthnVerifier.sol";

/// @title Checks an officer's signature by a passkey: a WebAuthn assertion whose challenge is the digest
contract PasskeyVerifier is ERC7913WebAuthnVerifier {
    /// @dev A PIN or a fingerprint at each signature: a device that was found or taken does not sign by itself.
    function _requireUV() internal pure override returns (bool) {
        return true;
    }
}
