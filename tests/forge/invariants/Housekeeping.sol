// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBenefitToken} from "../../../contracts/interfaces/IBenefitToken.sol";
import {IOfficerRegistry} from "../../../contracts/interfaces/IOfficerRegistry.sol";
import {IVaultAdministration} from "../../../contracts/interfaces/IVaultAdministration.sol";
import {Attempts} from "./Attempts.sol";

/// @title Freezing, attesting, pausing, officers leaving, and time
abstract contract Housekeeping is Attempts {
    function freeze(uint256 pick) external watched {
        address account = _wallet(pick);
        _try(relief.FREEZER(), address(_token), abi.encodeCall(IBenefitToken.freeze, (account)), true, "freeze");
        if (!_frozen[account]) _balanceWhenFrozen[account] = _balances[account];
        _frozen[account] = true;
    }

    function unfreeze(uint256 pick) external watched {
        address account = _wallet(pick);
        _try(relief.FREEZER(), address(_token), abi.encodeCall(IBenefitToken.unfreeze, (account)), true, "unfreeze");
        _frozen[account] = false;
    }

    /// @notice One of them; pauses and leaving officers seldom enough that most actions meet neither.
    function housekeep(uint256 which, uint256 seed, uint256 signers) external watched {
        which = _mixed(which) % 6;
        uint8 operations = uint8(_mixed(seed) % 9);
        if (which == 0) _pauseVault(operations);
        else if (which == 1) _unpauseVault(operations, signers);
        else if (which == 2) _unpauseVault(7, signers);
        else if (which == 3) _pauseTransfers();
        else if (which == 4) _unpauseTransfers(signers);
        else _removeOfficer(signers);
    }

    function attest(uint256 amount, uint256 included, uint256 age) external watched {
        // Now little more than what is outstanding, so that the next batch may pass it, now enough for all.
        amount = _mixed(amount);
        amount = amount % 2 == 0 ? _minted - _redeemed + _owedInAll() + (amount >> 8) % 100_000e6 : relief.RESERVE();
        included = _redemptionsIncluded + included % (_redeemed - _redemptionsIncluded + 2);
        uint256 asOf = block.timestamp + 1 - age % 2 days;
        bool allowed = asOf <= block.timestamp && asOf > _attestedAsOf && included <= _redeemed;
        bytes memory call =
            abi.encodeCall(IBenefitToken.attestReserve, (uint80(amount), uint80(included), uint40(asOf), bytes32(0)));
        if (!_try(relief.ATTESTOR(), address(_token), call, allowed, "attest")) return;
        _attested = amount;
        _attestedAsOf = asOf;
        _redemptionsIncluded = included;
    }

    function _pauseVault(uint8 operations) private {
        bool rested = block.timestamp >= _withdrawalsPausableFrom;
        bool allowed = operations >= 1 && operations <= 7 && (operations & 4 == 0 || rested);
        bytes memory call = abi.encodeCall(IVaultAdministration.pause, (operations));
        if (!_try(relief.GUARDIAN(), address(_vault), call, allowed, "pause")) return;
        if (operations & 1 != 0) _approvalsPaused = true;
        if (operations & 2 != 0) _executionPaused = true;
        if (operations & 4 == 0) return;
        _withdrawalsPausedUntil = block.timestamp + 72 hours;
        // Whether it is lifted before or not.
        _withdrawalsPausableFrom = block.timestamp + 144 hours;
    }

    function _unpauseVault(uint8 operations, uint256 signers) private {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Unpause(uint8 operations,bytes32 actionId,uint40 deadline)"),
                operations,
                bytes32(++_ids),
                _deadline()
            )
        );
        (bytes memory packed, bool quorate) = _governed(relief.vaultDigest(structHash), signers);
        bytes memory call = abi.encodeCall(IVaultAdministration.unpause, (operations, bytes32(_ids), _deadline(), packed));
        bool allowed = quorate && operations >= 1 && operations <= 7;
        if (!_try(STRANGER, address(_vault), call, allowed, "unpause")) return;
        _spent.push(Spent(address(_vault), call));
        if (operations & 1 != 0) _approvalsPaused = false;
        if (operations & 2 != 0) _executionPaused = false;
        if (operations & 4 != 0) _withdrawalsPausedUntil = 0;
    }

    function _pauseTransfers() private {
        bytes memory call = abi.encodeCall(IBenefitToken.pauseTransfers, ());
        if (_try(relief.GUARDIAN(), address(_token), call, true, "pauseTransfers")) _transfersPaused = true;
    }

    function _unpauseTransfers(uint256 signers) private {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("UnpauseTransfers(bytes32 actionId,uint40 deadline)"), bytes32(++_ids), _deadline()
            )
        );
        (bytes memory packed, bool quorate) = _governed(relief.tokenDigest(structHash), signers);
        bytes memory call = abi.encodeCall(IBenefitToken.unpauseTransfers, (bytes32(_ids), _deadline(), packed));
        if (!_try(STRANGER, address(_token), call, quorate, "unpauseTransfers")) return;
        _spent.push(Spent(address(_token), call));
        _transfersPaused = false;
    }

    /// @notice Officer 3 leaves; what that officer signs afterwards does not count.
    function _removeOfficer(uint256 signers) private {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("OfficerRemoval(uint32 officerId,bytes32 actionId,uint40 deadline)"),
                3,
                bytes32(++_ids),
                _deadline()
            )
        );
        (bytes memory packed, bool quorate) = _governed(relief.registryDigest(structHash), signers);
        bytes memory call = abi.encodeCall(IOfficerRegistry.removeOfficer, (3, bytes32(_ids), _deadline(), packed));
        if (!_try(STRANGER, address(_registry), call, quorate && !_officerRemoved, "removeOfficer")) return;
        _spent.push(Spent(address(_registry), call));
        _officerRemoved = true;
    }

    /// @notice Mostly hours, sometimes days.
    function letTimePass(uint256 time) external watched {
        vm.warp(block.timestamp + (time % 4 == 0 ? time % 9 days : time % 1 days));
    }
}
