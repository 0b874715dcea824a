"""Columns of an archive's files. Hashes, addresses and topics are binary of 32, 20, 32 bytes."""

from __future__ import annotations

import pyarrow as pa

FOLDER = "archive"
ANSWERS = "answers.jsonl"
FORMAT = "relief-audit-archive-1"
BLOCKS_FILE, LOGS_FILE, TRANSFERS_FILE = "blocks.parquet", "logs.parquet", "transfers.parquet"

BLOCKS = pa.schema(
    [
        ("block_number", pa.int64()),
        ("timestamp", pa.int64()),
        ("block_hash", pa.binary()),
        ("parent_hash", pa.binary()),
        ("header", pa.binary()),
    ]
)
"""Columns of a block; `header` is its RLP, null where the chain has members that are not known."""

LOGS = pa.schema(
    [
        ("block_number", pa.int64()),
        ("transaction_index", pa.int32()),
        ("log_index", pa.int64()),
        ("transaction_hash", pa.binary()),
        ("address", pa.binary()),
        *((f"topic{place}", pa.binary()) for place in range(4)),
        ("data", pa.binary()),
    ]
)
"""Columns of a log, named as cryo names them."""


def part_name(first: int, last: int) -> str:
    """Return the name of a part's folder; names are in the order of the blocks."""
    return f"blocks-{first:012d}-{last:012d}"
