"""What a node's answer to ``eth_sendRawTransaction``, or a contract's refusal, means for us.

Nodes have no codes for these: the words of geth, Nethermind, Besu, Erigon and anvil are matched.
"""

from __future__ import annotations

from enum import StrEnum

from service.chain.rpc import RpcError


class SendOutcome(StrEnum):
    """What the node did with a sent transaction."""

    ACCEPTED = "accepted"
    NONCE_USED = "nonce_used"
    NO_FUNDS = "no_funds"
    UNDERPRICED = "underpriced"
    BUSY = "busy"
    INVALID = "invalid"


_WORDS: tuple[tuple[SendOutcome, tuple[str, ...]], ...] = (
    # The node has it: exactly what we wanted.
    (
        SendOutcome.ACCEPTED,
        ("already known", "alreadyknown", "already imported", "known transaction", "same hash"),
    ),
    (SendOutcome.NONCE_USED, ("nonce too low", "nonce is too low", "oldnonce", "nonce_too_low")),
    (SendOutcome.NO_FUNDS, ("insufficient funds", "insufficient balance", "upfront cost")),
    (
        SendOutcome.UNDERPRICED,
        ("underpriced", "fee too low", "less than block base fee", "gas price too low"),
    ),
    (SendOutcome.BUSY, ("pool is full", "txpool is full", "too many", "limit exceeded", "busy")),
)

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
    message = error.message.lower()
    for outcome, words in _WORDS:
        if any(word in message for word in words):
            return outcome
    return SendOutcome.INVALID
