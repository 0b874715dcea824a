"""The description of the API (OpenAPI 3.1), and the page that shows it to people.

The page is plain HTML made here, so that nothing is fetched from elsewhere and no script runs.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from service.api.answers import examples
from service.api.problems import ProblemDocument, one_line
from service.api.schemas.base import Given, Shown
from service.errors import ReliefError

Kind = TypeVar("Kind")

TITLE = "Relief"
VERSION = "1.0.0"
DESCRIPTION = """\
Disburses a benefit stablecoin to people that officers approved.

- Every path under `/v1` needs a token: `Authorization: Bearer relief_...`.
- Every POST needs an `Idempotency-Key`; sent again, it returns the stored reply.
- Amounts come twice: `amount` for people, `amount_base_units` (a string of integer units) to count
  with. Times are ISO 8601 in UTC.
- Lists come in pages: follow `next_cursor`, or the `Link` header.
- Errors are problem documents (RFC 9457): branch on `code`.
"""

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1b1b1b;max-width:60rem;margin:2rem auto}
h1,h2{line-height:1.2}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #ddd}
code{font:13px ui-monospace,monospace}.method{font-weight:600}
@media (prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}td,th{border-color:#444}
a{color:#8ab4f8}}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"
)

_IDEMPOTENT_REPLAYED = {
    "description": "`true` when this is the stored reply of an earlier call.",
    "schema": {"type": "string", "enum": ["true"]},
}
_LINK = {
    "description": 'Where the next page is (RFC 8288): `<...>; rel="next"`.',
    "schema": {"type": "string"},
}
_REQUEST_ID = {"description": "Names this call in the log.", "schema": {"type": "string"}}


def describe_api(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document: FastAPI's, with our errors in the place of its own."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = get_openapi(
        title=TITLE,
        version=VERSION,
        summary="Stablecoin disbursement for social assistance.",
        description=DESCRIPTION,
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    described = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(described.pop("$defs", {}))
    schemas["ProblemDocument"] = described
    document["components"]["examples"] = examples(error_kinds())
    _put_examples_back(schemas)
    for path, method, operation in operations(document):
        _complete(path, method, operation)
    app.openapi_schema = document
    return document


def _put_examples_back(schemas: dict[str, Any]) -> None:
    """Set each document's examples again: FastAPI drops the members of them that are null."""
    for kind in (*_subclasses(Given), *_subclasses(Shown)):
        extra = kind.model_config.get("json_schema_extra")
        if kind.__name__ in schemas and isinstance(extra, dict) and "examples" in extra:
            schemas[kind.__name__]["examples"] = extra["examples"]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, method and description of each operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Drop FastAPI's validation error; describe the headers."""
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422", "")):
        del answers["422"]
    paged = any(parameter["name"] == "cursor" for parameter in operation.get("parameters", ()))
    for status, answer in answers.items():
        headers = answer.setdefault("headers", {})
        headers["X-Request-Id"] = _REQUEST_ID
        if status.startswith("2"):
            if method == "post":
                headers["Idempotent-Replayed"] = _IDEMPOTENT_REPLAYED
            if paged:
                headers["Link"] = _LINK
    if path.startswith("/v1/"):
        headers = answers["401"]["headers"]
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}}


def error_kinds() -> list[type[ReliefError]]:
    """Return every kind of error that was declared by now, by code."""
    found: dict[str, type[ReliefError]] = {}
    for kind in _subclasses(ReliefError):  # one without a code of its own comes after its base
        found.setdefault(kind.code, kind)
    return [found[code] for code in sorted(found)]


def _subclasses(base: type[Kind]) -> Iterator[type[Kind]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _subclasses(kind)


def docs_page(document: dict[str, Any]) -> HTMLResponse:
    """Return the page: every operation, every kind of error."""
    rows = "".join(
        f"<tr id='{escape(operation['operationId'])}'>"
        f"<td class='method'>{method.upper()}</td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(operation.get('description', '').splitlines()[0])}<br>"
        f"<code>{escape(operation['operationId'])}</code></td>"
        f"<td>{escape(', '.join(operation['responses']))}</td></tr>"
        for path, method, operation in operations(document)
    )
    kinds = "".join(
        f"<tr id='problem-{kind.code}'><td><code>{kind.code}</code></td><td>{kind.status}</td>"
        f"<td>{escape(one_line(kind))}</td>"
        f"<td>{'yes' if kind.retryable else 'no'}</td></tr>"
        for kind in error_kinds()
    )
    intro = "".join(f"<p>{escape(line)}</p>" for line in DESCRIPTION.split("\n- "))
    page = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{TITLE} API</title><style>{_STYLE}</style></head><body>"
        f"<h1>{TITLE} API</h1>{intro}"
        "<p>In whole: <a href='/v1/openapi.json'>/v1/openapi.json</a>, OpenAPI 3.1.</p>"
        f"<h2>Operations</h2><table><tr><th>Method</th><th>Path</th><th>What it does</th>"
        f"<th>Answers</th></tr>{rows}</table>"
        "<h2 id='problems'>Kinds of error</h2><table><tr><th>Code</th><th>Status</th>"
        f"<th>Meaning</th><th>Retry</th></tr>{kinds}</table></body></html>"
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": _PAGE_POLICY})
