"""What is given to a writer is what its parts hold, and where a part ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.audit.archive.parts import read_part
from service.audit.archive.writing import ArchiveWriter
from service.audit.decode import LogPlace
from service.audit.transfer_rows import ROWS_A_FILE
from service.audit.transfers import TransferRun


def header(number: int) -> dict[str, Any]:
    return {
        "number": hex(number),
        "timestamp": hex(number),
        "hash": "0x" + f"{number + 1:064x}",
        "parentHash": "0x" + f"{number:064x}",
    }


def mints(block: int, count: int) -> TransferRun:
    place = LogPlace(block, block, block.to_bytes(32, "big"), b"\1" * 32, 0, 0)
    entry = block.to_bytes(20, "big") + (7).to_bytes(8, "big")
    return TransferRun(place, bytes(20 * count), entry * count)


@pytest.mark.parametrize(
    ("limits", "ends"),
    [({}, [5]), ({"blocks_a_part": 2}, [1, 3, 5]), ({"transfers_a_part": 20}, [1, 3, 5])],
)
def test_a_part_ends_at_its_limits_and_holds_everything(
    tmp_path: Path, limits: dict[str, int], ends: list[int]
) -> None:
    writer = ArchiveWriter(tmp_path, **limits)
    for number in range(6):
        writer.blocks([header(number)])
        writer.transfers(mints(number, 10))
    writer.close_part()
    parts = [read_part(tmp_path / name) for name in writer.parts]
    assert [part.blocks[-1][0] for part in parts] == ends
    assert [row[0] for part in parts for row in part.blocks] == list(range(6))
    runs = [part.runs for part in parts]
    assert b"".join(each.entries for each in runs) == b"".join(
        mints(n, 10).entries for n in range(6)
    )
    assert [place[0] for each in runs for place in each.places] == list(range(6))


def test_more_transfers_than_stay_in_memory_are_in_the_part_all_the_same(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path)
    writer.blocks([header(0)])
    for tx in range(3):
        writer.transfers(mints(tx, ROWS_A_FILE // 2))
    writer.blocks([header(1), header(2)])
    writer.close_part()
    parts = [read_part(tmp_path / name) for name in writer.parts]
    assert [len(part.runs.entries) // 28 for part in parts] == [3 * (ROWS_A_FILE // 2), 0]
