"""Who calls: every path under ``/v1`` needs a token in force, the unknown ones too.

Users, roles and regions follow; their checks belong beside :class:`Principal`, by operation id.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass

from fastapi.security import HTTPBearer
from sqlalchemy.exc import OperationalError, TimeoutError  # noqa: A004  # the pool's, not the built-in
from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problems import DatabaseUnavailable, respond
from service.application.context import Application
from service.errors import ReliefError, Unauthenticated
from service.identity.tokens import authenticate, record_use, use_is_due

Sessions = sessionmaker[Session]

PREFIX = "/v1/"
PUBLIC_PATHS = frozenset({"/v1/openapi.json"})
"""The description of the API holds no data."""

_BEARER = re.compile(r"Bearer +([^ ]+) *", re.IGNORECASE)

bearer = HTTPBearer(auto_error=False, description="An API token: `relief_` and 43 characters.")
"""Only describes the scheme; :class:`Authentication` enforces it."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a call is made by.

    Attributes
    ----------
    actor
        Name that journals record.
    token_id
        Row of the token.
    """

    actor: str
    token_id: str


class Authentication:
    """ASGI layer that refuses a call without a token before its body is read."""

    def __init__(self, app: ASGIApp, application: Application, reader: Sessions) -> None:
        self._app = app
        self._application = application
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call; that the token was used is written after the reply."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(PREFIX) or path in PUBLIC_PATHS:
            await self._app(scope, receive, send)
            return
        try:
            authorization = Headers(scope=scope).get("authorization")
            principal, due = await run_in_threadpool(self._principal, authorization)
        except ReliefError as error:
            await respond(error, scope)(scope, receive, send)
            return
        scope["state"]["principal"] = principal
        await self._app(scope, receive, send)
        if due:
            with suppress(OperationalError):  # only a note: a busy database may go without it
                await run_in_threadpool(self._record_use, principal)

    def _principal(self, authorization: str | None) -> tuple[Principal, bool]:
        match = _BEARER.fullmatch(authorization or "")
        if match is None:
            raise Unauthenticated("send a token: Authorization: Bearer relief_...")
        try:
            with self._reader() as session:
                row = authenticate(session, match[1])
        except (OperationalError, TimeoutError) as error:
            raise DatabaseUnavailable(str(error)) from error
        return Principal(row.name, row.id), use_is_due(row)

    def _record_use(self, principal: Principal) -> None:
        with self._application.transaction() as session:
            record_use(session, principal.token_id)
