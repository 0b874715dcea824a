"""The formats that tables are written in."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """A format of all tables."""

    SQLITE = "sqlite"
    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"
