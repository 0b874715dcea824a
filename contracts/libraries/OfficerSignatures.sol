// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Officers' signatures, packed one behind the other
/// @notice A record is officerId (4) | signerType (1) | signerLength (2) | signatureLength (2) | signer | signature,
/// big-endian. Records stand in strictly ascending order of officer id: one officer counts once, whatever number of
/// signers that person has.
library OfficerSignatures {
    uint256 private constant HEADER = 9;

    error MalformedSignatures(uint256 offset);

    struct Record {
        uint32 officerId;
        uint8 signerType;
        bytes signer;
        bytes signature;
    }

    /// @notice The record at `offset` of `blob`, and where the next one starts.
    function read(bytes calldata blob, uint256 offset) internal pure returns (Record memory record, uint256 next) {
        require(offset + HEADER <= blob.length, MalformedSignatures(offset));
        record.officerId = uint32(bytes4(blob[offset:offset + 4]));
        record.signerType = uint8(blob[offset + 4]);
        uint256 signerEnd = offset + HEADER + uint16(bytes2(blob[offset + 5:offset + 7]));
        next = signerEnd + uint16(bytes2(blob[offset + 7:offset + 9]));
        require(next <= blob.length, MalformedSignatures(offset));
        record.signer = blob[offset + HEADER:signerEnd];
        record.signature = blob[signerEnd:next];
    }
}
