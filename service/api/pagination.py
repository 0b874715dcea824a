"""Pages: at most 500 rows, and an opaque cursor that says where the next page begins.

A cursor names the last row seen, so that rows added meanwhile neither repeat nor hide others. It
belongs to one list with its filters and is refused by any other.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response

from service.errors import InvalidInput, Problem

Row = TypeVar("Row")

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
_OWN_PARAMETERS = frozenset({"limit", "cursor"})
_NUMBER = re.compile(r"[0-9]{1,18}")
_DIGEST_CHARACTERS = 16


class Paging:
    """What page of which list a call asks for; sets the reply's ``Link`` header (RFC 8288).

    Attributes
    ----------
    limit
        Most rows to return.
    key
        The list's own cursor of the page before, None for the first page.
    """

    def __init__(
        self,
        request: Request,
        response: Response,
        limit: Annotated[
            int, Query(ge=1, le=MAX_LIMIT, description="Most items to return.", examples=[50])
        ] = DEFAULT_LIMIT,
        cursor: Annotated[
            str | None,
            Query(
                max_length=1000,
                description="`next_cursor` of the page before; nothing for the first page.",
                examples=["WyI4ZjNlIiwiMDE5Zi4uLiJd"],
            ),
        ] = None,
    ) -> None:
        self.limit = limit
        self._path = request.url.path
        self._filters = sorted(
            (name, value)
            for name, value in request.query_params.multi_items()
            if name not in _OWN_PARAMETERS
        )
        self._response = response
        self.key = None if cursor is None else self._open(cursor)

    def next_cursor(self, key: str | None) -> str | None:
        """Return the cursor of the next page, or None at the end, and link to it.

        Parameters
        ----------
        key
            The list's own cursor.
        """
        if key is None:
            return None
        text = json.dumps([self._list_digest(), key], separators=(",", ":"))
        cursor = base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")
        query = urlencode([*self._filters, ("limit", self.limit), ("cursor", cursor)])
        self._response.headers["Link"] = f'<{self._path}?{query}>; rel="next"'
        return cursor

    def number_key(self) -> int | None:
        """Return the key of a list whose keys are numbers.

        Raises
        ------
        InvalidInput
            When it is none.
        """
        if self.key is None:
            return None
        if _NUMBER.fullmatch(self.key) is None:
            raise _unknown_cursor()
        return int(self.key)

    def _list_digest(self) -> str:
        text = json.dumps([self._path, self._filters])
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]

    def _open(self, cursor: str) -> str:
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            digest, key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, TypeError):
            digest = key = None
        if digest != self._list_digest() or not isinstance(key, str):
            raise _unknown_cursor()
        return key


def _unknown_cursor() -> InvalidInput:
    message = "the cursor is not one that this list, with these filters, gave"
    return InvalidInput(message, problems=[Problem("unknown_cursor", message, field="cursor")])


PagingQuery = Annotated[Paging, Depends()]
"""Declares ``limit`` and ``cursor``."""


def by_number(
    rows: Sequence[Row], number: Callable[[Row], int], paging: Paging
) -> tuple[Sequence[Row], str | None]:
    """Return a page of a short list that is read whole, and the key of the next.

    Parameters
    ----------
    rows
        All rows, ascending by `number`.
    """
    last = paging.number_key()
    if last is not None:
        rows = [row for row in rows if number(row) > last]
    page = rows[: paging.limit]
    return page, str(number(page[-1])) if len(rows) > paging.limit else None
