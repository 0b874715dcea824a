"""Table of API tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from service.db import Base, UtcDateTime


class ApiToken(Base):
    """A bearer token of the API; the token itself is kept nowhere.

    Attributes
    ----------
    name
        The actor it speaks for, as journals record it; an actor may have several tokens.
    sha256
        Hexadecimal SHA-256 of the whole token. Its 256 random bits need no slow hash.
    last_used_at
        Accurate to a minute.
    """

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
