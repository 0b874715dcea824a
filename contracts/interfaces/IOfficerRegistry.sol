// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Relief officers: people, what they may sign for, and the signers they sign with
/// @notice An officer is a person with a number that is never used again. A person may have several signers; every
/// count is of persons. People, signers and verifiers are added by a quorum of governors and come into force after a delay that
/// nobody can shorten; they are removed by a quorum at once. Removing an officer does not undo what that officer
/// approved.
///
/// Every event carries `seq`, this contract's own count without gaps: a log left out shows.
interface IOfficerRegistry {
    /// @notice A person, by number.
    /// @param roles Bits: 1 maker, 2 reviewer, 4 emergency officer, 8 governor.
    /// @param regionCode GB/T 2260 code without trailing zeros.
    /// @param regionDigits How many digits it has: 2, 4 or 6; 0 for the whole country.
    /// @param activeFrom Unix seconds from which signatures count.
    /// @param removed True for ever after removal.
    struct Officer {
        uint16 roles;
        uint24 regionCode;
        uint8 regionDigits;
        uint40 activeFrom;
        bool removed;
    }

    /// @notice What a person signs with.
    /// @param officerId The person who signs with it.
    /// @param activeFrom Unix seconds from which its signatures count.
    /// @param removed True for ever after removal: a signer never comes back, for anybody.
    struct Signer {
        uint32 officerId;
        uint40 activeFrom;
        bool removed;
    }

    /// @notice A contract that checks signatures of signers of type 3 (ERC-7913), by keys of P-256.
    /// @param activeFrom Unix seconds from which the signatures it accepts count; 0 where it was never added.
    /// @param removed True for ever after removal: a verifier never comes back.
    struct Verifier {
        uint40 activeFrom;
        bool removed;
    }

    /// @notice An officer with a first signer, as given at deployment or added by governors.
    /// @param signerType 1: externally owned account (ECDSA over secp256k1, 65-byte signature, low s). 2: contract that
    /// answers ERC-1271. 3: P-256 key, checked by an ERC-7913 verifier that is allowed here.
    /// @param signer For types 1 and 2 the 20 bytes of the account's address; for type 3 the 20 of the verifier's, then
    /// the 64 of the point, x | y.
    struct NewOfficer {
        uint32 officerId;
        uint16 roles;
        uint24 regionCode;
        uint8 regionDigits;
        uint8 signerType;
        bytes signer;
    }

    /// @notice A person became an officer: at deployment, or by a quorum of governors.
    event OfficerAdded(
        uint32 indexed officerId,
        uint16 roles,
        uint24 regionCode,
        uint8 regionDigits,
        uint40 activeFrom,
        bytes32 actionId,
        bytes signatures,
        uint64 seq
    );
    /// @notice Governors removed an officer, at once and for ever. What that officer approved stands.
    event OfficerRemoved(uint32 indexed officerId, bytes32 actionId, bytes signatures, uint64 seq);
    /// @notice An officer has another signer; the first one's event follows {OfficerAdded}.
    event SignerAdded(
        uint32 indexed officerId,
        uint8 signerType,
        bytes signer,
        uint40 activeFrom,
        bytes32 actionId,
        bytes signatures,
        uint64 seq
    );
    /// @notice Governors took a signer away, at once and for ever.
    event SignerRemoved(
        uint32 indexed officerId, uint8 signerType, bytes signer, bytes32 actionId, bytes signatures, uint64 seq
    );
    /// @notice Signatures of P-256 keys may be checked by this contract: from deployment, or by a quorum of governors.
    event VerifierAdded(
        address indexed verifier, uint40 activeFrom, bytes32 actionId, bytes signatures, uint64 seq
    );
    /// @notice Governors disallowed a verifier, and with it each signer that names it, at once and for ever.
    event VerifierRemoved(address indexed verifier, bytes32 actionId, bytes signatures, uint64 seq);
    /// @notice The quorum had the access manager called (granting or revoking a housekeeping role).
    /// @param data The call, as {IAccessManager} encodes it.
    event ManagerCalled(bytes data, bytes32 actionId, bytes signatures, uint64 seq);
    /// @notice A quorum action of `consumer` (vault, token or this contract) was used up.
    /// @param consumer Who asked for the signatures to be counted.
    /// @param digest What the officers signed (EIP-712).
    event ActionConsumed(address indexed consumer, bytes32 indexed actionId, bytes32 digest, uint64 seq);

    error QuorumTooSmall(uint256 quorum);
    error TooFewGovernors(uint256 governors, uint256 quorum);
    error InvalidOfficer(uint32 officerId);
    error InvalidRoles(uint16 roles);
    error OfficerExists(uint32 officerId);
    error UnknownOfficer(uint32 officerId);
    error OfficerInactive(uint32 officerId);
    error OfficerLacksRole(uint32 officerId, uint16 role);
    error OfficerOutsideRegion(uint32 officerId, uint24 regionCode, uint8 regionDigits);
    /// @notice Officer ids must ascend strictly; the same person twice, or out of order.
    error OfficersNotAscending(uint32 previous, uint32 officerId);
    error SignerTaken(uint8 signerType, bytes signer);
    error UnknownSigner(uint8 signerType, bytes signer);
    error VerifierExists(address verifier);
    /// @notice The verifier was never added, or was removed.
    error UnknownVerifier(address verifier);
    /// @notice The verifier of this signer was removed, or is not in force yet.
    error VerifierInactive(address verifier);
    /// @notice The signature is good, but this signer does not belong to that officer, or no longer, or not yet.
    error SignerNotOfficers(uint32 officerId, uint8 signerType, bytes signer);
    /// @notice The signature was not made by this signer over this digest.
    error WrongSignature(uint32 officerId, uint8 signerType, bytes signer);
    error MakerSignatureMissing(uint32 maker);
    error NotEnoughReviewers(uint256 required, uint256 given);
    error NotEnoughOfficers(uint256 required, uint256 given);
    /// @notice One officer's signature was asked for, and others follow it.
    error MoreThanOneOfficer(uint32 officerId);
    error ActionExpired(bytes32 actionId, uint256 deadline);
    error ActionUsed(address consumer, bytes32 actionId);
    error ManagerCallFailed(bytes reason);

    /// @notice Seconds between adding an officer, signer or verifier and their first valid signature.
    function ADDITION_DELAY() external view returns (uint40);

    /// @notice How many distinct officers a quorum action needs, at least 2.
    function quorum() external view returns (uint256);

    /// @notice The access manager this contract administers through {callManager}.
    function manager() external view returns (address);

    /// @notice Governors added and not removed, in force or about to be.
    function governorCount() external view returns (uint256);

    /// @notice How many events it has emitted.
    function seq() external view returns (uint64);

    /// @notice An officer; zeros for a number that nobody has or had.
    function officer(uint32 officerId) external view returns (Officer memory);

    /// @notice A signer; zeros for one that nobody has or had.
    function signerOf(uint8 signerType, bytes calldata signer) external view returns (Signer memory);

    /// @notice A verifier; zeros for one that was never allowed.
    function verifierOf(address verifier) external view returns (Verifier memory);

    /// @notice Whether the consumer's quorum action was used up.
    function actionUsed(address consumer, bytes32 actionId) external view returns (bool);

    /// @notice Reverts unless the maker and at least `reviewers` other officers signed `digest`, each in force, in
    /// their role, and for a region that covers the given one.
    /// @param signatures Packed records, see {OfficerSignatures}; the maker's among them.
    function requireApproval(
        bytes32 digest,
        uint32 maker,
        uint256 reviewers,
        uint24 regionCode,
        uint8 regionDigits,
        bytes calldata signatures
    ) external view;

    /// @notice Reverts unless exactly one officer signed `digest`, in force, in `role`, and for a region that covers the
    /// given one; returns who.
    /// @param regionDigits With 0 any officer's region will do.
    /// @param signatures One packed record, see {OfficerSignatures}.
    function requireOne(
        bytes32 digest,
        uint16 role,
        uint24 regionCode,
        uint8 regionDigits,
        bytes calldata signatures
    ) external view returns (uint32 officerId);

    /// @notice Reverts unless a quorum of officers with `role` signed `digest`, then uses up the caller's `actionId`.
    /// @dev Action ids are kept per caller, so nobody else can use one up.
    /// @param deadline Unix seconds after which the action is refused.
    /// @param role The role each officer needs.
    /// @param regionCode The region each officer must cover; with `regionDigits` 0 any officer's region will do.
    function consumeQuorum(
        bytes32 digest,
        bytes32 actionId,
        uint256 deadline,
        uint16 role,
        uint24 regionCode,
        uint8 regionDigits,
        bytes calldata signatures
    ) external;

    /// @notice Adds an officer with a first signer, in force after {ADDITION_DELAY}; by a quorum of governors.
    function addOfficer(NewOfficer calldata added, bytes32 actionId, uint40 deadline, bytes calldata signatures)
        external;

    /// @notice Removes an officer at once; by a quorum of governors, of whom enough must remain.
    function removeOfficer(uint32 officerId, bytes32 actionId, uint40 deadline, bytes calldata signatures) external;

    /// @notice Gives an officer another signer, in force after {ADDITION_DELAY}; by a quorum of governors.
    function addSigner(
        uint32 officerId,
        uint8 signerType,
        bytes calldata signer,
        bytes32 actionId,
        uint40 deadline,
        bytes calldata signatures
    ) external;

    /// @notice Takes a signer away at once; by a quorum of governors.
    function removeSigner(
        uint8 signerType,
        bytes calldata signer,
        bytes32 actionId,
        uint40 deadline,
        bytes calldata signatures
    ) external;

    /// @notice Allows a verifier of P-256 keys, in force after {ADDITION_DELAY}; by a quorum of governors.
    function addVerifier(address verifier, bytes32 actionId, uint40 deadline, bytes calldata signatures) external;

    /// @notice Disallows a verifier at once, and with it each signer that names it; by a quorum of governors.
    function removeVerifier(address verifier, bytes32 actionId, uint40 deadline, bytes calldata signatures) external;

    /// @notice Calls the access manager, whose administrator this contract is; by a quorum of governors.
    function callManager(bytes calldata data, bytes32 actionId, uint40 deadline, bytes calldata signatures) external;
}
