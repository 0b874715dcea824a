"""Log lines of a test, as a machine reads them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from service.telemetry.logs import JsonFormatter


class Lines:
    """What was logged."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, **facts: Any) -> list[dict[str, Any]]:
        """The lines that have these facts."""
        return [
            line
            for line in self.all()
            if all(line.get(name) == value for name, value in facts.items())
        ]


@contextmanager
def logged(level: int = logging.INFO) -> Iterator[Lines]:
    """Collect the lines logged while the block runs."""
    lines = Lines()
    handler = logging.StreamHandler(lines.stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    loggers = (root, logging.getLogger("service"))  # other tests keep the service quiet
    before = [logger.level for logger in loggers]
    root.addHandler(handler)
    for logger in loggers:
        logger.setLevel(level)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        for logger, its in zip(loggers, before, strict=True):
            logger.setLevel(its)
