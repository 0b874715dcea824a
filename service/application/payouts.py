"""Payouts and streams for JSON, and payouts named as people name them."""

from __future__ import annotations

import re
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.application.batches import find_batch
from service.errors import InvalidInput, NotFound
from service.payouts.models import Batch, Payout
from service.payouts.streams import StreamView
from service.units import amounts, format_time, format_unix_s

_NUMBERED = re.compile(r"(?P<programme>[^#]+)#(?P<number>[0-9]{1,18})")
_NAME = re.compile(r"(?P<batch>0x[0-9a-fA-F]{4,64})[:/](?P<index>[0-9]{1,6})")


def parse_name(session: Session, text: str) -> tuple[str, int]:
    """Read ``BATCH:INDEX``, the batch by its id or the beginning of it.

    Raises
    ------
    InvalidInput
        When it has another form.
    NotFound, Conflict
        When no batch, or several, begin so.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        raise InvalidInput(f"{text!r} does not name one: write BATCH:INDEX, such as 0x1a2b3c4d:17")
    return find_batch(session, match["batch"]).id, int(match["index"])


def find_payout(session: Session, text: str) -> Payout:
    """Return a payout by ``BATCH:INDEX``, or by its programme and number, ``PROGRAMME#NUMBER``.

    Raises
    ------
    InvalidInput
        When the text has neither form.
    NotFound, Conflict
        When there is none, or the beginning of the batch's id fits several.
    """
    numbered = _NUMBERED.fullmatch(text)
    if numbered is not None:
        from service.application.programmes import find_programme

        number = int(numbered["number"])
        found = session.scalar(
            select(Payout)
            .join(Batch, Batch.id == Payout.batch_id)
            .where(
                Batch.programme_id == find_programme(session, numbered["programme"]).id,
                Batch.first_number <= number,
                Batch.first_number + Batch.count > number,
                Payout.index == number - Batch.first_number,
            )
        )
    else:
        found = session.get(Payout, parse_name(session, text))
    if found is None:
        raise NotFound(f"there is no payout {text}")
    return found


def payout_view(payout: Payout) -> dict[str, Any]:
    """Return a payout for JSON."""
    return {
        "id": f"{payout.batch_id}:{payout.index}",
        "batch_id": payout.batch_id,
        "index": payout.index,
        "number": payout.number,
        "programme": payout.programme_id,
        "kind": payout.kind,
        "state": payout.state,
        "skip_reason": payout.skip_reason,
        "payee": payout.payee,
        **amounts(amount=payout.amount_base_units),
        "case_id": payout.case_id,
        "commitment": "0x" + payout.commitment,
        "chunk_index": payout.chunk_index,
        "tx_hash": payout.tx_hash,
        "block_number": payout.included_block_number,
        "updated_at": format_time(payout.updated_at),
    }


def stream_view(view: StreamView, accrued_by: Literal["chain", "machine"]) -> dict[str, Any]:
    """Return a stream as its events and its terms have it, for JSON.

    Parameters
    ----------
    accrued_by
        Whose clock told the moment.
    """
    stream, terms = view.stream, view.terms
    cut = stream.cancelled_cut_s
    return {
        "id": f"{stream.batch_id}:{stream.index}",
        "batch_id": stream.batch_id,
        "index": stream.index,
        "chunk_index": stream.chunk_index,
        "payee": stream.payee,
        "start_at": format_unix_s(terms.start_unix_s),
        "cliff_s": terms.cliff_s,
        "duration_s": terms.duration_s,
        "cadence_s": terms.cadence_s,
        "paid_through_s": stream.paid_through_s,
        "accrued_by": accrued_by,
        "cancelled": cut is not None,
        "cancelled_at": None if cut is None else format_unix_s(terms.start_unix_s + cut),
        "as_of": format_unix_s(view.at_unix_s),
        **amounts(
            total=stream.total_base_units,
            accrued=view.accrued_base_units,
            withdrawn=view.withdrawn_base_units,
            withdrawable=view.withdrawable_base_units,
            returned=stream.returned_base_units,
        ),
    }
