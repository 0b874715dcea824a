"""Alarms: what a person must look at."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from service.api.schemas.base import TIME, Page, Shown, example, page_example

ALARM: dict[str, Any] = {
    "id": 3,
    "kind": "sequence_gap",
    "stops_the_worker": True,
    "detail": "the vault's event 12 is missing before 13",
    "advice": "The node left out an event: have its log index rebuilt, or read from another node; "
    "then clear the alarm.",
    "block_number": 1200,
    "created_at": TIME,
    "cleared_at": None,
    "cleared_by": None,
    "cleared_because": None,
}


class AlarmShown(Shown):
    """Something a person must look at."""

    model_config = example(ALARM)

    id: int
    kind: str
    stops_the_worker: bool = Field(description="Whether nothing is read and paid while it is open.")
    detail: str
    advice: str = Field(description="What to do about it.")
    block_number: int | None
    created_at: datetime
    cleared_at: datetime | None = Field(description="When a person settled it; null while open.")
    cleared_by: str | None
    cleared_because: str | None


class AlarmPage(Page[AlarmShown]):
    """A page of alarms, newest first."""

    model_config = page_example(AlarmShown)
