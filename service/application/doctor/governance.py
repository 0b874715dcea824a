"""Everything that governs a deployment, expected beside found: ``relief doctor --governance``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from eth_abi.exceptions import DecodingError

from service.application.context import Application
from service.application.doctor import authority, code, limits
from service.application.doctor.checks import Status
from service.application.doctor.comparisons import Comparison, Look
from service.errors import ReliefError

COMPARERS: Final[dict[str, Callable[[Look], Iterator[Comparison]]]] = {
    "code": code.compare_code,
    "joined": code.compare_wiring,
    "roles": authority.compare_authority,
    "constants": limits.compare_constants,
    "limits": limits.compare_limits,
}
"""In order; roles brings ``functions`` too, limits ``officers`` and ``programmes``."""


def compare(app: Application, *, progress: Callable[[int], None] | None = None) -> list[Comparison]:
    """Compare everything; what cannot be looked at is a failure of its own and stops no other.

    Parameters
    ----------
    progress
        Called with the number of areas done.

    Raises
    ------
    ChainUnavailable, ConfigurationError
        When there is no node, or no deployment, to begin with.
    """
    look = Look(app)
    compared: list[Comparison] = []
    for done, (area, comparer) in enumerate(COMPARERS.items(), start=1):
        try:
            compared.extend(comparer(look))
        except ReliefError as error:
            compared.append(_not_looked_at(area, f"{error.title}: {error.detail}"))
        except DecodingError:
            detail = "a contract answers with something else than its interface says"
            compared.append(_not_looked_at(area, detail))
        if progress is not None:
            progress(done)
    return compared


def _not_looked_at(area: str, why: str) -> Comparison:
    return Comparison(area, "everything", "an answer", why, Status.FAILED)
