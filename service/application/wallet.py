"""One wallet: what the chain says it has, and what the database knows of how it came to that."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.application.context import Application
from service.cases.models import Case
from service.confirmations.wallets import ZERO_ADDRESS, WalletMove, history
from service.payouts.models import Payout, Stream
from service.units import format_amount


def wallet_view(app: Application, session: Session, address: str, *, limit: int = 50) -> Any:
    """Return balance, freeze, payouts, streams and transfers of a wallet, for JSON.

    Balance, freeze and each stream's accrual are the chain's answers now; payouts, and the
    transfers up to the block that the worker read, are the database's.

    Parameters
    ----------
    address
        EIP-55 address.
    limit
        Most transfers to return, the newest first.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    contracts, rpc = app.contracts, app.rpc
    block = rpc.block_number()
    balance = contracts.read(rpc, "token", "balanceOf", address, block=block)
    payouts = list(
        session.scalars(
            select(Payout)
            .where(Payout.payee == address, Payout.kind == "one_off")
            .order_by(Payout.updated_at, Payout.batch_id, Payout.index)
        )
    )
    streams = list(
        session.scalars(
            select(Stream).where(Stream.payee == address).order_by(Stream.batch_id, Stream.index)
        )
    )
    return {
        "address": address,
        "block_number": block,
        "balance": format_amount(balance),
        "balance_base_units": str(balance),
        "frozen": contracts.read(rpc, "token", "isFrozen", address, block=block),
        "cases": list(session.scalars(select(Case.case_ref).where(Case.wallet_address == address))),
        "payouts": [_payout(payout) for payout in payouts],
        "streams": [stream_view(app, stream, block) for stream in streams],
        "history": [_move(move) for move in history(session, address, limit=limit)],
    }


def stream_view(app: Application, stream: Stream, block: int | str = "latest") -> dict[str, Any]:
    """Return a stream as its events left it, with what it has accrued by now on chain.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    _, total, accrued, withdrawn, cancelled = app.contracts.read(
        app.rpc,
        "vault",
        "stream",
        bytes.fromhex(stream.batch_id[2:]),
        stream.index,
        block=block,
    )
    return {
        "batch_id": stream.batch_id,
        "index": stream.index,
        "chunk_index": stream.chunk_index,
        "payee": stream.payee,
        "total": format_amount(total),
        "accrued": format_amount(accrued),
        "withdrawn": format_amount(withdrawn),
        "withdrawable": format_amount(accrued - withdrawn),
        "total_base_units": str(total),
        "accrued_base_units": str(accrued),
        "withdrawn_base_units": str(withdrawn),
        "withdrawable_base_units": str(accrued - withdrawn),
        "cancelled": bool(cancelled),
        "cancelled_at_s": cancelled - 1 if cancelled else None,
    }


def _payout(payout: Payout) -> dict[str, Any]:
    return {
        "batch_id": payout.batch_id,
        "index": payout.index,
        "state": payout.state,
        "amount": format_amount(payout.amount_base_units),
        "amount_base_units": str(payout.amount_base_units),
        "skip_reason": payout.skip_reason,
        "tx_hash": payout.tx_hash,
    }


def _move(move: WalletMove) -> dict[str, Any]:
    """Return one transfer; a one-off payout and a stream's withdrawal are minted."""
    incoming = move.change_base_units > 0
    if move.other == ZERO_ADDRESS:
        kind = "paid" if incoming else "redeemed"
    else:
        kind = "received" if incoming else "sent"
    return {
        "kind": kind,
        "amount": format_amount(abs(move.change_base_units)),
        "amount_base_units": str(abs(move.change_base_units)),
        "counterparty": None if move.other == ZERO_ADDRESS else move.other,
        "block_number": move.block_number,
        "at_unix_s": move.timestamp_unix_s,
        "tx_hash": move.tx_hash,
    }
