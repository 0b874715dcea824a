"""The outcome of one check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from service.application.context import Application


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    area
        ``chain``, ``contracts``, ``roles``, ``limits``, ``database``, ``keys``, ``manifests``,
        ``grants``, ``clock``, ``worker``.
    name
        What was looked at.
    status
        A failure must be mended before money is paid; a warning should be looked at.
    detail
        What was found, and what to do about it.
    """

    area: str
    name: str
    status: Status
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """Return the check for JSON."""
        return asdict(self)


Examiner = Callable[[Application], Iterator[Check]]
"""Looks at one area and yields what it finds; what it raises becomes a failed check."""


def passed(area: str, name: str, detail: str) -> Check:
    """Return a check that found everything right."""
    return Check(area, name, Status.OK, detail)


def warned(area: str, name: str, detail: str) -> Check:
    """Return a check that found something to look at."""
    return Check(area, name, Status.WARNING, detail)


def failed(area: str, name: str, detail: str) -> Check:
    """Return a check that found something wrong."""
    return Check(area, name, Status.FAILED, detail)
