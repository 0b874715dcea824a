"""Every error the service raises on purpose, in one tree.

Each class is a stable code, an HTTP status, whether trying again may help, and a title. The
entry points (``service.api``, ``service.cli``) map the tree once: to RFC 9457 problems and to
exit codes.

::

    ReliefError
    ├── InvalidInput                  400  what was sent is wrong; ``problems`` says where
    │   ├── InvalidImport             422  a case file with bad rows
    │   └── InvalidSignature          422  a signature that does not prove what it should
    ├── Unauthenticated               401
    ├── PermissionDenied              403
    ├── NotFound                      404
    ├── Conflict                      409  the thing is not in a state that allows this
    │   ├── IllegalTransition         409  a state machine refuses the step
    │   ├── AlreadyExists             409
    │   └── IdempotencyConflict       409  same key, other body
    ├── ChainRefused                  422  the contract refuses the call; names its error
    ├── LimitExceeded                 422  budget, cap or tier would be passed
    ├── ConfigurationError            500  settings or key files are missing or wrong
    ├── IntegrityError                500  stored data is not what was written
    └── ChainUnavailable              503  the node does not answer; retryable
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input, and where.

    Attributes
    ----------
    code
        Stable machine-readable kind of problem, snake_case.
    message
        A sentence a person can act on.
    row
        1-based row of a file as a spreadsheet shows it (the header is row 1), or None.
    other_row
        The other row of a duplicate pair, or None.
    field
        Column or field name, or None.
    value
        The offending value as given, or None where it must not be repeated.
    """

    code: str
    message: str
    row: int | None = None
    other_row: int | None = None
    field: str | None = None
    value: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the members that are set, for JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class ReliefError(Exception):
    """Base of everything the service raises on purpose."""

    code: ClassVar[str] = "relief_error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    title: ClassVar[str] = "Relief error"

    def __init__(self, detail: str, *, problems: Sequence[Problem] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = tuple(problems)


class InvalidInput(ReliefError):
    """What was sent is wrong."""

    code, status, title = "invalid_input", 400, "Invalid input"


class InvalidImport(InvalidInput):
    """A case file holds bad rows, so nothing of it was imported."""

    code, status, title = "invalid_import", 422, "The file has rows that cannot be imported"


class InvalidSignature(InvalidInput):
    """A signature does not prove what it should."""

    code, status, title = "invalid_signature", 422, "Invalid signature"


class Unauthenticated(ReliefError):
    """The caller did not prove who they are."""

    code, status, title = "unauthenticated", 401, "Authentication required"


class PermissionDenied(ReliefError):
    """The caller may not do this."""

    code, status, title = "permission_denied", 403, "Permission denied"


class NotFound(ReliefError):
    """There is no such thing."""

    code, status, title = "not_found", 404, "Not found"


class Conflict(ReliefError):
    """The thing is not in a state that allows this."""

    code, status, title = "conflict", 409, "Conflict"


class IllegalTransition(Conflict):
    """A state machine refuses the step."""

    code, title = "illegal_transition", "Illegal state transition"


class AlreadyExists(Conflict):
    """Something with this identity is there already."""

    code, title = "already_exists", "Already exists"


class IdempotencyConflict(Conflict):
    """The idempotency key was used before with another request body."""

    code, title = "idempotency_conflict", "Idempotency key used with another request"


class ChainRefused(ReliefError):
    """The contract refuses the call."""

    code, status, title = "chain_refused", 422, "The contract refuses this"


class LimitExceeded(ReliefError):
    """A budget, cap or tier would be passed."""

    code, status, title = "limit_exceeded", 422, "A limit would be exceeded"


class ConfigurationError(ReliefError):
    """Settings or key files are missing or wrong."""

    code, status, title = "configuration_error", 500, "Configuration error"


class IntegrityError(ReliefError):
    """Stored data is not what was written: tampering, a wrong key, or a broken disk."""

    code, status, title = "integrity_error", 500, "Stored data failed its integrity check"


class ChainUnavailable(ReliefError):
    """The node does not answer."""

    code, status, title = "chain_unavailable", 503, "The chain node is unavailable"
    retryable = True
