// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBenefitToken} from "./interfaces/IBenefitToken.sol";
import {IOfficerRegistry} from "./interfaces/IOfficerRegistry.sol";
import {IVaultAdministration} from "./interfaces/IVaultAdministration.sol";
import {Regions} from "./libraries/Regions.sol";
import {VaultState} from "./VaultState.sol";

/// @title The part of the vault for its housekeeping: programmes, budgets, pauses, sunset
contract VaultAdministration is IVaultAdministration, VaultState {
    bytes32 private constant UNPAUSE_TYPEHASH = keccak256("Unpause(uint8 operations,bytes32 actionId,uint40 deadline)");
    bytes32 private constant SUNSET_TYPEHASH = keccak256("Sunset(bytes32 actionId,uint40 deadline)");

    constructor(address manager, IBenefitToken token_, IOfficerRegistry registry_)
        VaultState(manager, token_, registry_)
    {}

    // ------------------------------------------------------------------------------------------------ programmes

    /// @inheritdoc IVaultAdministration
    function createProgramme(
        uint32 id,
        uint24 regionCode,
        uint8 regionDigits,
        uint80 budget,
        uint64 payoutCap,
        Tier[] calldata tiers_,
        bytes32 metadataHash
    ) external restricted {
        _requireNoSunset();
        require(id != 0, InvalidProgramme(id));
        Programme storage created = _programmes[id];
        require(created.version == 0, ProgrammeExists(id));
        Regions.requireValid(regionCode, regionDigits);
        require(budget != 0 && payoutCap != 0, InvalidCap());
        _setTiers(id, tiers_);

        uint40 activeFrom = uint40(block.timestamp) + _RAISE_DELAY;
        created.budget = budget;
        created.nextNumber = 1;
        created.activeFrom = activeFrom;
        created.regionCode = regionCode;
        created.regionDigits = regionDigits;
        created.version = 1;
        created.payoutCap = payoutCap;
        emit ProgrammeCreated(
            id, regionCode, regionDigits, budget, payoutCap, tiers_, metadataHash, activeFrom, _nextSeq()
        );
    }

    function _setTiers(uint32 id, Tier[] calldata tiers_) private {
        require(tiers_.length != 0 && tiers_.length <= MAX_TIERS, InvalidTiers());
        for (uint256 i; i < tiers_.length; ++i) {
            Tier calldata tier = tiers_[i];
            require(tier.upTo != 0 && tier.reviewers != 0, InvalidTiers());
            if (i != 0) {
                Tier calldata lower = tiers_[i - 1];
                require(tier.upTo > lower.upTo && tier.reviewers >= lower.reviewers, InvalidTiers());
            }
            _tiers[id][i] = tier;
        }
    }

    /// @inheritdoc IVaultAdministration
    function scheduleBudgetIncrease(uint32 id, uint80 budget) external restricted {
        _requireNoSunset();
        Programme storage target = _requireProgramme(id);
        require(budget > target.budget, BudgetNotHigher(budget, target.budget));
        uint40 appliesFrom = uint40(block.timestamp) + _RAISE_DELAY;
        target.pendingBudget = budget;
        target.pendingBudgetFrom = appliesFrom;
        emit BudgetIncreaseScheduled(id, budget, appliesFrom, _nextSeq());
    }

    /// @inheritdoc IVaultAdministration
    function applyBudgetIncrease(uint32 id) external {
        _requireNoSunset();
        Programme storage target = _requireProgramme(id);
        uint40 appliesFrom = target.pendingBudgetFrom;
        require(appliesFrom != 0 && block.timestamp >= appliesFrom, BudgetIncreaseNotDue(id, appliesFrom));
        uint80 budget = target.pendingBudget;
        target.budget = budget;
        target.pendingBudget = 0;
        target.pendingBudgetFrom = 0;
        emit BudgetChanged(id, budget, _nextSeq());
    }

    /// @inheritdoc IVaultAdministration
    function decreaseBudget(uint32 id, uint80 budget) external restricted {
        Programme storage target = _requireProgramme(id);
        require(budget < target.budget, BudgetNotLower(budget, target.budget));
        require(budget >= target.allocated, BudgetBelowAllocated(budget, target.allocated));
        target.budget = budget;
        target.pendingBudget = 0;
        target.pendingBudgetFrom = 0;
        emit BudgetChanged(id, budget, _nextSeq());
    }

    // -------------------------------------------------------------------------------------------- pauses and sunset

    /// @inheritdoc IVaultAdministration
    function pause(uint8 operations) external restricted {
        require(operations != 0 && operations <= (APPROVALS | EXECUTION | WITHDRAWALS), InvalidOperations(operations));
        uint40 until;
        if (operations & WITHDRAWALS != 0) {
            // Cannot be renewed into a standing pause: it ends by itself, then rests as long as it may last.
            uint40 restsUntil = _status.withdrawalsPausedUntil + _MAX_WITHDRAWAL_PAUSE;
            require(
                _status.withdrawalsPausedUntil == 0 || block.timestamp >= restsUntil, PauseCoolingDown(restsUntil)
            );
            until = uint40(block.timestamp) + _MAX_WITHDRAWAL_PAUSE;
            _status.withdrawalsPausedUntil = until;
        }
        _status.paused |= operations;
        emit Paused(operations, until, _nextSeq());
    }

    /// @inheritdoc IVaultAdministration
    function unpause(uint8 operations, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        bytes32 structHash = keccak256(abi.encode(UNPAUSE_TYPEHASH, operations, actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);
        require(operations != 0 && operations <= (APPROVALS | EXECUTION | WITHDRAWALS), InvalidOperations(operations));
        _status.paused &= ~operations;
        emit Unpaused(operations, actionId, signatures, _nextSeq());
    }

    /// @inheritdoc IVaultAdministration
    function beginSunset(bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        bytes32 structHash = keccak256(abi.encode(SUNSET_TYPEHASH, actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);
        _requireNoSunset();
        _status.sunset = true;
        emit SunsetBegan(actionId, signatures, _nextSeq());
    }

    function _consumeGovernors(bytes32 structHash, bytes32 actionId, uint40 deadline, bytes calldata signatures)
        private
    {
        bytes32 digest = _hashTypedDataV4(structHash);
        _registry.consumeQuorum(digest, actionId, deadline, GOVERNOR, 0, 0, signatures);
    }
}
