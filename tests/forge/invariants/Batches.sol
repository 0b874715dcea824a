// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAllowanceVault} from "../../../contracts/interfaces/IAllowanceVault.sol";
import {IVaultCorrections} from "../../../contracts/interfaces/IVaultCorrections.sol";
import {Attempts} from "./Attempts.sol";

/// @title Batches: approving them, cancelling them, running their chunks, paying what was skipped
abstract contract Batches is Attempts {
    uint256 private constant MOST_BATCHES = 7;
    uint256 private constant MOST_PAYOUTS = 11;

    function approveOneOff(uint256 seed, uint256 amounts) external {
        _approve(seed, amounts, false);
    }

    function approveStreams(uint256 seed, uint256 amounts) external {
        _approve(seed, amounts, true);
    }

    function _approve(uint256 seed, uint256 amounts, bool stream) private watched {
        if (_batches.length == MOST_BATCHES) return;
        uint256 number = _batches.length;
        uint256 draw = uint256(keccak256(abi.encode(seed)));
        IAllowanceVault.BatchApproval memory approval = _drawApproval(draw, amounts, stream);
        uint32[] memory ids = _signers(draw >> 8);
        approval.maker = ids[0];
        uint32 forged = (draw >> 16) % 16 == 0 ? ids[ids.length - 1] : 0;

        uint256 sum = _approvedLately(approval.regionCode, approval.regionDigits) + _inWholeTokens(approval.total);
        bool quorate = _isQuorate(approval, sum, ids, forged);
        uint256 outstanding = _minted - _redeemed + _owedInAll() + approval.total;
        bool opens = _opensAt(sum) < approval.executeBefore;
        bool allowed = quorate && !_approvalsPaused && !_sunset && approval.total != 0 && opens && !_reserveIsStale()
            && outstanding <= _reserveInForce() && _allocated() + approval.total <= relief.BUDGET();

        bytes memory call = abi.encodeCall(
            IAllowanceVault.approveBatch, (approval, relief.signatures(relief.approvalDigest(approval), ids, forged))
        );
        if (!_try(STRANGER, address(_vault), call, allowed, "approve")) {
            delete _payouts[number];
            return;
        }
        _spent.push(Spent(address(_vault), call));
        _commitments.push(Commitment(outstanding, _reserveInForce(), _reserveIsStale(), quorate));
        _batches.push(
            Booked({
                id: approval.batchId,
                stream: stream,
                cancelled: false,
                expired: false,
                chunkSize: approval.chunkSize,
                executeFrom: _opensAt(sum),
                executeBefore: approval.executeBefore,
                expiresAt: approval.expiresAt,
                start: approval.start,
                cliff: approval.cliff,
                duration: approval.duration,
                cadence: approval.cadence,
                regionCode: approval.regionCode,
                regionDigits: approval.regionDigits,
                approvedAt: block.timestamp,
                total: approval.total,
                firstNumber: _nextNumber
            })
        );
        _nextNumber += approval.count;
    }

    /// @dev When a batch's chunks may begin, if approved now with this sum in its region.
    function _opensAt(uint256 sum) private view returns (uint256) {
        return block.timestamp + (sum > relief.FIRST_TIER() ? relief.CHALLENGE_DELAY() : 0);
    }

    /// @dev `sum` is what was approved lately in the region, this batch included.
    function _isQuorate(
        IAllowanceVault.BatchApproval memory approval,
        uint256 sum,
        uint32[] memory ids,
        uint32 forged
    ) private view returns (bool) {
        if (sum > relief.WIDE_TIER()) return false;
        uint256 reviewers = sum > relief.FIRST_TIER() ? 2 : 1;
        return _contains(ids, approval.maker) && ids.length - 1 >= reviewers
            && _allMay(ids, forged, approval.maker, relief.REVIEWER(), approval.regionCode, approval.regionDigits);
    }

    /// @dev Up to eleven payouts of a few units to ten thousand tokens; more than one may go to a wallet.
    function _drawPayouts(uint256 number, uint256 draw, uint256 amounts) private {
        uint256 count = 1 + (draw >> 24) % MOST_PAYOUTS;
        for (uint256 i; i < count; ++i) {
            uint256 one = uint256(keccak256(abi.encode(amounts, i)));
            uint256 amount = one % 16 == 0 ? one % 3 : 1 + (one >> 8) % 10_000e6;
            address payee = _payee(one >> 128);
            _payouts[number].push(Payout(payee, amount, 0, 0, false, false, 0, payee, 0, false));
        }
    }

    /// @dev Draws the payouts of the batch that may come to be, and what officers sign for them.
    function _drawApproval(uint256 draw, uint256 amounts, bool stream)
        private
        returns (IAllowanceVault.BatchApproval memory approval)
    {
        uint256 number = _batches.length;
        _drawPayouts(number, draw, amounts);
        uint256 count = _payouts[number].length;
        uint256 total;
        for (uint256 i; i < count; ++i) {
            total += _payouts[number][i].amount;
        }
        uint24[3] memory codes = [uint24(510722), 5107, 51];
        uint8[3] memory digits = [6, 4, 2];
        approval.programme = relief.PROGRAMME();
        approval.programmeVersion = 1;
        approval.batchId = bytes32(++_ids);
        approval.regionCode = codes[(draw >> 32) % 3];
        approval.regionDigits = digits[(draw >> 32) % 3];
        approval.chunkSize = uint16(1 + (draw >> 40) % 9);
        approval.count = uint32(count);
        approval.total = uint80(total);
        // Now and then just when the challenge delay of the higher tier ends.
        approval.executeBefore =
            uint40(block.timestamp + 1 days + ((draw >> 44) % 8 == 0 ? 0 : (draw >> 48) % 20 days));
        uint256 lastDue = approval.executeBefore;
        if (stream) {
            approval.kind = 1;
            approval.start = uint40(block.timestamp + 5 days - (draw >> 64) % 20 days);
            approval.duration = uint32(1 days + (draw >> 80) % 60 days);
            approval.cliff = (draw >> 96) % 3 == 0 ? uint32(approval.duration / 3) : 0;
            uint32[4] memory cadences = [uint32(1), 1 hours, 1 days, 7 days];
            approval.cadence = cadences[(draw >> 104) % 4];
            if (approval.cadence > approval.duration) approval.cadence = approval.duration;
            uint256 end = uint256(approval.start) + approval.duration;
            if (end > lastDue) lastDue = end;
        }
        approval.expiresAt = uint40(lastDue + 90 days);
        (approval.chunksRoot,) = relief.tree(_leaves(number, approval.batchId, approval.chunkSize), 0);
    }

    function _entries(uint256 number, uint256 chunkSize, uint256 chunk) private view returns (bytes memory packed) {
        uint256 count = _payouts[number].length;
        for (uint256 i = chunk * chunkSize; i < (chunk + 1) * chunkSize && i < count; ++i) {
            packed = abi.encodePacked(packed, _payouts[number][i].signed, uint64(_payouts[number][i].amount));
        }
    }

    function _leaves(uint256 number, bytes32 batchId, uint256 chunkSize) private view returns (bytes32[] memory all) {
        all = new bytes32[]((_payouts[number].length + chunkSize - 1) / chunkSize);
        for (uint256 chunk; chunk < all.length; ++chunk) {
            all[chunk] = relief.leaf(batchId, chunk, _entries(number, chunkSize, chunk));
        }
    }

    function cancelBatch(uint256 pick, uint256 signers) external watched {
        (bool found, uint256 number) = _pick(pick);
        // Seldom enough that most batches live on.
        if (!found || _mixed(pick ^ signers) % 3 != 0) return;
        Booked storage batch = _batches[number];
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("BatchCancellation(bytes32 batchId,bytes32 actionId,uint40 deadline)"),
                batch.id,
                bytes32(++_ids),
                _deadline()
            )
        );
        (bytes memory packed, bool quorate) = _reviewed(batch, structHash, signers);
        bytes memory call = abi.encodeCall(IVaultCorrections.cancelBatch, (batch.id, bytes32(_ids), _deadline(), packed));
        if (!_try(STRANGER, address(_vault), call, quorate && !batch.cancelled, "cancelBatch")) return;
        uint256 before = _owedInAll();
        batch.cancelled = true;
        _returnedToBudget += before - _owedInAll();
        _spent.push(Spent(address(_vault), call));
    }

    // ------------------------------------------------------------------------------------------------------- paying

    function execute(uint256 pick, uint256 chunkPick) external watched {
        (bool found, uint256 number) = _pick(pick);
        if (!found) return;
        _execute(number, chunkPick % _chunkCount(number));
    }

    /// @notice The first chunk not run yet, of any batch: so that streams come to be open often.
    function executeNext(uint256 pick) external watched {
        for (uint256 i; i < _batches.length; ++i) {
            uint256 number = (pick % _batches.length + i) % _batches.length;
            for (uint256 chunk; chunk < _chunkCount(number); ++chunk) {
                if (!_chunkRan[number][chunk]) return _execute(number, chunk);
            }
        }
    }

    function _execute(uint256 number, uint256 chunk) private {
        Booked storage batch = _batches[number];
        (, bytes32[8] memory proof) = relief.tree(_leaves(number, batch.id, batch.chunkSize), chunk);
        bool allowed = !_executionPaused && !batch.cancelled && !_chunkRan[number][chunk]
            && block.timestamp >= batch.executeFrom && block.timestamp < batch.executeBefore;
        bytes memory call = abi.encodeCall(
            IAllowanceVault.executeChunk, (batch.id, chunk, _entries(number, batch.chunkSize, chunk), proof)
        );
        if (!_try(STRANGER, address(_vault), call, allowed, "execute")) return;
        _chunkRan[number][chunk] = true;
        if (batch.stream) return;
        (uint256 first, uint256 end) = _chunkBounds(number, chunk);
        for (uint256 i = first; i < end; ++i) {
            Payout storage payout = _payouts[number][i];
            if (payout.amount == 0) continue;
            payout.skipped = !_payable(payout.payee);
            if (!payout.skipped) _bookWhole(payout);
        }
    }

    function _bookWhole(Payout storage payout) private {
        payout.paid += payout.amount;
        ++payout.timesPaid;
        payout.skipped = false;
        _bookMint(payout.payee, payout.amount);
    }

    /// @notice A chunk's own bytes at the place of another one, or with another payee: never.
    function executeForged(uint256 pick, uint256 chunkPick, uint256 otherPick) external watched {
        (bool found, uint256 number) = _pick(pick);
        if (!found) return;
        Booked storage batch = _batches[number];
        uint256 chunk = chunkPick % _chunkCount(number);
        uint256 other = otherPick % _chunkCount(number);
        bytes memory entries = _entries(number, batch.chunkSize, chunk);
        if (other == chunk) entries = abi.encodePacked(STRANGER, _withoutFirst(entries, 20));
        (, bytes32[8] memory proof) = relief.tree(_leaves(number, batch.id, batch.chunkSize), chunk);
        bytes memory call = abi.encodeCall(IAllowanceVault.executeChunk, (batch.id, other, entries, proof));
        if (_try(STRANGER, address(_vault), call, false, "executeForged")) strangerChangedSomething = true;
    }

    function _withoutFirst(bytes memory all, uint256 count) private pure returns (bytes memory rest) {
        rest = new bytes(all.length - count);
        for (uint256 i; i < rest.length; ++i) {
            rest[i] = all[count + i];
        }
    }

    function retry(uint256 pick, uint256 index) external watched {
        (bool found, uint256 number) = _pickOf(pick, false);
        if (!found) return;
        Booked storage batch = _batches[number];
        index %= _payouts[number].length;
        for (uint256 i; i < _payouts[number].length; ++i) {
            uint256 candidate = (index + i) % _payouts[number].length;
            if (!_payouts[number][candidate].skipped) continue;
            index = candidate;
            if (_canPay(_payouts[number][candidate])) break;
        }
        Payout storage payout = _payouts[number][index];
        bool allowed = !_executionPaused && payout.skipped && _canPay(payout);
        bytes memory call = abi.encodeCall(IAllowanceVault.retryPayout, (batch.id, index));
        if (_try(STRANGER, address(_vault), call, allowed, "retry")) _bookWhole(payout);
    }
}
