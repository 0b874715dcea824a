// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {IBenefitToken} from "../../../contracts/interfaces/IBenefitToken.sol";
import {IOfficerRegistry} from "../../../contracts/interfaces/IOfficerRegistry.sol";
import {Entries} from "../../../contracts/libraries/Entries.sol";
import {VaultCorrections} from "../../../contracts/VaultCorrections.sol";
import {Willing} from "./support/Willing.sol";

/// @title Another wallet moves no mark and no money
/// @notice The vault's own code, on storage in any state, with a quorum that agrees to everything (ApprovalsCheck says
/// when one does) and a token that can pay anybody. With PaidThroughCheck: before and after a wallet is changed, and
/// however often, its wallets together are paid what vested.
contract AnotherWalletCheck is VaultCorrections {
    /// @dev The second stream of the second chunk of eight.
    uint256 private constant INDEX = 9;
    address private constant FIRST_PAYEE = address(0xA11CE);

    /// @param payee Of an earlier change, or zero.
    struct Stream {
        uint64 amount;
        uint40 start;
        uint32 duration;
        uint32 cadence;
        uint32 watermark;
        uint8 flags;
        uint256 ownWord;
        uint256 cancelWord;
        address payee;
        uint40 heldUntil;
    }

    constructor()
        VaultCorrections(
            address(this), IBenefitToken(address(new Willing())), IOfficerRegistry(address(new Willing()))
        )
    {}

    function check_aStreamsMarksStayAsTheyWere(bytes32 batchId, Stream memory given, address from, address to)
        external
    {
        _arrange(batchId, Kind.Stream);
        Batch storage target = _batches[batchId];
        (target.start, target.duration, target.cadence) = (given.start, given.duration, given.cadence);
        bytes memory entries = abi.encodePacked(address(1), uint64(1), FIRST_PAYEE, given.amount);
        _streamChunks[batchId][1] = StreamChunk(SSTORE2.write(entries), given.watermark, given.flags);
        (_ownLanes[batchId][1], _cancelLanes[batchId][1]) = (given.ownWord, given.cancelWord);
        _overrides[batchId][INDEX] = StreamOverride(given.payee, given.heldUntil);

        bool done = _change(batchId, INDEX, from, to);

        assert(_ownLanes[batchId][1] == given.ownWord && _cancelLanes[batchId][1] == given.cancelWord);
        StreamChunk memory chunk = _streamChunks[batchId][1];
        assert(chunk.watermark == given.watermark);
        StreamOverride memory now_ = _overrides[batchId][INDEX];
        if (done) {
            assert(from == (given.payee == address(0) ? FIRST_PAYEE : given.payee) && to != from);
            assert(now_.payee == to && now_.heldUntil == 0);
            assert(chunk.flags == given.flags | HAS_OVERRIDE && _overridden[batchId][0] == 1 << INDEX);
        } else {
            assert(now_.payee == given.payee && now_.heldUntil == given.heldUntil && chunk.flags == given.flags);
        }
    }

    function check_aSkippedPayoutsAmountStaysAsItWas(
        bytes32 batchId,
        address payee,
        uint64 amount,
        uint32 held,
        address from,
        address to
    ) external {
        _arrange(batchId, Kind.OneOff);
        uint256 before = (uint256(held) << 224) | (uint256(uint160(payee)) << 64) | amount;
        _skipped[batchId][INDEX] = before;

        bool done = _change(batchId, INDEX, from, to);

        uint256 entry = _skipped[batchId][INDEX];
        if (done) {
            assert(from == payee && to != from);
            assert(Entries.amount(entry) == amount && Entries.payee(entry) == to && Entries.heldUntil(entry) == 0);
        } else {
            assert(entry == before);
        }
    }

    function _arrange(bytes32 batchId, Kind kind) private {
        Batch storage target = _batches[batchId];
        (target.status, target.kind, target.chunkSize, target.count) = (BatchStatus.Approved, kind, 8, 10);
    }

    function _change(bytes32 batchId, uint256 index, address from, address to) private returns (bool done) {
        (done,) = address(this)
            .call(abi.encodeCall(this.changeWallet, (batchId, index, from, to, bytes32(0), type(uint40).max, "")));
    }
}
