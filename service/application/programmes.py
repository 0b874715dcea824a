"""Programmes by their names, and what creating one takes: the row and the request to the chain."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.errors import NotFound
from service.intake.programmes import ProgrammeDirectory
from service.payouts.models import Programme


def find_programme(session: Session, text: str) -> Programme:
    """Return a programme by its code or its number.

    Raises
    ------
    NotFound
        When there is none.
    """
    found = session.scalar(select(Programme).where(Programme.code == text))
    if found is None and text.isascii() and text.isdigit():
        found = session.get(Programme, int(text))
    if found is None:
        raise NotFound(f"there is no programme {text}: `relief programme list` names them")
    return found


def programme_directory(session: Session) -> ProgrammeDirectory:
    """Return the directory that an import finds the programmes of its rows in."""
    from service.payouts.directory import DatabaseProgrammes

    return DatabaseProgrammes(session)
