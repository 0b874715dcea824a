// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IOfficerRegistry} from "../../../contracts/interfaces/IOfficerRegistry.sol";
import {Regions} from "../../../contracts/libraries/Regions.sol";
import {Artifacts} from "./support/Artifacts.sol";

/// @title Who must sign, checked by the deployed registry on records of any content
/// @notice Records are of externally owned accounts. What Halmos knows of ecrecover is that it answers equally to equal
/// input, so a signature may be that of anybody.
/// @custom:halmos --loop 6
contract ApprovalsCheck is Artifacts {
    uint256 private constant NOW = 1_800_000_000;
    uint16 private constant MAKER = 1;
    uint16 private constant REVIEWER = 2;
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    IOfficerRegistry private _registry;

    /// @param signer Whose signature it claims to be.
    struct Record {
        uint32 officerId;
        address signer;
        bytes32 r;
        bytes32 s;
        uint8 v;
    }

    function setUp() public {
        vm.warp(NOW);
        IOfficerRegistry.NewOfficer[] memory officers = new IOfficerRegistry.NewOfficer[](5);
        officers[0] = _officer(1, MAKER | REVIEWER, 51, 2);
        officers[1] = _officer(2, REVIEWER, 51, 2);
        officers[2] = _officer(3, REVIEWER, 5107, 4);
        officers[3] = _officer(4, 8, 0, 0);
        officers[4] = _officer(5, 8, 0, 0);
        _registry =
            IOfficerRegistry(_deploy("OfficerRegistry", abi.encode(address(this), 2, new address[](0), officers)));
    }

    function _officer(uint32 id, uint16 roles, uint24 code, uint8 digits)
        private
        pure
        returns (IOfficerRegistry.NewOfficer memory)
    {
        return IOfficerRegistry.NewOfficer(id, roles, code, digits, 1, abi.encodePacked(address(uint160(0x5160 + id))));
    }

    function _packed(Record memory record) private pure returns (bytes memory) {
        return abi.encodePacked(
            record.officerId, uint8(1), uint16(20), uint16(65), record.signer, record.r, record.s, record.v
        );
    }

    /// @dev Whether the record counts, by what the registry says of officer and signer.
    function _counts(bytes32 digest, Record memory record, uint16 role, uint24 code, uint8 digits)
        private
        view
        returns (bool)
    {
        IOfficerRegistry.Officer memory officer = _registry.officer(record.officerId);
        IOfficerRegistry.Signer memory signer = _registry.signerOf(1, abi.encodePacked(record.signer));
        if (officer.roles & role == 0 || officer.removed || officer.activeFrom > block.timestamp) return false;
        if (signer.officerId != record.officerId || signer.removed || signer.activeFrom > block.timestamp) return false;
        if (!Regions.covers(officer.regionCode, officer.regionDigits, code, digits)) return false;
        address recovered = ecrecover(digest, record.v, record.r, record.s);
        return uint256(record.s) <= HALF_ORDER && recovered != address(0) && recovered == record.signer;
    }

    /// @dev What the registry takes is a maker and enough others, each once, who each signed and each may.
    function _check(bytes32 digest, uint32 maker, uint256 reviewers, Record[] memory records) private view {
        bytes memory signatures;
        for (uint256 i; i < records.length; ++i) {
            signatures = abi.encodePacked(signatures, _packed(records[i]));
        }
        try _registry.requireApproval(digest, maker, reviewers, 510_722, 6, signatures) {
            uint256 given;
            bool made;
            for (uint256 i; i < records.length; ++i) {
                assert(i == 0 || records[i].officerId > records[i - 1].officerId);
                bool makes = records[i].officerId == maker;
                assert(_counts(digest, records[i], makes ? MAKER : REVIEWER, 510_722, 6));
                if (makes) made = true;
                else ++given;
            }
            assert(made && given >= reviewers);
        } catch {
            // It may refuse.
        }
    }

    function check_noneSigned(bytes32 digest, uint32 maker, uint256 reviewers) external view {
        try _registry.requireApproval(digest, maker, reviewers, 510_722, 6, "") {
            assert(false);
        } catch {}
    }

    function check_oneSigned(bytes32 digest, uint32 maker, uint256 reviewers, Record calldata one) external view {
        Record[] memory records = new Record[](1);
        records[0] = one;
        _check(digest, maker, reviewers, records);
    }

    function check_twoSigned(
        bytes32 digest,
        uint32 maker,
        uint256 reviewers,
        Record calldata one,
        Record calldata two
    ) external view {
        Record[] memory records = new Record[](2);
        (records[0], records[1]) = (one, two);
        _check(digest, maker, reviewers, records);
    }
}
