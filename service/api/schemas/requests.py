"""Requests for transactions, which the worker sends."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from service.api.schemas.base import (
    BATCH_ID,
    CONTRACT_ERROR,
    TIME,
    Given,
    Page,
    Reason,
    Shown,
    example,
    given_example,
    page_example,
)

REQUEST: dict[str, Any] = {
    "id": 7,
    "kind": "withdraw_stream",
    "state": "requested",
    "args": {"batch_id": BATCH_ID, "index": 17},
    "actor": "Chen Wei",
    "reason": None,
    "last_error": None,
    "contract_error": None,
    "created_at": TIME,
}


class RetryGiven(Given):
    """Why a skipped payout is tried again, where somebody wants it in the journal."""

    model_config = given_example({"reason": "the bank has unfrozen the wallet"})

    reason: Reason | None = None


class ChainRequestShown(Shown):
    """A transaction somebody asked for; the worker plans, signs and sends it."""

    model_config = example(REQUEST)

    id: int
    kind: str
    state: str = Field(description="`requested`, `planned`, `done` or `failed`.")
    args: dict[str, Any] = Field(description="The function's arguments by our names.")
    actor: str
    reason: str | None
    last_error: str | None
    contract_error: str | None = Field(description=CONTRACT_ERROR)
    created_at: datetime


class ChainRequestPage(Page[ChainRequestShown]):
    """A page of requests, newest first."""

    model_config = page_example(ChainRequestShown)


class ChainRequestsShown(Shown):
    """Several requests made at once, one a chunk."""

    model_config = example({"items": [REQUEST]})

    items: list[ChainRequestShown]
