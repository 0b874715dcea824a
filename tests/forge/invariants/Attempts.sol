// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAllowanceVault} from "../../../contracts/interfaces/IAllowanceVault.sol";
import {IBenefitToken} from "../../../contracts/interfaces/IBenefitToken.sol";
import {IEmergencyLane} from "../../../contracts/interfaces/IEmergencyLane.sol";
import {IOfficerRegistry} from "../../../contracts/interfaces/IOfficerRegistry.sol";
import {Cheats} from "../Vm.sol";
import {Relief} from "../support/Relief.sol";
import {Books} from "./Books.sol";

/// @title How something is tried: by whom, signed by whom, and held against the books
/// @notice What the contracts did is booked even where the rules forbid it, so that the invariants see it.
abstract contract Attempts is Books, Cheats {
    address internal constant STRANGER = address(0xBAD);

    Relief public immutable relief;
    IAllowanceVault internal immutable _vault;
    IBenefitToken internal immutable _token;
    IOfficerRegistry internal immutable _registry;
    IEmergencyLane internal immutable _lane;

    /// @notice The first action at which the contracts did not do what the rules say, or empty.
    string public disagreement;
    /// @notice Something a stranger tried had an effect.
    bool public strangerChangedSomething;
    /// @notice What a stream had accrued became less.
    bool public accrualFell;
    /// @notice A frozen holder's balance became another without the freezer.
    bool public frozenBalanceMoved;

    /// @dev Actions with signatures that were used up, to be tried again.
    struct Spent {
        address target;
        bytes call;
    }

    Spent[] internal _spent;
    uint256 internal _ids;
    bool internal _officerRemoved;
    mapping(uint256 batch => mapping(uint256 index => uint256)) internal _accruedBefore;

    constructor(Relief relief_) {
        relief = relief_;
        _vault = relief_.vault();
        _token = relief_.token();
        _registry = relief_.registry();
        _lane = relief_.lane();
        for (uint256 i; i < 5; ++i) {
            _holders.push(vm.addr(_walletKey(i)));
        }
        // Receivers that a payout skips; the vault can hold what a wallet transfers to it.
        _holders.push(address(_vault));
        _holders.push(address(_token));
        _holders.push(address(0));
        _holders.push(STRANGER);
        _attested = relief_.RESERVE();
        _attestedAsOf = block.timestamp;
    }

    function _walletKey(uint256 wallet) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("wallet", wallet)));
    }

    /// @dev One of the five wallets.
    function _wallet(uint256 pick) internal view returns (address) {
        return _holders[pick % 5];
    }

    /// @dev A wallet, or now and then an address that cannot be paid.
    function _payee(uint256 pick) internal view returns (address) {
        return pick % 8 == 7 ? _holders[5 + (pick / 8) % 3] : _wallet(pick % 8);
    }

    function _payable(address payee) internal view returns (bool) {
        return payee != address(0) && payee != address(_token) && payee != address(_vault) && !_frozen[payee];
    }

    /// @dev Whether its wallet can be paid and no reviewer holds it.
    function _canPay(Payout storage payout) internal view returns (bool) {
        return _payable(payout.payee) && block.timestamp >= payout.heldUntil;
    }

    /// @dev Tries a call as `sender`; whether it worked has to be whether the rules allow it.
    function _try(address sender, address target, bytes memory call, bool allowed, string memory action)
        internal
        returns (bool done)
    {
        vm.prank(sender);
        (done,) = target.call(call);
        if (done != allowed && bytes(disagreement).length == 0) {
            disagreement = string.concat(action, done ? ": done, against the rules" : ": refused, against the rules");
        }
    }

    /// @dev Evenly spread, where Foundry likes small numbers and those it has seen.
    function _mixed(uint256 seed) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed)));
    }

    /// @dev A batch that exists, or false.
    function _pick(uint256 pick) internal view returns (bool found, uint256 batchNumber) {
        return (_batches.length != 0, _batches.length == 0 ? 0 : pick % _batches.length);
    }

    function _pickOf(uint256 pick, bool stream) internal view returns (bool found, uint256 batchNumber) {
        for (uint256 i; i < _batches.length; ++i) {
            batchNumber = (pick % _batches.length + i) % _batches.length;
            if (_batches[batchNumber].stream == stream) return (true, batchNumber);
        }
    }

    /// @dev After each action: what must not have happened in it.
    modifier watched() {
        _;
        for (uint256 i; i < _holders.length; ++i) {
            address holder = _holders[i];
            if (_frozen[holder] && _token.balanceOf(holder) != _balanceWhenFrozen[holder]) frozenBalanceMoved = true;
        }
        for (uint256 b; b < _batches.length; ++b) {
            if (!_batches[b].stream) continue;
            for (uint256 i; i < _payouts[b].length; ++i) {
                if (!_chunkRan[b][i / _batches[b].chunkSize]) continue;
                (,, uint256 accrued,,) = _vault.stream(_batches[b].id, i);
                if (accrued < _accruedBefore[b][i] && !_payouts[b][i].expired) accrualFell = true;
                _accruedBefore[b][i] = accrued;
            }
        }
    }

    // ------------------------------------------------------------------------------------------------------ officers

    /// @dev Who signs: mostly enough, sometimes too few, the wrong people, or in the wrong order.
    function _signers(uint256 pick) internal pure returns (uint32[] memory ids) {
        uint32[3][8] memory sets = [
            [uint32(1), 2, 4],
            [uint32(1), 2, 4],
            [uint32(1), 2, 3],
            [uint32(1), 4, 0],
            [uint32(1), 2, 0],
            [uint32(2), 4, 0],
            [uint32(1), 0, 0],
            [uint32(4), 1, 0]
        ];
        return _withoutZeros(sets[pick % 8]);
    }

    /// @dev Reviewers for a quorum of two, in some cases not enough or not the right ones.
    function _reviewers(uint256 pick) internal pure returns (uint32[] memory ids) {
        uint32[3][8] memory sets = [
            [uint32(2), 4, 0],
            [uint32(2), 4, 0],
            [uint32(2), 3, 4],
            [uint32(2), 4, 0],
            [uint32(3), 4, 0],
            [uint32(2), 0, 0],
            [uint32(2), 2, 0],
            [uint32(1), 2, 0]
        ];
        return _withoutZeros(sets[pick % 8]);
    }

    function _governors(uint256 pick) internal pure returns (uint32[] memory ids) {
        uint32[3][4] memory sets = [[uint32(5), 6, 0], [uint32(5), 6, 7], [uint32(6), 0, 0], [uint32(4), 6, 0]];
        return _withoutZeros(sets[pick % 4]);
    }

    function _withoutZeros(uint32[3] memory set) internal pure returns (uint32[] memory ids) {
        ids = new uint32[](set[2] != 0 ? 3 : set[1] != 0 ? 2 : 1);
        for (uint256 i; i < ids.length; ++i) {
            ids[i] = set[i];
        }
    }

    /// @dev Whether each of these signed rightly: ascending, not removed, in their role, for the region.
    function _allMay(uint32[] memory ids, uint32 forged, uint32 maker, uint16 role, uint24 code, uint8 digits)
        internal
        view
        returns (bool)
    {
        for (uint256 i; i < ids.length; ++i) {
            (uint16 roles, uint24 own, uint8 ownDigits) = relief.officer(ids[i]);
            uint16 needed = ids[i] == maker ? relief.MAKER() : role;
            if (i != 0 && ids[i] <= ids[i - 1]) return false;
            if (ids[i] == forged || (ids[i] == 3 && _officerRemoved)) return false;
            if (roles & needed == 0 || (digits != 0 && !_covers(own, ownDigits, code, digits))) return false;
        }
        return true;
    }

    function _contains(uint32[] memory ids, uint32 id) internal pure returns (bool) {
        for (uint256 i; i < ids.length; ++i) {
            if (ids[i] == id) return true;
        }
        return false;
    }

    function _reviewed(Booked storage batch, bytes32 structHash, uint256 pick)
        internal
        view
        returns (bytes memory packed, bool quorate)
    {
        pick = _mixed(pick);
        uint32[] memory ids = _reviewers(pick);
        uint32 forged = (pick >> 8) % 16 == 0 ? ids[0] : 0;
        packed = relief.signatures(relief.vaultDigest(structHash), ids, forged);
        quorate = ids.length >= 2
            && _allMay(ids, forged, 0, relief.REVIEWER(), batch.regionCode, batch.regionDigits);
    }

    function _governed(bytes32 digest, uint256 pick) internal view returns (bytes memory packed, bool quorate) {
        uint32[] memory ids = _governors(_mixed(pick));
        packed = relief.signatures(digest, ids, 0);
        quorate = ids.length >= 2 && _allMay(ids, 0, 0, relief.GOVERNOR(), 0, 0);
    }

    function _deadline() internal view returns (uint40) {
        return uint40(block.timestamp + 400 days);
    }
}
