"""Writing an archive while the chain is read: what a replay is given is what is written."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from eth_hash.auto import keccak

from service.audit.archive.answers import RecordingNode
from service.audit.archive.schemas import (
    ANSWERS,
    BLOCKS,
    BLOCKS_FILE,
    FORMAT,
    LOGS,
    LOGS_FILE,
    TRANSFERS_FILE,
    part_name,
)
from service.audit.decode import LogPlace, hex_text
from service.audit.receipts import header_rlp, unhex
from service.audit.transfer_rows import COMPRESSION, ROWS_A_FILE, TransferRows
from service.audit.transfers import TransferRun

BLOCKS_A_PART = 20_000
DATA_A_PART = 32 << 20
"""A part ends with so many blocks, bytes of logs' data, or transfers, whatever comes first."""

TOPICS = 4
NEVER = sys.maxsize
"""Rows after which a part's transfers leave memory before the part is over."""


@dataclass
class ArchiveWriter:
    """Takes what is read, in the chain's order.

    Parameters
    ----------
    folder
        New; of the archive alone.
    """

    folder: Path
    blocks_a_part: int = BLOCKS_A_PART
    transfers_a_part: int = ROWS_A_FILE
    parts: list[str] = field(default_factory=list)
    _blocks: list[tuple[Any, ...]] = field(default_factory=list)
    _logs: list[tuple[Any, ...]] = field(default_factory=list)
    _data: int = 0
    _transfers: TransferRows = field(default_factory=lambda: TransferRows(rows_a_file=NEVER))

    def blocks(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """Take headers, before what their blocks hold; here a part may end."""
        if (
            len(self._blocks) >= self.blocks_a_part
            or self._data >= DATA_A_PART
            or self._transfers.count >= self.transfers_a_part
        ):
            self.close_part()
        for header in headers:
            number, timestamp = int(header["number"], 16), int(header["timestamp"], 16)
            hashes = unhex(header["hash"]), unhex(header["parentHash"])
            self._blocks.append((number, timestamp, *hashes, _encoded(header)))

    def transfers(self, run: TransferRun) -> None:
        """Take transfers that stand behind each other."""
        self._transfers.add(run.place, run.sources, run.entries)

    def log(self, log: Mapping[str, Any], place: LogPlace) -> None:
        """Take one log that is an event of ours."""
        topics = [unhex(topic) for topic in log["topics"]]
        data = unhex(log["data"])
        self._data += len(data)
        where = (place.block, place.tx_index, place.log_index, place.tx)
        padded = (*topics, *[None] * (TOPICS - len(topics)))
        self._logs.append((*where, unhex(log["address"]), *padded, data))

    def close_part(self) -> None:
        """Write what was taken since the last part."""
        if not self._blocks:
            return
        name = part_name(self._blocks[0][0], self._blocks[-1][0])
        folder = self.folder / name
        folder.mkdir(parents=True)
        _write(_table(self._blocks, BLOCKS), folder / BLOCKS_FILE)
        _write(_table(self._logs, LOGS), folder / LOGS_FILE)
        if self._transfers.count:
            _write(self._transfers.waiting(), folder / TRANSFERS_FILE)
        self.parts.append(name)
        self._blocks, self._logs, self._data = [], [], 0
        self._transfers = TransferRows(rows_a_file=NEVER)

    def finish(self, node: RecordingNode) -> None:
        """Write what is left, and the node's answers."""
        self.close_part()
        self.folder.mkdir(exist_ok=True)
        with (self.folder / ANSWERS).open("w") as file:
            for line in ([FORMAT], *node.answers()):
                file.write(json.dumps(line, separators=(",", ":")) + "\n")


def _encoded(header: Mapping[str, Any]) -> bytes | None:
    """Encode a header; None where the chain hashes its headers in its own way."""
    try:
        encoded = header_rlp(header)
    except (KeyError, TypeError, ValueError):
        return None
    return encoded if hex_text(keccak(encoded)) == header["hash"] else None


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
    return pa.table(arrays, schema=schema)


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression=COMPRESSION)
