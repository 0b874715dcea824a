"""Which engine reads an archive."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.audit.archive.reading import ArchiveEngine


class EngineName(StrEnum):
    """Who reads an archive and sums up its transfers."""

    DUCKDB = "duckdb"
    SPARK = "spark"

    def start(self) -> ArchiveEngine:
        """Return the engine."""
        if self is EngineName.SPARK:
            from service.audit.engines.spark import Spark

            return Spark()
        from service.audit.engines.duck import Duck

        return Duck()
