"""What holds for every call: its id, the size of its body, security headers, and no bare error.

The outermost layer, plain ASGI, so that it also covers what fails before any route is found.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import PayloadTooLarge, respond, unexpected
from service.telemetry.context import begin_request, end_request, new_request_id
from service.telemetry.logs import note
from service.telemetry.metrics import API_SECONDS

MAX_BODY_BYTES = 2**20
"""Largest body of a path that has no limit of its own."""

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Sent with every reply, unless a reply (the page of documentation) sets its own."""

ABORTED = 499
"""Status of a call whose caller went away before the answer, in metrics and log."""

PREFIX = "/v1/"

UNKNOWN_ROUTE = "(none)"
"""Stands for every path that is no route: paths are made up by strangers, labels must not be."""

FIRST_REFUSAL = 400

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Frame:
    """The outermost ASGI layer.

    Parameters
    ----------
    app
        What it wraps.
    max_body_bytes
        Larger limits by path.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: Mapping[str, int]) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        told = begin_request(request_id)
        begun = perf_counter()
        status = ABORTED

        async def send_timed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._answer(scope, receive, send_timed, request_id, headers)
        finally:
            _measure(scope, status, perf_counter() - begun)
            end_request(told)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, request_id: str, headers: Headers
    ) -> None:
        limit = self._max_body_bytes.get(scope["path"], MAX_BODY_BYTES)
        started = False

        async def send_framed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                sent = MutableHeaders(scope=message)
                sent["X-Request-Id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    sent.setdefault(name, value)
            await send(message)

        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                # Of Starlette's own kind, which the body's readers let through.
                raise HTTPException(413, f"the body is larger than {limit} bytes")
            return message

        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            refusal = PayloadTooLarge(f"the body is larger than {limit} bytes")
            await respond(refusal, scope, headers={"Connection": "close"})(
                scope, receive, send_framed
            )
            return
        try:
            await self._app(scope, receive_limited, send_framed)
        except Exception as error:
            if started:
                raise
            await unexpected(error, scope)(scope, receive, send_framed)


def _measure(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
    if scope["path"].startswith(PREFIX) and not route.startswith(PREFIX) and route[0] == "/":
        route = PREFIX + route[1:]  # a route knows the path within its router alone
    method = scope["method"] if scope["method"] in METHODS else "OTHER"
    API_SECONDS.labels(method, route, str(status)).observe(seconds)
    level = logging.DEBUG if method == "GET" and status < FIRST_REFUSAL else logging.INFO
    facts = {"method": method, "route": route, "status": status, "seconds": round(seconds, 4)}
    note(log, "request", level, **facts)
