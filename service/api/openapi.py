"""The description of the API (OpenAPI 3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.api.answers import examples
from service.api.problems import MEDIA_TYPE, MethodNotAllowed, ProblemDocument
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
    document["components"]["examples"] = examples(error_kinds(document))
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


def error_kinds(document: dict[str, Any]) -> list[type[ReliefError]]:
    """Return every kind of error that the API answers with, by code."""
    codes = {MethodNotAllowed.code}  # of no operation
    for _, _, operation in operations(document):
        for answer in operation["responses"].values():
            codes |= answer["content"].get(MEDIA_TYPE, {}).get("examples", {}).keys()
    kinds: dict[str, type[ReliefError]] = {}
    for kind in _subclasses(ReliefError):  # one without a code of its own comes after its base
        kinds.setdefault(kind.code, kind)
    return [kinds[code] for code in sorted(codes)]


def _subclasses(base: type[Kind]) -> Iterator[type[Kind]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _subclasses(kind)
