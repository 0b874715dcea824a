// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Emergency lane: one officer pays at once, within caps, and another person countersigns afterwards
/// @notice For the first hours of a disaster, when no second officer can be reached. A grant is signed by one emergency
/// officer whose region covers it; anyone may send it ({grant}), and it is paid in the same transaction or not at all.
/// What bounds a stolen key: a cap a grant, an officer, a region of each level, the country, each over the rolling window
/// of {RollingSum}; a cap on what is not countersigned yet; and the lane's cap in the token on all it ever mints. A
/// case is granted once.
///
/// A grant is *outstanding* until a reviewer of its region, another person than the granter, countersigns it, or
/// governors write it off. Not done within the window it is *overdue*: then its officer grants nothing more, and its
/// region, and those above it, once what is overdue there passes the level's threshold.
///
/// Amounts are in base units of the token, times in Unix seconds unless said otherwise. Every event carries `seq`, this
/// contract's own count without gaps: a log left out shows.
interface IEmergencyLane {
    /// @notice `Overdue` is outstanding past the time for countersigning.
    enum GrantState {
        Unknown,
        Outstanding,
        Overdue,
        Countersigned,
        WrittenOff
    }

    /// @notice What an emergency officer signs (EIP-712, in this contract's domain). Member order is the type's order.
    /// @param grantId Chosen by the officer, used once for ever.
    /// @param officer Officer id of the signer.
    /// @param regionCode GB/T 2260 region of the case.
    /// @param regionDigits 2, 4 or 6.
    /// @param caseCommitment The case's keyed commitment, as in manifests; granted once for ever.
    /// @param validUntil The last second at which it may be sent.
    struct EmergencyGrant {
        bytes32 grantId;
        uint32 officer;
        address payee;
        uint64 amount;
        uint24 regionCode;
        uint8 regionDigits;
        bytes32 caseCommitment;
        uint40 validUntil;
    }

    /// @notice A grant that was made, in two words of storage.
    /// @param payee Who was paid.
    /// @param amount What was minted, base units.
    /// @param officer Who signed it.
    /// @param regionCode GB/T 2260 region of the case.
    /// @param regionDigits 2, 4 or 6.
    /// @param overdueFrom The midnight UTC from which it is overdue unless it was ended before.
    /// @param state As of now. In storage overdue is never set: 1 outstanding, 3 countersigned, 4 written off.
    struct Grant {
        address payee;
        uint64 amount;
        uint32 officer;
        uint24 regionCode;
        uint8 regionDigits;
        uint40 overdueFrom;
        GrantState state;
    }

    /// @notice What the lane may do, each member positive: nothing can be unlimited, or left out.
    /// @param perGrant Most one grant may be.
    /// @param perOfficer Most one officer may grant over the window.
    /// @param outstanding Most that may stand uncountersigned.
    /// @param countersignWindow Seconds for countersigning, 1 to 14 days; the time runs on to the next midnight UTC.
    /// @param perCounty Most that may be granted in a region of 6 digits over the window, unless it has its own cap.
    /// @param perCity The same of 4 digits, its counties included.
    /// @param perProvince The same of 2 digits.
    /// @param country Most that may be granted in all over the window.
    /// @param countyOverdue A region of 6 digits closes while more than this is overdue in it.
    /// @param cityOverdue The same of 4 digits.
    /// @param provinceOverdue The same of 2 digits.
    struct Limits {
        uint64 perGrant;
        uint80 perOfficer;
        uint80 outstanding;
        uint32 countersignWindow;
        uint80 perCounty;
        uint80 perCity;
        uint80 perProvince;
        uint80 country;
        uint80 countyOverdue;
        uint80 cityOverdue;
        uint80 provinceOverdue;
    }

    /// @notice `grant.amount` was minted to `grant.payee`.
    /// @param officer Who signed it.
    /// @param grant As the officer signed it.
    /// @param overdueFrom The midnight UTC from which it is overdue unless it was ended before.
    /// @param outstanding All that is outstanding now.
    /// @param signatures As given, so that the events alone prove the grant again.
    event GrantMade(
        bytes32 indexed grantId,
        uint32 indexed officer,
        address indexed payee,
        EmergencyGrant grant,
        uint40 overdueFrom,
        uint256 outstanding,
        bytes signatures,
        uint64 seq
    );
    /// @notice A second person stands by the grant: it is neither outstanding nor overdue any more.
    /// @param officer Who countersigned.
    /// @param deadline As signed.
    /// @param outstanding All that is outstanding now.
    event GrantCountersigned(
        bytes32 indexed grantId,
        uint32 indexed officer,
        uint40 deadline,
        uint256 outstanding,
        bytes signatures,
        uint64 seq
    );
    /// @notice Governors ended a grant that nobody countersigned; what was paid stays paid.
    /// @param outstanding All that is outstanding now.
    event GrantWrittenOff(
        bytes32 indexed grantId, uint256 outstanding, bytes32 actionId, bytes signatures, uint64 seq
    );
    /// @notice Governors planned these limits; those in force stand until they are applied.
    /// @param limits All of them, as they will be.
    event LimitsRaiseScheduled(
        Limits limits, uint40 appliesFrom, bytes32 actionId, bytes signatures, uint64 seq
    );
    /// @notice Planned limits were applied, or the treasurer lowered them.
    /// @param limits The limits now in force. No raise is planned any more.
    event LimitsChanged(Limits limits, uint64 seq);
    /// @notice Governors planned a cap of its own for a region.
    event RegionCapRaiseScheduled(
        uint24 indexed regionCode,
        uint8 regionDigits,
        uint80 cap,
        uint40 appliesFrom,
        bytes32 actionId,
        bytes signatures,
        uint64 seq
    );
    /// @notice A region's planned cap was applied, or the treasurer set one no higher than it was.
    /// @param cap The region's own cap now. No raise of it is planned any more.
    event RegionCapChanged(uint24 indexed regionCode, uint8 regionDigits, uint80 cap, uint64 seq);
    /// @notice A guardian stopped grants.
    event GrantsPaused(uint64 seq);
    /// @notice A quorum of governors lets grants go on.
    event GrantsUnpaused(bytes32 actionId, bytes signatures, uint64 seq);

    error GrantsArePaused();
    error GrantExists(bytes32 grantId);
    error UnknownGrant(bytes32 grantId);
    error GrantEnded(bytes32 grantId, GrantState state);
    error GrantExpired(bytes32 grantId, uint40 validUntil);
    error ZeroAmount(bytes32 grantId);
    error CaseMissing(bytes32 grantId);
    error CaseAlreadyGranted(bytes32 caseCommitment);
    /// @notice Another officer signed than the grant names.
    error WrongOfficer(uint32 signed, uint32 named);
    /// @param reason As {IBenefitToken-unpayableReason} says.
    error Unpayable(address payee, uint8 reason);
    error GrantAboveCap(uint256 amount, uint256 cap);
    error OfficerCapExceeded(uint32 officer, uint256 sum, uint256 cap);
    /// @notice Region (0, 0) is the whole country.
    error RegionCapExceeded(uint24 regionCode, uint8 regionDigits, uint256 sum, uint256 cap);
    error OutstandingCapExceeded(uint256 outstanding, uint256 cap);
    /// @notice The officer has a grant overdue.
    error OfficerClosed(uint32 officer, uint256 overdue);
    /// @notice More is overdue in this region (the grant's, or one above it) than its level's threshold.
    error RegionClosed(uint24 regionCode, uint8 regionDigits, uint256 overdue, uint256 threshold);
    error CountersignatureExpired(bytes32 grantId, uint40 deadline);
    error CountersignedByGranter(uint32 officer);
    /// @param member Position in {Limits}, from 0.
    error ZeroLimit(uint256 member);
    /// @param member Position in {Limits}, from 0.
    error LimitNotLower(uint256 member, uint256 requested, uint256 inForce);
    error InvalidWindow(uint256 requested, uint256 least, uint256 most);
    error ZeroRegionCap(uint24 regionCode, uint8 regionDigits);
    error RegionCapNotLower(uint24 regionCode, uint8 regionDigits, uint256 requested, uint256 inForce);
    error LimitsRaiseNotDue(uint40 appliesFrom);
    error RegionCapRaiseNotDue(uint24 regionCode, uint8 regionDigits, uint40 appliesFrom);

    /// @notice Seconds between planning and applying higher limits or a region's higher cap.
    function RAISE_DELAY() external view returns (uint40);
    /// @notice Shortest time for countersigning.
    function MIN_COUNTERSIGN_WINDOW() external view returns (uint32);
    /// @notice Longest time for countersigning.
    function MAX_COUNTERSIGN_WINDOW() external view returns (uint32);

    /// @notice The {IBenefitToken} that it mints in; set for good.
    function token() external view returns (address);
    /// @notice The {IOfficerRegistry} whose officers it takes signatures of; set for good.
    function registry() external view returns (address);
    /// @notice How many events it has emitted.
    function seq() external view returns (uint64);
    /// @notice Whether grants are paused.
    function paused() external view returns (bool);
    /// @notice The limits in force.
    function limits() external view returns (Limits memory);
    /// @notice Higher limits planned, and from when they may be applied; zeros if none are.
    function pendingLimits() external view returns (Limits memory pending, uint40 appliesFrom);
    /// @notice Most that may be granted in a region over the window: its own cap, or its level's.
    function regionCap(uint24 regionCode, uint8 regionDigits) external view returns (uint256);
    /// @notice A region's higher cap planned, and from when it may be applied; zeros if none is.
    function pendingRegionCap(uint24 regionCode, uint8 regionDigits)
        external
        view
        returns (uint80 cap, uint40 appliesFrom);
    /// @notice The digest an emergency officer signs.
    function grantDigest(EmergencyGrant calldata given) external view returns (bytes32);
    /// @notice A grant; state 0 for one that was never made.
    function grantOf(bytes32 grantId) external view returns (Grant memory);
    /// @notice Whether the case was granted once.
    function caseGranted(bytes32 caseCommitment) external view returns (bool);
    /// @notice All that is neither countersigned nor written off.
    function outstanding() external view returns (uint256);
    /// @notice Granted by an officer over the rolling window.
    function grantedBy(uint32 officer) external view returns (uint256);
    /// @notice Granted in a region over the rolling window; (0, 0) is the whole country.
    function grantedIn(uint24 regionCode, uint8 regionDigits) external view returns (uint256);
    /// @notice Overdue now among an officer's grants.
    function overdueBy(uint32 officer) external view returns (uint256);
    /// @notice Overdue now in a region of 2, 4 or 6 digits.
    function overdueIn(uint24 regionCode, uint8 regionDigits) external view returns (uint256);

    /// @notice Pays a grant that one emergency officer signed; anyone may send it.
    /// @param signatures Exactly one record, see {OfficerSignatures}.
    function grant(EmergencyGrant calldata given, bytes calldata signatures) external;

    /// @notice Ends a grant, overdue or not, with the signature of one reviewer who covers its region and is not its
    /// granter, over `GrantCountersignature(grantId, payee, amount, deadline)`: what the reviewer reads is what was paid,
    /// whatever a re-organisation of the chain puts under the same id. Anyone may send it, also in a pause.
    /// @param deadline The last second at which it may be sent.
    function countersign(bytes32 grantId, uint40 deadline, bytes calldata signatures) external;

    /// @notice Ends a grant that no reviewer would countersign; by a quorum of governors. What was paid stays paid.
    function writeOff(bytes32 grantId, bytes32 actionId, uint40 deadline, bytes calldata signatures) external;

    /// @notice Plans limits, to be applied after {RAISE_DELAY}; by a quorum of governors.
    function scheduleLimits(
        Limits calldata raised,
        bytes32 actionId,
        uint40 deadline,
        bytes calldata signatures
    ) external;
    /// @notice Applies planned limits once their delay is over; anyone may.
    function applyLimits() external;
    /// @notice Sets limits none of which is higher than the one in force, and drops a planned raise; the access manager's
    /// treasurer role. What is outstanding or granted already stays so; a shorter window holds for later grants.
    function lowerLimits(Limits calldata lowered) external;

    /// @notice Plans a cap of its own for one region, to be applied after {RAISE_DELAY}; by a quorum of governors. It
    /// stands in the place of its level's cap until it is changed, also when that one is lowered.
    function scheduleRegionCap(
        uint24 regionCode,
        uint8 regionDigits,
        uint80 cap,
        bytes32 actionId,
        uint40 deadline,
        bytes calldata signatures
    ) external;
    /// @notice Applies a region's planned cap once its delay is over; anyone may.
    function applyRegionCap(uint24 regionCode, uint8 regionDigits) external;
    /// @notice Gives a region a cap of its own no higher than the one in force, and drops a planned raise of it; the
    /// access manager's treasurer role.
    function lowerRegionCap(uint24 regionCode, uint8 regionDigits, uint80 cap) external;

    /// @notice Stops grants; the access manager's guardian role. Countersigning and writing off go on.
    function pause() external;
    /// @notice Lets grants go on; by a quorum of governors.
    function unpause(bytes32 actionId, uint40 deadline, bytes calldata signatures) external;
}
