// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IBenefitToken} from "./interfaces/IBenefitToken.sol";
import {IEmergencyLane} from "./interfaces/IEmergencyLane.sol";
import {IOfficerRegistry} from "./interfaces/IOfficerRegistry.sol";
import {OverdueDays} from "./libraries/OverdueDays.sol";
import {Regions} from "./libraries/Regions.sol";
import {RollingSum} from "./libraries/RollingSum.sol";

/// @title Emergency grants: paid on one officer's signature within caps, countersigned afterwards
contract EmergencyLane is IEmergencyLane, AccessManaged, EIP712 {
    using OverdueDays for OverdueDays.Sums;

    uint16 private constant REVIEWER = 2;
    uint16 private constant EMERGENCY = 4;
    uint16 private constant GOVERNOR = 8;

    uint256 private constant LIMITS = 11;

    bytes32 private constant EMERGENCY_GRANT_TYPEHASH = keccak256(
        "EmergencyGrant(bytes32 grantId,uint32 officer,address payee,uint64 amount,uint24 regionCode,uint8 regionDigits,bytes32 caseCommitment,uint40 validUntil)"
    );
    bytes32 private constant GRANT_COUNTERSIGNATURE_TYPEHASH =
        keccak256("GrantCountersignature(bytes32 grantId,address payee,uint64 amount,uint40 deadline)");
    bytes32 private constant GRANT_WRITE_OFF_TYPEHASH =
        keccak256("GrantWriteOff(bytes32 grantId,bytes32 actionId,uint40 deadline)");
    bytes32 private constant LIMITS_RAISE_TYPEHASH = keccak256(
        "LimitsRaise(uint64 perGrant,uint80 perOfficer,uint80 outstanding,uint32 countersignWindow,uint80 perCounty,uint80 perCity,uint80 perProvince,uint80 country,uint80 countyOverdue,uint80 cityOverdue,uint80 provinceOverdue,bytes32 actionId,uint40 deadline)"
    );
    bytes32 private constant REGION_CAP_RAISE_TYPEHASH = keccak256(
        "RegionCapRaise(uint24 regionCode,uint8 regionDigits,uint80 cap,bytes32 actionId,uint40 deadline)"
    );
    bytes32 private constant UNPAUSE_GRANTS_TYPEHASH = keccak256("UnpauseGrants(bytes32 actionId,uint40 deadline)");

    /// @inheritdoc IEmergencyLane
    uint40 public constant RAISE_DELAY = 2 days;
    /// @inheritdoc IEmergencyLane
    uint32 public constant MIN_COUNTERSIGN_WINDOW = 1 days;
    /// @inheritdoc IEmergencyLane
    uint32 public constant MAX_COUNTERSIGN_WINDOW = 14 days;

    /// @dev As {IEmergencyLane-token}.
    IBenefitToken private immutable _token;
    /// @dev As {IEmergencyLane-registry}.
    IOfficerRegistry private immutable _registry;

    /// @dev One slot: the event count, the pause, what is outstanding, and when planned limits may be applied.
    /// @param seq How many events it has emitted.
    /// @param paused Whether grants are paused.
    /// @param outstanding All that is neither countersigned nor written off, base units.
    /// @param limitsFrom When planned limits may be applied; 0 if there are none.
    struct Status {
        uint64 seq;
        bool paused;
        uint80 outstanding;
        uint40 limitsFrom;
    }

    /// @param cap The region's own cap, base units; 0 where its level's holds.
    /// @param pending A higher one that governors planned, base units.
    /// @param pendingFrom When that may be applied; 0 if there is none.
    struct RegionCap {
        uint80 cap;
        uint80 pending;
        uint40 pendingFrom;
    }

    /// @dev The lane's own state.
    Status private _status;
    /// @dev The limits in force.
    Limits private _limits;
    /// @dev Higher limits that governors planned; zeros if there are none.
    Limits private _pendingLimits;
    /// @dev Regions with a cap of their own; the key is region code << 8 | digits, here and below.
    mapping(uint256 region => RegionCap) private _regionCaps;
    /// @dev Each grant that was made.
    mapping(bytes32 grantId => Grant) private _grants;
    /// @inheritdoc IEmergencyLane
    mapping(bytes32 caseCommitment => bool) public caseGranted;
    /// @dev Granted lately by an officer, a word of {RollingSum}.
    mapping(uint32 officer => uint256) private _officerSums;
    /// @dev Granted lately in a region, a word of {RollingSum}; key 0 is the whole country.
    mapping(uint256 region => uint256) private _regionSums;
    /// @dev What of an officer's grants falls due on which day.
    mapping(uint32 officer => OverdueDays.Sums) private _officerOverdue;
    /// @dev The same of a region's.
    mapping(uint256 region => OverdueDays.Sums) private _regionOverdue;

    constructor(address manager, IBenefitToken token_, IOfficerRegistry registry_, Limits memory first)
        AccessManaged(manager)
        EIP712("Relief EmergencyLane", "1")
    {
        _token = token_;
        _registry = registry_;
        _setLimits(first);
    }

    // --------------------------------------------------------------------------------------------------- granting

    /// @inheritdoc IEmergencyLane
    function grant(EmergencyGrant calldata given, bytes calldata signatures) external {
        require(!_status.paused, GrantsArePaused());
        bytes32 grantId = given.grantId;
        require(_grants[grantId].state == GrantState.Unknown, GrantExists(grantId));
        require(block.timestamp <= given.validUntil, GrantExpired(grantId, given.validUntil));
        require(given.amount != 0, ZeroAmount(grantId));
        require(given.caseCommitment != 0, CaseMissing(grantId));
        require(!caseGranted[given.caseCommitment], CaseAlreadyGranted(given.caseCommitment));
        _requireRegion(given.regionCode, given.regionDigits);
        uint32 signed =
            _registry.requireOne(grantDigest(given), EMERGENCY, given.regionCode, given.regionDigits, signatures);
        require(signed == given.officer, WrongOfficer(signed, given.officer));

        (uint256 dueDay, uint80 outstanding_) = _count(given);
        uint40 overdueFrom = uint40(dueDay * 1 days);
        caseGranted[given.caseCommitment] = true;
        _grants[grantId] = Grant({
            payee: given.payee,
            amount: given.amount,
            officer: given.officer,
            regionCode: given.regionCode,
            regionDigits: given.regionDigits,
            overdueFrom: overdueFrom,
            state: GrantState.Outstanding
        });
        _pay(given.payee, given.amount);
        emit GrantMade(
            grantId, given.officer, given.payee, given, overdueFrom, outstanding_, signatures, _nextSeq()
        );
    }

    /// @inheritdoc IEmergencyLane
    function grantDigest(EmergencyGrant calldata given) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(EMERGENCY_GRANT_TYPEHASH, given)));
    }

    /// @dev Adds a grant to every sum it counts in, and refuses what passes a limit or is closed.
    function _count(EmergencyGrant calldata given) private returns (uint256 dueDay, uint80 outstanding_) {
        Limits memory limit = _limits;
        uint256 amount = given.amount;
        require(amount <= limit.perGrant, GrantAboveCap(amount, limit.perGrant));
        // The first midnight at or after the end of the window: a later day than today, the window being a day at least.
        dueDay = (block.timestamp + limit.countersignWindow + 1 days - 1) / 1 days;

        uint32 officer = given.officer;
        uint256 late = _officerOverdue[officer].add(block.timestamp / 1 days, dueDay, amount);
        require(late == 0, OfficerClosed(officer, late));
        (uint256 word, uint256 sum) = RollingSum.add(_officerSums[officer], amount, block.timestamp);
        require(sum <= limit.perOfficer, OfficerCapExceeded(officer, sum, limit.perOfficer));
        _officerSums[officer] = word;

        _countRegions(given, limit, dueDay);

        uint256 all = _status.outstanding + amount;
        require(all <= limit.outstanding, OutstandingCapExceeded(all, limit.outstanding));
        // Within the limit just checked, which fits uint80.
        outstanding_ = uint80(all);
        _status.outstanding = outstanding_;
    }

    /// @dev The grant's own region, each one above it, and the whole country, which has a cap and never closes.
    function _countRegions(EmergencyGrant calldata given, Limits memory limit, uint256 dueDay) private {
        for (uint8 digits = given.regionDigits;; digits -= 2) {
            uint24 code = Regions.truncate(given.regionCode, given.regionDigits, digits);
            uint256 region = _regionKey(code, digits);
            (uint256 word, uint256 sum) = RollingSum.add(_regionSums[region], given.amount, block.timestamp);
            uint256 most = _regionCap(limit, region, digits);
            require(sum <= most, RegionCapExceeded(code, digits, sum, most));
            _regionSums[region] = word;
            if (digits == 0) return;

            uint256 late = _regionOverdue[region].add(block.timestamp / 1 days, dueDay, given.amount);
            uint256 threshold =
                digits == 6 ? limit.countyOverdue : digits == 4 ? limit.cityOverdue : limit.provinceOverdue;
            require(late <= threshold, RegionClosed(code, digits, late, threshold));
        }
    }

    function _pay(address payee, uint64 amount) private {
        _token.commit(amount);
        uint8 reason = _token.mintEntry(payee, amount);
        require(reason == 0, Unpayable(payee, reason));
    }

    // ------------------------------------------------------------------------------------------------ ending a grant

    /// @inheritdoc IEmergencyLane
    function countersign(bytes32 grantId, uint40 deadline, bytes calldata signatures) external {
        Grant storage target = _requireOutstanding(grantId);
        require(block.timestamp <= deadline, CountersignatureExpired(grantId, deadline));
        bytes32 structHash =
            keccak256(abi.encode(GRANT_COUNTERSIGNATURE_TYPEHASH, grantId, target.payee, target.amount, deadline));
        uint32 officer = _registry.requireOne(
            _hashTypedDataV4(structHash), REVIEWER, target.regionCode, target.regionDigits, signatures
        );
        require(officer != target.officer, CountersignedByGranter(officer));

        uint80 outstanding_ = _end(target, GrantState.Countersigned);
        emit GrantCountersigned(grantId, officer, deadline, outstanding_, signatures, _nextSeq());
    }

    /// @inheritdoc IEmergencyLane
    function writeOff(bytes32 grantId, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        Grant storage target = _requireOutstanding(grantId);
        bytes32 structHash = keccak256(abi.encode(GRANT_WRITE_OFF_TYPEHASH, grantId, actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);

        uint80 outstanding_ = _end(target, GrantState.WrittenOff);
        emit GrantWrittenOff(grantId, outstanding_, actionId, signatures, _nextSeq());
    }

    function _requireOutstanding(bytes32 grantId) private view returns (Grant storage found) {
        found = _grants[grantId];
        require(found.state != GrantState.Unknown, UnknownGrant(grantId));
        require(found.state == GrantState.Outstanding, GrantEnded(grantId, found.state));
    }

    /// @dev Takes the grant out of what is outstanding and, where it was, overdue.
    function _end(Grant storage target, GrantState state) private returns (uint80 outstanding_) {
        target.state = state;
        uint64 amount = target.amount;
        uint256 dueDay = target.overdueFrom / 1 days;
        _officerOverdue[target.officer].settle(dueDay, amount);
        for (uint8 digits = target.regionDigits; digits != 0; digits -= 2) {
            uint24 code = Regions.truncate(target.regionCode, target.regionDigits, digits);
            _regionOverdue[_regionKey(code, digits)].settle(dueDay, amount);
        }
        outstanding_ = _status.outstanding - amount;
        _status.outstanding = outstanding_;
    }

    // ------------------------------------------------------------------------------------------------------- limits

    /// @inheritdoc IEmergencyLane
    function scheduleLimits(Limits calldata raised, bytes32 actionId, uint40 deadline, bytes calldata signatures)
        external
    {
        bytes32 structHash = keccak256(abi.encode(LIMITS_RAISE_TYPEHASH, raised, actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);
        _requireLimits(raised);
        uint40 appliesFrom = uint40(block.timestamp) + RAISE_DELAY;
        _pendingLimits = raised;
        _status.limitsFrom = appliesFrom;
        emit LimitsRaiseScheduled(raised, appliesFrom, actionId, signatures, _nextSeq());
    }

    /// @inheritdoc IEmergencyLane
    function applyLimits() external {
        uint40 appliesFrom = _status.limitsFrom;
        require(appliesFrom != 0 && block.timestamp >= appliesFrom, LimitsRaiseNotDue(appliesFrom));
        _setLimits(_pendingLimits);
    }

    /// @inheritdoc IEmergencyLane
    function lowerLimits(Limits calldata lowered) external restricted {
        uint256[LIMITS] memory requested = _members(lowered);
        uint256[LIMITS] memory inForce = _members(_limits);
        for (uint256 i; i < LIMITS; ++i) {
            require(requested[i] <= inForce[i], LimitNotLower(i, requested[i], inForce[i]));
        }
        _setLimits(lowered);
    }

    function _setLimits(Limits memory set) private {
        _requireLimits(set);
        _limits = set;
        delete _pendingLimits;
        _status.limitsFrom = 0;
        emit LimitsChanged(set, _nextSeq());
    }

    function _requireLimits(Limits memory checked) private pure {
        uint256[LIMITS] memory members = _members(checked);
        for (uint256 i; i < LIMITS; ++i) {
            require(members[i] != 0, ZeroLimit(i));
        }
        uint256 window = checked.countersignWindow;
        require(
            window >= MIN_COUNTERSIGN_WINDOW && window <= MAX_COUNTERSIGN_WINDOW,
            InvalidWindow(window, MIN_COUNTERSIGN_WINDOW, MAX_COUNTERSIGN_WINDOW)
        );
    }

    /// @dev Limits as numbers in their order: every member is one word of the ABI.
    function _members(Limits memory from) private pure returns (uint256[LIMITS] memory) {
        return abi.decode(abi.encode(from), (uint256[11]));
    }

    /// @inheritdoc IEmergencyLane
    function scheduleRegionCap(
        uint24 regionCode,
        uint8 regionDigits,
        uint80 cap,
        bytes32 actionId,
        uint40 deadline,
        bytes calldata signatures
    ) external {
        bytes32 structHash =
            keccak256(abi.encode(REGION_CAP_RAISE_TYPEHASH, regionCode, regionDigits, cap, actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);
        _requireRegion(regionCode, regionDigits);
        require(cap != 0, ZeroRegionCap(regionCode, regionDigits));
        RegionCap storage own = _regionCaps[_regionKey(regionCode, regionDigits)];
        uint40 appliesFrom = uint40(block.timestamp) + RAISE_DELAY;
        own.pending = cap;
        own.pendingFrom = appliesFrom;
        emit RegionCapRaiseScheduled(regionCode, regionDigits, cap, appliesFrom, actionId, signatures, _nextSeq());
    }

    /// @inheritdoc IEmergencyLane
    function applyRegionCap(uint24 regionCode, uint8 regionDigits) external {
        RegionCap memory own = _regionCaps[_regionKey(regionCode, regionDigits)];
        require(
            own.pendingFrom != 0 && block.timestamp >= own.pendingFrom,
            RegionCapRaiseNotDue(regionCode, regionDigits, own.pendingFrom)
        );
        _setRegionCap(regionCode, regionDigits, own.pending);
    }

    /// @inheritdoc IEmergencyLane
    function lowerRegionCap(uint24 regionCode, uint8 regionDigits, uint80 cap) external restricted {
        _requireRegion(regionCode, regionDigits);
        require(cap != 0, ZeroRegionCap(regionCode, regionDigits));
        uint256 inForce = regionCap(regionCode, regionDigits);
        require(cap <= inForce, RegionCapNotLower(regionCode, regionDigits, cap, inForce));
        _setRegionCap(regionCode, regionDigits, cap);
    }

    function _setRegionCap(uint24 regionCode, uint8 regionDigits, uint80 cap) private {
        _regionCaps[_regionKey(regionCode, regionDigits)] = RegionCap(cap, 0, 0);
        emit RegionCapChanged(regionCode, regionDigits, cap, _nextSeq());
    }

    function _regionCap(Limits memory limit, uint256 region, uint8 digits) private view returns (uint256) {
        if (digits == 0) return limit.country;
        uint256 own = _regionCaps[region].cap;
        if (own != 0) return own;
        return digits == 6 ? limit.perCounty : digits == 4 ? limit.perCity : limit.perProvince;
    }

    function _requireRegion(uint24 code, uint8 digits) private pure {
        Regions.requireValid(code, digits);
        require(digits != 0, Regions.InvalidRegion(code, 0));
    }

    function _regionKey(uint24 code, uint8 digits) private pure returns (uint256) {
        return (uint256(code) << 8) | digits;
    }

    // ------------------------------------------------------------------------------------------ pausing and quorum

    /// @inheritdoc IEmergencyLane
    function pause() external restricted {
        _status.paused = true;
        emit GrantsPaused(_nextSeq());
    }

    /// @inheritdoc IEmergencyLane
    function unpause(bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        bytes32 structHash = keccak256(abi.encode(UNPAUSE_GRANTS_TYPEHASH, actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);
        _status.paused = false;
        emit GrantsUnpaused(actionId, signatures, _nextSeq());
    }

    function _consumeGovernors(bytes32 structHash, bytes32 actionId, uint40 deadline, bytes calldata signatures)
        private
    {
        bytes32 digest = _hashTypedDataV4(structHash);
        _registry.consumeQuorum(digest, actionId, deadline, GOVERNOR, 0, 0, signatures);
    }

    function _nextSeq() private returns (uint64) {
        return ++_status.seq;
    }

    // ------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IEmergencyLane
    function token() external view returns (address) {
        return address(_token);
    }

    /// @inheritdoc IEmergencyLane
    function registry() external view returns (address) {
        return address(_registry);
    }

    /// @inheritdoc IEmergencyLane
    function seq() external view returns (uint64) {
        return _status.seq;
    }

    /// @inheritdoc IEmergencyLane
    function paused() external view returns (bool) {
        return _status.paused;
    }

    /// @inheritdoc IEmergencyLane
    function limits() external view returns (Limits memory) {
        return _limits;
    }

    /// @inheritdoc IEmergencyLane
    function pendingLimits() external view returns (Limits memory, uint40) {
        return (_pendingLimits, _status.limitsFrom);
    }

    /// @inheritdoc IEmergencyLane
    function regionCap(uint24 regionCode, uint8 regionDigits) public view returns (uint256) {
        return _regionCap(_limits, _regionKey(regionCode, regionDigits), regionDigits);
    }

    /// @inheritdoc IEmergencyLane
    function pendingRegionCap(uint24 regionCode, uint8 regionDigits) external view returns (uint80, uint40) {
        RegionCap memory own = _regionCaps[_regionKey(regionCode, regionDigits)];
        return (own.pending, own.pendingFrom);
    }

    /// @inheritdoc IEmergencyLane
    function grantOf(bytes32 grantId) external view returns (Grant memory found) {
        found = _grants[grantId];
        if (found.state == GrantState.Outstanding && block.timestamp >= found.overdueFrom) {
            found.state = GrantState.Overdue;
        }
    }

    /// @inheritdoc IEmergencyLane
    function outstanding() external view returns (uint256) {
        return _status.outstanding;
    }

    /// @inheritdoc IEmergencyLane
    function grantedBy(uint32 officer) external view returns (uint256) {
        return RollingSum.at(_officerSums[officer], block.timestamp);
    }

    /// @inheritdoc IEmergencyLane
    function grantedIn(uint24 regionCode, uint8 regionDigits) external view returns (uint256) {
        return RollingSum.at(_regionSums[_regionKey(regionCode, regionDigits)], block.timestamp);
    }

    /// @inheritdoc IEmergencyLane
    function overdueBy(uint32 officer) external view returns (uint256) {
        return _officerOverdue[officer].overdue(block.timestamp / 1 days);
    }

    /// @inheritdoc IEmergencyLane
    function overdueIn(uint24 regionCode, uint8 regionDigits) external view returns (uint256) {
        return _regionOverdue[_regionKey(regionCode, regionDigits)].overdue(block.timestamp / 1 days);
    }
}
