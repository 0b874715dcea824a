"""What every step of the submission engine has at hand, and how it writes.

Each write is in a database transaction that checks the lane's fencing token first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session, sessionmaker

from service.chain.contracts import Contracts
from service.chain.fees import Fees, suggest
from service.chain.rpc import Rpc
from service.chain.signers import Signer
from service.db import transaction
from service.errors import LimitExceeded
from service.telemetry.logs import note
from service.transactions import lanes, trail
from service.transactions.lanes import Held, Lease
from service.transactions.models import Transaction, TransactionAttempt
from service.transactions.states import State

log = logging.getLogger(__name__)

TRANSACTION_GAS_CAP = 2**24
"""No transaction may use more (EIP-7825)."""

FILL_GAS = 21_000
"""A plain transfer (yellow paper, G_transaction)."""

FIRST_RETRY_MS = 2_000
LAST_RETRY_MS = 300_000


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How the engine behaves.

    Attributes
    ----------
    lease_seconds
        How long a lane stays ours without a write.
    max_fee_per_gas_cap_wei
        No transaction offers more.
    max_in_flight
        Transactions of one lane signed and not mined.
    max_in_flight_blocks
        How many blocks' worth of gas all lanes together may have in flight. A node that mines only
        when a transaction arrives (anvil) leaves lying what did not fit into the block, so 1.
    blocks_ahead
        How many blocks' worth besides, so that a node has the next block's transactions while it
        mines one; 0 for one that mines on arrival only.
    replace_after_s
        A transaction that is next to be mined and was not for so long gets a higher offer.
    resend_after_s
        Bytes not mined for so long are handed to the node again: pools forget.
    """

    lease_seconds: int = 15
    max_fee_per_gas_cap_wei: int = 500 * 10**9
    max_in_flight: int = 32
    max_in_flight_blocks: float = 1.0
    blocks_ahead: float = 0.0
    replace_after_s: float = 60.0
    resend_after_s: float = 10.0


BlocksOf = Callable[[Session, Sequence[str]], Mapping[str, tuple[int, str]]]


def no_hook(_point: str) -> None:
    """Do nothing; tests end the process here instead."""


@dataclass(frozen=True, slots=True)
class EngineContext:
    """The parts that the steps of one worker's engine share.

    Attributes
    ----------
    sessions
        Factory of database sessions.
    rpc, contracts
        The chain.
    signers
        Keys of the senders, by address.
    options
        How the engine behaves.
    hook
        Called with the name of each point at which a crash is told apart from any other.
    blocks_of
        Returns number and hash of the blocks that hold events of transactions, by these' hashes, of
        the blocks that were read so far.
    """

    sessions: sessionmaker[Session]
    rpc: Rpc
    contracts: Contracts
    signers: Mapping[str, Signer]
    options: EngineOptions
    hook: Callable[[str], None]
    blocks_of: BlocksOf

    @property
    def chain_id(self) -> int:
        """Chain that the contracts stand on."""
        return self.contracts.deployment.chain_id

    @contextmanager
    def write(self, lease: Lease) -> Iterator[tuple[Session, Held]]:
        """Open a unit of work that commits only while the lane is ours; with the lane's row."""
        with transaction(self.sessions) as session:
            yield session, lanes.hold(session, lease, self.options.lease_seconds)

    def market(self, lease: Lease, newest: Mapping[str, Any] | None = None) -> Fees | None:
        """What to offer now; None while gas costs more than the cap: the lane waits.

        Parameters
        ----------
        newest
            The newest block's header; the node is asked for it where None.
        """
        try:
            cap_wei = self.options.max_fee_per_gas_cap_wei
            return suggest(self.rpc, cap_wei=cap_wei, newest=newest)
        except LimitExceeded as error:
            note(log, "lane_waits", logging.WARNING, lane=lease.sender, detail=error.detail)
            return None

    def add_attempt(
        self, session: Session, row: Transaction, n: int, purpose: str, fees: Fees, *, now_ms: int
    ) -> None:
        """Sign; the caller's commit makes the bytes durable before anything is sent.

        Parameters
        ----------
        now_ms
            Database clock.
        """
        fill = purpose == "fill"
        raw = self.signers[row.sender].sign_transaction(
            {
                "chainId": self.chain_id,
                "nonce": row.nonce,
                "to": row.sender if fill else row.target,
                "value": 0,
                "data": b"" if fill else row.calldata,
                "gas": FILL_GAS if fill else row.gas_limit,
                **fees.transaction_fields(),
            }
        )
        tx_hash = "0x" + keccak(raw).hex()
        trail.signed(session, row, n, purpose, tx_hash)
        session.add(
            TransactionAttempt(
                transaction_id=row.id,
                n=n,
                purpose=purpose,
                tx_hash=tx_hash,
                raw=raw,
                max_fee_per_gas=fees.max_fee_per_gas,
                priority_fee_per_gas=fees.priority_fee_per_gas,
                signed_unix_ms=now_ms,
            )
        )


def of(lease: Lease) -> ColumnElement[bool]:
    """Transactions of a lane."""
    return (Transaction.chain_id == lease.chain_id) & (Transaction.sender == lease.sender)


def values_of(states: Sequence[State]) -> list[str]:
    """States as they are stored."""
    return [state.value for state in states]
