// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title For tests only: an account that answers ERC-1271 for its owner, or misbehaves in one way
contract Wallet {
    enum Answer {
        HONEST,
        REFUSES,
        REVERTS,
        SAYS_TRUE,
        MAGIC_AND_MORE,
        SHORT_MAGIC,
        WRITES
    }

    bytes32 private constant MAGIC = bytes32(bytes4(0x1626ba7e));

    address private immutable owner;
    Answer private immutable answer;
    uint256 private asked;

    constructor(address owner_, Answer answer_) {
        owner = owner_;
        answer = answer_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external returns (bytes32) {
        if (answer == Answer.WRITES) ++asked;
        require(answer != Answer.REVERTS);
        if (answer == Answer.SAYS_TRUE) return bytes32(uint256(1));
        if (answer == Answer.MAGIC_AND_MORE) return MAGIC | bytes32(uint256(1));
        if (answer == Answer.SHORT_MAGIC) {
            bytes32 magic = MAGIC;
            assembly {
                mstore(0, magic)
                return(0, 4)
            }
        }
        if (answer == Answer.REFUSES || signature.length != 65) return 0;
        // Half the order of secp256k1: above it lies the twin of each signature (EIP-2).
        if (uint256(bytes32(signature[32:64])) > 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0) {
            return 0;
        }
        address signer = ecrecover(
            digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64])
        );
        return signer == owner ? MAGIC : bytes32(0);
    }
}
