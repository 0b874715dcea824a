// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IBenefitToken} from "./interfaces/IBenefitToken.sol";
import {IOfficerRegistry} from "./interfaces/IOfficerRegistry.sol";

/// @title Benefit stablecoin
/// @dev Storage: bit 255 of a balance word is the freeze flag. What is outstanding, supply and commitments together, is kept
/// as one number, since a mint leaves it as it is: a mint writes its minter's word and the payees' balances, nothing else.
contract BenefitToken is IBenefitToken, AccessManaged, EIP712 {
    uint16 private constant GOVERNOR = 8;
    uint256 private constant FROZEN_BIT = 1 << 255;

    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    bytes32 private constant TRANSFER_WITH_AUTHORIZATION_TYPEHASH = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant RECEIVE_WITH_AUTHORIZATION_TYPEHASH = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant CANCEL_AUTHORIZATION_TYPEHASH =
        keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");
    bytes32 private constant REDEEM_WITH_AUTHORIZATION_TYPEHASH = keccak256(
        "RedeemWithAuthorization(address from,uint256 value,bytes32 paymentReference,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant UNPAUSE_TRANSFERS_TYPEHASH =
        keccak256("UnpauseTransfers(bytes32 actionId,uint40 deadline)");
    bytes32 private constant CAP_INCREASE_TYPEHASH = keccak256("CapIncrease(uint80 cap,bytes32 actionId,uint40 deadline)");
    bytes32 private constant MINTER_ADDITION_TYPEHASH =
        keccak256("MinterAddition(address minter,uint80 cap,bytes32 actionId,uint40 deadline)");
    bytes32 private constant MINTER_REMOVAL_TYPEHASH =
        keccak256("MinterRemoval(address minter,bytes32 actionId,uint40 deadline)");

    /// @inheritdoc IBenefitToken
    uint256 public constant RESERVE_MAX_AGE = 35 days;
    /// @inheritdoc IBenefitToken
    uint256 public constant RAISE_DELAY = 2 days;
    /// @inheritdoc IBenefitToken
    uint256 public constant MINTER_DELAY = 14 days;

    /// @inheritdoc IBenefitToken
    string public constant name = "Relief Benefit Token";
    /// @inheritdoc IBenefitToken
    string public constant symbol = "RBT";
    /// @inheritdoc IBenefitToken
    uint8 public constant decimals = 6;

    /// @dev All four in one slot.
    /// @param outstanding Supply and commitments together, base units.
    /// @param redeemed All that was ever redeemed, base units.
    /// @param cap Most that may be outstanding, base units.
    /// @param transfersPaused Whether transfers and redemptions are paused.
    struct Totals {
        uint80 outstanding;
        uint80 redeemed;
        uint80 cap;
        bool transfersPaused;
    }

    /// @dev A higher cap of the token that governors planned; zeros if there is none.
    /// @param cap Base units.
    /// @param appliesFrom When it may be applied.
    struct PendingCap {
        uint80 cap;
        uint40 appliesFrom;
    }

    /// @dev A minter, or a minter's higher cap, that governors planned; zeros if there is none.
    /// @param cap Base units.
    /// @param activeFrom When it may be activated.
    struct PendingMinter {
        uint80 cap;
        uint40 activeFrom;
    }

    /// @inheritdoc IBenefitToken
    address public immutable emergencyLane;

    /// @dev Whose quorum decides on minters, the cap and unpausing.
    IOfficerRegistry private immutable _registry;

    /// @dev What is outstanding and was redeemed, and the cap.
    Totals private _totals;
    /// @dev The last attestation of the reserve.
    Attestation private _attestation;
    /// @dev Balance in the low bits, the freeze flag in bit 255; balances fit uint80.
    mapping(address account => uint256) private _balances;
    /// @inheritdoc IBenefitToken
    mapping(address owner => mapping(address spender => uint256)) public allowance;
    /// @inheritdoc IBenefitToken
    mapping(address owner => uint256) public nonces;
    /// @inheritdoc IBenefitToken
    mapping(address authorizer => mapping(bytes32 nonce => bool)) public authorizationState;
    /// @dev Who may commit and mint, or could.
    mapping(address account => Minter) private _minters;
    /// @dev Who is or was a minter, each once; none leaves, for what it committed counts on.
    address[] private _everMinters;
    /// @dev Planned minters, and higher caps of minters.
    mapping(address account => PendingMinter) private _pendingMinters;
    /// @dev A planned higher cap.
    PendingCap private _pendingCap;

    /// @param manager The access manager of the housekeeping roles.
    /// @param registry Whose quorum decides on minters and unpausing.
    /// @param vault The first minter, whose cap is the token's own.
    /// @param lane The emergency lane, the other one. Both are set once here; their addresses are known before they are
    /// deployed.
    /// @param cap_ Most supply and commitments may ever be together, base units.
    /// @param laneCap Most the emergency lane may ever mint unless governors raise it, base units.
    constructor(
        address manager,
        IOfficerRegistry registry,
        address vault,
        address lane,
        uint80 cap_,
        uint80 laneCap
    ) AccessManaged(manager) EIP712("Relief Benefit Token", "1") {
        require(cap_ != 0 && laneCap != 0, ZeroCap());
        require(lane != vault, MinterTwice(lane));
        _registry = registry;
        emergencyLane = lane;
        _totals.cap = cap_;
        _activate(vault, cap_);
        _activate(lane, laneCap);
    }

    // ------------------------------------------------------------------------------------------------- ERC-20

    /// @inheritdoc IBenefitToken
    function totalSupply() external view returns (uint256) {
        return _totals.outstanding - committed();
    }

    /// @inheritdoc IBenefitToken
    function balanceOf(address account) external view returns (uint256) {
        return _balances[account] & ~FROZEN_BIT;
    }

    /// @inheritdoc IBenefitToken
    function approve(address spender, uint256 value) external returns (bool) {
        _approve(msg.sender, spender, value);
        return true;
    }

    /// @inheritdoc IBenefitToken
    function transfer(address to, uint256 value) external returns (bool) {
        _transfer(msg.sender, to, value);
        return true;
    }

    /// @inheritdoc IBenefitToken
    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) {
            require(allowed >= value, InsufficientAllowance(msg.sender, allowed, value));
            allowance[from][msg.sender] = allowed - value;
        }
        _transfer(from, to, value);
        return true;
    }

    function _approve(address owner, address spender, uint256 value) private {
        allowance[owner][spender] = value;
        emit Approval(owner, spender, value);
    }

    function _transfer(address from, address to, uint256 value) private {
        require(!_totals.transfersPaused, TransfersArePaused());
        require(to != address(0) && to != address(this), InvalidReceiver(to));
        _debit(from, value);
        // Read after the debit is written, so that a transfer to oneself does not double.
        uint256 balance = _balances[to];
        require(balance & FROZEN_BIT == 0, AccountFrozen(to));
        // Balances sum to the supply, which fits uint80.
        unchecked {
            _balances[to] = balance + value;
        }
        emit Transfer(from, to, value);
    }

    function _debit(address from, uint256 value) private {
        uint256 balance = _balances[from];
        require(balance & FROZEN_BIT == 0, AccountFrozen(from));
        require(balance >= value, InsufficientBalance(from, balance, value));
        unchecked {
            _balances[from] = balance - value;
        }
    }

    // ------------------------------------------------------------------------- signed by the holder, sent by anyone

    /// @inheritdoc IBenefitToken
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc IBenefitToken
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
    {
        require(block.timestamp <= deadline, SignatureExpired(deadline));
        bytes32 structHash = keccak256(abi.encode(PERMIT_TYPEHASH, owner, spender, value, nonces[owner]++, deadline));
        _requireSigner(owner, structHash, v, r, s);
        _approve(owner, spender, value);
    }

    /// @inheritdoc IBenefitToken
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        bytes32 structHash = keccak256(
            abi.encode(TRANSFER_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _useAuthorization(from, validAfter, validBefore, nonce, structHash, v, r, s);
        _transfer(from, to, value);
    }

    /// @inheritdoc IBenefitToken
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        require(msg.sender == to, CallerNotPayee(msg.sender, to));
        bytes32 structHash = keccak256(
            abi.encode(RECEIVE_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _useAuthorization(from, validAfter, validBefore, nonce, structHash, v, r, s);
        _transfer(from, to, value);
    }

    /// @inheritdoc IBenefitToken
    function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s) external {
        require(!authorizationState[authorizer][nonce], AuthorizationUsedOrCanceled(authorizer, nonce));
        _requireSigner(authorizer, keccak256(abi.encode(CANCEL_AUTHORIZATION_TYPEHASH, authorizer, nonce)), v, r, s);
        authorizationState[authorizer][nonce] = true;
        emit AuthorizationCanceled(authorizer, nonce);
    }

    /// @inheritdoc IBenefitToken
    function redeem(uint256 amount, bytes32 paymentReference) external {
        _redeem(msg.sender, amount, paymentReference);
    }

    /// @inheritdoc IBenefitToken
    function redeemWithAuthorization(
        address from,
        uint256 value,
        bytes32 paymentReference,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        bytes32 structHash = keccak256(
            abi.encode(REDEEM_WITH_AUTHORIZATION_TYPEHASH, from, value, paymentReference, validAfter, validBefore, nonce)
        );
        _useAuthorization(from, validAfter, validBefore, nonce, structHash, v, r, s);
        _redeem(from, value, paymentReference);
    }

    function _useAuthorization(
        address from,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes32 structHash,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) private {
        require(block.timestamp > validAfter, AuthorizationNotYetValid(validAfter));
        require(block.timestamp < validBefore, SignatureExpired(validBefore));
        require(!authorizationState[from][nonce], AuthorizationUsedOrCanceled(from, nonce));
        _requireSigner(from, structHash, v, r, s);
        authorizationState[from][nonce] = true;
        emit AuthorizationUsed(from, nonce);
    }

    function _requireSigner(address expected, bytes32 structHash, uint8 v, bytes32 r, bytes32 s) private view {
        address signer = ECDSA.recover(_hashTypedDataV4(structHash), v, r, s);
        require(signer == expected, WrongSigner(signer, expected));
    }

    function _redeem(address from, uint256 amount, bytes32 paymentReference) private {
        Totals memory totals = _totals;
        require(!totals.transfersPaused, TransfersArePaused());
        require(amount != 0, ZeroAmount());
        _debit(from, amount);
        // A balance covered it, so it fits uint80 and is within the supply.
        unchecked {
            totals.outstanding -= uint80(amount);
        }
        totals.redeemed += uint80(amount);
        _totals = totals;
        emit Transfer(from, address(0), amount);
        emit Redeemed(from, amount, paymentReference, totals.redeemed);
    }

    // --------------------------------------------------------------------------------------------------- minters

    /// @inheritdoc IBenefitToken
    function commit(uint256 amount) external {
        Minter storage self = _minters[msg.sender];
        require(self.active, NotMinter(msg.sender));
        require(amount <= type(uint80).max, AmountTooLarge(amount));
        uint256 own = uint256(self.committed) + self.minted + amount;
        require(own <= self.cap, MinterCapExceeded(msg.sender, own, self.cap));

        Totals storage totals = _totals;
        uint256 outstanding = uint256(totals.outstanding) + amount;
        require(outstanding <= totals.cap, CapExceeded(outstanding, totals.cap));
        uint256 asOf = _attestation.asOf;
        // A disaster does not wait for the attestor: the lane goes on, within its caps and the reserve last attested.
        require(
            block.timestamp <= asOf + RESERVE_MAX_AGE || msg.sender == emergencyLane,
            ReserveStale(asOf, RESERVE_MAX_AGE)
        );
        uint256 inForce = reserve();
        require(outstanding <= inForce, ReserveExceeded(outstanding, inForce));

        // Within the caps just checked, which fit uint80.
        unchecked {
            self.committed += uint80(amount);
        }
        totals.outstanding = uint80(outstanding);
        emit Committed(msg.sender, amount, outstanding);
    }

    /// @inheritdoc IBenefitToken
    function release(uint256 amount) external {
        Minter storage self = _minters[msg.sender];
        require(amount <= self.committed, CommitmentExceeded(amount, self.committed));
        // A minter's commitments are part of what is outstanding.
        unchecked {
            self.committed -= uint80(amount);
            _totals.outstanding -= uint80(amount);
        }
        emit Released(msg.sender, amount, _totals.outstanding);
    }

    /// @inheritdoc IBenefitToken
    function mintBatch(bytes calldata entries, uint256 entryCap)
        external
        returns (uint256 skippedLow, uint256 skippedHigh, uint256 minted, uint256 skipped)
    {
        require(entries.length % 28 == 0 && entries.length <= 28 * 512, MalformedEntries(entries.length));
        (skippedLow, skippedHigh, minted, skipped) = _credit(entries, entryCap);
        _mintCommitted(minted);
    }

    /// @inheritdoc IBenefitToken
    function mintEntry(address payee, uint64 amount) external returns (uint8 reason) {
        uint256 held = _balances[payee];
        reason = _unpayableReason(payee, msg.sender, held);
        if (reason != 0) return reason;
        _mintCommitted(amount);
        // Balances sum to the supply, which fits uint80.
        unchecked {
            _balances[payee] = held + amount;
        }
        emit Transfer(address(0), payee, amount);
    }

    /// @dev Moves `minted` from what the caller committed to what it minted, and so into the supply: the supply is what is
    /// outstanding and not committed.
    function _mintCommitted(uint256 minted) private {
        Minter storage self = _minters[msg.sender];
        uint256 own = self.committed;
        require(minted <= own, CommitmentExceeded(minted, own));
        // Both stand in one word, committed from bit 80, minted from 160, and are written once, not one after the other.
        // Together they stay what they were, within the minter's cap, so nothing carries over.
        assembly ("memory-safe") {
            sstore(self.slot, add(sub(sload(self.slot), shl(80, minted)), shl(160, minted)))
        }
    }

    /// @dev Adds each payable entry to its payee's balance and logs its Transfer. In assembly because it runs once a
    /// recipient: the checks cost a few gas beside the storage write. The caller has checked the length, and checks
    /// the sum against the commitment afterwards; a sum of 512 uint64 cannot overflow, and a balance stays below the
    /// supply, which fits uint80, so it never reaches the freeze bit.
    function _credit(bytes calldata entries, uint256 entryCap)
        private
        returns (uint256 skippedLow, uint256 skippedHigh, uint256 minted, uint256 skipped)
    {
        bytes32 transferTopic = Transfer.selector;
        uint256 overCap = type(uint256).max;
        assembly ("memory-safe") {
            // Scratch space: 0x00 payee, 0x20 balances slot for the mapping key, which the log's data leaves as it is.
            mstore(0x20, _balances.slot)
            let at := entries.offset
            // An amount is usual from 1 to the cap: one comparison for both, since nothing less one is the largest number.
            for { let end := add(at, entries.length) } lt(at, end) { at := add(at, 28) } {
                let word := calldataload(at)
                let amount := and(shr(32, word), 0xffffffffffffffff)
                if iszero(lt(sub(amount, 1), entryCap)) {
                    if iszero(amount) { continue }
                    overCap := div(sub(at, entries.offset), 28)
                    break
                }
                let payee := shr(96, word)
                mstore(0x00, payee)
                let slot := keccak256(0x00, 0x40)
                let held := sload(slot)
                // Frozen: bit 255 makes the word negative.
                if or(or(slt(held, 0), iszero(payee)), or(eq(payee, address()), eq(payee, caller()))) {
                    let i := div(sub(at, entries.offset), 28)
                    switch lt(i, 256)
                    case 1 { skippedLow := or(skippedLow, shl(i, 1)) }
                    default { skippedHigh := or(skippedHigh, shl(sub(i, 256), 1)) }
                    skipped := add(skipped, amount)
                    continue
                }
                sstore(slot, add(held, amount))
                minted := add(minted, amount)
                mstore(0x00, amount)
                log3(0x00, 0x20, transferTopic, 0, payee)
            }
        }
        if (overCap != type(uint256).max) {
            revert EntryAboveCap(overCap, uint64(uint256(bytes32(entries[overCap * 28:])) >> 32), entryCap);
        }
    }

    /// @inheritdoc IBenefitToken
    function unpayableReason(address account, address minter_) external view returns (uint8) {
        return _unpayableReason(account, minter_, _balances[account]);
    }

    /// @param held The account's balance word.
    function _unpayableReason(address account, address minter_, uint256 held) private view returns (uint8) {
        if (account == address(0)) return 1;
        if (account == address(this)) return 2;
        if (account == minter_) return 3;
        return held & FROZEN_BIT != 0 ? 4 : 0;
    }

    // ----------------------------------------------------------------------------------------------- state to read

    /// @inheritdoc IBenefitToken
    function committed() public view returns (uint256 all) {
        uint256 count = _everMinters.length;
        for (uint256 i; i < count; ++i) {
            all += _minters[_everMinters[i]].committed;
        }
    }

    /// @inheritdoc IBenefitToken
    function cap() external view returns (uint256) {
        return _totals.cap;
    }

    /// @inheritdoc IBenefitToken
    function pendingCap() external view returns (uint80, uint40) {
        return (_pendingCap.cap, _pendingCap.appliesFrom);
    }

    /// @inheritdoc IBenefitToken
    function transfersPaused() external view returns (bool) {
        return _totals.transfersPaused;
    }

    /// @inheritdoc IBenefitToken
    function minter(address account) external view returns (Minter memory) {
        return _minters[account];
    }

    /// @inheritdoc IBenefitToken
    function pendingMinter(address account) external view returns (uint80, uint40) {
        PendingMinter memory pending = _pendingMinters[account];
        return (pending.cap, pending.activeFrom);
    }

    /// @inheritdoc IBenefitToken
    function attestation() external view returns (Attestation memory) {
        return _attestation;
    }

    /// @inheritdoc IBenefitToken
    function redeemedTotal() external view returns (uint256) {
        return _totals.redeemed;
    }

    /// @inheritdoc IBenefitToken
    function reserve() public view returns (uint256) {
        uint256 notIncluded = _totals.redeemed - _attestation.redemptionsIncluded;
        uint256 attested = _attestation.amount;
        return attested > notIncluded ? attested - notIncluded : 0;
    }

    /// @inheritdoc IBenefitToken
    function isFrozen(address account) external view returns (bool) {
        return _balances[account] & FROZEN_BIT != 0;
    }

    // ------------------------------------------------------------------------------------------------ housekeeping

    /// @inheritdoc IBenefitToken
    function attestReserve(uint80 amount, uint80 redemptionsIncluded, uint40 asOf, bytes32 documentHash)
        external
        restricted
    {
        Attestation memory previous = _attestation;
        require(asOf > previous.asOf, AttestationNotNewer(asOf, previous.asOf));
        require(asOf <= block.timestamp, AttestationInFuture(asOf));
        require(
            redemptionsIncluded >= previous.redemptionsIncluded && redemptionsIncluded <= _totals.redeemed,
            RedemptionsOutOfRange(redemptionsIncluded, previous.redemptionsIncluded, _totals.redeemed)
        );
        _attestation = Attestation(amount, redemptionsIncluded, asOf);
        emit ReserveAttested(amount, redemptionsIncluded, asOf, documentHash);
    }

    /// @inheritdoc IBenefitToken
    function freeze(address account) external restricted {
        _balances[account] |= FROZEN_BIT;
        emit Frozen(account);
    }

    /// @inheritdoc IBenefitToken
    function unfreeze(address account) external restricted {
        _balances[account] &= ~FROZEN_BIT;
        emit Unfrozen(account);
    }

    /// @inheritdoc IBenefitToken
    function pauseTransfers() external restricted {
        _totals.transfersPaused = true;
        emit TransfersPaused();
    }

    /// @inheritdoc IBenefitToken
    function lowerCap(uint80 newCap) external restricted {
        require(newCap != 0, ZeroCap());
        require(newCap < _totals.cap, CapNotLower(newCap, _totals.cap));
        _totals.cap = newCap;
        delete _pendingCap;
        emit CapLowered(newCap);
    }

    // --------------------------------------------------------------------------------------- by a quorum of governors

    /// @inheritdoc IBenefitToken
    function unpauseTransfers(bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        bytes32 structHash = keccak256(abi.encode(UNPAUSE_TRANSFERS_TYPEHASH, actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);
        _totals.transfersPaused = false;
        emit TransfersUnpaused(actionId, signatures);
    }

    /// @inheritdoc IBenefitToken
    function scheduleCap(uint80 newCap, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        bytes32 structHash = keccak256(abi.encode(CAP_INCREASE_TYPEHASH, newCap, actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);
        require(newCap > _totals.cap, CapNotHigher(newCap, _totals.cap));
        uint40 appliesFrom = uint40(block.timestamp + RAISE_DELAY);
        _pendingCap = PendingCap(newCap, appliesFrom);
        emit CapIncreaseScheduled(newCap, appliesFrom, actionId, signatures);
    }

    /// @inheritdoc IBenefitToken
    function applyCap() external {
        PendingCap memory pending = _pendingCap;
        require(
            pending.appliesFrom != 0 && block.timestamp >= pending.appliesFrom, CapIncreaseNotDue(pending.appliesFrom)
        );
        delete _pendingCap;
        _totals.cap = pending.cap;
        emit CapRaised(pending.cap);
    }

    /// @inheritdoc IBenefitToken
    function scheduleMinter(
        address account,
        uint80 minterCap,
        bytes32 actionId,
        uint40 deadline,
        bytes calldata signatures
    ) external {
        bytes32 structHash = keccak256(abi.encode(MINTER_ADDITION_TYPEHASH, account, minterCap, actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);
        Minter storage known = _minters[account];
        // Zero for one who is to become a minter.
        require(minterCap > known.cap, CapNotHigher(minterCap, known.cap));
        // A minter removed with money committed may still pay it; it never commits again.
        require(known.active || known.cap == 0, MinterIsRemoved(account));
        uint40 activeFrom = uint40(block.timestamp + MINTER_DELAY);
        _pendingMinters[account] = PendingMinter(minterCap, activeFrom);
        emit MinterScheduled(account, minterCap, activeFrom, actionId, signatures);
    }

    /// @inheritdoc IBenefitToken
    function activateMinter(address account) external {
        PendingMinter memory pending = _pendingMinters[account];
        require(pending.activeFrom != 0 && block.timestamp >= pending.activeFrom, MinterNotDue(account, pending.activeFrom));
        delete _pendingMinters[account];
        _activate(account, pending.cap);
    }

    /// @dev Makes `account` a minter, or gives one that is active a higher cap.
    function _activate(address account, uint80 minterCap) private {
        Minter storage activated = _minters[account];
        // A minter's cap is never zero.
        if (activated.cap == 0) _everMinters.push(account);
        activated.cap = minterCap;
        activated.active = true;
        emit MinterActivated(account, minterCap);
    }

    /// @inheritdoc IBenefitToken
    function removeMinter(address account, bytes32 actionId, uint40 deadline, bytes calldata signatures) external {
        bytes32 structHash = keccak256(abi.encode(MINTER_REMOVAL_TYPEHASH, account, actionId, deadline));
        _consumeGovernors(structHash, actionId, deadline, signatures);
        require(_minters[account].active || _pendingMinters[account].activeFrom != 0, NotMinter(account));
        delete _pendingMinters[account];
        _minters[account].active = false;
        emit MinterRemoved(account, actionId, signatures);
    }

    function _consumeGovernors(bytes32 structHash, bytes32 actionId, uint40 deadline, bytes calldata signatures)
        private
    {
        bytes32 digest = _hashTypedDataV4(structHash);
        _registry.consumeQuorum(digest, actionId, deadline, GOVERNOR, 0, 0, signatures);
    }
}
