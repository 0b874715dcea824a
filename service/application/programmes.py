"""Programmes by their names, and as row and chain together show them."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from service.application.context import Application
from service.errors import NotFound
from service.payouts.directory import region_of
from service.payouts.models import Programme
from service.payouts.programmes import get_programme
from service.units import format_amount


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
    region = region_of(programme.region_code, programme.region_digits)
    return {
        "number": programme.id,
        "code": programme.code,
        "name": programme.name,
        "state": programme.state,
        "region": str(region),
        "region_code": programme.region_code,
        "region_digits": programme.region_digits,
        "budget": format_amount(programme.budget_base_units),
        "budget_base_units": str(programme.budget_base_units),
        "payout_cap": format_amount(programme.payout_cap_base_units),
        "payout_cap_base_units": str(programme.payout_cap_base_units),
        "version": programme.version,
        "active_from": programme.active_from.isoformat() if programme.active_from else None,
        "metadata_hash": programme.metadata_hash,
        "created_by": programme.created_by,
        "created_at": programme.created_at.isoformat(),
        "tiers": [
            {
                "up_to": format_amount(int(tier["up_to_base_units"])),
                "up_to_base_units": tier["up_to_base_units"],
                "reviewers": tier["reviewers"],
                "challenge_delay_s": tier["challenge_delay_s"],
            }
            for tier in programme.tiers
        ],
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
    amounts = {
        "budget": found["budget"],
        "allocated": found["allocated"],
        "budget_left": found["budget"] - found["allocated"],
        "pending_budget": found["pendingBudget"],
    }
    shown: dict[str, Any] = {"block_number": block, "version": found["version"]}
    for name, amount in amounts.items():
        shown[name] = format_amount(amount)
        shown[f"{name}_base_units"] = str(amount)
    return shown | {
        "active_from_unix_s": found["activeFrom"],
        "pending_budget_from_unix_s": found["pendingBudgetFrom"] or None,
        "next_payout_number": found["nextNumber"],
    }
