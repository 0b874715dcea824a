// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";

import {IAllowanceVault} from "../../../contracts/interfaces/IAllowanceVault.sol";
import {IBenefitToken} from "../../../contracts/interfaces/IBenefitToken.sol";
import {IEmergencyLane} from "../../../contracts/interfaces/IEmergencyLane.sol";
import {IOfficerRegistry} from "../../../contracts/interfaces/IOfficerRegistry.sol";
import {IVaultAdministration} from "../../../contracts/interfaces/IVaultAdministration.sol";
import {IVaultRecords} from "../../../contracts/interfaces/IVaultRecords.sol";
import {IVaultCorrections} from "../../../contracts/interfaces/IVaultCorrections.sol";
import {QuorumActions} from "../support/QuorumActions.sol";
import {Attempts} from "./Attempts.sol";

/// @title People without any role, and what was signed once sent again
abstract contract Strangers is Attempts {
    QuorumActions private immutable _actions;

    constructor() {
        _actions = new QuorumActions(relief);
    }

    /// @notice What was signed once is sent again.
    function replay(uint256 pick) external watched {
        if (_spent.length == 0) return;
        Spent memory spent = _spent[pick % _spent.length];
        if (_try(STRANGER, spent.target, spent.call, false, "replay")) strangerChangedSomething = true;
    }

    /// @notice Somebody without any role calls what changes something, with arguments that would do.
    function strangerTries(uint256 which, uint256 pick, uint256 amount) external watched {
        (address target, bytes memory call) = _strangersCall(which % 41, _wallet(pick), pick, amount % 1_000_000e6);
        _tryWithoutEffect(target, call);
    }

    /// @notice Somebody sends an action that a quorum could take, with signatures that are bad in some way.
    function strangerSigns(uint256 which, uint256 way, uint256 pick, bytes calldata garbage) external watched {
        which = _mixed(which) % _actions.COUNT();
        QuorumActions.Subject memory about = _subject(which, pick);
        (address target, bytes32 structHash,) = _actions.action(which, about, "");
        bytes memory packed = _actions.bad(which, structHash, _mixed(way) % _actions.BAD_WAYS(), garbage);
        bytes memory call;
        (target,, call) = _actions.action(which, about, packed);
        _tryWithoutEffect(target, call);
    }

    /// @dev Something that is there, so that nothing but the signatures is wrong.
    function _subject(uint256 which, uint256 pick) private returns (QuorumActions.Subject memory about) {
        about.actionId = bytes32(++_ids);
        about.deadline = _deadline();
        about.to = which == 16 ? address(relief) : _wallet(pick >> 8);
        about.amount = 1e6;
        (bool found, uint256 number) = _pickOf(pick, which == 2 || which == 4 || which == 5);
        if (found) {
            about.batchId = _batches[number].id;
            about.index = which == 2 ? 0 : pick % _payouts[number].length;
            about.from = _payouts[number][about.index].payee;
        }
        if (_grants.length == 0 || which < 20) return about;
        Grant storage made = _grants[pick % _grants.length];
        about.grantId = made.id;
        about.payee = made.payee;
        about.amount = uint64(made.amount);
    }

    /// @notice Somebody calls anything with any bytes.
    function strangerSendsGarbage(uint256 pick, bytes calldata garbage) external watched {
        address[5] memory targets =
            [address(_vault), address(_token), address(_registry), address(relief.manager()), address(_lane)];
        _tryWithoutEffect(targets[pick % 5], garbage);
    }

    function _tryWithoutEffect(address target, bytes memory call) private {
        bytes32 before = _fingerprint();
        vm.prank(STRANGER);
        (bool done,) = target.call(call);
        // That a call is refused is not the promise; that nothing changes is.
        done;
        if (_fingerprint() != before) strangerChangedSomething = true;
    }

    function _strangersCall(uint256 which, address victim, uint256 pick, uint256 amount)
        private
        view
        returns (address target, bytes memory call)
    {
        bytes32 id = bytes32(pick % (_ids + 2));
        uint40 deadline = _deadline();
        bytes memory bad = relief.signatures(id, _governors(0), 6);
        target = address(_token);
        if (which == 0) call = abi.encodeCall(IBenefitToken.mintBatch, (abi.encodePacked(victim, uint64(amount)), amount));
        if (which == 1) call = abi.encodeCall(IBenefitToken.commit, (amount));
        if (which == 2) call = abi.encodeCall(IBenefitToken.release, (amount));
        if (which == 3) {
            call = abi.encodeCall(IBenefitToken.attestReserve, (uint80(amount), 0, uint40(block.timestamp), id));
        }
        if (which == 4) call = abi.encodeCall(IBenefitToken.freeze, (victim));
        if (which == 5) call = abi.encodeCall(IBenefitToken.unfreeze, (victim));
        if (which == 6) call = abi.encodeCall(IBenefitToken.pauseTransfers, ());
        if (which == 7) call = abi.encodeCall(IBenefitToken.unpauseTransfers, (id, deadline, bad));
        if (which == 8) call = abi.encodeCall(IBenefitToken.lowerCap, (uint80(amount)));
        if (which == 9) call = abi.encodeCall(IBenefitToken.scheduleMinter, (STRANGER, uint80(amount), id, deadline, bad));
        if (which == 10) call = abi.encodeCall(IBenefitToken.activateMinter, (STRANGER));
        if (which == 11) call = abi.encodeCall(IBenefitToken.removeMinter, (address(_vault), id, deadline, bad));
        if (which == 12) call = abi.encodeCall(IBenefitToken.transferFrom, (victim, STRANGER, amount));
        if (which == 13) {
            call = abi.encodeCall(
                IBenefitToken.permit, (victim, STRANGER, amount, deadline, 27, id, bytes32(amount))
            );
        }
        if (which == 14) {
            call = abi.encodeCall(
                IBenefitToken.transferWithAuthorization,
                (victim, STRANGER, amount, 0, deadline, id, 27, id, bytes32(amount))
            );
        }
        if (which == 15) {
            call = abi.encodeCall(
                IBenefitToken.redeemWithAuthorization, (victim, amount, id, 0, deadline, id, 27, id, bytes32(amount))
            );
        }
        if (which >= 16) (target, call) = _strangersOtherCall(which, id, amount, bad);
    }

    function _strangersOtherCall(uint256 which, bytes32 id, uint256 amount, bytes memory bad)
        private
        view
        returns (address target, bytes memory call)
    {
        uint40 deadline = _deadline();
        uint32 programme = relief.PROGRAMME();
        target = address(_vault);
        if (which == 16) {
            IAllowanceVault.Tier[] memory tiers = new IAllowanceVault.Tier[](1);
            tiers[0] = IVaultRecords.Tier(uint80(amount), 1, 0);
            call = abi.encodeCall(IVaultAdministration.createProgramme, (2, 0, 0, uint80(amount), 1, tiers, id));
        }
        if (which == 17) call = abi.encodeCall(IVaultAdministration.scheduleBudgetIncrease, (programme, type(uint80).max));
        if (which == 18) call = abi.encodeCall(IVaultAdministration.applyBudgetIncrease, (programme));
        if (which == 19) call = abi.encodeCall(IVaultAdministration.decreaseBudget, (programme, uint80(amount)));
        if (which == 20) call = abi.encodeCall(IVaultAdministration.pause, (uint8(1 + amount % 7)));
        if (which == 21) call = abi.encodeCall(IVaultAdministration.unpause, (7, id, deadline, bad));
        if (which == 22) call = abi.encodeCall(IVaultCorrections.cancelBatch, (id, id, deadline, bad));
        if (which == 23) call = abi.encodeCall(IVaultCorrections.cancelStreams, (id, 0, 1, 0, id, deadline, bad));
        if (which >= 24) target = address(_registry);
        IOfficerRegistry.NewOfficer memory added =
            IOfficerRegistry.NewOfficer(99, 15, 0, 0, 1, abi.encodePacked(STRANGER));
        if (which == 24) call = abi.encodeCall(IOfficerRegistry.addOfficer, (added, id, deadline, bad));
        if (which == 25) call = abi.encodeCall(IOfficerRegistry.removeOfficer, (2, id, deadline, bad));
        if (which == 26) {
            call = abi.encodeCall(IOfficerRegistry.addSigner, (6, 1, abi.encodePacked(STRANGER), id, deadline, bad));
        }
        if (which == 27) {
            call = abi.encodeCall(
                IOfficerRegistry.removeSigner, (1, abi.encodePacked(relief.signer(2)), id, deadline, bad)
            );
        }
        if (which == 28) call = abi.encodeCall(IOfficerRegistry.callManager, ("", id, deadline, bad));
        if (which >= 29 && which < 31) target = address(relief.manager());
        if (which == 29) call = abi.encodeCall(IAccessManager.grantRole, (uint64(amount % 6), STRANGER, 0));
        if (which == 30) {
            call = abi.encodeCall(
                IAccessManager.execute, (address(_token), abi.encodeCall(IBenefitToken.freeze, (STRANGER)))
            );
        }
        if (which >= 31) target = address(_token);
        if (which == 31) call = abi.encodeCall(IBenefitToken.scheduleCap, (uint80(1e16 + amount), id, deadline, bad));
        if (which == 32) call = abi.encodeCall(IBenefitToken.applyCap, ());
        if (which == 33) call = abi.encodeCall(IBenefitToken.mintEntry, (STRANGER, uint64(amount)));
        if (which >= 34) (target, call) = (address(_lane), _strangersCallOfTheLane(which, id, amount, bad));
    }

    function _strangersCallOfTheLane(uint256 which, bytes32 id, uint256 amount, bytes memory bad)
        private
        view
        returns (bytes memory)
    {
        uint40 deadline = _deadline();
        IEmergencyLane.Limits memory limits = relief.laneLimits();
        if (which == 34) {
            IEmergencyLane.EmergencyGrant memory given = IEmergencyLane.EmergencyGrant(
                id, 8, STRANGER, uint64(1 + amount % 1_000e6), 51, 2, keccak256(abi.encode(id, amount)), deadline
            );
            return abi.encodeCall(IEmergencyLane.grant, (given, bad));
        }
        if (which == 35) return abi.encodeCall(IEmergencyLane.countersign, (id, deadline, bad));
        if (which == 36) return abi.encodeCall(IEmergencyLane.writeOff, (id, id, deadline, bad));
        if (which == 37) return abi.encodeCall(IEmergencyLane.lowerLimits, (limits));
        if (which == 38) return abi.encodeCall(IEmergencyLane.scheduleLimits, (limits, id, deadline, bad));
        if (which == 39) return abi.encodeCall(IEmergencyLane.lowerRegionCap, (51, 2, 1));
        return abi.encodeCall(IEmergencyLane.pause, ());
    }

    /// @dev All that a stranger might want to change, in one hash.
    function _fingerprint() private view returns (bytes32 print) {
        print = keccak256(
            abi.encode(
                _token.totalSupply(),
                _token.committed(),
                _token.cap(),
                _token.reserve(),
                _token.redeemedTotal(),
                _token.transfersPaused(),
                _token.minter(STRANGER),
                _token.minter(address(_vault)),
                _token.minter(address(_lane)),
                _lane.seq(),
                _vault.seq(),
                _vault.pausedOperations(),
                _vault.programme(relief.PROGRAMME()),
                _registry.seq()
            )
        );
        for (uint256 i; i < _holders.length; ++i) {
            address holder = _holders[i];
            print = keccak256(
                abi.encode(
                    print,
                    _token.balanceOf(holder),
                    _token.isFrozen(holder),
                    _token.allowance(holder, STRANGER),
                    _token.nonces(holder)
                )
            );
        }
        for (uint64 role; role < 6; ++role) {
            (bool member,) = relief.manager().hasRole(role, STRANGER);
            print = keccak256(abi.encode(print, member));
        }
    }
}
