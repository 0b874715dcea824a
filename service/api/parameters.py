"""Query parameters that no route has are refused: ignored, a mistyped filter matches everything."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant

from service.errors import InvalidInput, Problem


async def only_known(request: Request) -> None:
    """Refuse a call with a query parameter that its route does not declare.

    Raises
    ------
    InvalidInput
        With a problem for each unknown name.
    """
    known = sorted(_names(request.scope["route"].dependant))
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        there_are = f"this path takes {', '.join(known)}" if known else "this path takes none"
        problems = [
            Problem("unknown_parameter", f"there is no such parameter: {there_are}", field=name)
            for name in unknown
        ]
        raise InvalidInput(
            f"unknown query parameters: {', '.join(unknown)}; {there_are}", problems=problems
        )


def _names(dependant: Dependant) -> Iterator[str]:
    """Yield the names of the query parameters of a route and of what it depends on."""
    for parameter in dependant.query_params:
        yield parameter.alias
    for part in dependant.dependencies:
        yield from _names(part)
