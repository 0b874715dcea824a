"""The API's application: routes, errors, layers, description."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from service.api import health, openapi, page, problems
from service.api.authentication import Authentication
from service.api.frame import Frame
from service.api.idempotency import UPLOAD_PATHS
from service.api.methods import Methods
from service.api.routes import v1
from service.application.context import Application
from service.application.reading import read_sessions
from service.application.survey.probes import NODE_TIMEOUT_S
from service.chain.deployment import check_chain
from service.chain.nodes import open_rpc
from service.telemetry import logs, redaction


def create_app(application: Application | None = None) -> FastAPI:
    """Return the API over a deployment.

    Parameters
    ----------
    application
        The deployment's parts, which the caller closes; None makes them from the environment and
        closes them at the end.

    Raises
    ------
    ConfigurationError
        When the settings are wrong. A missing deployment or node shows at ``/readyz``.
    """
    parts = application or Application()
    if application is None:  # a process of its own: `relief serve` starts as many as it is told
        redaction.hide_addresses(parts.settings)
        logs.configure(parts.settings.log_format, parts.settings.log_level)
    reader = read_sessions(parts)
    probe = open_rpc(
        parts.settings.rpc_urls,
        lambda rpc: check_chain(rpc, parts.deployment),
        timeout_s=NODE_TIMEOUT_S,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        reader.kw["bind"].dispose()
        probe.close()
        if application is None:
            parts.close()

    app = FastAPI(
        title=openapi.TITLE,
        version=openapi.VERSION,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
    )
    app.state.application = parts
    app.state.reader = reader
    app.state.probe = probe
    app.include_router(v1())
    app.include_router(health.router)
    app.openapi = lambda: openapi.describe_api(app)  # type: ignore[method-assign]  # FastAPI's way

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """Show the operations and the kinds of error to people."""
        return page.docs_page(app.openapi())

    problems.install(app)
    app.add_middleware(Methods, router=app.router)
    app.add_middleware(Authentication, application=parts, reader=reader)
    app.add_middleware(Frame, max_body_bytes=UPLOAD_PATHS)  # added last: the outermost
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
