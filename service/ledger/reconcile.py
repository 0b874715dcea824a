"""The ledger compared with what the contracts say at the same block."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.chain.contracts import Contracts
from service.chain.rpc import Rpc
from service.confirmations.models import Cursor
from service.db import sums
from service.ledger.models import LedgerAccount, LedgerEntry
from service.ledger.posting import (
    CIRCULATING,
    EMERGENCY,
    FUNDING,
    LEDGER_CURSOR,
    REDEEMED,
    budget_account,
    committed_account,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that should be equal and is not.

    Attributes
    ----------
    what
        Account, or sum of accounts.
    ledger_base_units, chain_base_units
        What each side says.
    """

    what: str
    ledger_base_units: int
    chain_base_units: int


def balances(session: Session) -> dict[str, int]:
    """Return every account's balance: debits less credits, base units."""
    totals: dict[str, int] = defaultdict(int)
    by = (LedgerEntry.account, LedgerEntry.side)
    for (account, side), total in sums(session, LedgerEntry.amount, *by).items():
        totals[account] += total if side == "debit" else -total
    return dict(totals)


def reconcile(session: Session, rpc: Rpc, contracts: Contracts) -> list[Difference]:
    """Compare the ledger with the contracts' views at the last block it was posted to.

    Returns
    -------
    list of Difference
        Empty when they agree.

    Raises
    ------
    ChainUnavailable, RpcError
        If the node does not answer, or does not keep that block's state.
    """
    cursor = session.get(Cursor, (contracts.deployment.chain_id, LEDGER_CURSOR))
    if cursor is None:
        return []
    block = cursor.block_number
    held = defaultdict(int, balances(session))
    programmes = [
        programme
        for programme in session.scalars(
            select(LedgerAccount.programme)
            .where(LedgerAccount.programme.is_not(None))
            .distinct()
            .order_by(LedgerAccount.programme)
        )
        if programme is not None
    ]
    committed = sum(held[committed_account(p)] for p in programmes)

    def view(contract: str, function: str) -> int:
        return int(contracts.read(rpc, contract, function, block=block))

    lane = contracts.read(rpc, "token", "minter", contracts.deployment.lane, block=block)
    pairs = [
        ("circulating", held[CIRCULATING], view("token", "totalSupply")),
        ("redeemed", held[REDEEMED], view("token", "redeemedTotal")),
        ("committed", committed, view("token", "committed")),
        (EMERGENCY, -held[EMERGENCY], lane["minted"]),
        ("sum of all accounts", sum(held.values()), 0),
    ]
    funded = 0
    for number in programmes:
        state = contracts.read(rpc, "vault", "programme", number, block=block)
        funded += state["budget"]
        budget = budget_account(number)
        pairs.append((budget, held[budget], state["budget"] - state["allocated"]))
    pairs.append((FUNDING, -held[FUNDING], funded))
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]
