"""What a node's answer to ``eth_sendRawTransaction``, or a contract's refusal, means for us.

Nodes have no codes for these: the words of geth, Nethermind, Besu, Erigon, reth and anvil are
matched, without their blanks and capitals, since Nethermind wrote them as names for long. A refusal
in words that are not known says nothing about the bytes: they are sent again (decision 0092).
"""

from __future__ import annotations

from enum import StrEnum

from service.chain.rpc import RpcError


class SendOutcome(StrEnum):
    """What the node did with a sent transaction.

    ``invalid`` is only what no node of the chain will ever take. ``unknown`` is what may be the
    node's own trouble: as no answer at all, but a person looks when it stays.
    """

    ACCEPTED = "accepted"
    NONCE_USED = "nonce_used"
    NO_FUNDS = "no_funds"
    UNDERPRICED = "underpriced"
    BUSY = "busy"
    INVALID = "invalid"
    UNKNOWN = "unknown"


INTERNAL_ERROR = -32603
"""JSON-RPC 2.0: the node's own trouble, whatever its words."""

_WORDINGS: tuple[tuple[SendOutcome, tuple[str, ...]], ...] = (
    # The node has it: exactly what we wanted.
    (
        SendOutcome.ACCEPTED,
        ("already known", "already imported", "known transaction", "same hash"),
    ),
    (SendOutcome.NONCE_USED, ("nonce too low", "nonce is too low", "old nonce", "nonce_too_low")),
    (SendOutcome.NO_FUNDS, ("insufficient funds", "insufficient balance", "upfront cost")),
    (
        SendOutcome.UNDERPRICED,
        (
            "underpriced",
            "fee too low",
            "less than block base fee",
            "gas price too low",
            "gas price below",
            "insufficient gas price to replace",
            "could not replace existing",
        ),
    ),
    (
        SendOutcome.BUSY,
        (
            "pool is full",
            "too many",
            "account limit exceeded",
            "rate limit",
            "request limit",
            "limit exceeded: ",
            "busy",
            "syncing",
            "still in progress",
        ),
    ),
    # The bytes themselves are wrong, or larger than the chain's rules allow. A wrong chain id or
    # type is not among them: a node of another chain, or one that is still reading old blocks, says
    # so of good bytes.
    (
        SendOutcome.INVALID,
        (
            "intrinsic gas",
            "block gas limit",
            "gas limit reached",
            "gas limit is too high",
            "gas limit exceeded",
            "tx gas limit",
            "transaction gas limit too high",
            "gas uint64 overflow",
            "gas uint overflow",
            "invalid sender",
            "failed to recover sender",
            "failed to resolve sender",
            "invalid signature",
            "invalid transaction v, r, s",
            "sender not an eoa",
            "sender is contract",
            "negative value",
            "oversized data",
            "transaction too large",
            "max tx size exceeded",
            "rlp:",
            "rlp too",
            "failed to decode signed transaction",
            "nonce has max value",
            "priority fee per gas higher than max fee",
            "priority fee per gas exceeds max fee",
        ),
    ),
)
_WORDS = tuple(
    (outcome, tuple(words.replace(" ", "") for words in wordings))
    for outcome, wordings in _WORDINGS
)

TOO_EARLY = frozenset({"NotExpired"})
"""Refusals of a node that is at an earlier time than the one at which somebody asked: it lags, or
the chain went back. The same will do later."""

ALREADY_DONE = frozenset(
    {
        "BatchExists",
        "ChunkAlreadyExecuted",
        "ActionUsed",
        "AlreadyHeld",
        "AuthorizationUsedOrCanceled",
        "NothingToExpire",
        "GrantExists",
        "GrantEnded",
    }
)
"""Refusals that say the effect is there already: somebody else sent what officers or a holder had
signed, or what anybody may."""


def classify_send(error: RpcError) -> SendOutcome:
    """Read a refusal to take a transaction."""
    message = error.message.lower().replace(" ", "")
    for outcome, words in _WORDS:
        if any(word in message for word in words):
            if outcome is SendOutcome.INVALID and error.rpc_code == INTERNAL_ERROR:
                return SendOutcome.UNKNOWN
            return outcome
    return SendOutcome.UNKNOWN
