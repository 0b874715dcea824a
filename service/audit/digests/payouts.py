"""The list behind a batch's approval: whether what is signed commits to exactly these lines.

Two hashes are signed. ``manifestHash`` is that of the whole file: it tells that a byte was changed,
not which. ``chunksRoot`` is that of wallets and amounts alone: it tells whether it is these that
changed. So a line out of its place, a case that comes twice and a line that is spelled otherwise
are named from one copy alone; a wallet, an amount or a case put in the place of another only beside
a copy that is the signed one (the maker kept one, or another office did): then the first line in
which the two differ is named.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from service.audit.decode import address_text, hex_text
from service.audit.digests.document import Difference, TypedData, printable
from service.audit.digests.words import amount
from service.audit.manifest_file import (
    FIRST_PAYOUT_LINE,
    Line,
    MalformedManifest,
    first_out_of_place,
    hash_of,
    header_differences,
    read_manifest,
    root_of,
)
from service.errors import InvalidInput
from service.units import format_amount

FIRST_SHOWN = 5
"""Lines of the list that are shown."""


@dataclass(frozen=True, slots=True)
class PayoutList:
    """One copy of a list, held against what is signed.

    Attributes
    ----------
    hash, root, count, total
        Recomputed from the file; the total in base units. The root is None where the lines cannot
        be those of the batch anyway.
    wallets
        Distinct payees.
    largest
        The largest payout, if there is any.
    first
        The first payouts.
    differences
        In what it differs from what is signed; none for exactly the list that is committed to.
    """

    path: Path
    hash: bytes
    root: bytes | None
    count: int
    total: int
    wallets: int
    largest: Line | None
    first: list[Line]
    differences: list[Difference]

    @property
    def is_signed(self) -> bool:
        """Whether the document commits to exactly this list."""
        return not self.differences


def check_list(data: TypedData, path: Path) -> PayoutList:
    """Recompute hash, root, count and total of a list, and compare them with what is signed.

    Parameters
    ----------
    data
        A ``BatchApproval``.

    Raises
    ------
    InvalidInput
        When the file cannot be read, or is no manifest; names the line.
    """
    try:
        digest = hash_of(path)
        header, lines = read_manifest(path)
        respelled = _respelled(path, header, lines)
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from error
    except MalformedManifest as error:
        raise MalformedManifest(f"{path}: {error.detail}") from None
    count, total = data.number("count"), sum(line.amount for line in lines)
    differences = _line_differences(lines, count)
    root = None
    if len(lines) == count and data.number("chunkSize"):
        root = root_of(lines, data.bytes_of("batchId"), data.number("chunkSize"))
    differences += respelled
    differences += [
        Difference(f"line 1, {key}", str(signed), printable(str(found)))
        for key, signed, found in header_differences(header, data.values)
    ]
    if total != data.number("total"):
        differences.append(Difference("total", amount(data.number("total")), amount(total)))
    if root is not None and root != data.values["chunksRoot"]:
        differences.append(
            Difference(
                "chunks root, of wallets and amounts",
                hex_text(data.bytes_of("chunksRoot")),
                hex_text(root),
            )
        )
    if digest != data.values["manifestHash"]:
        differences.append(
            Difference(
                "manifest hash, of the whole file",
                hex_text(data.bytes_of("manifestHash")),
                hex_text(digest),
            )
        )
    return PayoutList(
        path=path,
        hash=digest,
        root=root,
        count=len(lines),
        total=total,
        wallets=len({line.payee for line in lines}),
        largest=max(lines, key=lambda line: line.amount, default=None),
        first=lines[:FIRST_SHOWN],
        differences=differences,
    )


def _line_differences(lines: list[Line], count: int) -> list[Difference]:
    """Name the first line out of its place, and the first case that has two."""
    differences = []
    wrong = first_out_of_place([line.index for line in lines], count)
    if wrong is not None:
        found = f"index {lines[wrong].index}" if wrong < len(lines) else "the list ends"
        expected = f"index {wrong}" if wrong < count else f"the end, after {count} payouts"
        differences.append(Difference(f"line {wrong + FIRST_PAYOUT_LINE}", expected, found))
    lines_of = Counter(line.commitment for line in lines)
    twice = next((p for p, line in enumerate(lines) if lines_of[line.commitment] > 1), None)
    if twice is not None:
        case = lines[twice].commitment
        more = [p + FIRST_PAYOUT_LINE for p, line in enumerate(lines) if line.commitment == case]
        differences.append(
            Difference(
                f"line {more[0]}",
                f"case {case} once",
                f"again in line {', '.join(map(str, more[1:]))}",
            )
        )
    return differences


def _respelled(path: Path, header: dict[str, Any], lines: list[Line]) -> list[Difference]:
    """Name the first line that is not spelled as docs/manifest.md says."""
    payouts = (
        {
            "amount_base_units": str(line.amount),
            "commitment": line.commitment,
            "index": line.index,
            "payee": address_text(line.payee),
        }
        for line in lines
    )
    with path.open("rb") as rows:
        for number, (row, said) in enumerate(zip(rows, chain([header], payouts), strict=False), 1):
            expected = json.dumps(said, sort_keys=True, separators=(",", ":"))
            if row != expected.encode() + b"\n":
                return [Difference(f"line {number}, its spelling", expected, _shown(row))]
    return []


def first_differing_line(signed: Path, other: Path) -> Difference | None:
    """Name the first line in which a copy differs from the signed list.

    Parameters
    ----------
    signed
        A list that is committed to; read already.

    Raises
    ------
    InvalidInput
        When a file cannot be read any more.
    """
    try:
        with signed.open("rb") as one, other.open("rb") as two:
            for number, (right, wrong) in enumerate(zip_longest(one, two), 1):
                if right != wrong:
                    return Difference(f"line {number}", _shown(right), _shown(wrong))
    except OSError as error:
        raise InvalidInput(f"cannot read {error.filename}: {error.strerror}") from error
    return None


def _shown(row: bytes | None) -> str:
    return "no such line" if row is None else printable(row.decode(errors="replace"))


def shown_line(line: Line) -> str:
    """Write one payout for people."""
    return f"{address_text(line.payee)} gets {format_amount(line.amount)} tokens"
