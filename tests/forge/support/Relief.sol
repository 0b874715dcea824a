// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";

import {IAllowanceVault} from "../../../contracts/interfaces/IAllowanceVault.sol";
import {IBenefitToken} from "../../../contracts/interfaces/IBenefitToken.sol";
import {IEmergencyLane} from "../../../contracts/interfaces/IEmergencyLane.sol";
import {IOfficerRegistry} from "../../../contracts/interfaces/IOfficerRegistry.sol";
import {IVaultAdministration} from "../../../contracts/interfaces/IVaultAdministration.sol";
import {IVaultRecords} from "../../../contracts/interfaces/IVaultRecords.sol";
import {Cheats} from "../Vm.sol";

/// @title The contracts deployed as scripts/deploy.py does it, and officers who can sign
/// @notice Type strings, record format and chunk tree are written here from docs/contracts.md, not taken from the
/// contracts. The contracts come from their own artifacts, so a change of a test does not compile them again.
contract Relief is Cheats {
    uint16 public constant MAKER = 1;
    uint16 public constant REVIEWER = 2;
    uint16 public constant EMERGENCY = 4;
    uint16 public constant GOVERNOR = 8;

    uint32 public constant PROGRAMME = 1;
    uint80 public constant BUDGET = 1_000_000e6;
    uint80 public constant RESERVE = 1_000_000e6;
    /// @dev Up to here one reviewer; up to WIDE_TIER two, and a day's challenge delay.
    uint80 public constant FIRST_TIER = 100_000e6;
    uint80 public constant WIDE_TIER = 600_000e6;
    uint32 public constant CHALLENGE_DELAY = 1 days;

    uint80 public constant LANE_CAP = 50_000e6;

    address public constant GUARDIAN = address(0xA001);
    address public constant FREEZER = address(0xA002);
    address public constant ATTESTOR = address(0xA003);
    address public constant PLANNER = address(0xA005);

    uint256 private constant TREE_DEPTH = 8;

    IAccessManager public immutable manager;
    IOfficerRegistry public immutable registry;
    IBenefitToken public immutable token;
    IAllowanceVault public immutable vault;
    IEmergencyLane public immutable lane;

    constructor() {
        vm.warp(1_800_000_000);
        manager = IAccessManager(_deploy("RoleManager.sol:RoleManager", abi.encode(address(this))));
        registry = IOfficerRegistry(
            _deploy(
                "OfficerRegistry.sol:OfficerRegistry", abi.encode(manager, 2, new address[](0), _firstOfficers())
            )
        );
        address vaultAddress = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 3);
        address laneAddress = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 4);
        token = IBenefitToken(
            _deploy(
                "BenefitToken.sol:BenefitToken",
                abi.encode(manager, registry, vaultAddress, laneAddress, uint80(1e16), LANE_CAP)
            )
        );
        bytes memory common = abi.encode(manager, token, registry);
        address administration = _deploy("VaultAdministration.sol:VaultAdministration", common);
        address corrections = _deploy("VaultCorrections.sol:VaultCorrections", common);
        vault = IAllowanceVault(
            _deploy(
                "AllowanceVault.sol:AllowanceVault",
                abi.encode(manager, token, registry, administration, corrections)
            )
        );
        lane = IEmergencyLane(
            _deploy("EmergencyLane.sol:EmergencyLane", abi.encode(manager, token, registry, laneLimits()))
        );
        vm.assertEq(address(vault), vaultAddress);
        vm.assertEq(address(lane), laneAddress);

        _grant(1, GUARDIAN, address(vault), IVaultAdministration.pause.selector);
        _grant(1, GUARDIAN, address(token), IBenefitToken.pauseTransfers.selector);
        _grant(1, GUARDIAN, address(lane), IEmergencyLane.pause.selector);
        _grant(2, FREEZER, address(token), IBenefitToken.freeze.selector);
        _grant(2, FREEZER, address(token), IBenefitToken.unfreeze.selector);
        _grant(3, ATTESTOR, address(token), IBenefitToken.attestReserve.selector);
        _grant(5, PLANNER, address(vault), IVaultAdministration.createProgramme.selector);
        manager.grantRole(0, address(registry), 0);
        manager.renounceRole(0, address(this));

        IAllowanceVault.Tier[] memory tiers = new IAllowanceVault.Tier[](2);
        tiers[0] = IVaultRecords.Tier(FIRST_TIER, 1, 0);
        tiers[1] = IVaultRecords.Tier(WIDE_TIER, 2, CHALLENGE_DELAY);
        vm.prank(PLANNER);
        vault.createProgramme(PROGRAMME, 0, 0, BUDGET, type(uint64).max, tiers, bytes32(0));
        vm.warp(block.timestamp + 3 days);
        vm.prank(ATTESTOR);
        token.attestReserve(RESERVE, 0, uint40(block.timestamp), bytes32(0));
    }

    function _deploy(string memory artifact, bytes memory arguments) private returns (address deployed) {
        bytes memory code = abi.encodePacked(vm.getCode(artifact), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
        }
        vm.assertTrue(deployed != address(0), artifact);
    }

    function _grant(uint64 role, address holder, address target, bytes4 selector) private {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = selector;
        manager.setTargetFunctionRole(target, selectors, role);
        manager.grantRole(role, holder, 0);
    }

    /// @notice The lane's limits: near enough to be met by a sequence of grants of up to 1,000 tokens.
    function laneLimits() public pure returns (IEmergencyLane.Limits memory) {
        return IEmergencyLane.Limits({
            perGrant: 1_000e6,
            perOfficer: 3_500e6,
            outstanding: 3_000e6,
            countersignWindow: 1 days,
            perCounty: 1_500e6,
            perCity: 2_500e6,
            perProvince: 3_500e6,
            country: 3_700e6,
            countyOverdue: 400e6,
            cityOverdue: 700e6,
            provinceOverdue: 1_000e6
        });
    }

    // --------------------------------------------------------------------------------------------------- officers

    function _firstOfficers() private pure returns (IOfficerRegistry.NewOfficer[] memory first) {
        first = new IOfficerRegistry.NewOfficer[](9);
        for (uint32 id = 1; id <= 9; ++id) {
            (uint16 roles, uint24 code, uint8 digits) = officer(id);
            first[id - 1] = IOfficerRegistry.NewOfficer(id, roles, code, digits, 1, abi.encodePacked(signer(id)));
        }
    }

    /// @notice What the officer with this id may sign, and for which region.
    function officer(uint32 id) public pure returns (uint16 roles, uint24 code, uint8 digits) {
        if (id == 1) return (MAKER, 51, 2);
        if (id == 2) return (REVIEWER, 51, 2);
        if (id == 3) return (REVIEWER, 5107, 4);
        if (id == 4) return (MAKER | REVIEWER, 0, 0);
        if (id == 8) return (EMERGENCY, 51, 2);
        if (id == 9) return (EMERGENCY | REVIEWER, 0, 0);
        return (GOVERNOR, 0, 0);
    }

    function officerKey(uint32 id) public pure returns (uint256) {
        return uint256(keccak256(abi.encode("officer", id)));
    }

    function signer(uint32 id) public pure returns (address) {
        return vm.addr(officerKey(id));
    }

    /// @notice Records of these officers over `digest`; the one with the id `forged` is signed by another key.
    function signatures(bytes32 digest, uint32[] memory ids, uint32 forged) public pure returns (bytes memory packed) {
        for (uint256 i; i < ids.length; ++i) {
            uint256 key = ids[i] == forged ? uint256(keccak256("a stranger's key")) : officerKey(ids[i]);
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
            packed = abi.encodePacked(packed, ids[i], uint8(1), uint16(20), uint16(65), signer(ids[i]), r, s, v);
        }
    }

    // ---------------------------------------------------------------------------------------------------- digests

    function digestFor(address target, string memory name, bytes32 structHash) public view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                block.chainid,
                target
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function vaultDigest(bytes32 structHash) public view returns (bytes32) {
        return digestFor(address(vault), "Relief AllowanceVault", structHash);
    }

    function tokenDigest(bytes32 structHash) public view returns (bytes32) {
        return digestFor(address(token), "Relief Benefit Token", structHash);
    }

    function registryDigest(bytes32 structHash) public view returns (bytes32) {
        return digestFor(address(registry), "Relief OfficerRegistry", structHash);
    }

    function laneDigest(bytes32 structHash) public view returns (bytes32) {
        return digestFor(address(lane), "Relief EmergencyLane", structHash);
    }

    function grantDigest(IEmergencyLane.EmergencyGrant memory given) public view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "EmergencyGrant(bytes32 grantId,uint32 officer,address payee,uint64 amount,uint24 regionCode,uint8 regionDigits,bytes32 caseCommitment,uint40 validUntil)"
        );
        return laneDigest(keccak256(abi.encode(typeHash, given)));
    }

    function approvalDigest(IAllowanceVault.BatchApproval memory approval) public view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "BatchApproval(uint32 programme,uint32 programmeVersion,bytes32 batchId,uint32 maker,uint8 kind,uint24 regionCode,uint8 regionDigits,uint16 chunkSize,bytes32 chunksRoot,bytes32 manifestHash,uint32 count,uint80 total,uint40 start,uint32 cliff,uint32 duration,uint32 cadence,uint40 executeBefore,uint40 expiresAt)"
        );
        return vaultDigest(keccak256(abi.encode(typeHash, approval)));
    }

    // ----------------------------------------------------------------------------------------------------- chunks

    function leaf(bytes32 batchId, uint256 index, bytes memory entries) public pure returns (bytes32) {
        bytes32 typeHash = keccak256("Chunk(bytes32 batchId,uint256 chunkIndex,bytes32 entriesHash)");
        return keccak256(abi.encode(typeHash, batchId, index, keccak256(entries)));
    }

    /// @notice The root over `leaves` (padded with zero to 256), and the siblings of the leaf at `index`.
    function tree(bytes32[] memory leaves, uint256 index)
        public
        pure
        returns (bytes32 root, bytes32[TREE_DEPTH] memory proof)
    {
        bytes32 typeHash = keccak256("Node(bytes32 left,bytes32 right)");
        bytes32 empty;
        bytes32[] memory level = leaves;
        for (uint256 height; height < TREE_DEPTH; ++height) {
            bytes32[] memory above = new bytes32[]((level.length + 1) / 2);
            for (uint256 i; i < above.length; ++i) {
                bytes32 right = 2 * i + 1 < level.length ? level[2 * i + 1] : empty;
                above[i] = keccak256(abi.encode(typeHash, level[2 * i], right));
            }
            uint256 sibling = index % 2 == 0 ? index + 1 : index - 1;
            proof[height] = sibling < level.length ? level[sibling] : empty;
            index /= 2;
            empty = keccak256(abi.encode(typeHash, empty, empty));
            level = above;
        }
        root = level[0];
    }
}
