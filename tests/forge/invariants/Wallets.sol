// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBenefitToken} from "../../../contracts/interfaces/IBenefitToken.sol";
import {Attempts} from "./Attempts.sol";

/// @title What holders of tokens do
abstract contract Wallets is Attempts {
    function transfer(uint256 fromPick, uint256 toPick, uint256 amount) external watched {
        address from = _wallet(fromPick);
        address to = _payee(toPick);
        // From nothing to one unit more than there is.
        amount %= _balances[from] + 2;
        bytes memory call = abi.encodeCall(IBenefitToken.transfer, (to, amount));
        if (_try(from, address(_token), call, _mayMove(from, to, amount), "transfer")) _bookTransfer(from, to, amount);
    }

    function _mayMove(address from, address to, uint256 amount) private view returns (bool) {
        return !_transfersPaused && to != address(0) && to != address(_token) && !_frozen[from] && !_frozen[to]
            && amount <= _balances[from];
    }

    function transferFrom(uint256 fromPick, uint256 toPick, uint256 amount, uint256 allowance) external watched {
        address from = _wallet(fromPick);
        address to = _payee(toPick);
        amount %= _balances[from] + 2;
        allowance %= amount * 2 + 1;
        vm.prank(from);
        _token.approve(address(this), allowance);
        bytes memory call = abi.encodeCall(IBenefitToken.transferFrom, (from, to, amount));
        bool allowed = _mayMove(from, to, amount) && amount <= allowance;
        if (_try(address(this), address(_token), call, allowed, "transferFrom")) _bookTransfer(from, to, amount);
        vm.prank(from);
        _token.approve(address(this), 0);
    }

    /// @notice A wallet signs, anyone relays (ERC-3009).
    function transferWithAuthorization(uint256 fromPick, uint256 toPick, uint256 amount) external watched {
        address from = _wallet(fromPick);
        address to = _payee(toPick);
        amount %= _balances[from] + 2;
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
                ),
                from,
                to,
                amount,
                0,
                _deadline(),
                bytes32(++_ids)
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_walletKey(fromPick % 5), relief.tokenDigest(structHash));
        bytes memory call = abi.encodeCall(
            IBenefitToken.transferWithAuthorization, (from, to, amount, 0, _deadline(), bytes32(_ids), v, r, s)
        );
        if (!_try(STRANGER, address(_token), call, _mayMove(from, to, amount), "transferWithAuthorization")) return;
        _bookTransfer(from, to, amount);
        _spent.push(Spent(address(_token), call));
    }

    function redeem(uint256 fromPick, uint256 amount) external watched {
        address from = _wallet(fromPick);
        amount %= _balances[from] + 2;
        bool allowed = !_transfersPaused && !_frozen[from] && amount != 0 && amount <= _balances[from];
        bytes memory call = abi.encodeCall(IBenefitToken.redeem, (amount, bytes32("reference")));
        if (_try(from, address(_token), call, allowed, "redeem")) _bookRedemption(from, amount);
    }
}
