// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAllowanceVault} from "../../../contracts/interfaces/IAllowanceVault.sol";
import {IBenefitToken} from "../../../contracts/interfaces/IBenefitToken.sol";
import {IEmergencyLane} from "../../../contracts/interfaces/IEmergencyLane.sol";
import {Cheats} from "../Vm.sol";
import {Relief} from "../support/Relief.sol";
import {Books} from "./Books.sol";
import {Handler} from "./Handler.sol";

/// @title What holds after any sequence of actions by anybody
contract PaymentsTest is Cheats {
    Relief private _relief;
    Handler private _handler;
    IAllowanceVault private _vault;
    IBenefitToken private _token;
    IEmergencyLane private _lane;

    function setUp() external {
        _relief = new Relief();
        _handler = new Handler(_relief);
        _vault = _relief.vault();
        _token = _relief.token();
        _lane = _relief.lane();
        _begin();
    }

    /// @dev Begins with something paid, something skipped, something granted, and streams open, on which the actions can work at once.
    function _begin() private {
        _handler.freeze(0);
        for (uint256 seed; _handler.batchCount() < 2; ++seed) {
            _handler.approveOneOff(seed, seed);
        }
        for (uint256 seed; _handler.batchCount() < 4; ++seed) {
            _handler.approveStreams(seed, seed);
        }
        _handler.letTimePass(1 days - 1);
        for (uint256 i; i < 40; ++i) {
            _handler.executeNext(i);
        }
        _handler.unfreeze(0);
        _handler.grantSeveral(0);
    }

    /// @notice Asked by Foundry: whose functions it calls.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    // Each of the four is a campaign of its own, so what is asked together is asked of the same sequences.

    function invariant_moneyAddsUp() external view {
        _balancesSumToTheSupplyAndAreTheBooks();
        _committedIsWhatIsUnpaid();
        _budgetIsWhatWasApprovedLessWhatCameBack();
        _noCommitmentPassedTheReserveInForce();
    }

    function invariant_payeesGetWhatIsTheirsOnce() external view {
        _withdrawnAtMostVestedAtMostTotal();
        _accruedNeverFalls();
        _aPayoutNumberIsPaidAtMostOnce();
    }

    function invariant_grantsKeepWithinTheirCaps() external view {
        _grantsAreTheBooks();
        _sumsOfGrantsAreTheBooksAndWithinTheLimits();
    }

    function invariant_nobodyDoesWhatTheyMayNot() external view {
        _nothingWasApprovedWithoutQuorum();
        _frozenBalancesStand();
        _strangersChangeNothing();
        _contractsDoWhatTheRulesSay();
    }

    function _balancesSumToTheSupplyAndAreTheBooks() private view {
        address[] memory holders = _handler.holders();
        uint256 sum;
        for (uint256 i; i < holders.length; ++i) {
            uint256 balance = _token.balanceOf(holders[i]);
            sum += balance;
            vm.assertEq(balance, _handler.balance(holders[i]), "balance");
        }
        vm.assertEq(sum, _token.totalSupply(), "sum of balances");
        vm.assertEq(sum, _handler.supply(), "supply");
    }

    function _committedIsWhatIsUnpaid() private view {
        vm.assertEq(_token.committed(), _handler.owedInAll(), "committed");
        vm.assertEq(_token.minter(address(_vault)).committed, _handler.owedInAll(), "committed by the vault");
    }

    function _grantsAreTheBooks() private view {
        Books.Grant[] memory grants = _handler.bookedGrants();
        for (uint256 i; i < grants.length; ++i) {
            IEmergencyLane.Grant memory made = _lane.grantOf(grants[i].id);
            vm.assertEq(made.payee, grants[i].payee);
            vm.assertEq(made.amount, grants[i].amount, "granted");
            vm.assertEq(made.overdueFrom, grants[i].overdueFrom, "overdue from");
            bool outstanding = made.state == IEmergencyLane.GrantState.Outstanding;
            bool overdue = made.state == IEmergencyLane.GrantState.Overdue;
            vm.assertEq(!outstanding && !overdue, grants[i].ended);
            vm.assertEq(overdue, !grants[i].ended && block.timestamp >= grants[i].overdueFrom);
        }
        IBenefitToken.Minter memory minter = _token.minter(address(_lane));
        vm.assertEq(minter.minted, _handler.grantedInAll(), "minted by the lane");
        vm.assertEq(minter.committed, 0, "committed by the lane");
        vm.assertLe(minter.minted, _relief.LANE_CAP(), "the lane's cap");
    }

    function _sumsOfGrantsAreTheBooksAndWithinTheLimits() private view {
        IEmergencyLane.Limits memory limits = _relief.laneLimits();
        vm.assertEq(_lane.outstanding(), _handler.grantsOutstanding(), "outstanding");
        vm.assertLe(_lane.outstanding(), limits.outstanding, "outstanding at most");
        for (uint32 officer = 8; officer <= 9; ++officer) {
            vm.assertEq(_lane.overdueBy(officer), _handler.overdueNow(officer, 0, 0), "overdue by an officer");
            uint256 granted = _lane.grantedBy(officer);
            vm.assertEq(granted, _handler.grantedLately(officer, 0, 0), "granted by an officer");
            vm.assertLe(granted, limits.perOfficer, "granted by an officer at most");
        }
        uint24[7] memory codes = [uint24(510722), 510723, 440103, 5107, 51, 44, 0];
        uint8[7] memory digits = [6, 6, 6, 4, 2, 2, 0];
        uint80[7] memory caps = [
            limits.perCounty,
            limits.perCounty,
            limits.perCounty,
            limits.perCity,
            limits.perProvince,
            limits.perProvince,
            limits.country
        ];
        for (uint256 i; i < 7; ++i) {
            uint256 granted = _lane.grantedIn(codes[i], digits[i]);
            vm.assertEq(granted, _handler.grantedLately(0, codes[i], digits[i]), "granted in a region");
            vm.assertLe(granted, caps[i], "granted in a region at most");
            if (digits[i] == 0) continue;
            uint256 overdue = _handler.overdueNow(0, codes[i], digits[i]);
            vm.assertEq(_lane.overdueIn(codes[i], digits[i]), overdue, "overdue in a region");
        }
    }

    function _budgetIsWhatWasApprovedLessWhatCameBack() private view {
        uint256 allocated = _vault.programme(_relief.PROGRAMME()).allocated;
        vm.assertEq(allocated, _handler.budgetUsed(), "allocated");
        vm.assertLe(allocated, _relief.BUDGET(), "budget");
    }

    function _noCommitmentPassedTheReserveInForce() private view {
        Books.Commitment[] memory commitments = _handler.commitments();
        for (uint256 i; i < commitments.length; ++i) {
            vm.assertLe(commitments[i].outstandingWithIt, commitments[i].reserveInForce, "reserve");
            vm.assertTrue(!commitments[i].stale, "attestation older than 35 days");
        }
    }

    function _nothingWasApprovedWithoutQuorum() private view {
        Books.Commitment[] memory commitments = _handler.commitments();
        for (uint256 i; i < commitments.length; ++i) {
            vm.assertTrue(commitments[i].quorate, "quorum");
        }
    }

    function _withdrawnAtMostVestedAtMostTotal() private view {
        for (uint256 number; number < _handler.batchCount(); ++number) {
            bytes32 id = _handler.bookedBatch(number).id;
            Books.Payout[] memory payouts = _handler.bookedPayouts(number);
            for (uint256 i; i < payouts.length; ++i) {
                if (!_handler.isOpen(number, i)) continue;
                (address payee, uint256 total, uint256 accrued, uint256 withdrawn,) = _vault.stream(id, i);
                vm.assertEq(payee, payouts[i].payee);
                vm.assertEq(withdrawn, payouts[i].paid, "withdrawn");
                vm.assertLe(withdrawn, accrued, "withdrawn of accrued");
                vm.assertLe(accrued, _handler.vestedToTheSecond(number, i), "accrued of vested");
                vm.assertLe(accrued, total, "vested of total");
            }
        }
    }

    function _aPayoutNumberIsPaidAtMostOnce() private view {
        uint256 next = 1;
        for (uint256 number; number < _handler.batchCount(); ++number) {
            Books.Booked memory booked = _handler.bookedBatch(number);
            Books.Payout[] memory payouts = _handler.bookedPayouts(number);
            vm.assertEq(_vault.batch(booked.id).firstNumber, next, "number");
            next += payouts.length;
            for (uint256 i; i < payouts.length; ++i) {
                vm.assertLe(payouts[i].timesPaid, 1, "paid twice");
                vm.assertLe(payouts[i].paid, payouts[i].amount, "paid too much");
            }
        }
    }

    function _frozenBalancesStand() private view {
        vm.assertTrue(!_handler.frozenBalanceMoved(), "a frozen balance moved");
    }

    function _accruedNeverFalls() private view {
        vm.assertTrue(!_handler.accrualFell(), "accrued became less");
    }

    function _strangersChangeNothing() private view {
        vm.assertTrue(!_handler.strangerChangedSomething(), "a stranger changed something");
    }

    function _contractsDoWhatTheRulesSay() private view {
        vm.assertEq(_handler.disagreement(), "");
    }
}
