// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Benefit stablecoin: ERC-20 with ERC-2612 and ERC-3009, freeze, pause, redemption and an attested reserve
/// @notice Six decimals; every amount is in base units. Money comes into being only when a minter of the set below
/// moves it from `committed` to supply, and a minter commits only what the attested reserve, the cap and its own cap
/// allow. There is no other mint, no clawback, and no administrator's way around.
interface IBenefitToken {
    /// @notice Who may commit and mint, in one word of storage.
    /// @param cap Most it may ever have committed and minted, net of what it released, base units.
    /// @param committed Committed by it and not yet minted or released.
    /// @param minted Minted by it.
    /// @param active Whether it may commit.
    struct Minter {
        uint80 cap;
        uint80 committed;
        uint80 minted;
        bool active;
    }

    /// @notice What was attested last.
    /// @param amount Reserve attested, base units.
    /// @param redemptionsIncluded Cumulative redemptions the attested amount already takes into account.
    /// @param asOf Unix seconds of the statement.
    struct Attestation {
        uint80 amount;
        uint80 redemptionsIncluded;
        uint40 asOf;
    }

    /// @notice ERC-20: `value` went from one account to another; from zero when it was minted, to zero when it was
    /// redeemed.
    event Transfer(address indexed from, address indexed to, uint256 value);
    /// @notice ERC-20: what `spender` may move of the owner's tokens is `value` now.
    event Approval(address indexed owner, address indexed spender, uint256 value);
    /// @notice ERC-3009.
    event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);
    /// @notice ERC-3009.
    event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce);

    /// @notice A minter set `amount` aside for payouts that officers approved; checked against reserve and caps at that
    /// moment.
    /// @param outstanding Supply and all commitments now: what cap and reserve must carry.
    event Committed(address indexed minter, uint256 amount, uint256 outstanding);
    /// @notice A minter gave back `amount` that will not be paid.
    /// @param outstanding Supply and all commitments now.
    event Released(address indexed minter, uint256 amount, uint256 outstanding);
    /// @notice A holder gave up `amount` against fiat; it is no longer supply.
    /// @param paymentReference What the payer of the fiat side matches its bank payment to.
    /// @param redeemedTotal All redemptions ever, this one included.
    event Redeemed(address indexed from, uint256 amount, bytes32 indexed paymentReference, uint256 redeemedTotal);
    /// @notice The attestor stated the reserve behind the tokens.
    /// @param amount The reserve, base units.
    /// @param redemptionsIncluded Cumulative redemptions that the amount takes into account, base units.
    /// @param asOf Unix seconds of the statement.
    /// @param documentHash Hash of the statement's document.
    event ReserveAttested(uint256 amount, uint256 redemptionsIncluded, uint256 asOf, bytes32 documentHash);
    /// @notice A freezer froze the account: it neither gives nor receives.
    event Frozen(address indexed account);
    /// @notice A freezer lifted the freeze.
    event Unfrozen(address indexed account);
    /// @notice A guardian paused transfers and redemptions. Minting goes on.
    event TransfersPaused();
    /// @notice A quorum of governors lifted the pause.
    event TransfersUnpaused(bytes32 actionId, bytes signatures);
    /// @notice A minter is to come, or to get a higher cap.
    event MinterScheduled(address indexed minter, uint256 cap, uint256 activeFrom, bytes32 actionId, bytes signatures);
    /// @param cap The minter's cap now; what an earlier one let it commit and mint counts against it.
    event MinterActivated(address indexed minter, uint256 cap);
    /// @notice The minter can commit no more; what it has committed it still pays.
    event MinterRemoved(address indexed minter, bytes32 actionId, bytes signatures);
    /// @notice The treasurer lowered the token's cap to `cap`, at once.
    /// @notice A planned higher cap is dropped with it.
    event CapLowered(uint256 cap);
    /// @notice Governors planned a higher cap of the token.
    event CapIncreaseScheduled(uint256 cap, uint256 appliesFrom, bytes32 actionId, bytes signatures);
    /// @notice The planned cap of the token is in force.
    event CapRaised(uint256 cap);

    error InsufficientBalance(address account, uint256 balance, uint256 needed);
    error InsufficientAllowance(address spender, uint256 allowance, uint256 needed);
    error InvalidReceiver(address receiver);
    error AccountFrozen(address account);
    error TransfersArePaused();
    error SignatureExpired(uint256 deadline);
    error AuthorizationNotYetValid(uint256 validAfter);
    error AuthorizationUsedOrCanceled(address authorizer, bytes32 nonce);
    error CallerNotPayee(address caller, address payee);
    error WrongSigner(address signer, address expected);
    error NotMinter(address caller);
    /// @notice Vault and emergency lane must be two contracts.
    error MinterTwice(address minter);
    error MinterIsRemoved(address minter);
    error MinterNotDue(address minter, uint256 activeFrom);
    error MinterCapExceeded(address minter, uint256 requested, uint256 cap);
    error CapExceeded(uint256 requested, uint256 cap);
    error CapNotLower(uint256 requested, uint256 cap);
    error CapNotHigher(uint256 requested, uint256 cap);
    error CapIncreaseNotDue(uint256 appliesFrom);
    error ZeroCap();
    /// @notice Supply and commitments together would pass the reserve in force.
    error ReserveExceeded(uint256 requested, uint256 reserve);
    error ReserveStale(uint256 asOf, uint256 maxAge);
    error AttestationNotNewer(uint256 asOf, uint256 previous);
    error AttestationInFuture(uint256 asOf);
    error RedemptionsOutOfRange(uint256 given, uint256 least, uint256 most);
    error CommitmentExceeded(uint256 requested, uint256 committed);
    error MalformedEntries(uint256 length);
    error EntryAboveCap(uint256 index, uint256 amount, uint256 cap);
    error ZeroAmount();
    error AmountTooLarge(uint256 amount);

    /// @notice Seconds after which an attestation no longer carries new commitments.
    function RESERVE_MAX_AGE() external view returns (uint256);

    /// @notice Seconds between planning a higher cap and applying it.
    function RAISE_DELAY() external view returns (uint256);

    /// @notice Seconds between scheduling and activating a minter, or a minter's higher cap.
    function MINTER_DELAY() external view returns (uint256);

    /// @notice ERC-20.
    function name() external view returns (string memory);
    /// @notice ERC-20.
    function symbol() external view returns (string memory);
    /// @notice ERC-20: 6, so a token is 1,000,000 base units.
    function decimals() external view returns (uint8);
    /// @notice ERC-20: all that was minted and not redeemed.
    function totalSupply() external view returns (uint256);
    /// @notice ERC-20.
    function balanceOf(address account) external view returns (uint256);
    /// @notice ERC-20: what `spender` may still move of the owner's tokens; the largest number is without end.
    function allowance(address owner, address spender) external view returns (uint256);
    /// @notice ERC-20.
    function approve(address spender, uint256 value) external returns (bool);
    /// @notice ERC-20. Refused while transfers are paused, and from or to a frozen account.
    function transfer(address to, uint256 value) external returns (bool);
    /// @notice ERC-20. As {transfer}, for a spender within the allowance.
    function transferFrom(address from, address to, uint256 value) external returns (bool);

    /// @notice ERC-2612.
    function nonces(address owner) external view returns (uint256);
    /// @notice ERC-2612.
    function DOMAIN_SEPARATOR() external view returns (bytes32);
    /// @notice ERC-2612. Does nothing to a frozen owner's allowance being spent: {transferFrom} checks the freeze.
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;

    /// @notice ERC-3009: whether the authorization was used or cancelled.
    function authorizationState(address authorizer, bytes32 nonce) external view returns (bool);
    /// @notice ERC-3009: a transfer the holder signed; anyone may relay it.
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
    ) external;
    /// @notice ERC-3009: the same, only relayed by the payee, so that nobody can run it ahead of the payee's own call.
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
    ) external;
    /// @notice ERC-3009. Works while transfers are paused.
    function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Burns the caller's tokens against fiat owed under `paymentReference`.
    function redeem(uint256 amount, bytes32 paymentReference) external;
    /// @notice The same, signed by the holder and relayed by anyone (gasless), with ERC-3009 nonces.
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
    ) external;

    /// @notice Sets `amount` aside for the calling minter's payouts. Reverts past the reserve in force, the cap, or the
    /// minter's own cap, or, but for the emergency lane, when the attestation is stale.
    function commit(uint256 amount) external;

    /// @notice Gives back what the calling minter had set aside.
    function release(uint256 amount) external;

    /// @notice Mints packed entries out of what the calling minter committed. Never fails for a limit.
    /// @param entries 28-byte words payee (20) | amount (8), at most 512.
    /// @param entryCap Most one entry may be, base units.
    /// @return skippedLow Bit i: entry i (0 to 255) was not payable and was skipped.
    /// @return skippedHigh Bit i: entry 256 + i was skipped.
    /// @return minted Sum of the amounts minted.
    /// @return skipped Sum of the amounts skipped, which stay committed.
    function mintBatch(bytes calldata entries, uint256 entryCap)
        external
        returns (uint256 skippedLow, uint256 skippedHigh, uint256 minted, uint256 skipped);

    /// @notice Mints one payout out of what the calling minter committed, unless its payee cannot be paid.
    /// @return reason Why nothing was minted, see {unpayableReason}; 0 when it was.
    function mintEntry(address payee, uint64 amount) external returns (uint8 reason);

    /// @notice Why `account` cannot be minted to by `minter`: 0 it can; 1 zero address; 2 this token; 3 the minter
    /// itself; 4 frozen.
    function unpayableReason(address account, address minter) external view returns (uint8);

    /// @notice All that minters have committed and not yet minted or released.
    function committed() external view returns (uint256);
    /// @notice Most that supply and commitments may be together.
    function cap() external view returns (uint256);
    /// @notice A planned higher cap and when it may be applied; zeros if there is none.
    function pendingCap() external view returns (uint80 cap, uint40 appliesFrom);
    /// @notice Whether a guardian paused transfers and redemptions.
    function transfersPaused() external view returns (bool);
    /// @notice The one minter whose commitments a stale attestation does not stop; for good, since deployment.
    function emergencyLane() external view returns (address);
    /// @notice A minter; zeros for an account that never was one.
    function minter(address account) external view returns (Minter memory);
    /// @notice A planned minter, or a minter's planned higher cap, and when it may be activated; zeros if there is
    /// none.
    function pendingMinter(address account) external view returns (uint80 cap, uint40 activeFrom);
    /// @notice The last attestation; zeros before the first.
    function attestation() external view returns (Attestation memory);
    /// @notice All that was ever redeemed, base units.
    function redeemedTotal() external view returns (uint256);
    /// @notice The reserve in force: attested, less redemptions the attestation does not include yet.
    function reserve() external view returns (uint256);
    /// @notice Whether the account is frozen.
    function isFrozen(address account) external view returns (bool);

    /// @notice States the reserve; the access manager's attestor role.
    /// @param documentHash Hash of the attestor's signed document.
    function attestReserve(uint80 amount, uint80 redemptionsIncluded, uint40 asOf, bytes32 documentHash) external;

    /// @notice Keeps an account from giving and receiving; the access manager's freezer role.
    function freeze(address account) external;
    /// @notice Lifts a freeze; the access manager's freezer role.
    function unfreeze(address account) external;

    /// @notice Stops transfers and redemptions; the access manager's guardian role.
    function pauseTransfers() external;
    /// @notice Lets transfers and redemptions go on; by a quorum of governors.
    function unpauseTransfers(bytes32 actionId, uint40 deadline, bytes calldata signatures) external;

    /// @notice Lowers the cap on supply plus commitments at once and drops a planned raise; the access manager's treasurer
    /// role.
    function lowerCap(uint80 newCap) external;
    /// @notice Plans a higher cap, to be applied after {RAISE_DELAY}; by a quorum of governors. A later plan replaces it.
    function scheduleCap(uint80 newCap, bytes32 actionId, uint40 deadline, bytes calldata signatures) external;
    /// @notice Applies a planned cap once its delay is over; anyone may.
    function applyCap() external;

    /// @notice Plans a minter with a cap, or a higher cap for one who is active, to be activated after {MINTER_DELAY}; by a
    /// quorum of governors. Whoever was removed never comes back. A later plan for the same account replaces it.
    function scheduleMinter(address account, uint80 minterCap, bytes32 actionId, uint40 deadline, bytes calldata signatures)
        external;
    /// @notice Activates a planned minter, or its higher cap, once its delay is over; anyone may.
    function activateMinter(address account) external;
    /// @notice Stops a minter's commitments at once, planned or active; by a quorum of governors.
    function removeMinter(address account, bytes32 actionId, uint40 deadline, bytes calldata signatures) external;
}
