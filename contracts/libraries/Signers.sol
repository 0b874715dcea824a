// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title What an officer signs with: the three types of signer, and how each one's signature is checked
/// @notice The type is given and stored, never guessed from the signer: code that appears at an address changes
/// nothing about how its signature is checked.
library Signers {
    /// @dev The key of an externally owned account: its address, 20 bytes.
    uint8 internal constant EOA = 1;
    /// @dev A contract that answers ERC-1271: its address, 20 bytes.
    uint8 internal constant ACCOUNT = 2;
    /// @dev A P-256 key checked by an ERC-7913 verifier: the verifier's address and the point, x | y, 84 bytes.
    uint8 internal constant KEY = 3;

    uint256 private constant ADDRESS_LENGTH = 20;
    uint256 private constant KEY_LENGTH = 84;
    /// @dev What stands at an account that runs another's code (EIP-7702), before that code's address.
    bytes3 private constant DELEGATION = 0xef0100;

    error SignerTypeUnsupported(uint8 signerType);
    error MalformedSigner(uint8 signerType, bytes signer);
    /// @notice There is no contract at the address: no code, or only an EIP-7702 delegation, which the key that stands
    /// behind the account changes as it likes.
    error NoContract(address account);

    /// @notice Reverts unless `signer` can be one of `signerType`.
    function requireWellFormed(uint8 signerType, bytes memory signer) internal view {
        require(signerType >= EOA && signerType <= KEY, SignerTypeUnsupported(signerType));
        if (signerType == KEY) {
            require(
                signer.length == KEY_LENGTH && P256.isValidPublicKey(_word(signer, 20), _word(signer, 52)),
                MalformedSigner(signerType, signer)
            );
        } else {
            require(
                signer.length == ADDRESS_LENGTH && bytes20(signer) != 0, MalformedSigner(signerType, signer)
            );
            if (signerType == ACCOUNT) requireContract(address(bytes20(signer)));
        }
    }

    /// @notice Whether `signature` is that of the key of the externally owned account `signer` over `digest`.
    /// @dev Never an ERC-1271 call here: an account with an EIP-7702 delegation could make that accept anything.
    function isEoaSignature(bytes calldata signer, bytes32 digest, bytes calldata signature)
        internal
        pure
        returns (bool)
    {
        (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        return failure == ECDSA.RecoverError.NoError && recovered == address(bytes20(signer));
    }

    /// @notice Whether a contract account says that `signature` over `digest` is its own; reverts with {NoContract} where
    /// no contract stands any more.
    function isAccountSignature(bytes calldata signer, bytes32 digest, bytes calldata signature)
        internal
        view
        returns (bool)
    {
        address account = address(bytes20(signer));
        requireContract(account);
        return SignatureChecker.isValidERC1271SignatureNowCalldata(account, digest, signature);
    }

    /// @notice Whether the verifier that `signer` names says that `signature` over `digest` is the key's.
    /// @dev The caller has checked that the verifier is allowed.
    function isKeySignature(bytes calldata signer, bytes32 digest, bytes calldata signature)
        internal
        view
        returns (bool)
    {
        return SignatureChecker.isValidSignatureNow(signer, digest, signature);
    }

    /// @notice Reverts unless a contract stands at `account`, and not a delegation.
    function requireContract(address account) internal view {
        bytes3 start;
        // The first three bytes of the code into the scratch space, zeros where it is shorter.
        assembly ("memory-safe") {
            mstore(0, 0)
            extcodecopy(account, 0, 0, 3)
            start := mload(0)
        }
        require(account.code.length != 0 && start != DELEGATION, NoContract(account));
    }

    /// @dev The 32 bytes of `signer` at `offset`, which lie within it.
    function _word(bytes memory signer, uint256 offset) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(signer, 32), offset))
        }
    }
}
