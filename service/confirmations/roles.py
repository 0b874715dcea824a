"""Who holds each housekeeping role, by the events that were read."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.confirmations.models import Event

ROLE_NUMBERS = {
    "guardian": 1,
    "freezer": 2,
    "attestor": 3,
    "treasurer": 4,
    "programme_manager": 5,
}
"""Numbers of the roles in the RoleManager (docs/contracts.md)."""


def role_holders(session: Session) -> Mapping[str, frozenset[str]]:
    """Return the accounts that hold each role as far as the chain was read, by the role's name.

    Empty while no grant was read: then only the deployment file can tell.
    """
    held: dict[int, set[str]] = {}
    events = session.scalars(
        select(Event)
        .where(Event.contract == "manager", Event.name.in_(["RoleGranted", "RoleRevoked"]))
        .order_by(Event.id)
    ).all()
    for event in events:
        accounts = held.setdefault(int(event.args["roleId"]), set())
        if event.name == "RoleGranted":
            accounts.add(event.args["account"])
        else:
            accounts.discard(event.args["account"])
    if not events:
        return {}
    return {name: frozenset(held.get(number, ())) for name, number in ROLE_NUMBERS.items()}
