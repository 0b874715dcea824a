// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IOfficerRegistry} from "./interfaces/IOfficerRegistry.sol";
import {OfficerSignatures} from "./libraries/OfficerSignatures.sol";
import {Regions} from "./libraries/Regions.sol";
import {Signers} from "./libraries/Signers.sol";

/// @title Officers, their signers, and the check that enough of them signed
contract OfficerRegistry is IOfficerRegistry, EIP712 {
    using OfficerSignatures for bytes;

    uint16 private constant MAKER = 1;
    uint16 private constant REVIEWER = 2;
    uint16 private constant GOVERNOR = 8;
    uint16 private constant ALL_ROLES = 15;

    bytes32 private constant OFFICER_ADDITION_TYPEHASH = keccak256(
        "OfficerAddition(uint32 officerId,uint16 roles,uint24 regionCode,uint8 regionDigits,uint8 signerType,bytes signer,bytes32 actionId,uint40 deadline)"
    );
    bytes32 private constant OFFICER_REMOVAL_TYPEHASH =
        keccak256("OfficerRemoval(uint32 officerId,bytes32 actionId,uint40 deadline)");
    bytes32 private constant SIGNER_ADDITION_TYPEHASH = keccak256(
        "SignerAddition(uint32 officerId,uint8 signerType,bytes signer,bytes32 actionId,uint40 deadline)"
    );
    bytes32 private constant SIGNER_REMOVAL_TYPEHASH =
        keccak256("SignerRemoval(uint8 signerType,bytes signer,bytes32 actionId,uint40 deadline)");
    bytes32 private constant VERIFIER_ADDITION_TYPEHASH =
        keccak256("VerifierAddition(address verifier,bytes32 actionId,uint40 deadline)");
    bytes32 private constant VERIFIER_REMOVAL_TYPEHASH =
        keccak256("VerifierRemoval(address verifier,bytes32 actionId,uint40 deadline)");
    bytes32 private constant MANAGER_CALL_TYPEHASH =
        keccak256("ManagerCall(bytes data,bytes32 actionId,uint40 deadline)");

    /// @inheritdoc IOfficerRegistry
    uint40 public constant ADDITION_DELAY = 2 days;

    /// @inheritdoc IOfficerRegistry
    uint256 public immutable quorum;
    /// @inheritdoc IOfficerRegistry
    address public immutable manager;

    /// @inheritdoc IOfficerRegistry
    uint64 public seq;
    /// @dev Governors added and not removed, in force or about to be.
    uint32 private _governors;

    /// @dev Each officer there is or was.
    mapping(uint32 officerId => Officer) private _officers;
    /// @dev Each signer there is or was; the key is keccak256(signerType (1) | signer).
    mapping(bytes32 signerKey => Signer) private _signers;
    /// @dev Each verifier that is or was allowed.
    mapping(address verifier => Verifier) private _verifiers;
    /// @inheritdoc IOfficerRegistry
    mapping(address consumer => mapping(bytes32 actionId => bool)) public actionUsed;

    constructor(address manager_, uint256 quorum_, address[] memory verifiers, NewOfficer[] memory first)
        EIP712("Relief OfficerRegistry", "1")
    {
        require(quorum_ >= 2, QuorumTooSmall(quorum_));
        manager = manager_;
        quorum = quorum_;
        for (uint256 i; i < verifiers.length; ++i) {
            _addVerifier(verifiers[i], uint40(block.timestamp), bytes32(0), "");
        }
        for (uint256 i; i < first.length; ++i) {
            _addOfficer(first[i], uint40(block.timestamp), bytes32(0), "");
        }
        require(_governors >= quorum_, TooFewGovernors(_governors, quorum_));
    }

    /// @inheritdoc IOfficerRegistry
    function governorCount() external view returns (uint256) {
        return _governors;
    }

    /// @inheritdoc IOfficerRegistry
    function officer(uint32 officerId) external view returns (Officer memory) {
        return _officers[officerId];
    }

    /// @inheritdoc IOfficerRegistry
    function signerOf(uint8 signerType, bytes calldata signer) external view returns (Signer memory) {
        return _signers[_signerKey(signerType, signer)];
    }

    /// @inheritdoc IOfficerRegistry
    function verifierOf(address verifier) external view returns (Verifier memory) {
        return _verifiers[verifier];
    }

    /// @inheritdoc IOfficerRegistry
    function requireApproval(
        bytes32 digest,
        uint32 maker,
        uint256 reviewers,
        uint24 regionCode,
        uint8 regionDigits,
        bytes calldata signatures
    ) external view {
        uint256 given;
        bool makerSigned;
        uint32 previous;
        for (uint256 offset; offset < signatures.length;) {
            (previous, offset) =
                _requireSigned(digest, signatures, offset, previous, maker, REVIEWER, regionCode, regionDigits);
            if (previous == maker) makerSigned = true;
            else ++given;
        }
        require(makerSigned, MakerSignatureMissing(maker));
        require(given >= reviewers, NotEnoughReviewers(reviewers, given));
    }

    /// @inheritdoc IOfficerRegistry
    function requireOne(
        bytes32 digest,
        uint16 role,
        uint24 regionCode,
        uint8 regionDigits,
        bytes calldata signatures
    ) external view returns (uint32 officerId) {
        uint256 next;
        (officerId, next) = _requireSigned(digest, signatures, 0, 0, 0, role, regionCode, regionDigits);
        require(next == signatures.length, MoreThanOneOfficer(officerId));
    }

    /// @inheritdoc IOfficerRegistry
    function consumeQuorum(
        bytes32 digest,
        bytes32 actionId,
        uint256 deadline,
        uint16 role,
        uint24 regionCode,
        uint8 regionDigits,
        bytes calldata signatures
    ) external {
        _consumeQuorum(msg.sender, digest, actionId, deadline, role, regionCode, regionDigits, signatures);
    }

    /// @inheritdoc IOfficerRegistry
    function addOfficer(NewOfficer calldata added, bytes32 actionId, uint40 deadline, bytes calldata signatures)
        external
    {
        bytes32 structHash = keccak256(
            abi.encode(
                OFFICER_ADDITION_TYPEHASH,
                added.officerId,
                added.roles,
                added.regionCode,
                added.regionDigits,
                added.signerType,
                keccak256(added.signer),
                actionId,
                deadline
            )
        );
        _consumeGovernors(structHash, actionId, deadline, signatures);
        _addOfficer(added, uint40(block.timestamp) + ADDITION_DELAY, actionId, signatures);
    }

    /// @inheritdoc IOfficerRegistry
    function removeOfficer(uint32 officerId, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        bytes32 structHash = keccak256(abi.encode(OFFICER_REMOVAL_TYPEHASH, officerId, actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);

        Officer storage leaving = _officers[officerId];
        require(leaving.roles != 0 && !leaving.removed, UnknownOfficer(officerId));
        leaving.removed = true;
        if (leaving.roles & GOVERNOR != 0) {
            uint32 remaining = --_governors;
            require(remaining >= quorum, TooFewGovernors(remaining, quorum));
        }
        emit OfficerRemoved(officerId, actionId, signatures, ++seq);
    }

    /// @inheritdoc IOfficerRegistry
    function addSigner(
        uint32 officerId,
        uint8 signerType,
        bytes calldata signer,
        bytes32 actionId,
        uint40 deadline,
        bytes calldata signatures
    ) external {
        bytes32 structHash = keccak256(
            abi.encode(SIGNER_ADDITION_TYPEHASH, officerId, signerType, keccak256(signer), actionId, deadline)
        );
        _consumeGovernors(structHash, actionId, deadline, signatures);

        Officer storage known = _officers[officerId];
        require(known.roles != 0 && !known.removed, UnknownOfficer(officerId));
        _addSigner(officerId, signerType, signer, uint40(block.timestamp) + ADDITION_DELAY, actionId, signatures);
    }

    /// @inheritdoc IOfficerRegistry
    function removeSigner(
        uint8 signerType,
        bytes calldata signer,
        bytes32 actionId,
        uint40 deadline,
        bytes calldata signatures
    ) external {
        bytes32 structHash =
            keccak256(abi.encode(SIGNER_REMOVAL_TYPEHASH, signerType, keccak256(signer), actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);

        Signer storage leaving = _signers[_signerKey(signerType, signer)];
        require(leaving.officerId != 0 && !leaving.removed, UnknownSigner(signerType, signer));
        leaving.removed = true;
        emit SignerRemoved(leaving.officerId, signerType, signer, actionId, signatures, ++seq);
    }

    /// @inheritdoc IOfficerRegistry
    function addVerifier(address verifier, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        bytes32 structHash = keccak256(abi.encode(VERIFIER_ADDITION_TYPEHASH, verifier, actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);
        _addVerifier(verifier, uint40(block.timestamp) + ADDITION_DELAY, actionId, signatures);
    }

    /// @inheritdoc IOfficerRegistry
    function removeVerifier(address verifier, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        bytes32 structHash = keccak256(abi.encode(VERIFIER_REMOVAL_TYPEHASH, verifier, actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);

        Verifier storage leaving = _verifiers[verifier];
        require(leaving.activeFrom != 0 && !leaving.removed, UnknownVerifier(verifier));
        leaving.removed = true;
        emit VerifierRemoved(verifier, actionId, signatures, ++seq);
    }

    /// @inheritdoc IOfficerRegistry
    function callManager(bytes calldata data, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        bytes32 structHash = keccak256(abi.encode(MANAGER_CALL_TYPEHASH, keccak256(data), actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);

        (bool success, bytes memory reason) = manager.call(data);
        require(success, ManagerCallFailed(reason));
        emit ManagerCalled(data, actionId, signatures, ++seq);
    }

    function _consumeGovernors(bytes32 structHash, bytes32 actionId, uint256 deadline, bytes calldata signatures)
        private
    {
        bytes32 digest = _hashTypedDataV4(structHash);
        _consumeQuorum(address(this), digest, actionId, deadline, GOVERNOR, 0, 0, signatures);
    }

    function _consumeQuorum(
        address consumer,
        bytes32 digest,
        bytes32 actionId,
        uint256 deadline,
        uint16 role,
        uint24 regionCode,
        uint8 regionDigits,
        bytes calldata signatures
    ) private {
        require(block.timestamp <= deadline, ActionExpired(actionId, deadline));
        require(!actionUsed[consumer][actionId], ActionUsed(consumer, actionId));

        uint256 given;
        uint32 previous;
        for (uint256 offset; offset < signatures.length;) {
            (previous, offset) = _requireSigned(digest, signatures, offset, previous, 0, role, regionCode, regionDigits);
            ++given;
        }
        require(given >= quorum, NotEnoughOfficers(quorum, given));

        actionUsed[consumer][actionId] = true;
        emit ActionConsumed(consumer, actionId, digest, ++seq);
    }

    /// @dev Requires that the record at `offset` is a signature over `digest` of an officer behind `previous`, who is in
    /// force, in the role (the maker's for `maker`), for the region. Region digits 0 ask for no region: the action
    /// concerns the whole deployment, not a place.
    /// @return officerId Who signed.
    /// @return next Where the next record starts.
    function _requireSigned(
        bytes32 digest,
        bytes calldata signatures,
        uint256 offset,
        uint32 previous,
        uint32 maker,
        uint16 role,
        uint24 regionCode,
        uint8 regionDigits
    ) private view returns (uint32 officerId, uint256 next) {
        uint8 signerType;
        bytes calldata signer;
        bytes calldata signature;
        (officerId, signerType, signer, signature, next) = signatures.read(offset);
        require(officerId > previous, OfficersNotAscending(previous, officerId));
        if (officerId == maker) role = MAKER;

        Officer storage person = _officers[officerId];
        require(person.roles != 0, UnknownOfficer(officerId));
        require(!person.removed && block.timestamp >= person.activeFrom, OfficerInactive(officerId));
        require(person.roles & role != 0, OfficerLacksRole(officerId, role));
        require(
            regionDigits == 0 || Regions.covers(person.regionCode, person.regionDigits, regionCode, regionDigits),
            OfficerOutsideRegion(officerId, regionCode, regionDigits)
        );

        // As in {_signerKey}, which would copy the signer to memory first.
        Signer storage known = _signers[keccak256(abi.encodePacked(signerType, signer))];
        require(
            known.officerId == officerId && !known.removed && block.timestamp >= known.activeFrom,
            SignerNotOfficers(officerId, signerType, signer)
        );
        bool signed = signerType == Signers.EOA
            ? Signers.isEoaSignature(signer, digest, signature)
            : _isContractsSignature(signerType, signer, digest, signature);
        require(signed, WrongSignature(officerId, signerType, signer));
    }

    /// @dev Whether the contract behind a signer of type 2 or 3, no others can be added, takes the signature.
    function _isContractsSignature(uint8 signerType, bytes calldata signer, bytes32 digest, bytes calldata signature)
        private
        view
        returns (bool)
    {
        if (signerType == Signers.ACCOUNT) return Signers.isAccountSignature(signer, digest, signature);
        address verifier = address(bytes20(signer));
        Verifier storage allowed = _verifiers[verifier];
        require(!allowed.removed && block.timestamp >= allowed.activeFrom, VerifierInactive(verifier));
        return Signers.isKeySignature(signer, digest, signature);
    }

    function _addOfficer(NewOfficer memory added, uint40 activeFrom, bytes32 actionId, bytes memory signatures)
        private
    {
        uint32 officerId = added.officerId;
        require(officerId != 0, InvalidOfficer(officerId));
        require(_officers[officerId].roles == 0, OfficerExists(officerId));
        require(added.roles != 0 && added.roles <= ALL_ROLES, InvalidRoles(added.roles));
        Regions.requireValid(added.regionCode, added.regionDigits);

        _officers[officerId] = Officer(added.roles, added.regionCode, added.regionDigits, activeFrom, false);
        if (added.roles & GOVERNOR != 0) ++_governors;
        emit OfficerAdded(
            officerId, added.roles, added.regionCode, added.regionDigits, activeFrom, actionId, signatures, ++seq
        );
        _addSigner(officerId, added.signerType, added.signer, activeFrom, actionId, signatures);
    }

    function _addSigner(
        uint32 officerId,
        uint8 signerType,
        bytes memory signer,
        uint40 activeFrom,
        bytes32 actionId,
        bytes memory signatures
    ) private {
        Signers.requireWellFormed(signerType, signer);
        if (signerType == Signers.KEY) {
            address verifier = address(bytes20(signer));
            Verifier storage allowed = _verifiers[verifier];
            require(allowed.activeFrom != 0 && !allowed.removed, UnknownVerifier(verifier));
        }
        Signer storage slot = _signers[_signerKey(signerType, signer)];
        require(slot.officerId == 0, SignerTaken(signerType, signer));
        slot.officerId = officerId;
        slot.activeFrom = activeFrom;
        emit SignerAdded(officerId, signerType, signer, activeFrom, actionId, signatures, ++seq);
    }

    function _addVerifier(address verifier, uint40 activeFrom, bytes32 actionId, bytes memory signatures) private {
        Signers.requireContract(verifier);
        require(_verifiers[verifier].activeFrom == 0, VerifierExists(verifier));
        _verifiers[verifier].activeFrom = activeFrom;
        emit VerifierAdded(verifier, activeFrom, actionId, signatures, ++seq);
    }

    function _signerKey(uint8 signerType, bytes memory signer) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(signerType, signer));
    }
}
