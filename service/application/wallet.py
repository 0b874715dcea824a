"""One wallet: what the chain says it has, and what the database knows of how it came to that."""

from __future__ import annotations

from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from service.application.context import Application
from service.cases.models import Case
from service.confirmations.models import Block, Transfer
from service.payouts.models import Payout, Stream
from service.units import format_amount

ZERO_ADDRESS = "0x" + "0" * 40


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
        "history": _history(session, address, limit),
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


def _history(session: Session, address: str, limit: int) -> list[dict[str, Any]]:
    """Return the newest transfers; a stream's withdrawal and a one-off payout are mints."""
    found = session.execute(
        select(Transfer, Block.timestamp_unix_s)
        .outerjoin(Block, Block.number == Transfer.block_number)
        .where(or_(Transfer.from_address == address, Transfer.to_address == address))
        .order_by(Transfer.block_number.desc(), Transfer.log_index.desc())
        .limit(limit)
    )
    return [_transfer(transfer, address, at_unix_s) for transfer, at_unix_s in found]


def _transfer(transfer: Transfer, address: str, at_unix_s: int | None) -> dict[str, Any]:
    if transfer.from_address == ZERO_ADDRESS:
        kind, other = "paid", None
    elif transfer.to_address == ZERO_ADDRESS:
        kind, other = "redeemed", None
    elif transfer.to_address == address:
        kind, other = "received", transfer.from_address
    else:
        kind, other = "sent", transfer.to_address
    return {
        "kind": kind,
        "amount": format_amount(transfer.value),
        "amount_base_units": str(transfer.value),
        "counterparty": other,
        "block_number": transfer.block_number,
        "at_unix_s": at_unix_s,
        "tx_hash": transfer.tx_hash,
    }
