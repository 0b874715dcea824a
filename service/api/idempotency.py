"""POST, exactly once: every POST carries an ``Idempotency-Key``, and its reply is kept.

The key's row, the work and the stored reply are one database transaction, so that a crash at any
moment leaves all of them or none:

=====================================  ========================================================
a call with a key that …               gets
=====================================  ========================================================
was never used                         the work done, the reply stored
was used for the same request          the stored reply, ``Idempotent-Replayed: true``
was used for another request           409 ``idempotency_conflict``
is being worked on                     waits for the other call; after 10 s 409, retryable
was refused before (4xx, 5xx)          a new try: a refusal changed nothing and is not stored
=====================================  ========================================================

"The same request" is the same method, path, query and bytes of the body; of a form, the names and
bytes of its parts. A key belongs to the actor who used it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from service.api.calls import Call
from service.api.models import IdempotencyKey
from service.api.problems import RequestInProgress, UnsupportedMediaType
from service.clock import SYSTEM_CLOCK
from service.errors import IdempotencyConflict
from service.intake.columns import MAX_FILE_BYTES

JSON, FORM = "application/json", "multipart/form-data"
UPLOAD_PATHS = {"/v1/imports": MAX_FILE_BYTES + 2**16}
"""Paths that take a file, with the largest body each."""

WAIT_FOR_OTHER_MS = 10_000
REPLAYED = "Idempotent-Replayed"
_LOCK_NOT_AVAILABLE = "55P03"
_BLOCK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Reply:
    """What a POST answers.

    Attributes
    ----------
    content
        The document.
    status
        HTTP status of the success.
    headers
        Headers of its own, such as ``Location``; stored with the reply.
    """

    content: BaseModel
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


async def fingerprint(request: Request) -> str:
    """Return the fingerprint of what is asked: hexadecimal SHA-256.

    Raises
    ------
    UnsupportedMediaType
        When the body is not JSON, or at a path for files not a form.
    """
    digest = hashlib.sha256()
    query = "&".join(
        sorted(f"{name}={value}" for name, value in request.query_params.multi_items())
    )
    digest.update(f"{request.method} {request.url.path}?{query}\n".encode())
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.url.path in UPLOAD_PATHS:
        if media_type != FORM:
            raise UnsupportedMediaType(f"send {FORM} with the file, not {media_type or 'nothing'}")
        for name, part in (await request.form()).multi_items():
            if isinstance(part, UploadFile):
                digest.update(f"\nfile {name} {part.filename}\n".encode())
                digest.update(await _digest_of_file(part))
            else:
                digest.update(f"\nfield {name}\n".encode())
                digest.update(hashlib.sha256(part.encode()).digest())
        return digest.hexdigest()
    body = await request.body()
    if body and media_type != JSON:
        raise UnsupportedMediaType(f"send {JSON}, not {media_type or 'nothing named'}")
    digest.update(body)
    return digest.hexdigest()


async def _digest_of_file(part: UploadFile) -> bytes:
    digest = hashlib.sha256()
    while block := await part.read(_BLOCK_BYTES):
        digest.update(block)
    await part.seek(0)
    return digest.digest()


class Command(Call):
    """A POST by somebody known, done once however often it is sent."""

    def __init__(
        self,
        request: Request,
        request_sha256: Annotated[str, Depends(fingerprint)],
        key: Annotated[
            str,
            Header(
                alias="Idempotency-Key",
                pattern=r"^[\x21-\x7e]{1,255}$",
                description="Chosen by the caller, new for each intent (a UUID will do). Sent "
                "again with the same request, it returns the stored reply.",
                examples=["3f0a2f0e-98c1-4d4b-b7d1-0a6d3c1c9f55"],
            ),
        ],
    ) -> None:
        super().__init__(request)
        self._key = key
        self._sha256 = request_sha256
        self._operation = f"{request.method} {request.url.path}"

    def run(self, work: Callable[[Session], Reply]) -> Response:
        """Do the work and store the reply in one transaction, or return the stored reply.

        Parameters
        ----------
        work
            Gets the session; must not commit.

        Raises
        ------
        IdempotencyConflict
            When the key was used for another request.
        RequestInProgress
            When the same key is being worked on for longer than one waits.
        ReliefError
            Of the work; then nothing is stored.
        """
        with self.application.transaction() as session:
            if not self._claim(session):
                return self._stored(session)
            reply = work(session)
            content = reply.content.model_dump_json().encode()
            row = session.get_one(IdempotencyKey, (self.actor, self._key))
            row.status, row.reply, row.headers = reply.status, content, dict(reply.headers)
        return _response(reply.status, content, reply.headers)

    def preview(self, work: Callable[[Session], BaseModel]) -> Response:
        """Answer what changes nothing; the reply is not stored and is made anew each time."""
        with self.read() as session:
            content = work(session).model_dump_json().encode()
        return _response(200, content, {})

    def _claim(self, session: Session) -> bool:
        """Insert the key's row; False when another call committed it before."""
        values = {
            "actor": self.actor,
            "key": self._key,
            "operation": self._operation[:300],
            "request_sha256": self._sha256,
            "created_at": SYSTEM_CLOCK.now(),
        }
        if session.get_bind().dialect.name == "sqlite":
            # BEGIN IMMEDIATE already waited for the other call.
            claim: Any = sqlite.insert(IdempotencyKey).values(values).on_conflict_do_nothing()
            return self._inserted(session, claim)
        # The insert waits for a transaction that inserted the same key and has not ended.
        claim = postgresql.insert(IdempotencyKey).values(values).on_conflict_do_nothing()
        session.execute(text(f"SET LOCAL lock_timeout = {WAIT_FOR_OTHER_MS}"))
        try:
            inserted = self._inserted(session, claim)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
                message = "a call with this key is being worked on: try again"
                raise RequestInProgress(message) from error
            raise
        session.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
        return inserted

    def _inserted(self, session: Session, claim: Any) -> bool:
        return session.execute(claim.returning(IdempotencyKey.key)).first() is not None

    def _stored(self, session: Session) -> Response:
        row = session.get_one(IdempotencyKey, (self.actor, self._key))
        if row.request_sha256 != self._sha256:
            raise IdempotencyConflict(
                f"the key was used for {row.operation} with something else in it: take a new key"
            )
        assert row.status is not None
        assert row.reply is not None
        return _response(row.status, row.reply, {**(row.headers or {}), REPLAYED: "true"})


def _response(status: int, content: bytes, headers: Mapping[str, str]) -> Response:
    return Response(
        content, status_code=status, media_type="application/json", headers=dict(headers)
    )


CommandDep = Annotated[Command, Depends()]
"""Declares a POST that needs an idempotency key."""
