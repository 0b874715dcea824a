// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAllowanceVault} from "../../../contracts/interfaces/IAllowanceVault.sol";
import {IEmergencyLane} from "../../../contracts/interfaces/IEmergencyLane.sol";
import {Cheats} from "../Vm.sol";
import {QuorumActions} from "../support/QuorumActions.sol";
import {Relief} from "../support/Relief.sol";

/// @title Every function that takes officers' signatures is done with them, and with nothing less
contract QuorumActionsTest is Cheats {
    Relief private _relief;
    QuorumActions private _actions;
    QuorumActions.Subject private _about;
    bytes32 private constant ONE_OFF = bytes32(uint256(1));
    bytes32 private constant STREAMS = bytes32(uint256(2));
    bytes32 private constant GRANT = bytes32(uint256(3));
    address private constant PAYEE = address(0xBEEF);

    /// @dev A batch whose chunk waits, one whose stream is open, a grant, and a verifier that can be removed.
    function setUp() external {
        _relief = new Relief();
        _actions = new QuorumActions(_relief);
        _approve(ONE_OFF, 0);
        bytes32[8] memory proof = _approve(STREAMS, 1);
        _relief.vault().executeChunk(STREAMS, 0, _entry(), proof);
        _about = QuorumActions.Subject({
            batchId: STREAMS,
            index: 0,
            from: PAYEE,
            to: address(_relief),
            grantId: GRANT,
            payee: address(_relief),
            amount: 1e6,
            actionId: GRANT,
            deadline: uint40(block.timestamp + 1 days)
        });
        // The grant that is countersigned or written off, then the verifier that is removed.
        vm.assertTrue(_do(19, true, 0, ""), "grant");
        _about.actionId = bytes32(uint256(4));
        vm.assertTrue(_do(16, true, 0, ""), "verifier");
        _about.actionId = bytes32(uint256(5));
    }

    function _entry() private pure returns (bytes memory) {
        return abi.encodePacked(PAYEE, uint64(1e6));
    }

    function _approve(bytes32 id, uint8 kind) private returns (bytes32[8] memory proof) {
        QuorumActions.Subject memory about;
        about.actionId = id;
        IAllowanceVault.BatchApproval memory approval = _actions.approval(about);
        bytes32[] memory leaves = new bytes32[](1);
        leaves[0] = _relief.leaf(id, 0, _entry());
        (approval.chunksRoot, proof) = _relief.tree(leaves, 0);
        approval.executeBefore = uint40(block.timestamp + 30 days);
        approval.expiresAt = uint40(block.timestamp + 150 days);
        if (kind == 1) {
            (approval.kind, approval.start) = (1, uint40(block.timestamp));
            (approval.duration, approval.cadence) = (30 days, 1 days);
        }
        bytes memory packed =
            _relief.signatures(_relief.approvalDigest(approval), _actions.officersFor(0), 0);
        _relief.vault().approveBatch(approval, packed);
    }

    /// @dev Tries the function with right signatures, or with bad ones of a way.
    function _do(uint256 which, bool right, uint256 way, bytes memory garbage) private returns (bool done) {
        QuorumActions.Subject memory about = _about;
        if (which == 1 || which == 3) about.batchId = ONE_OFF;
        if (which == 16 && right && about.actionId != bytes32(uint256(4))) about.to = address(_actions);
        (address target, bytes32 structHash,) = _actions.action(which, about, "");
        bytes memory packed =
            right ? _actions.good(which, structHash) : _actions.bad(which, structHash, way, garbage);
        bytes memory call;
        (target,, call) = _actions.action(which, about, packed);
        (done,) = target.call(call);
    }

    function _events() private view returns (bytes32) {
        return keccak256(
            abi.encode(
                _relief.vault().seq(),
                _relief.registry().seq(),
                _relief.lane().seq(),
                _relief.token().committed(),
                _relief.token().minter(address(_relief.vault())),
                _relief.token().minter(_actions.STRANGER())
            )
        );
    }

    function test_eachIsDoneWithJustEnoughSignatures() external {
        uint256 count = _actions.COUNT();
        for (uint256 which; which < count; ++which) {
            uint256 before = vm.snapshotState();
            bytes32 was = _events();
            vm.assertTrue(_do(which, true, 0, ""), "refused, with enough signatures");
            vm.assertNotEq(_events(), was);
            vm.revertToState(before);
        }
    }

    function test_noneIsDoneWithSignaturesBadInAnyWay() external {
        uint256 count = _actions.COUNT();
        uint256 ways = _actions.BAD_WAYS();
        bytes32 was = _events();
        for (uint256 which; which < count; ++which) {
            for (uint256 way; way < ways; ++way) {
                vm.assertTrue(!_do(which, false, way, "garbage"), "done, with bad signatures");
            }
        }
        vm.assertEq(_events(), was);
    }

    function testFuzz_noneIsDoneWithRandomSignatures(uint256 which, bytes memory garbage) external {
        bytes32 was = _events();
        vm.assertTrue(!_do(which % _actions.COUNT(), false, 0, garbage), "done, with random signatures");
        vm.assertEq(_events(), was);
    }
}
