"""Table of stored replies, by which a repeated POST is answered and not done again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from service.db import Base, UtcDateTime


class IdempotencyKey(Base):
    """One key of one actor, with what was asked and the reply.

    The row is inserted before the work and completed after it, in one transaction with it: other
    sessions see it complete or not at all.

    Attributes
    ----------
    operation
        Method and path, ``POST /v1/batches``.
    request_sha256
        Hexadecimal fingerprint of operation, query and body (:mod:`service.api.idempotency`).
    status, reply, headers
        HTTP status, body and own headers of the reply; None only inside the transaction.
    """

    __tablename__ = "idempotency_keys"

    actor: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    operation: Mapped[str] = mapped_column(String(300))
    request_sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    reply: Mapped[bytes | None] = mapped_column(LargeBinary)
    headers: Mapped[dict[str, str] | None] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
