"""Requests for transactions, which the worker sends."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from service.api.schemas.base import BATCH_ID, TIME, Page, Shown, example, page_example
from service.payouts.models import ChainRequest

_REQUEST: dict[str, Any] = {
    "id": 7,
    "kind": "withdraw_stream",
    "state": "requested",
    "args": {"batchId": BATCH_ID, "index": 17},
    "actor": "Chen Wei",
    "reason": None,
    "last_error": None,
    "created_at": TIME,
}


class ChainRequestShown(Shown):
    """A transaction somebody asked for; the worker plans, signs and sends it."""

    model_config = example(_REQUEST)

    id: int
    kind: str
    state: str = Field(description="`requested`, `planned`, `done` or `failed`.")
    args: dict[str, Any] = Field(description="Arguments of the contract's function, by name.")
    actor: str
    reason: str | None
    last_error: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: ChainRequest) -> ChainRequestShown:
        """Return the document of a row."""
        return cls(
            id=row.id,
            kind=row.kind,
            state=row.state,
            args=row.args,
            actor=row.actor,
            reason=row.reason,
            last_error=row.last_error,
            created_at=row.created_at,
        )


class ChainRequestPage(Page[ChainRequestShown]):
    """A page of requests, newest first."""

    model_config = page_example(ChainRequestShown)


class ChainRequestsShown(Shown):
    """Several requests made at once, one a chunk."""

    model_config = example({"items": [_REQUEST]})

    items: list[ChainRequestShown]
