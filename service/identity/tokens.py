"""Issuing, checking, listing and revoking API tokens. Nothing here commits."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.clock import SYSTEM_CLOCK, Clock
from service.errors import InvalidInput, NotFound, Unauthenticated
from service.identity.models import ApiToken

TOKEN_PREFIX = "relief_"  # noqa: S105  # lets a scanner of secrets recognise one
TOKEN_BYTES = 32
MAX_NAME_CHARACTERS = 200
USE_RECORDED_EVERY = timedelta(minutes=1)
"""A call does not write to the database only to say that it was made."""

_TOKEN = re.compile(TOKEN_PREFIX + r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token, shown once.

    Attributes
    ----------
    token
        ``relief_`` and 43 characters: 32 random bytes in base64url.
    """

    row: ApiToken
    token: str = field(repr=False)


def issue_token(session: Session, name: str, *, clock: Clock = SYSTEM_CLOCK) -> IssuedToken:
    """Issue a token to an actor.

    Raises
    ------
    InvalidInput
        When the name is empty, longer than 200 characters or has characters that do not print.
    """
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
        raise InvalidInput(
            f"the holder of a token has a name of 1 to {MAX_NAME_CHARACTERS} letters"
        )
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    row = ApiToken(id=str(uuid4()), name=name, sha256=_fingerprint(token), created_at=clock.now())
    session.add(row)
    session.flush()
    return IssuedToken(row, token)


def authenticate(session: Session, token: str) -> ApiToken:
    """Return the row of a token in force; reads only.

    Raises
    ------
    Unauthenticated
        When it is no token of ours or was revoked; the message does not tell which.
    """
    row = None
    if _TOKEN.fullmatch(token) is not None:
        # Looked up by its hash: how long the comparison takes tells nothing about the token.
        row = session.scalar(select(ApiToken).where(ApiToken.sha256 == _fingerprint(token)))
    if row is None or row.revoked_at is not None:
        raise Unauthenticated("the token is unknown or was revoked")
    return row


def use_is_due(row: ApiToken, *, clock: Clock = SYSTEM_CLOCK) -> bool:
    """Tell whether the token's last use was recorded a minute ago or longer."""
    return row.last_used_at is None or clock.now() - row.last_used_at >= USE_RECORDED_EVERY


def record_use(session: Session, token_id: str, *, clock: Clock = SYSTEM_CLOCK) -> None:
    """Record that a token was used now."""
    session.execute(
        update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=clock.now())
    )


def list_tokens(session: Session, *, include_revoked: bool = False) -> Sequence[ApiToken]:
    """Return the tokens, oldest first."""
    statement = select(ApiToken).order_by(ApiToken.created_at, ApiToken.id)
    if not include_revoked:
        statement = statement.where(ApiToken.revoked_at.is_(None))
    return session.scalars(statement).all()


def revoke_token(session: Session, token_id: str, *, clock: Clock = SYSTEM_CLOCK) -> ApiToken:
    """Revoke a token at once and for ever; doing it twice changes nothing more.

    Raises
    ------
    NotFound
        When there is no token with that id.
    """
    row = session.get(ApiToken, token_id)
    if row is None:
        raise NotFound(f"there is no token {token_id}")
    if row.revoked_at is None:
        row.revoked_at = clock.now()
        session.flush()
    return row


def _fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
