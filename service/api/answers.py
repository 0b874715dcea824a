"""What each route may answer other than success, for the description of the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from service.api.problems import (
    MEDIA_TYPE,
    ConcurrentChange,
    DatabaseUnavailable,
    InternalError,
    PayloadTooLarge,
    RequestInProgress,
    UnsupportedMediaType,
    describe,
    one_line,
)
from service.chain.rpc import RpcError
from service.errors import (
    AlreadyExists,
    ChainUnavailable,
    ConfigurationError,
    Conflict,
    IdempotencyConflict,
    IllegalTransition,
    IntegrityError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    ReliefError,
    Unauthenticated,
)

Answers = dict[int | str, dict[str, Any]]

EVERY = (InvalidInput, Unauthenticated, PermissionDenied, InternalError, DatabaseUnavailable)
"""Of every route under ``/v1``. Permissions are by token until users and roles are there."""

EVERY_POST = (
    PayloadTooLarge,
    UnsupportedMediaType,
    IdempotencyConflict,
    RequestInProgress,
    ConcurrentChange,
)

CHAIN = (ChainUnavailable, RpcError, ConfigurationError)
"""Of routes that ask the node."""

KEYS = (ConfigurationError, IntegrityError)
"""Of routes that open personal data."""

STEP = (NotFound, Conflict, IllegalTransition, AlreadyExists)
"""Of routes that move something that exists."""


def reads(*errors: type[ReliefError]) -> Answers:
    """Return what a GET may answer other than success."""
    return documented(*EVERY, *errors)


def writes(*errors: type[ReliefError]) -> Answers:
    """Return what a POST may answer other than success."""
    return documented(*EVERY, *EVERY_POST, *errors)


def documented(*errors: type[ReliefError]) -> Answers:
    """Return the description of error answers, those of one status together."""
    answers: Answers = {}
    for error in dict.fromkeys(errors):
        answer = answers.setdefault(
            error.status,
            {
                "description": "",
                "content": {
                    MEDIA_TYPE: {
                        "schema": {"$ref": "#/components/schemas/ProblemDocument"},
                        "examples": {},
                    }
                },
            },
        )
        meaning = one_line(error)
        answer["description"] = f"{answer['description']}\n`{error.code}`: {meaning}".strip()
        answer["content"][MEDIA_TYPE]["examples"][error.code] = {
            "$ref": f"#/components/examples/{error.code}"
        }
    return answers


def examples(errors: Iterable[type[ReliefError]]) -> dict[str, Any]:
    """Return an example of each error, by code, for the description's components."""
    return {
        error.code: {
            "summary": error.title,
            "value": describe(
                error, one_line(error), instance="/v1/...", request_id="7b1c6d1e-5d0c-4a53"
            ),
        }
        for error in errors
    }
