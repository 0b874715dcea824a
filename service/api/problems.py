"""Errors as RFC 9457 problem documents: one shape for everything that is not a success.

The errors of the service are drawn in :mod:`service.errors`; these are the ones that only an HTTP
interface has::

    ReliefError
    ├── InvalidInput
    ├── Conflict
    │   ├── RequestInProgress        409  the same key is being worked on; retryable
    │   └── ConcurrentChange         409  somebody wrote the same thing just now; retryable
    ├── MethodNotAllowed             405
    ├── PayloadTooLarge              413
    ├── UnsupportedMediaType         415
    ├── InternalError                500
    └── DatabaseUnavailable          503  retryable
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import exc
from starlette.exceptions import HTTPException

from service.api.methods import allowed
from service.errors import Conflict, InvalidInput, NotFound, Problem, ReliefError, Unauthenticated

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
CHALLENGE = 'Bearer realm="relief"'
MAX_VALUE_CHARACTERS = 100
FIRST_SERVER_ERROR = 500


class RequestInProgress(Conflict):
    """Another call with the same idempotency key is being worked on."""

    code, title = "request_in_progress", "The same request is being worked on"
    retryable = True


class ConcurrentChange(Conflict):
    """Somebody else wrote the same thing at the same moment."""

    code, title = "concurrent_change", "Changed by someone else at the same moment"
    retryable = True


class MethodNotAllowed(ReliefError):
    """The path exists and has no such method."""

    code, status, title = "method_not_allowed", 405, "Method not allowed"


class PayloadTooLarge(ReliefError):
    """The body is larger than this path takes."""

    code, status, title = "payload_too_large", 413, "Payload too large"


class UnsupportedMediaType(ReliefError):
    """The body is of a type that this path does not take."""

    code, status, title = "unsupported_media_type", 415, "Unsupported media type"


class InternalError(ReliefError):
    """Something unexpected happened; the log has it under the request id."""

    code, status, title = "internal_error", 500, "Internal error"


class DatabaseUnavailable(ReliefError):
    """The database is busy or does not answer."""

    code, status, title = "database_unavailable", 503, "The database is unavailable"
    retryable = True


class ProblemItem(BaseModel):
    """One thing that is wrong with what was sent, and where."""

    code: str = Field(description="Stable kind of problem, snake_case.")
    message: str = Field(description="A sentence a person can act on.")
    row: int | None = Field(None, description="Row of a file as a spreadsheet shows it.")
    other_row: int | None = Field(None, description="The other row of a duplicate pair.")
    field: str | None = Field(None, description="Column, or path of the field: `tiers.0.up_to`.")
    value: str | None = Field(None, description="The offending value as given.")

    @classmethod
    def of(cls, problem: Problem) -> ProblemItem:
        """Return the document of a problem."""
        return cls.model_validate(problem.as_dict())


class ProblemDocument(BaseModel):
    """An error (RFC 9457, `application/problem+json`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "/docs#problem-not_found",
                    "title": "Not found",
                    "status": 404,
                    "detail": "there is no programme flood-2026",
                    "instance": "/v1/programmes/flood-2026",
                    "code": "not_found",
                    "retryable": False,
                    "request_id": "7b1c6d1e-5d0c-4a53-9d2b-6f1d1c3b2a10",
                    "problems": [],
                }
            ]
        }
    )

    type: str = Field(description="Where this kind of error is described.")
    title: str = Field(description="The kind of error in words.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What happened this time.")
    instance: str = Field(description="Path that was called.")
    code: str = Field(description="Stable kind of error, snake_case: branch on this.")
    retryable: bool = Field(description="Whether the same call may succeed later.")
    request_id: str = Field(description="Names this call in the service's log.")
    problems: list[ProblemItem] = Field(description="Each thing that is wrong; may be empty.")


def problem_type(code: str) -> str:
    """Return the URI reference of a kind of error: its place on the page of documentation."""
    return f"/docs#problem-{code}"


def describe(
    kind: type[ReliefError],
    detail: str,
    problems: Sequence[Problem] = (),
    *,
    instance: str,
    request_id: str,
) -> dict[str, Any]:
    """Return the problem document of an error.

    What only operators may know (paths, addresses of nodes) is left out of server errors; the log
    has it.
    """
    if kind.status >= FIRST_SERVER_ERROR:
        detail = f"{one_line(kind)} The log has it under the request id."
    return {
        "type": problem_type(kind.code),
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": instance,
        "code": kind.code,
        "retryable": kind.retryable,
        "request_id": request_id,
        "problems": [ProblemItem.of(problem).model_dump() for problem in problems],
    }


def one_line(kind: type[ReliefError]) -> str:
    """Return what an error means, in a sentence."""
    return (kind.__doc__ or kind.title).strip().splitlines()[0]


def respond(
    error: ReliefError,
    scope: Mapping[str, Any],
    *,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the reply to a call that failed.

    Parameters
    ----------
    scope
        The call's ASGI scope.
    headers
        More headers, such as ``Allow``.
    """
    request_id = scope.get("state", {}).get("request_id", "")
    sent = dict(headers or {})
    if isinstance(error, Unauthenticated):
        sent["WWW-Authenticate"] = CHALLENGE
    if error.retryable:
        sent["Retry-After"] = str(RETRY_AFTER_S)
    if error.status >= FIRST_SERVER_ERROR:
        log.error("request %s: %s: %s", request_id, error.code, error.detail)
    document = describe(
        type(error),
        error.detail,
        error.problems,
        instance=str(scope["path"]),
        request_id=request_id,
    )
    content = json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(content, status_code=error.status, media_type=MEDIA_TYPE, headers=sent)


def unexpected(error: Exception, scope: Mapping[str, Any]) -> Response:
    """Return the reply to a call that failed for a reason nobody foresaw, and log the reason."""
    request_id = scope.get("state", {}).get("request_id", "")
    log.error("request %s: unexpected error", request_id, exc_info=error)
    return respond(InternalError("unexpected error"), scope)


def install(app: FastAPI) -> None:
    """Have the application answer every error with a problem document."""

    def of_service(request: Request, error: Exception) -> Response:
        assert isinstance(error, ReliefError)
        return respond(error, request.scope)

    def of_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return respond(invalid_request(error.errors()), request.scope)

    def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = error.headers
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:  # one route's methods are not all
            headers = {"Allow": allowed(app.router, request.scope)}
        return respond(_of_status(error, request.scope), request.scope, headers=headers)

    def of_database(request: Request, error: Exception) -> Response:
        if isinstance(error, exc.DataError):  # a NUL in a text, which PostgreSQL refuses
            return respond(InvalidInput("a value cannot be stored as it is"), request.scope)
        if isinstance(error, exc.IntegrityError):
            return respond(
                ConcurrentChange("the same was written by someone else just now: try again"),
                request.scope,
            )
        return respond(DatabaseUnavailable(str(error)), request.scope)

    app.add_exception_handler(ReliefError, of_service)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(HTTPException, of_http)
    for kind in (exc.IntegrityError, exc.OperationalError, exc.TimeoutError, exc.DataError):
        app.add_exception_handler(kind, of_database)


def invalid_request(errors: Sequence[Mapping[str, Any]]) -> InvalidInput:
    """Return the error of a call whose parameters or body do not fit, naming each field."""
    problems = [_field_problem(error) for error in errors]
    count = len(problems)
    fields = ", ".join(dict.fromkeys(problem.field or "body" for problem in problems))
    noun = "problem" if count == 1 else "problems"
    return InvalidInput(f"{count} {noun} with what was sent: {fields}", problems=problems)


def _field_problem(error: Mapping[str, Any]) -> Problem:
    place = [str(part) for part in error["loc"]]
    if error["type"] == "json_invalid":
        reason = error.get("ctx", {}).get("error", "")
        return Problem("json_invalid", f"the body is no JSON: {reason}", field="body")
    value = error.get("input")
    shown = None
    if place[0] != "header" and isinstance(value, str | int | float | bool):
        shown = str(value)[:MAX_VALUE_CHARACTERS]
    path = ".".join(place[1:]) or place[0]
    message = str(error["msg"]).removeprefix("Value error, ")
    return Problem(str(error["type"]), message, field=path, value=shown)


def _of_status(error: HTTPException, scope: Mapping[str, Any]) -> ReliefError:
    path = scope["path"]
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NotFound(f"there is no path {path}")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return MethodNotAllowed(f"{path} has no method {scope['method']}")
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return PayloadTooLarge(str(error.detail))
    if error.status_code < FIRST_SERVER_ERROR:
        return InvalidInput(str(error.detail))
    return InternalError(str(error.detail))
