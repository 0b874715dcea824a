// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVaultAdministration} from "../../../contracts/interfaces/IVaultAdministration.sol";
import {IVaultCorrections} from "../../../contracts/interfaces/IVaultCorrections.sol";
import {Attempts} from "./Attempts.sol";

/// @title What corrects an approved batch: holds, another wallet, expiry; and the vault's sunset
abstract contract Corrections is Attempts {
    mapping(bytes32 what => mapping(uint32 officer => bool)) private _heldBy;

    function holdBatch(uint256 pick, uint256 signer) external watched {
        (bool found, uint256 number) = _pick(pick);
        if (!found) return;
        Booked storage batch = _batches[number];
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("BatchHold(bytes32 batchId,bytes32 actionId,uint40 deadline)"),
                batch.id,
                bytes32(++_ids),
                _deadline()
            )
        );
        (bytes memory packed, uint32 officer, bool may) = _signedByOne(batch, structHash, signer);
        uint256 until = block.timestamp + 72 hours;
        if (until > batch.executeBefore - 1 days) until = batch.executeBefore - 1 days;
        bool delays = until > block.timestamp && until > batch.executeFrom && _unexecuted(number) != 0;
        bool allowed = may && delays && !batch.cancelled && !_heldBy[batch.id][officer];
        bytes memory call = abi.encodeCall(IVaultCorrections.holdBatch, (batch.id, bytes32(_ids), _deadline(), packed));
        if (!_try(STRANGER, address(_vault), call, allowed, "holdBatch")) return;
        _heldBy[batch.id][officer] = true;
        batch.executeFrom = until;
        _spent.push(Spent(address(_vault), call));
    }

    function holdEntry(uint256 pick, uint256 index, uint256 signer) external watched {
        (bool found, uint256 number) = _pick(pick);
        if (!found) return;
        Booked storage batch = _batches[number];
        index = _unpaidAfter(number, index % _payouts[number].length);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("EntryHold(bytes32 batchId,uint256 index,bytes32 actionId,uint40 deadline)"),
                batch.id,
                index,
                bytes32(++_ids),
                _deadline()
            )
        );
        (bytes memory packed, uint32 officer, bool may) = _signedByOne(batch, structHash, signer);
        bytes32 what = keccak256(abi.encode(batch.id, index));
        bool allowed = may && _isUnpaid(number, index) && !_heldBy[what][officer];
        bytes memory call =
            abi.encodeCall(IVaultCorrections.holdEntry, (batch.id, index, bytes32(_ids), _deadline(), packed));
        if (!_try(STRANGER, address(_vault), call, allowed, "holdEntry")) return;
        _heldBy[what][officer] = true;
        _payouts[number][index].heldUntil = block.timestamp + 72 hours;
        _spent.push(Spent(address(_vault), call));
    }

    function changeWallet(uint256 pick, uint256 index, uint256 wallets, uint256 signers) external watched {
        (bool found, uint256 number) = _pick(pick);
        if (!found) return;
        Booked storage batch = _batches[number];
        index = _unpaidAfter(number, index % _payouts[number].length);
        Payout storage payout = _payouts[number][index];
        wallets = _mixed(wallets);
        address from = wallets % 8 == 0 ? _wallet(wallets >> 8) : payout.payee;
        address to = _payee(wallets >> 128);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "WalletChange(bytes32 batchId,uint256 index,address from,address to,bytes32 actionId,uint40 deadline)"
                ),
                batch.id,
                index,
                from,
                to,
                bytes32(++_ids),
                _deadline()
            )
        );
        (bytes memory packed, bool quorate) = _reviewed(batch, structHash, signers);
        bool allowed =
            quorate && _isUnpaid(number, index) && from == payout.payee && to != from && _payable(to);
        bytes memory call = abi.encodeCall(
            IVaultCorrections.changeWallet, (batch.id, index, from, to, bytes32(_ids), _deadline(), packed)
        );
        if (!_try(STRANGER, address(_vault), call, allowed, "changeWallet")) return;
        payout.payee = to;
        payout.heldUntil = 0;
        _spent.push(Spent(address(_vault), call));
    }

    // ------------------------------------------------------------------------------------------------------- expiry

    /// @notice Now and then a batch's time is over.
    function letABatchExpire(uint256 pick) external watched {
        (bool found, uint256 number) = _pick(pick);
        if (!found || _mixed(pick) % 8 != 0) return;
        uint256 expires = _batches[number].expiresAt;
        if (block.timestamp < expires) vm.warp(expires - _mixed(pick) / 8 % 2);
    }

    function expireUnexecuted(uint256 pick) external watched {
        (bool found, uint256 number) = _pick(pick);
        if (!found) return;
        Booked storage batch = _batches[number];
        uint256 left = _unexecuted(number);
        bool allowed = block.timestamp >= batch.executeBefore && left != 0;
        bytes memory call = abi.encodeCall(IVaultCorrections.expireUnexecuted, (batch.id));
        if (!_try(STRANGER, address(_vault), call, allowed, "expireUnexecuted")) return;
        batch.expired = true;
        _returnedToBudget += left;
    }

    function expirePayout(uint256 pick, uint256 index) external watched {
        (bool found, uint256 number) = _pickOf(pick, false);
        if (!found) return;
        index = _unpaidAfter(number, index % _payouts[number].length);
        Payout storage payout = _payouts[number][index];
        bool allowed = block.timestamp >= _batches[number].expiresAt && !_executionPaused && payout.skipped
            && _neverPayable(payout.payee) && block.timestamp >= payout.heldUntil;
        bytes memory call = abi.encodeCall(IVaultCorrections.expirePayout, (_batches[number].id, index));
        if (!_try(STRANGER, address(_vault), call, allowed, "expirePayout")) return;
        payout.skipped = false;
        _returnedToBudget += payout.amount;
    }

    function expireStreams(uint256 pick, uint256 chunk) external watched {
        (bool found, uint256 number) = _pickOf(pick, true);
        if (!found) return;
        chunk %= _chunkCount(number);
        (uint256 first, uint256 end) = _chunkBounds(number, chunk);
        uint256 left;
        for (uint256 i = first; i < end; ++i) {
            if (_expires(_payouts[number][i])) left += _chunkRan[number][chunk] ? _owed(number, i) : 0;
        }
        bool allowed = block.timestamp >= _batches[number].expiresAt && left != 0
            && block.timestamp >= _withdrawalsPausedUntil;
        bytes memory call = abi.encodeCall(IVaultCorrections.expireStreams, (_batches[number].id, chunk));
        if (!_try(STRANGER, address(_vault), call, allowed, "expireStreams")) return;
        _returnedToBudget += left;
        for (uint256 i = first; i < end; ++i) {
            if (_expires(_payouts[number][i])) _payouts[number][i].expired = true;
        }
    }

    function beginSunset(uint256 signers) external watched {
        // Seldom, for nothing is approved afterwards.
        if (_mixed(signers) % 32 != 0) return;
        bytes32 structHash = keccak256(
            abi.encode(keccak256("Sunset(bytes32 actionId,uint40 deadline)"), bytes32(++_ids), _deadline())
        );
        (bytes memory packed, bool quorate) = _governed(relief.vaultDigest(structHash), signers);
        bytes memory call = abi.encodeCall(IVaultAdministration.beginSunset, (bytes32(_ids), _deadline(), packed));
        if (!_try(STRANGER, address(_vault), call, quorate && !_sunset, "beginSunset")) return;
        _sunset = true;
        _spent.push(Spent(address(_vault), call));
    }

    // ------------------------------------------------------------------------------------------------------- pieces

    function _expires(Payout storage payout) private view returns (bool) {
        return _neverPayable(payout.payee) && block.timestamp >= payout.heldUntil;
    }

    function _neverPayable(address payee) private view returns (bool) {
        return payee == address(0) || payee == address(_token) || payee == address(_vault);
    }

    /// @dev What of a batch waits for its chunks.
    function _unexecuted(uint256 number) private view returns (uint256 left) {
        for (uint256 i; i < _payouts[number].length; ++i) {
            if (!_chunkRan[number][i / _batches[number].chunkSize]) left += _owed(number, i);
        }
    }

    /// @dev Whether its chunk ran and something of it is neither paid nor given back.
    function _isUnpaid(uint256 number, uint256 index) private view returns (bool) {
        return _chunkRan[number][index / _batches[number].chunkSize] && _owed(number, index) != 0;
    }

    /// @dev The first payout from `index` on of which something is unpaid, or `index` where there is none.
    function _unpaidAfter(uint256 number, uint256 index) private view returns (uint256) {
        uint256 count = _payouts[number].length;
        for (uint256 i; i < count; ++i) {
            if (_isUnpaid(number, (index + i) % count)) return (index + i) % count;
        }
        return index;
    }

    /// @dev One officer, mostly a reviewer of the region, sometimes another one or a forged signature.
    function _signedByOne(Booked storage batch, bytes32 structHash, uint256 pick)
        private
        view
        returns (bytes memory packed, uint32 officer, bool may)
    {
        pick = _mixed(pick);
        uint32[] memory ids = new uint32[](1);
        uint32[8] memory officers = [uint32(2), 2, 4, 4, 3, 3, 1, 5];
        officer = officers[pick % 8];
        ids[0] = officer;
        uint32 forged = (pick >> 8) % 16 == 0 ? officer : 0;
        packed = relief.signatures(relief.vaultDigest(structHash), ids, forged);
        may = _allMay(ids, forged, 0, relief.REVIEWER(), batch.regionCode, batch.regionDigits);
    }
}
