"""Which payouts are to be opened: drawn by a later block's hash, so that nobody could know.

All payouts of the population stand in one row: by programme, then by their number in it. Position
*p* is drawn so, for counters from 0 on, until enough different ones are drawn::

    x = keccak256(block hash (32) ‖ counter (32, big-endian)), as a number
    x is passed over where x >= 2^256 - (2^256 mod population)       (else some would be likelier)
    p = x mod population, passed over where it was drawn before
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from eth_hash.auto import keccak

from service.audit.decode import hex_text
from service.audit.manifest_file import hash_of, read_manifest
from service.audit.state import Batch, State
from service.errors import InvalidInput

FORMAT = "relief-audit-draw"
VERSION = 1
WORD = 32
WORDS = 1 << 8 * WORD
"""How many values a word has."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One payout to be opened.

    Attributes
    ----------
    position
        In the row of the population, from 0.
    programme, number
        The payout's number in its programme.
    batch, index
        Batch id, 0x-hex, and the payout's index in it.
    manifest_hash
        Of the batch's list, as officers signed it, 0x-hex.
    commitment
        64 hexadecimal digits, or None where the list was not given.
    """

    position: int
    programme: int
    number: int
    batch: str
    index: int
    manifest_hash: str
    commitment: str | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """A draw and what it was made of.

    Attributes
    ----------
    programme
        Whose payouts alone are drawn, or None for all.
    until
        Last block whose approvals are in the population.
    block, block_hash
        The later block that draws; 0x-hex.
    population
        How many payouts could have been drawn.
    """

    chain_id: int
    vault: str
    programme: int | None
    until: int
    block: int
    block_hash: str
    population: int
    payouts: list[Drawn]

    def as_json(self) -> dict[str, Any]:
        """Return it for the file."""
        members = {name: getattr(self, name) for name in self.__slots__ if name != "payouts"}
        payouts = [{name: getattr(each, name) for name in Drawn.__slots__} for each in self.payouts]
        return {"format": FORMAT, "version": VERSION, **members, "payouts": payouts}

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return orjson.dumps(self.as_json(), option=orjson.OPT_INDENT_2) + b"\n"


def positions(block_hash: bytes, population: int) -> Iterator[int]:
    """Yield each position of a population once, in the order in which a block's hash draws them.

    Parameters
    ----------
    population
        How many there are, positive.
    """
    below = WORDS - WORDS % population
    drawn: set[int] = set()
    counter = 0
    while len(drawn) < population:
        value = int.from_bytes(keccak(block_hash + counter.to_bytes(WORD, "big")), "big")
        counter += 1
        position = value % population
        if value < below and position not in drawn:
            drawn.add(position)
            yield position


def first_positions(block_hash: bytes, population: int, count: int) -> list[int]:
    """Return the first positions drawn, all of them where there are no more."""
    drawing = positions(block_hash, population)
    return [next(drawing) for _ in range(min(count, population))]


def draw(
    state: State, block: tuple[int, bytes], until: int, count: int, programme: int | None
) -> tuple[int, list[Drawn]]:
    """Draw payouts; returns the population and those drawn.

    Parameters
    ----------
    state
        As of the block that draws, or later.
    block
        Number and hash of the block that draws.
    until
        Last block whose approvals are in the population, before the one that draws.

    Raises
    ------
    InvalidInput
        When the population is empty.
    """
    batches = [
        batch
        for batch in state.batches.values()
        if batch.block <= until and programme in (None, batch.programme)
    ]
    batches.sort(key=lambda batch: (batch.programme, batch.first_number))
    population = sum(int(batch.approval["count"]) for batch in batches)
    if not population:
        of = "" if programme is None else f" of programme {programme}"
        raise InvalidInput(f"no payouts{of} were approved up to block {until}")
    drawn = [_at(batches, position) for position in first_positions(block[1], population, count)]
    return population, drawn


def _at(batches: list[Batch], position: int) -> Drawn:
    index = position
    for batch in batches:
        count = int(batch.approval["count"])
        if index < count:
            return Drawn(
                position,
                batch.programme,
                batch.first_number + index,
                hex_text(batch.id),
                index,
                hex_text(batch.approval["manifestHash"]),
            )
        index -= count
    raise AssertionError(position)  # positions are below the population


def commitments_of(folder: Path, payouts: Sequence[Drawn]) -> list[str]:
    """Return the commitment of each payout from its batch's list, if that is the signed one.

    Raises
    ------
    InvalidInput
        When a list is not there, is no list, is not the one that officers signed, or lacks a
        payout.
    """
    found: dict[int, str] = {}
    batches = {each.batch: each.manifest_hash for each in payouts}
    for batch, manifest_hash in batches.items():
        path = folder / f"{batch}.jsonl"
        try:
            if hex_text(hash_of(path)) != manifest_hash:
                raise InvalidInput(f"{path} is not the list that officers signed")
            _, lines = read_manifest(path)
        except OSError as error:
            raise InvalidInput(f"cannot read {path}: {error.strerror}") from error
        for each in payouts:
            if each.batch == batch:
                if each.index >= len(lines) or lines[each.index].index != each.index:
                    raise InvalidInput(f"{path} has no payout {each.index}")
                found[each.position] = lines[each.index].commitment
    return [found[each.position] for each in payouts]
