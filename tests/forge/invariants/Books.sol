// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Plain books of what was signed and what was paid, to hold the contracts against
/// @notice One row a payout, amounts as amounts: no packing, no watermark, no masks, and nothing taken from the
/// contracts. What was paid of a stream is the sum of its payments, where the vault keeps a time.
abstract contract Books {
    /// @param paid Sum of what was paid of it, base units.
    /// @param timesPaid How often the whole of a one-off payout was paid.
    /// @param skipped A one-off payout that could not be paid when its chunk ran, and was not since.
    /// @param signed Whom officers signed, where `payee` is who is paid now.
    /// @param heldUntil Before this time it is not paid.
    /// @param expired A stream that can never be paid, and gave back what was not.
    /// @param cut Whether the stream was cancelled, and `cutAt` how many seconds after its start.
    struct Payout {
        address payee;
        uint256 amount;
        uint256 paid;
        uint256 timesPaid;
        bool skipped;
        bool cut;
        uint256 cutAt;
        address signed;
        uint256 heldUntil;
        bool expired;
    }

    struct Booked {
        bytes32 id;
        bool stream;
        bool cancelled;
        bool expired;
        uint256 chunkSize;
        uint256 executeFrom;
        uint256 executeBefore;
        uint256 expiresAt;
        uint256 start;
        uint256 cliff;
        uint256 duration;
        uint256 cadence;
        uint24 regionCode;
        uint8 regionDigits;
        uint256 approvedAt;
        uint256 total;
        uint256 firstNumber;
    }

    struct Commitment {
        uint256 outstandingWithIt;
        uint256 reserveInForce;
        bool stale;
        bool quorate;
    }

    struct Grant {
        bytes32 id;
        bytes32 caseCommitment;
        uint32 officer;
        address payee;
        uint256 amount;
        uint24 regionCode;
        uint8 regionDigits;
        uint256 madeAt;
        uint256 overdueFrom;
        bool ended;
    }

    Booked[] internal _batches;
    Grant[] internal _grants;
    bool internal _grantsPaused;
    mapping(uint256 batch => Payout[]) internal _payouts;
    mapping(uint256 batch => mapping(uint256 chunk => bool)) internal _chunkRan;
    /// @dev How far, in seconds since the start, the last withdrawal of the whole chunk went.
    mapping(uint256 batch => mapping(uint256 chunk => uint256)) internal _rangeWentTo;
    Commitment[] internal _commitments;

    /// @dev Everybody who can hold tokens.
    address[] internal _holders;
    mapping(address holder => uint256) internal _balances;
    mapping(address holder => bool) internal _frozen;
    mapping(address holder => uint256) internal _balanceWhenFrozen;
    uint256 internal _minted;
    uint256 internal _redeemed;
    uint256 internal _returnedToBudget;
    uint256 internal _nextNumber = 1;

    uint256 internal _attested;
    uint256 internal _attestedAsOf;
    uint256 internal _redemptionsIncluded;

    bool internal _transfersPaused;
    bool internal _approvalsPaused;
    bool internal _sunset;
    bool internal _executionPaused;
    uint256 internal _withdrawalsPausedUntil;
    uint256 internal _withdrawalsPausableFrom;

    // -------------------------------------------------------------------------------------------------- what is so

    function _vested(uint256 amount, uint256 elapsed, uint256 duration) internal pure returns (uint256) {
        return amount * elapsed / duration;
    }

    function _elapsed(Booked storage batch) internal view returns (uint256) {
        if (block.timestamp <= batch.start) return 0;
        uint256 elapsed = block.timestamp - batch.start;
        return elapsed < batch.duration ? elapsed : batch.duration;
    }

    /// @dev Whole cadence steps; nothing before the cliff, everything at the end.
    function _stepOf(Booked storage batch) internal view returns (uint256) {
        uint256 elapsed = _elapsed(batch);
        if (elapsed == batch.duration) return elapsed;
        return elapsed < batch.cliff ? 0 : (elapsed / batch.cadence) * batch.cadence;
    }

    /// @dev What the payee may have had by now.
    function _accrued(Booked storage batch, Payout storage payout) internal view returns (uint256) {
        if (payout.expired) return payout.paid;
        return _vested(payout.amount, payout.cut ? payout.cutAt : _stepOf(batch), batch.duration);
    }

    /// @dev Committed for this payout and not paid.
    function _owed(uint256 batchNumber, uint256 index) internal view returns (uint256) {
        Booked storage batch = _batches[batchNumber];
        Payout storage payout = _payouts[batchNumber][index];
        if (!_chunkRan[batchNumber][index / batch.chunkSize]) return batch.cancelled || batch.expired ? 0 : payout.amount;
        if (!batch.stream) return payout.skipped ? payout.amount : 0;
        if (payout.expired) return 0;
        uint256 kept = payout.cut ? _vested(payout.amount, payout.cutAt, batch.duration) : payout.amount;
        return kept - payout.paid;
    }

    function _owedInAll() internal view returns (uint256 owed) {
        for (uint256 b; b < _batches.length; ++b) {
            for (uint256 i; i < _payouts[b].length; ++i) {
                owed += _owed(b, i);
            }
        }
    }

    /// @dev Approved, net of what came back to the budget.
    function _allocated() internal view returns (uint256 allocated) {
        for (uint256 b; b < _batches.length; ++b) {
            allocated += _batches[b].total;
        }
        allocated -= _returnedToBudget;
    }

    function _chunkCount(uint256 batchNumber) internal view returns (uint256) {
        uint256 size = _batches[batchNumber].chunkSize;
        return (_payouts[batchNumber].length + size - 1) / size;
    }

    /// @dev First payout of a chunk, and the first behind it.
    function _chunkBounds(uint256 batchNumber, uint256 chunk) internal view returns (uint256 first, uint256 end) {
        first = chunk * _batches[batchNumber].chunkSize;
        end = first + _batches[batchNumber].chunkSize;
        uint256 count = _payouts[batchNumber].length;
        if (end > count) end = count;
    }

    function _reserveInForce() internal view returns (uint256) {
        uint256 later = _redeemed - _redemptionsIncluded;
        return _attested > later ? _attested - later : 0;
    }

    function _reserveIsStale() internal view returns (bool) {
        return block.timestamp > _attestedAsOf + 35 days;
    }

    /// @dev Approved inside this region in the last six periods of six days, this one included, each in whole tokens.
    function _approvedLately(uint24 code, uint8 digits) internal view returns (uint256 sum) {
        for (uint256 b; b < _batches.length; ++b) {
            Booked storage batch = _batches[b];
            bool recent = batch.approvedAt / 6 days + 5 >= block.timestamp / 6 days;
            if (recent && _covers(code, digits, batch.regionCode, batch.regionDigits)) {
                sum += _inWholeTokens(batch.total);
            }
        }
    }

    function _inWholeTokens(uint256 amount) internal pure returns (uint256) {
        return (amount + 1e6 - 1) / 1e6 * 1e6;
    }

    /// @dev The outer region's digits begin the inner one's.
    function _covers(uint24 outer, uint8 outerDigits, uint24 inner, uint8 innerDigits) internal pure returns (bool) {
        if (outerDigits == 0) return true;
        while (innerDigits > outerDigits) {
            inner /= 10;
            --innerDigits;
        }
        return innerDigits == outerDigits && inner == outer;
    }

    // ------------------------------------------------------------------------------------------ emergency grants

    /// @dev Whether a grant is this officer's (0 for anybody's) and lies in this region.
    function _concerns(Grant storage made, uint32 officer, uint24 code, uint8 digits) private view returns (bool) {
        return (officer == 0 || made.officer == officer) && _covers(code, digits, made.regionCode, made.regionDigits);
    }

    /// @dev Granted in the last six periods of six days, this one included, each in whole tokens.
    function _grantedLately(uint32 officer, uint24 code, uint8 digits) internal view returns (uint256 sum) {
        for (uint256 i; i < _grants.length; ++i) {
            bool recent = _grants[i].madeAt / 6 days + 5 >= block.timestamp / 6 days;
            if (recent && _concerns(_grants[i], officer, code, digits)) sum += _inWholeTokens(_grants[i].amount);
        }
    }

    function _overdueNow(uint32 officer, uint24 code, uint8 digits) internal view returns (uint256 sum) {
        for (uint256 i; i < _grants.length; ++i) {
            bool overdue = !_grants[i].ended && block.timestamp >= _grants[i].overdueFrom;
            if (overdue && _concerns(_grants[i], officer, code, digits)) sum += _grants[i].amount;
        }
    }

    function _grantsOutstanding() internal view returns (uint256 sum) {
        for (uint256 i; i < _grants.length; ++i) {
            if (!_grants[i].ended) sum += _grants[i].amount;
        }
    }

    function _grantedInAll() internal view returns (uint256 sum) {
        for (uint256 i; i < _grants.length; ++i) {
            sum += _grants[i].amount;
        }
    }

    // ---------------------------------------------------------------------------------------------------- bookings

    function _bookMint(address payee, uint256 amount) internal {
        _balances[payee] += amount;
        _minted += amount;
    }

    function _bookTransfer(address from, address to, uint256 amount) internal {
        _balances[from] -= amount;
        _balances[to] += amount;
    }

    function _bookRedemption(address from, uint256 amount) internal {
        _balances[from] -= amount;
        _redeemed += amount;
    }
}
