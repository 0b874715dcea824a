// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Officers' signatures, packed one behind the other
/// @notice A record is officerId (4) | signerType (1) | signerLength (2) | signatureLength (2) | signer | signature,
/// big-endian. Records stand in strictly ascending order of officer id: one officer counts once, whatever number of
/// signers that person has.
library OfficerSignatures {
    uint256 private constant HEADER = 9;

    error MalformedSignatures(uint256 offset);

    /// @notice The record at `offset` of `blob`, and where the next one starts.
    /// @dev `offset` is at most `blob.length`; signer and signature stay in calldata.
    function read(bytes calldata blob, uint256 offset)
        internal
        pure
        returns (uint32 officerId, uint8 signerType, bytes calldata signer, bytes calldata signature, uint256 next)
    {
        // A calldata's length and twice 16 bits: nothing wraps. The header is read as part of a word, whose rest lies
        // in the record or behind it and is shifted out; each slice ends within `blob`.
        unchecked {
            require(offset + HEADER <= blob.length, MalformedSignatures(offset));
            uint256 header;
            assembly ("memory-safe") {
                header := shr(184, calldataload(add(blob.offset, offset)))
            }
            officerId = uint32(header >> 40);
            signerType = uint8(header >> 32);
            uint256 signerLength = uint16(header >> 16);
            uint256 signatureLength = uint16(header);
            next = offset + HEADER + signerLength + signatureLength;
            require(next <= blob.length, MalformedSignatures(offset));
            assembly ("memory-safe") {
                signer.offset := add(add(blob.offset, offset), HEADER)
                signer.length := signerLength
                signature.offset := add(signer.offset, signerLength)
                signature.length := signatureLength
            }
        }
    }
}
