"""Programmes by their names, and as row and chain together show them."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from service.application.context import Application
from service.errors import NotFound
from service.payouts.directory import region_of
from service.payouts.models import Programme
from service.payouts.programmes import get_programme
from service.units import amounts, format_time, format_unix_s


def find_programme(session: Session, text: str) -> Programme:
    """Return a programme by its code or its number, as people type either.

    Raises
    ------
    NotFound
        When there is none.
    """
    try:
        return get_programme(session, text)
    except NotFound:
        if not (text.isascii() and text.isdigit()):
            raise
    return get_programme(session, int(text))


def programme_view(programme: Programme) -> dict[str, Any]:
    """Return a programme's row for JSON."""
    return {
        "number": programme.id,
        "code": programme.code,
        "name": programme.name,
        "state": programme.state,
        "region": str(region_of(programme.region_code, programme.region_digits)),
        **amounts(budget=programme.budget_base_units, payout_cap=programme.payout_cap_base_units),
        "tiers": [
            {
                **amounts(up_to=tier["up_to_base_units"]),
                "reviewers": tier["reviewers"],
                "challenge_delay_s": tier["challenge_delay_s"],
            }
            for tier in programme.tiers
        ],
        "metadata_hash": programme.metadata_hash,
        "version": programme.version,
        "active_from": programme.active_from and format_time(programme.active_from),
        "created_by": programme.created_by,
        "created_at": format_time(programme.created_at),
    }


def programme_on_chain(app: Application, number: int) -> dict[str, Any]:
    """Return what the vault says of a programme now, for JSON.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    block = app.rpc.block_number()
    found = app.contracts.read(app.rpc, "vault", "programme", number, block=block)
    pending_from = found["pendingBudgetFrom"]
    return {
        "block_number": block,
        "version": found["version"],
        **amounts(
            budget=found["budget"],
            allocated=found["allocated"],
            budget_left=found["budget"] - found["allocated"],
            pending_budget=found["pendingBudget"],
        ),
        "active_from": format_unix_s(found["activeFrom"]),
        "pending_budget_from": format_unix_s(pending_from) if pending_from else None,
        "next_payout_number": found["nextNumber"],
    }
