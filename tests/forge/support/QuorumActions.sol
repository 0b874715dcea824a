// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";

import {IAllowanceVault} from "../../../contracts/interfaces/IAllowanceVault.sol";
import {IBenefitToken} from "../../../contracts/interfaces/IBenefitToken.sol";
import {IEmergencyLane} from "../../../contracts/interfaces/IEmergencyLane.sol";
import {IOfficerRegistry} from "../../../contracts/interfaces/IOfficerRegistry.sol";
import {IVaultAdministration} from "../../../contracts/interfaces/IVaultAdministration.sol";
import {IVaultCorrections} from "../../../contracts/interfaces/IVaultCorrections.sol";
import {Cheats} from "../Vm.sol";
import {Relief} from "./Relief.sol";

/// @title Every function that takes officers' signatures: what they sign for it, who has to, and the ways not to
/// @notice As few officers as will do, so that one signature less, or a bad one, is one too few.
contract QuorumActions is Cheats {
    /// @notice How many functions there are: 8 of the vault, 4 of the token, 7 of the registry, 6 of the lane.
    uint256 public constant COUNT = 25;
    /// @notice How many ways there are of signing badly.
    uint256 public constant BAD_WAYS = 15;

    address public constant STRANGER = address(0xBAD);

    uint256 private constant CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    Relief private immutable _relief;

    /// @notice What an action is about, as far as it is about something.
    /// @param index Of the payout whose wallet is changed, or that is held; of the chunk whose streams are cut.
    /// @param from Who is paid now.
    struct Subject {
        bytes32 batchId;
        uint256 index;
        address from;
        address to;
        bytes32 grantId;
        address payee;
        uint64 amount;
        bytes32 actionId;
        uint40 deadline;
    }

    constructor(Relief relief_) {
        _relief = relief_;
    }

    /// @notice The function's contract, what officers sign for it, and the call with these signatures.
    function action(uint256 which, Subject memory about, bytes memory signatures)
        external
        view
        returns (address target, bytes32 structHash, bytes memory call)
    {
        target = targetOf(which);
        if (which < 8) (structHash, call) = _ofVault(which, about, signatures);
        else if (which < 12) (structHash, call) = _ofToken(which, about, signatures);
        else if (which < 19) (structHash, call) = _ofRegistry(which, about, signatures);
        else (structHash, call) = _ofLane(which, about, signatures);
    }

    function targetOf(uint256 which) public view returns (address) {
        if (which < 8) return address(_relief.vault());
        if (which < 12) return address(_relief.token());
        return which < 19 ? address(_relief.registry()) : address(_relief.lane());
    }

    /// @notice The digest in the domain of the contract number `domain`: vault, token, registry, lane.
    function digest(uint256 domain, bytes32 structHash) public view returns (bytes32) {
        if (domain == 0) return _relief.vaultDigest(structHash);
        if (domain == 1) return _relief.tokenDigest(structHash);
        return domain == 2 ? _relief.registryDigest(structHash) : _relief.laneDigest(structHash);
    }

    function domainOf(uint256 which) public pure returns (uint256) {
        return which < 8 ? 0 : which < 12 ? 1 : which < 19 ? 2 : 3;
    }

    /// @notice The officers whose signatures just suffice.
    function officersFor(uint256 which) public pure returns (uint32[] memory ids) {
        if (which == 0) return _two(1, 2);
        if (which == 1 || which == 2 || which == 5) return _two(2, 4);
        if (which == 3 || which == 4 || which == 20) return _one(4);
        return which == 19 ? _one(8) : _two(5, 6);
    }

    /// @notice Signatures as they should be.
    function good(uint256 which, bytes32 structHash) external view returns (bytes memory) {
        return _relief.signatures(digest(domainOf(which), structHash), officersFor(which), 0);
    }

    /// @notice Signatures that are not enough, in one of {BAD_WAYS} ways.
    function bad(uint256 which, bytes32 structHash, uint256 way, bytes memory garbage)
        external
        view
        returns (bytes memory packed)
    {
        uint32[] memory ids = officersFor(which);
        uint256 domain = domainOf(which);
        bytes32 right = digest(domain, structHash);
        uint32 last = ids[ids.length - 1];
        if (way == 0) return garbage;
        if (way == 1) return "";
        // The officers' numbers, with a stranger's account and its good signature.
        if (way == 2) return _record(last, STRANGER_KEY, vm.addr(STRANGER_KEY), right, false, _before(ids, right));
        if (way == 3) return _relief.signatures(right, ids, last);
        if (way == 4) return _relief.signatures(keccak256(abi.encode(right)), ids, 0);
        if (way == 5) return _relief.signatures(digest((domain + 1) % 4, structHash), ids, 0);
        if (way == 6) return _relief.signatures(digest((domain + 2) % 4, structHash), ids, 0);
        if (way == 7) return _before(ids, right);
        // One officer twice, which is one too many where one is asked for.
        if (way == 8) return _relief.signatures(right, _two(ids[0], ids[0]), 0);
        if (way == 9) return _relief.signatures(right, ids.length == 2 ? _two(last, ids[0]) : _one(1), 0);
        if (way == 10) return _relief.signatures(_onAnotherChain(domain, structHash), ids, 0);
        if (way == 11) return _relief.signatures(right, _ofAnotherRole(which), 0);
        if (way == 12) {
            return _record(
                last, _relief.officerKey(last), _relief.signer(last), right, true, _before(ids, right)
            );
        }
        packed = _relief.signatures(right, ids, 0);
        if (way == 13) return abi.encodePacked(packed, uint8(uint256(right)));
        // The last byte is cut off.
        assembly ("memory-safe") {
            mstore(packed, sub(mload(packed), 1))
        }
    }

    uint256 private constant STRANGER_KEY = uint256(keccak256("a stranger's key"));

    /// @dev The records of all but the last officer.
    function _before(uint32[] memory ids, bytes32 right) private view returns (bytes memory) {
        return ids.length == 1 ? bytes("") : _relief.signatures(right, _one(ids[0]), 0);
    }

    function _record(
        uint32 id,
        uint256 key,
        address signer,
        bytes32 right,
        bool mirrored,
        bytes memory before
    ) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, right);
        if (mirrored) (v, s) = (v == 27 ? 28 : 27, bytes32(CURVE_ORDER - uint256(s)));
        return abi.encodePacked(before, id, uint8(1), uint16(20), uint16(65), signer, r, s, v);
    }

    function _onAnotherChain(uint256 domain, bytes32 structHash) private view returns (bytes32) {
        string[4] memory names =
            ["Relief AllowanceVault", "Relief Benefit Token", "Relief OfficerRegistry", "Relief EmergencyLane"];
        address[4] memory targets = [
            address(_relief.vault()),
            address(_relief.token()),
            address(_relief.registry()),
            address(_relief.lane())
        ];
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(names[domain])),
                keccak256("1"),
                block.chainid + 1,
                targets[domain]
            )
        );
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    /// @dev As many officers as will do, in force, who may sign something else.
    function _ofAnotherRole(uint256 which) private pure returns (uint32[] memory) {
        uint32[] memory ids = officersFor(which);
        if (ids.length == 1) return _one(which == 19 ? 2 : 5);
        return ids[0] == 5 ? _two(2, 4) : _two(5, 6);
    }

    function _one(uint32 id) private pure returns (uint32[] memory ids) {
        ids = new uint32[](1);
        ids[0] = id;
    }

    function _two(uint32 first, uint32 second) private pure returns (uint32[] memory ids) {
        ids = new uint32[](2);
        (ids[0], ids[1]) = (first, second);
    }

    // ------------------------------------------------------------------------------------------------------ the vault

    function approval(Subject memory about) public view returns (IAllowanceVault.BatchApproval memory approved) {
        approved.programme = _relief.PROGRAMME();
        approved.programmeVersion = 1;
        approved.batchId = about.actionId;
        approved.maker = 1;
        approved.regionCode = 51;
        approved.regionDigits = 2;
        approved.chunkSize = 1;
        approved.chunksRoot = about.actionId;
        approved.count = 1;
        approved.total = 1e6;
        approved.executeBefore = uint40(block.timestamp + 1 days);
        approved.expiresAt = uint40(block.timestamp + 91 days);
    }

    function _ofVault(uint256 which, Subject memory about, bytes memory packed)
        private
        view
        returns (bytes32 structHash, bytes memory call)
    {
        (bytes32 id, uint40 deadline) = (about.actionId, about.deadline);
        if (which == 0) {
            IAllowanceVault.BatchApproval memory approved = approval(about);
            bytes32 typeHash = keccak256(
                "BatchApproval(uint32 programme,uint32 programmeVersion,bytes32 batchId,uint32 maker,uint8 kind,uint24 regionCode,uint8 regionDigits,uint16 chunkSize,bytes32 chunksRoot,bytes32 manifestHash,uint32 count,uint80 total,uint40 start,uint32 cliff,uint32 duration,uint32 cadence,uint40 executeBefore,uint40 expiresAt)"
            );
            structHash = keccak256(abi.encode(typeHash, approved));
            call = abi.encodeCall(IAllowanceVault.approveBatch, (approved, packed));
        }
        if (which == 1) {
            structHash = _hash("BatchCancellation(bytes32 batchId,bytes32 actionId,uint40 deadline)", about.batchId, about);
            call = abi.encodeCall(IVaultCorrections.cancelBatch, (about.batchId, id, deadline, packed));
        }
        if (which == 2) {
            structHash = keccak256(
                abi.encode(
                    keccak256(
                        "StreamCancellation(bytes32 batchId,uint256 chunkIndex,uint256 maskLow,uint256 maskHigh,bytes32 actionId,uint40 deadline)"
                    ),
                    about.batchId,
                    about.index,
                    uint256(1),
                    uint256(0),
                    id,
                    deadline
                )
            );
            call = abi.encodeCall(
                IVaultCorrections.cancelStreams, (about.batchId, about.index, 1, 0, id, deadline, packed)
            );
        }
        if (which == 3) {
            structHash = _hash("BatchHold(bytes32 batchId,bytes32 actionId,uint40 deadline)", about.batchId, about);
            call = abi.encodeCall(IVaultCorrections.holdBatch, (about.batchId, id, deadline, packed));
        }
        if (which == 4) {
            bytes32 typeHash =
                keccak256("EntryHold(bytes32 batchId,uint256 index,bytes32 actionId,uint40 deadline)");
            structHash = keccak256(abi.encode(typeHash, about.batchId, about.index, id, deadline));
            call = abi.encodeCall(IVaultCorrections.holdEntry, (about.batchId, about.index, id, deadline, packed));
        }
        if (which == 5) {
            bytes32 typeHash = keccak256(
                "WalletChange(bytes32 batchId,uint256 index,address from,address to,bytes32 actionId,uint40 deadline)"
            );
            structHash =
                keccak256(abi.encode(typeHash, about.batchId, about.index, about.from, about.to, id, deadline));
            call = abi.encodeCall(
                IVaultCorrections.changeWallet,
                (about.batchId, about.index, about.from, about.to, id, deadline, packed)
            );
        }
        if (which == 6) {
            structHash =
                _hash("Unpause(uint8 operations,bytes32 actionId,uint40 deadline)", bytes32(uint256(7)), about);
            call = abi.encodeCall(IVaultAdministration.unpause, (7, id, deadline, packed));
        }
        if (which == 7) {
            structHash = _hash("Sunset(bytes32 actionId,uint40 deadline)", about);
            call = abi.encodeCall(IVaultAdministration.beginSunset, (id, deadline, packed));
        }
    }

    // ------------------------------------------------------------------------------------------------------ the token

    function _ofToken(uint256 which, Subject memory about, bytes memory packed)
        private
        view
        returns (bytes32 structHash, bytes memory call)
    {
        (bytes32 id, uint40 deadline) = (about.actionId, about.deadline);
        if (which == 8) {
            structHash = _hash("UnpauseTransfers(bytes32 actionId,uint40 deadline)", about);
            call = abi.encodeCall(IBenefitToken.unpauseTransfers, (id, deadline, packed));
        }
        if (which == 9) {
            structHash = keccak256(
                abi.encode(
                    keccak256("MinterAddition(address minter,uint80 cap,bytes32 actionId,uint40 deadline)"),
                    STRANGER,
                    about.amount,
                    id,
                    deadline
                )
            );
            call = abi.encodeCall(IBenefitToken.scheduleMinter, (STRANGER, about.amount, id, deadline, packed));
        }
        if (which == 10) {
            address vault = address(_relief.vault());
            structHash = _hash(
                "MinterRemoval(address minter,bytes32 actionId,uint40 deadline)",
                bytes32(uint256(uint160(vault))),
                about
            );
            call = abi.encodeCall(IBenefitToken.removeMinter, (vault, id, deadline, packed));
        }
        if (which == 11) {
            structHash =
                _hash("CapIncrease(uint80 cap,bytes32 actionId,uint40 deadline)", bytes32(uint256(1e20)), about);
            call = abi.encodeCall(IBenefitToken.scheduleCap, (1e20, id, deadline, packed));
        }
    }

    // --------------------------------------------------------------------------------------------------- the registry

    function _ofRegistry(uint256 which, Subject memory about, bytes memory packed)
        private
        view
        returns (bytes32 structHash, bytes memory call)
    {
        (bytes32 id, uint40 deadline) = (about.actionId, about.deadline);
        bytes memory stranger = abi.encodePacked(STRANGER);
        if (which == 12) {
            bytes32 typeHash = keccak256(
                "OfficerAddition(uint32 officerId,uint16 roles,uint24 regionCode,uint8 regionDigits,uint8 signerType,bytes signer,bytes32 actionId,uint40 deadline)"
            );
            structHash = keccak256(
                abi.encode(typeHash, uint32(99), uint16(15), uint24(0), uint8(0), uint8(1), keccak256(stranger), id, deadline)
            );
            call = abi.encodeCall(
                IOfficerRegistry.addOfficer,
                (IOfficerRegistry.NewOfficer(99, 15, 0, 0, 1, stranger), id, deadline, packed)
            );
        }
        if (which == 13) {
            structHash =
                _hash("OfficerRemoval(uint32 officerId,bytes32 actionId,uint40 deadline)", bytes32(uint256(7)), about);
            call = abi.encodeCall(IOfficerRegistry.removeOfficer, (7, id, deadline, packed));
        }
        if (which == 14) {
            bytes32 typeHash = keccak256(
                "SignerAddition(uint32 officerId,uint8 signerType,bytes signer,bytes32 actionId,uint40 deadline)"
            );
            structHash = keccak256(abi.encode(typeHash, uint32(6), uint8(1), keccak256(stranger), id, deadline));
            call = abi.encodeCall(IOfficerRegistry.addSigner, (6, 1, stranger, id, deadline, packed));
        }
        if (which == 15) {
            bytes memory signer = abi.encodePacked(_relief.signer(7));
            bytes32 typeHash =
                keccak256("SignerRemoval(uint8 signerType,bytes signer,bytes32 actionId,uint40 deadline)");
            structHash = keccak256(abi.encode(typeHash, uint8(1), keccak256(signer), id, deadline));
            call = abi.encodeCall(IOfficerRegistry.removeSigner, (1, signer, id, deadline, packed));
        }
        if (which == 16 || which == 17) {
            bytes32 verifier = bytes32(uint256(uint160(about.to)));
            structHash = which == 16
                ? _hash("VerifierAddition(address verifier,bytes32 actionId,uint40 deadline)", verifier, about)
                : _hash("VerifierRemoval(address verifier,bytes32 actionId,uint40 deadline)", verifier, about);
            call = which == 16
                ? abi.encodeCall(IOfficerRegistry.addVerifier, (about.to, id, deadline, packed))
                : abi.encodeCall(IOfficerRegistry.removeVerifier, (about.to, id, deadline, packed));
        }
        if (which == 18) {
            bytes memory data = abi.encodeCall(IAccessManager.grantRole, (2, STRANGER, 0));
            structHash =
                _hash("ManagerCall(bytes data,bytes32 actionId,uint40 deadline)", keccak256(data), about);
            call = abi.encodeCall(IOfficerRegistry.callManager, (data, id, deadline, packed));
        }
    }

    // ------------------------------------------------------------------------------------------------------- the lane

    function grantOf(Subject memory about) public pure returns (IEmergencyLane.EmergencyGrant memory) {
        return IEmergencyLane.EmergencyGrant(
            about.actionId, 8, about.to, 1e6, 51, 2, keccak256(abi.encode(about.actionId)), about.deadline
        );
    }

    function _ofLane(uint256 which, Subject memory about, bytes memory packed)
        private
        view
        returns (bytes32 structHash, bytes memory call)
    {
        (bytes32 id, uint40 deadline) = (about.actionId, about.deadline);
        if (which == 19) {
            IEmergencyLane.EmergencyGrant memory given = grantOf(about);
            bytes32 typeHash = keccak256(
                "EmergencyGrant(bytes32 grantId,uint32 officer,address payee,uint64 amount,uint24 regionCode,uint8 regionDigits,bytes32 caseCommitment,uint40 validUntil)"
            );
            structHash = keccak256(abi.encode(typeHash, given));
            call = abi.encodeCall(IEmergencyLane.grant, (given, packed));
        }
        if (which == 20) {
            bytes32 typeHash =
                keccak256("GrantCountersignature(bytes32 grantId,address payee,uint64 amount,uint40 deadline)");
            structHash = keccak256(abi.encode(typeHash, about.grantId, about.payee, about.amount, deadline));
            call = abi.encodeCall(IEmergencyLane.countersign, (about.grantId, deadline, packed));
        }
        if (which == 21) {
            structHash = _hash("GrantWriteOff(bytes32 grantId,bytes32 actionId,uint40 deadline)", about.grantId, about);
            call = abi.encodeCall(IEmergencyLane.writeOff, (about.grantId, id, deadline, packed));
        }
        if (which == 22) {
            IEmergencyLane.Limits memory limits = _relief.laneLimits();
            bytes32 typeHash = keccak256(
                "LimitsRaise(uint64 perGrant,uint80 perOfficer,uint80 outstanding,uint32 countersignWindow,uint80 perCounty,uint80 perCity,uint80 perProvince,uint80 country,uint80 countyOverdue,uint80 cityOverdue,uint80 provinceOverdue,bytes32 actionId,uint40 deadline)"
            );
            structHash = keccak256(abi.encode(typeHash, limits, id, deadline));
            call = abi.encodeCall(IEmergencyLane.scheduleLimits, (limits, id, deadline, packed));
        }
        if (which == 23) {
            bytes32 typeHash = keccak256(
                "RegionCapRaise(uint24 regionCode,uint8 regionDigits,uint80 cap,bytes32 actionId,uint40 deadline)"
            );
            structHash = keccak256(abi.encode(typeHash, uint24(51), uint8(2), uint80(1e12), id, deadline));
            call = abi.encodeCall(IEmergencyLane.scheduleRegionCap, (51, 2, 1e12, id, deadline, packed));
        }
        if (which == 24) {
            structHash = _hash("UnpauseGrants(bytes32 actionId,uint40 deadline)", about);
            call = abi.encodeCall(IEmergencyLane.unpause, (id, deadline, packed));
        }
    }

    function _hash(string memory typeString, Subject memory about) private pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(bytes(typeString)), about.actionId, about.deadline));
    }

    function _hash(string memory typeString, bytes32 member, Subject memory about) private pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(bytes(typeString)), member, about.actionId, about.deadline));
    }
}
