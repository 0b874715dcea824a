// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEmergencyLane} from "../../../contracts/interfaces/IEmergencyLane.sol";
import {Attempts} from "./Attempts.sol";

/// @title Emergency grants: making them, countersigning, writing off, pausing
abstract contract Grants is Attempts {
    uint256 private constant MOST_GRANTS = 24;

    function grant(uint256 seed) external watched {
        _grant(_mixed(seed), _emergencyOfficer(seed));
    }

    /// @notice Several by one officer at once, so that caps are met, and so that later what is overdue closes regions to
    /// the other officer too.
    function grantSeveral(uint256 seed) external watched {
        for (uint256 i; i < 5; ++i) {
            _grant(uint256(keccak256(abi.encode(seed, i))), _emergencyOfficer(seed));
        }
    }

    function _emergencyOfficer(uint256 pick) private pure returns (uint32) {
        return uint32(8 + _mixed(pick) % 2);
    }

    function _grant(uint256 draw, uint32 officer) private {
        if (_grants.length == MOST_GRANTS) return;
        IEmergencyLane.EmergencyGrant memory given = _drawGrant(draw, officer);
        uint32[] memory ids = new uint32[](1);
        // Now and then another officer signs than the grant names, or another key.
        ids[0] = (draw >> 8) % 16 == 0 ? 8 + (given.officer + 1) % 2 : given.officer;
        uint32 forged = (draw >> 16) % 16 == 0 ? ids[0] : 0;
        bool signed = ids[0] == given.officer
            && _allMay(ids, forged, 0, relief.EMERGENCY(), given.regionCode, given.regionDigits);

        uint256 outstanding = _minted - _redeemed + _owedInAll() + given.amount;
        bool allowed = signed && !_grantsPaused && _isNew(given) && given.amount != 0 && _withinCaps(given)
            && outstanding <= _reserveInForce() && _grantedInAll() + given.amount <= relief.LANE_CAP()
            && _payableByLane(given.payee);
        bytes memory call =
            abi.encodeCall(IEmergencyLane.grant, (given, relief.signatures(relief.grantDigest(given), ids, forged)));
        if (!_try(STRANGER, address(_lane), call, allowed, "grant")) return;
        _spent.push(Spent(address(_lane), call));
        _commitments.push(Commitment(outstanding, _reserveInForce(), false, signed));
        uint256 windowEnd = block.timestamp + relief.laneLimits().countersignWindow;
        _grants.push(
            Grant({
                id: given.grantId,
                caseCommitment: given.caseCommitment,
                officer: given.officer,
                payee: given.payee,
                amount: given.amount,
                regionCode: given.regionCode,
                regionDigits: given.regionDigits,
                madeAt: block.timestamp,
                overdueFrom: windowEnd % 1 days == 0 ? windowEnd : (windowEnd / 1 days + 1) * 1 days,
                ended: false
            })
        );
        _bookMint(given.payee, given.amount);
    }

    /// @dev Mostly by this emergency officer, in one of five regions, of up to a little more than one grant may be.
    function _drawGrant(uint256 draw, uint32 officer) private returns (IEmergencyLane.EmergencyGrant memory given) {
        uint24[5] memory codes = [uint24(510722), 510723, 5107, 51, 440103];
        uint8[5] memory digits = [6, 6, 4, 2, 6];
        uint256 where = (draw >> 32) % 5;
        given.grantId = bytes32(++_ids);
        given.caseCommitment = keccak256(abi.encode("case", _ids));
        if (_grants.length != 0 && (draw >> 40) % 12 == 0) given.grantId = _grants[(draw >> 48) % _grants.length].id;
        if (_grants.length != 0 && (draw >> 44) % 12 == 0) {
            given.caseCommitment = _grants[(draw >> 48) % _grants.length].caseCommitment;
        }
        given.officer = (draw >> 64) % 16 == 0 ? 2 : officer;
        given.payee = _payee(draw >> 80);
        given.amount = uint64((draw >> 96) % 32 == 0 ? 0 : 1 + (draw >> 104) % 1_050e6);
        given.regionCode = codes[where];
        given.regionDigits = digits[where];
        given.validUntil = uint40(block.timestamp);
    }

    function _isNew(IEmergencyLane.EmergencyGrant memory given) private view returns (bool) {
        for (uint256 i; i < _grants.length; ++i) {
            if (_grants[i].id == given.grantId || _grants[i].caseCommitment == given.caseCommitment) return false;
        }
        return true;
    }

    function _withinCaps(IEmergencyLane.EmergencyGrant memory given) private view returns (bool) {
        IEmergencyLane.Limits memory limits = relief.laneLimits();
        uint256 amount = given.amount;
        uint256 whole = _inWholeTokens(amount);
        if (amount > limits.perGrant || _overdueNow(given.officer, 0, 0) != 0) return false;
        if (_grantedLately(given.officer, 0, 0) + whole > limits.perOfficer) return false;
        if (_grantsOutstanding() + amount > limits.outstanding) return false;
        if (_grantedLately(0, 0, 0) + whole > limits.country) return false;
        uint24 code = given.regionCode;
        for (uint8 digits = given.regionDigits; digits != 0; digits -= 2) {
            uint256 cap = digits == 6 ? limits.perCounty : digits == 4 ? limits.perCity : limits.perProvince;
            uint256 threshold =
                digits == 6 ? limits.countyOverdue : digits == 4 ? limits.cityOverdue : limits.provinceOverdue;
            if (_grantedLately(0, code, digits) + whole > cap) return false;
            if (_overdueNow(0, code, digits) > threshold) return false;
            code /= 100;
        }
        return true;
    }

    function _payableByLane(address payee) private view returns (bool) {
        return payee != address(0) && payee != address(_token) && payee != address(_lane) && !_frozen[payee];
    }

    /// @dev A grant that nobody ended, or any; or false.
    function _pickGrant(uint256 pick) private view returns (bool found, uint256 number) {
        for (uint256 i; i < _grants.length; ++i) {
            number = (pick % _grants.length + i) % _grants.length;
            if (!_grants[number].ended) return (true, number);
        }
        return (_grants.length != 0, number);
    }

    function countersign(uint256 pick, uint256 signer) external watched {
        (bool found, uint256 number) = _pickGrant(pick);
        if (!found) return;
        Grant storage made = _grants[number];
        uint32[8] memory reviewers = [uint32(2), 3, 4, 4, 9, 9, 8, 1];
        uint32[] memory ids = new uint32[](1);
        ids[0] = reviewers[_mixed(signer) % 8];
        uint32 forged = (_mixed(signer) >> 8) % 16 == 0 ? ids[0] : 0;
        uint40 deadline = _deadline();
        bytes32 digest = relief.laneDigest(
            keccak256(
                abi.encode(
                    keccak256("GrantCountersignature(bytes32 grantId,address payee,uint64 amount,uint40 deadline)"),
                    made.id,
                    made.payee,
                    made.amount,
                    deadline
                )
            )
        );
        bool allowed = !made.ended && ids[0] != made.officer
            && _allMay(ids, forged, 0, relief.REVIEWER(), made.regionCode, made.regionDigits);
        bytes memory call =
            abi.encodeCall(IEmergencyLane.countersign, (made.id, deadline, relief.signatures(digest, ids, forged)));
        if (!_try(STRANGER, address(_lane), call, allowed, "countersign")) return;
        _spent.push(Spent(address(_lane), call));
        made.ended = true;
    }

    function writeOff(uint256 pick, uint256 signers) external watched {
        (bool found, uint256 number) = _pickGrant(pick);
        if (!found || _mixed(pick) % 2 == 0) return;
        Grant storage made = _grants[number];
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("GrantWriteOff(bytes32 grantId,bytes32 actionId,uint40 deadline)"),
                made.id,
                bytes32(++_ids),
                _deadline()
            )
        );
        (bytes memory packed, bool quorate) = _governed(relief.laneDigest(structHash), signers);
        bytes memory call = abi.encodeCall(IEmergencyLane.writeOff, (made.id, bytes32(_ids), _deadline(), packed));
        if (!_try(STRANGER, address(_lane), call, quorate && !made.ended, "writeOff")) return;
        _spent.push(Spent(address(_lane), call));
        made.ended = true;
    }

    /// @notice Pauses seldom, lifts it often.
    function pauseOrUnpauseGrants(uint256 seed, uint256 signers) external watched {
        if (_mixed(seed) % 4 == 0) {
            bytes memory pausing = abi.encodeCall(IEmergencyLane.pause, ());
            if (_try(relief.GUARDIAN(), address(_lane), pausing, true, "pauseGrants")) _grantsPaused = true;
            return;
        }
        bytes32 structHash = keccak256(
            abi.encode(keccak256("UnpauseGrants(bytes32 actionId,uint40 deadline)"), bytes32(++_ids), _deadline())
        );
        (bytes memory packed, bool quorate) = _governed(relief.laneDigest(structHash), signers);
        bytes memory call = abi.encodeCall(IEmergencyLane.unpause, (bytes32(_ids), _deadline(), packed));
        if (!_try(STRANGER, address(_lane), call, quorate, "unpauseGrants")) return;
        _spent.push(Spent(address(_lane), call));
        _grantsPaused = false;
    }
}
