// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAllowanceVault} from "../../../contracts/interfaces/IAllowanceVault.sol";
import {IVaultCorrections} from "../../../contracts/interfaces/IVaultCorrections.sol";
import {Attempts} from "./Attempts.sol";

/// @title Streams: withdrawing from one or from a chunk, and cutting some
abstract contract Streams is Attempts {
    function withdraw(uint256 pick, uint256 index) external watched {
        (bool found, uint256 number) = _pickOf(pick, true);
        if (!found) return;
        Booked storage batch = _batches[number];
        index = _dueAfter(number, index % _payouts[number].length);
        Payout storage payout = _payouts[number][index];
        bool open = _chunkRan[number][index / batch.chunkSize];
        uint256 due = open ? _accrued(batch, payout) - payout.paid : 0;
        bool allowed = due != 0 && _canPay(payout) && block.timestamp >= _withdrawalsPausedUntil;
        bytes memory call = abi.encodeCall(IAllowanceVault.withdraw, (batch.id, index));
        if (!_try(STRANGER, address(_vault), call, allowed, "withdraw")) return;
        payout.paid += due;
        _bookMint(payout.payee, due);
    }

    /// @dev The first stream from `index` on that something is due to, or `index` where there is none.
    function _dueAfter(uint256 number, uint256 index) private view returns (uint256) {
        Booked storage batch = _batches[number];
        uint256 count = _payouts[number].length;
        for (uint256 i; i < count; ++i) {
            uint256 candidate = (index + i) % count;
            Payout storage payout = _payouts[number][candidate];
            if (_chunkRan[number][candidate / batch.chunkSize] && _accrued(batch, payout) != payout.paid) {
                return candidate;
            }
        }
        return index;
    }

    function withdrawChunk(uint256 pick, uint256 chunk) external watched {
        (bool found, uint256 number) = _pickOf(pick, true);
        if (!found) return;
        Booked storage batch = _batches[number];
        chunk %= _chunkCount(number);
        (uint256 first, uint256 end) = _chunkBounds(number, chunk);
        bool anyPaid;
        bool anySkipped;
        if (_chunkRan[number][chunk]) {
            for (uint256 i = first; i < end; ++i) {
                Payout storage payout = _payouts[number][i];
                if (_accrued(batch, payout) == payout.paid) continue;
                if (_canPay(payout)) anyPaid = true;
                else anySkipped = true;
            }
        }
        bool moves = _stepOf(batch) > _rangeWentTo[number][chunk];
        bool allowed = (anyPaid || (anySkipped && moves)) && block.timestamp >= _withdrawalsPausedUntil;
        bytes memory call = abi.encodeCall(IAllowanceVault.withdrawChunk, (batch.id, chunk));
        if (!_try(STRANGER, address(_vault), call, allowed, "withdrawChunk")) return;
        _rangeWentTo[number][chunk] = _stepOf(batch);
        for (uint256 i = first; i < end; ++i) {
            Payout storage payout = _payouts[number][i];
            if (!_canPay(payout)) continue;
            uint256 due = _accrued(batch, payout) - payout.paid;
            payout.paid += due;
            _bookMint(payout.payee, due);
        }
    }

    function cancelStreams(uint256 pick, uint256 chunk, uint256 mask, uint256 signers) external watched {
        (bool found, uint256 number) = _pickOf(pick, true);
        if (!found) return;
        Booked storage batch = _batches[number];
        chunk %= _chunkCount(number);
        (uint256 first, uint256 end) = _chunkBounds(number, chunk);
        mask = _drawMask(_mixed(mask), end - first);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "StreamCancellation(bytes32 batchId,uint256 chunkIndex,uint256 maskLow,uint256 maskHigh,bytes32 actionId,uint40 deadline)"
                ),
                batch.id,
                chunk,
                mask,
                0,
                bytes32(++_ids),
                _deadline()
            )
        );
        (bytes memory packed, bool quorate) = _reviewed(batch, structHash, signers);
        (uint256 returned, bool fits) = _lostByCutting(number, chunk, mask);
        bool allowed = quorate && fits && returned != 0;
        bytes memory call = abi.encodeCall(
            IVaultCorrections.cancelStreams, (batch.id, chunk, mask, 0, bytes32(_ids), _deadline(), packed)
        );
        if (!_try(STRANGER, address(_vault), call, allowed, "cancelStreams")) return;
        _returnedToBudget += returned;
        _spent.push(Spent(address(_vault), call));
        for (uint256 i = first; i < end; ++i) {
            if ((mask >> (i - first)) & 1 == 0) continue;
            _payouts[number][i].cut = true;
            _payouts[number][i].cutAt = _elapsed(batch);
        }
    }

    /// @dev One or two of `count` streams; now and then one behind the chunk's end.
    function _drawMask(uint256 draw, uint256 count) private pure returns (uint256 mask) {
        mask = 1 << (draw % count) | 1 << ((draw >> 8) % count);
        if ((draw >> 16) % 16 == 0) mask |= 1 << count;
    }

    /// @dev What streams of the mask will never accrue if cut now, and whether they can be.
    function _lostByCutting(uint256 number, uint256 chunk, uint256 mask)
        private
        view
        returns (uint256 returned, bool fits)
    {
        Booked storage batch = _batches[number];
        (uint256 first, uint256 end) = _chunkBounds(number, chunk);
        fits = _chunkRan[number][chunk] && _elapsed(batch) < batch.duration && mask >> (end - first) == 0;
        for (uint256 i = first; i < end; ++i) {
            if ((mask >> (i - first)) & 1 == 0) continue;
            Payout storage payout = _payouts[number][i];
            if (payout.cut || payout.expired) fits = false;
            returned += payout.amount - _vested(payout.amount, _elapsed(batch), batch.duration);
        }
    }
}
