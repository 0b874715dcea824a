"""A manifest is read line by line, and what is no line of one is named by its number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from service.audit.manifest_file import (
    Line,
    MalformedManifest,
    first_out_of_place,
    hash_of,
    read_manifest,
    root_of,
)
from service.payouts.chunk_tree import chunk_leaf, chunks_root
from service.payouts.entries import pack_entries

PAYEE = "0x1f9090aaE28b8a3dCeaDf281B0F12828e676c326"
GOOD: dict[str, Any] = {
    "amount_base_units": "600000000",
    "commitment": "ab" * 32,
    "index": 0,
    "payee": PAYEE,
}


def written(path: Path, *rows: object) -> Path:
    path.write_text(
        "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)
    )
    return path


def test_header_and_payouts_are_read_as_they_stand(tmp_path: Path) -> None:
    second = GOOD | {"index": 7, "commitment": "CD" * 32, "amount_base_units": str(2**64 - 1)}
    path = written(tmp_path / "m", {"count": 2}, GOOD, second)
    payee = bytes.fromhex(PAYEE[2:])
    assert read_manifest(path) == (
        {"count": 2},
        [Line(0, "ab" * 32, payee, 600_000_000), Line(7, "cd" * 32, payee, 2**64 - 1)],
    )
    assert hash_of(path) == keccak(path.read_bytes())


BAD: dict[str, tuple[object, str]] = {
    "text": ("text", "line 3 is not JSON"),
    "nested": ("[" * 100_000, "line 3 is not JSON"),
    "a list": ([], "line 3 is not a JSON object"),
    "no payee": ({k: v for k, v in GOOD.items() if k != "payee"}, "line 3 has no payee"),
    "payee a number": (GOOD | {"payee": 5}, "line 3 is not a payout"),
    "payee short": (GOOD | {"payee": PAYEE[:-2]}, "line 3 has no address"),
    "commitment short": (GOOD | {"commitment": "ab"}, "line 3 has no commitment: ab"),
    "commitment no hex": (GOOD | {"commitment": "xy" * 32}, "line 3 is not a payout"),
    "amount words": (GOOD | {"amount_base_units": "many"}, "line 3 is not a payout"),
    "amount negative": (GOOD | {"amount_base_units": "-1"}, "line 3 has an impossible amount"),
    "amount large": (GOOD | {"amount_base_units": str(2**64)}, "line 3 has an impossible amount"),
}


def test_a_header_too_deep_to_be_shown_is_none(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b'{"count":' + b"[" * 1000 + b"]" * 1000 + b"}\n")
    with pytest.raises(MalformedManifest, match="line 1 is not JSON, or too deep"):
        read_manifest(path)


@pytest.mark.parametrize("what", BAD)
def test_a_line_that_is_none_is_named(tmp_path: Path, what: str) -> None:
    line, words = BAD[what]
    path = written(tmp_path / "m", {}, GOOD, line)
    with pytest.raises(MalformedManifest, match=words):
        read_manifest(path)


def test_an_empty_file_has_no_header(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.touch()
    with pytest.raises(MalformedManifest, match="line 1 is not JSON"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("indexes", "count", "wrong"),
    [
        ([0, 1, 2], 3, None),
        ([0, 2, 1], 3, 1),
        ([0, 1], 3, 2),
        ([0, 1, 2], 2, 2),
        ([0, 1, 1, 2], 3, 2),
        ([], 1, 0),
    ],
)
def test_the_first_payout_out_of_place_is_found(
    indexes: list[int], count: int, wrong: int | None
) -> None:
    assert first_out_of_place(indexes, count) == wrong


@pytest.mark.parametrize("chunk_size", [1, 2, 5, 500])
def test_the_root_is_that_of_the_service(chunk_size: int) -> None:
    batch_id = keccak(text="a batch")
    payouts = [(f"0x{number:040x}", 10**6 + number) for number in range(1, 6)]
    lines = [Line(i, "", bytes.fromhex(p[2:]), amount) for i, (p, amount) in enumerate(payouts)]
    pieces = [pack_entries(payouts[at : at + chunk_size]) for at in range(0, 5, chunk_size)]
    leaves = [chunk_leaf(batch_id, index, piece) for index, piece in enumerate(pieces)]
    assert root_of(lines, batch_id, chunk_size) == chunks_root(leaves)
