"""What intake needs to know of programmes; a later stage of the flow provides it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from service.regions import Region


@dataclass(frozen=True, slots=True)
class ProgrammeRef:
    """A programme as the import file names it.

    Attributes
    ----------
    id
        The programme's number on chain.
    code
        Its short name, the value of the column ``programme``.
    name
        Its name for people.
    region
        The region it may pay in.
    """

    id: int
    code: str
    name: str
    region: Region


class ProgrammeDirectory(Protocol):
    """Finds programmes by their code."""

    def by_code(self, code: str) -> ProgrammeRef | None:
        """Return the programme with exactly this code, or None."""
        ...


class ProgrammeList:
    """A directory of programmes that were read beforehand."""

    def __init__(self, programmes: Iterable[ProgrammeRef]) -> None:
        self._by_code = {programme.code: programme for programme in programmes}

    def by_code(self, code: str) -> ProgrammeRef | None:
        """Return the programme with exactly this code, or None."""
        return self._by_code.get(code)
