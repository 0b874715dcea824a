"""A list is the one that is signed, to the last byte, or the line that differs is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from service.audit.digests.document import TypedData, read_typed_data
from service.audit.digests.payouts import PayoutList, check_list, first_differing_line
from service.audit.manifest_file import MalformedManifest
from service.errors import InvalidInput
from service.payouts.chunk_tree import chunk_leaf, chunks_root
from service.payouts.entries import pack_entries
from service.units import eip55
from tests.audit.digests.documents import APPROVAL, document

PAYEES = [eip55(f"0x{number * 0x1234567:040x}") for number in (1, 2, 3, 1, 5)]
AMOUNTS = [600_000_000, 600_000_001, 10**12, 1, 599_999_999]
BATCH_ID = APPROVAL["batchId"]
Rows = list[dict[str, Any]]


def spelled(rows: Rows) -> bytes:
    return b"".join(
        json.dumps(row, sort_keys=True, separators=(",", ":")).encode() + b"\n" for row in rows
    )


@pytest.fixture
def rows() -> Rows:
    """Header and payouts of a batch of five in chunks of two."""
    payouts = list(zip(PAYEES, AMOUNTS, strict=True))
    pieces = [pack_entries(payouts[at : at + 2]) for at in (0, 2, 4)]
    root = chunks_root([chunk_leaf(BATCH_ID, index, piece) for index, piece in enumerate(pieces)])
    header = {
        "batch_id": "0x" + BATCH_ID.hex(),
        "cadence_s": 0,
        "chunk_size": 2,
        "chunks_root": "0x" + root.hex(),
        "cliff_s": 0,
        "count": 5,
        "duration_s": 0,
        "execute_before_unix_s": APPROVAL["executeBefore"],
        "expires_at_unix_s": APPROVAL["expiresAt"],
        "format": "relief-batch-manifest",
        "kind": "one_off",
        "maker_officer_id": 1,
        "programme_id": 3,
        "programme_version": 2,
        "region_code": 510722,
        "region_digits": 6,
        "start_unix_s": 0,
        "total_base_units": str(sum(AMOUNTS)),
        "version": 1,
    }
    return [
        header,
        *(
            {
                "amount_base_units": str(amount),
                "commitment": keccak(text=f"case {index}").hex(),
                "index": index,
                "payee": payee,
            }
            for index, (payee, amount) in enumerate(payouts)
        ),
    ]


@pytest.fixture
def signed(rows: Rows) -> TypedData:
    """The approval that commits to them."""
    given = document(
        "BatchApproval",
        chunkSize=2,
        count=5,
        total=sum(AMOUNTS),
        chunksRoot=rows[0]["chunks_root"],
        manifestHash=keccak(spelled(rows)),
    )
    data = read_typed_data(json.dumps(given).encode()).data
    assert data is not None
    return data


@pytest.fixture
def checked(signed: TypedData, tmp_path: Path) -> Callable[[bytes], PayoutList]:
    def check(content: bytes) -> PayoutList:
        path = tmp_path / "list.jsonl"
        path.write_bytes(content)
        return check_list(signed, path)

    return check


def test_the_list_that_is_signed_is_told_as_such(
    rows: Rows, checked: Callable[[bytes], PayoutList]
) -> None:
    found = checked(spelled(rows))
    assert found.is_signed
    assert (found.count, found.total, found.wallets) == (5, 1_001_800_000_001, 4)
    assert found.largest is not None
    assert (found.largest.index, found.largest.amount) == (2, 10**12)
    assert [line.index for line in found.first] == [0, 1, 2, 3, 4]
    assert "0x" + found.hash.hex() == "0x" + keccak(spelled(rows)).hex()
    assert "0x" + (found.root or b"").hex() == rows[0]["chunks_root"]


def renumbered(rows: Rows) -> Rows:
    return [rows[0], *(row | {"index": index} for index, row in enumerate(rows[1:]))]


Change = Callable[[Rows], Rows]
HASH = "manifest hash, of the whole file"
ROOT = "chunks root, of wallets and amounts"
CHANGED: dict[str, tuple[Change, set[str]]] = {
    "an amount": (
        lambda rows: [*rows[:3], rows[3] | {"amount_base_units": "7"}, *rows[4:]],
        {"total", ROOT, HASH},
    ),
    "a wallet": (
        lambda rows: [*rows[:3], rows[3] | {"payee": PAYEES[0]}, *rows[4:]],
        {ROOT, HASH},
    ),
    "a case": (lambda rows: [*rows[:3], rows[3] | {"commitment": "00" * 32}, *rows[4:]], {HASH}),
    "a case of another": (
        lambda rows: [*rows[:3], rows[3] | {"commitment": rows[1]["commitment"]}, *rows[4:]],
        {"line 2", HASH},
    ),
    "removed": (lambda rows: rows[:2] + rows[3:], {"line 3", "total", HASH}),
    "removed last": (lambda rows: rows[:-1], {"line 6", "total", HASH}),
    "removed and numbered anew": (
        lambda rows: renumbered(rows[:2] + rows[3:]),
        {"line 6", "total", HASH},
    ),
    "added": (
        lambda rows: [*rows, rows[1] | {"index": 5, "commitment": "00" * 32}],
        {"line 7", "total", HASH},
    ),
    "twice": (lambda rows: [*rows[:3], *rows[2:]], {"line 3", "line 4", "total", HASH}),
    "in another order": (
        lambda rows: [rows[0], rows[2], rows[1], *rows[3:]],
        {"line 2", ROOT, HASH},
    ),
    "in another order and numbered anew": (
        lambda rows: renumbered([rows[0], rows[2], rows[1], *rows[3:]]),
        {ROOT, HASH},
    ),
    "a header's region": (
        lambda rows: [rows[0] | {"region_code": 510723}, *rows[1:]],
        {"line 1, region_code", HASH},
    ),
    "a header's total": (
        lambda rows: [rows[0] | {"total_base_units": "1"}, *rows[1:]],
        {"line 1, total_base_units", HASH},
    ),
    "something more in the header": (lambda rows: [rows[0] | {"more": 1}, *rows[1:]], {HASH}),
    "something more in a line": (
        lambda rows: [*rows[:3], rows[3] | {"more": 1}, *rows[4:]],
        {"line 4, its spelling", HASH},
    ),
    "another spelling": (
        lambda rows: [*rows[:3], rows[3] | {"payee": rows[3]["payee"].lower()}, *rows[4:]],
        {"line 4, its spelling", HASH},
    ),
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_changed_list_is_not_the_signed_one_and_says_where(
    rows: Rows, checked: Callable[[bytes], PayoutList], what: str
) -> None:
    change, where = CHANGED[what]
    found = checked(spelled(change(rows)))
    assert {difference.where for difference in found.differences} == where


FIRST_LINES = {
    "an amount": 4,
    "a wallet": 4,
    "a case": 4,
    "removed": 3,
    "removed last": 6,
    "removed and numbered anew": 3,
    "added": 7,
    "in another order and numbered anew": 2,
    "a header's region": 1,
}


@pytest.mark.parametrize("what", FIRST_LINES)
def test_beside_the_signed_list_the_first_line_that_differs_is_named(
    rows: Rows, tmp_path: Path, what: str
) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_bytes(spelled(rows))
    wrong.write_bytes(spelled(CHANGED[what][0](rows)))
    difference = first_differing_line(right, wrong)
    assert difference is not None
    assert difference.where == f"line {FIRST_LINES[what]}"


def test_the_line_that_differs_is_shown_in_both(rows: Rows, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_bytes(spelled(rows))
    wrong.write_bytes(spelled(rows[:-1]))
    difference = first_differing_line(right, wrong)
    assert difference is not None
    assert json.loads(difference.expected.removesuffix(r"\n")) == rows[-1]
    assert difference.found == "no such line"
    assert first_differing_line(right, right) is None


def test_a_line_without_its_line_end_is_named(
    rows: Rows, checked: Callable[[bytes], PayoutList]
) -> None:
    found = checked(spelled(rows)[:-1])
    assert {each.where for each in found.differences} == {"line 6, its spelling", HASH}


def test_a_file_that_is_no_list_is_malformed(checked: Callable[[bytes], PayoutList]) -> None:
    with pytest.raises(MalformedManifest, match=r"list.jsonl: line 1 is not JSON"):
        checked(b"a list\n")


def test_a_list_that_is_not_there_is_named(signed: TypedData, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot read"):
        check_list(signed, tmp_path / "none")
