"""One wallet: what the chain says it has, and what the database knows of how it came to that."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.application.context import Application
from service.application.payouts import payout_view
from service.cases.models import Case
from service.confirmations.wallets import ZERO_ADDRESS, WalletMove, history
from service.payouts.models import Batch, Payout, Stream
from service.units import amounts, format_unix_s


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
        **amounts(balance=balance),
        "frozen": contracts.read(rpc, "token", "isFrozen", address, block=block),
        "cases": list(session.scalars(select(Case.case_ref).where(Case.wallet_address == address))),
        "payouts": [payout_view(payout) for payout in payouts],
        "streams": [stream_on_chain(app, session, stream, block) for stream in streams],
        "history": [_move(move) for move in history(session, address, limit=limit)],
    }


def stream_on_chain(
    app: Application, session: Session, stream: Stream, block: int | str = "latest"
) -> dict[str, Any]:
    """Return a stream as the vault has it, with what it has accrued by now, for JSON.

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
    start = session.get_one(Batch, stream.batch_id).start_unix_s
    return {
        "id": f"{stream.batch_id}:{stream.index}",
        "batch_id": stream.batch_id,
        "index": stream.index,
        "chunk_index": stream.chunk_index,
        "payee": stream.payee,
        # The vault gives the second of the cut, counted from the start, plus 1; 0 is none.
        "cancelled": bool(cancelled),
        "cancelled_at": format_unix_s(start + cancelled - 1) if cancelled else None,
        **amounts(
            total=total,
            accrued=accrued,
            withdrawn=withdrawn,
            withdrawable=accrued - withdrawn,
        ),
    }


def _move(move: WalletMove) -> dict[str, Any]:
    """Return one transfer; a one-off payout and a stream's withdrawal are minted."""
    incoming = move.change_base_units > 0
    if move.other == ZERO_ADDRESS:
        kind = "paid" if incoming else "redeemed"
    else:
        kind = "received" if incoming else "sent"
    at = move.timestamp_unix_s
    return {
        "kind": kind,
        **amounts(amount=abs(move.change_base_units)),
        "counterparty": None if move.other == ZERO_ADDRESS else move.other,
        "block_number": move.block_number,
        "at": format_unix_s(at) if at else None,
        "tx_hash": move.tx_hash,
    }
