// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OfficerSignatures} from "../../../contracts/libraries/OfficerSignatures.sol";
import {Cheats} from "../Vm.sol";

/// @custom:halmos --array-lengths blob={0,8,9,10,24,32} --loop 33
contract OfficerSignaturesCheck is Cheats {
    struct Place {
        uint256 offset;
        uint256 length;
    }

    /// @notice As the library reads it, slices by where they stand in `blob`.
    function read(bytes calldata blob, uint256 offset)
        external
        pure
        returns (uint32 id, uint8 kind, Place memory signer, Place memory signature, uint256 next)
    {
        bytes calldata signer_;
        bytes calldata signature_;
        (id, kind, signer_, signature_, next) = OfficerSignatures.read(blob, offset);
        uint256 start;
        (start, signer.offset, signer.length) = _places(blob, signer_);
        (start, signature.offset, signature.length) = _places(blob, signature_);
    }

    function _places(bytes calldata blob, bytes calldata slice)
        private
        pure
        returns (uint256 start, uint256 offset, uint256 length)
    {
        assembly ("memory-safe") {
            start := blob.offset
            offset := sub(slice.offset, blob.offset)
            length := slice.length
        }
    }

    function check_aRecordIsReadWholeOrRefused(bytes calldata blob, uint256 pick) external view {
        for (uint256 offset; offset <= blob.length; ++offset) {
            if (offset != pick) continue;
            bool header = offset + 9 <= blob.length;
            uint256 end = offset + 9;
            if (header) end += uint16(bytes2(blob[offset + 5:])) + uint256(uint16(bytes2(blob[offset + 7:])));
            try this.read(blob, offset) returns (
                uint32 id, uint8 kind, Place memory signer, Place memory signature, uint256 next
            ) {
                assert(header && next == end && next <= blob.length && next > offset);
                assert(id == uint32(bytes4(blob[offset:])) && kind == uint8(blob[offset + 4]));
                assert(signer.offset == offset + 9 && signer.length == uint16(bytes2(blob[offset + 5:])));
                assert(signature.offset == signer.offset + signer.length);
                assert(signature.offset + signature.length == next);
            } catch {
                assert(!header || end > blob.length);
            }
        }
    }
}
