// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OfficerSignatures} from "../../../contracts/libraries/OfficerSignatures.sol";
import {Cheats} from "../Vm.sol";

contract OfficerSignaturesTest is Cheats {
    function read(bytes calldata blob, uint256 offset)
        external
        pure
        returns (uint32 id, uint8 kind, bytes memory signer, bytes memory signature, uint256 next)
    {
        return OfficerSignatures.read(blob, offset);
    }

    struct Read {
        uint32 id;
        uint8 kind;
        bytes signer;
        bytes signature;
        uint256 next;
    }

    function _record(uint32 id, uint8 kind, bytes memory signer, bytes memory signature)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(id, kind, uint16(signer.length), uint16(signature.length), signer, signature);
    }

    function testFuzz_aRecordIsReadAsItWasPackedWhateverStandsAround(
        bytes memory before,
        uint32 id,
        uint8 kind,
        bytes memory signer,
        bytes memory signature,
        bytes memory behind
    ) external view {
        bytes memory blob = abi.encodePacked(before, _record(id, kind, signer, signature), behind);
        Read memory found;
        (found.id, found.kind, found.signer, found.signature, found.next) = this.read(blob, before.length);
        vm.assertEq(found.id, id);
        vm.assertEq(found.kind, kind);
        vm.assertEq(found.signer, signer);
        vm.assertEq(found.signature, signature);
        vm.assertEq(found.next, blob.length - behind.length);
    }

    function testFuzz_aRecordOfAHeaderAloneEndsTheBlob(bytes memory before, uint32 id, uint8 kind) external view {
        Read memory found;
        (found.id, found.kind, found.signer, found.signature, found.next) =
            this.read(abi.encodePacked(before, _record(id, kind, "", "")), before.length);
        vm.assertEq(found.id, id);
        vm.assertEq(found.kind, kind);
        vm.assertEq(found.signer.length + found.signature.length, 0);
        vm.assertEq(found.next, before.length + 9);
    }

    function testFuzz_aRecordCutShortIsRefused(
        bytes memory before,
        bytes memory signer,
        bytes memory signature,
        uint256 missing
    ) external {
        bytes memory whole = _record(7, 1, signer, signature);
        bytes memory part = new bytes(whole.length - between(missing, 1, whole.length));
        for (uint256 i; i < part.length; ++i) {
            part[i] = whole[i];
        }
        vm.expectRevert(abi.encodeWithSelector(OfficerSignatures.MalformedSignatures.selector, before.length));
        this.read(abi.encodePacked(before, part), before.length);
    }
}
