"""What is handed over, and the formats that tables are written in."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """A format of all tables."""

    SQLITE = "sqlite"
    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


class Piece(StrEnum):
    """What a folder may hold beside the result and its manifest."""

    HTML = "html"
    PDF = "pdf"
    ARCHIVE = "archive"
    SQLITE = "sqlite"
    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"
