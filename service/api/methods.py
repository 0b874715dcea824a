"""HEAD and OPTIONS of every path, and which methods a path has (RFC 9110, 9.3 and 15.5.6)."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Match, Router
from starlette.types import ASGIApp, Receive, Scope, Send

ROUTED = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Methods:
    """ASGI layer that answers HEAD as GET, whose body the server leaves out, and OPTIONS itself."""

    def __init__(self, app: ASGIApp, router: Router) -> None:
        self._app = app
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        method = scope.get("method")
        if method == "HEAD":
            scope = {**scope, "method": "GET"}
        elif method == "OPTIONS" and (allow := allowed(self._router, scope)):
            await Response(status_code=204, headers={"Allow": allow})(scope, receive, send)
            return
        await self._app(scope, receive, send)


def allowed(router: Router, scope: Scope) -> str:
    """Return the methods of a call's path as the ``Allow`` header has them; empty for no path."""
    found = [
        method
        for method in ROUTED
        if any(
            route.matches({**scope, "method": method})[0] is Match.FULL for route in router.routes
        )
    ]
    if not found:
        return ""
    return ", ".join([*found, *(["HEAD"] if "GET" in found else []), "OPTIONS"])
