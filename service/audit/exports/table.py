"""What a table is: columns with a meaning, a key, an order of rows, and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from service.audit.report import ReplayReport

Cell = str | int | None
"""Text, a number, or nothing. There is no empty text: what is not there is nothing."""

Row = tuple[Cell, ...]
"""The cells of a row, in the order of the table's columns."""


class Kind(StrEnum):
    """What a column holds. How each format writes it is in docs/audit-tables.md."""

    TEXT = "text"
    INTEGER = "integer"
    """Counts, numbers, blocks, Unix seconds, and 0 or 1: 64 bits with a sign."""
    AMOUNT = "amount"
    """Base units of the token: exact, of any size."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    meaning
        A sentence for an auditor.
    """

    name: str
    kind: Kind
    meaning: str


class Recorded(Protocol):
    """What was noted down while the chain was replayed.

    Attributes
    ----------
    approvers
        Officers who signed each batch, by its id.
    """

    @property
    def approvers(self) -> Mapping[bytes, Sequence[int]]:
        """Officers who signed each batch, in their order."""

    def rows(self, table: str) -> Iterator[Row]:
        """Yield the rows of a table in their order."""

    def time_of(self, block: int | None) -> int | None:
        """Unix time of a block that has an event, else None."""

    def block_of(self, name: str, *named: object) -> int | None:
        """Block of the last event with which a thing came or went, else None."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from."""

    report: ReplayReport
    recorded: Recorded


@dataclass(frozen=True, slots=True)
class Partition:
    """How Parquet divides a large table into folders ``<folder>=<value>``.

    Attributes
    ----------
    column
        An integer column by which the rows come in order.
    every
        How many values of the column a folder holds; its name is the first of them.
    """

    folder: str
    column: str
    every: int = 1

    def of(self, value: Cell) -> int:
        """Return the value in the folder's name."""
        if not isinstance(value, int):
            raise TypeError(f"{self.column} is no integer: {value!r}")
        return value - value % self.every


BY_PROGRAMME = Partition("of_programme", "programme")
BY_BLOCK = Partition("from_block", "block", every=100_000)


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes
    ----------
    meaning
        What a row is, for an auditor.
    key
        How many of the first columns name a row.
    rows
        Yields the rows, in one fixed order.
    partition
        Of large tables.
    indexes
        Columns by which SQLite finds rows, beside the key.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    rows: Callable[[Source], Iterator[Row]]
    key: int = 1
    partition: Partition | None = None
    indexes: tuple[tuple[str, ...], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    def positions(self, kind: Kind) -> tuple[int, ...]:
        """Positions of the columns of a kind."""
        return tuple(i for i, column in enumerate(self.columns) if column.kind is kind)


def text(name: str, meaning: str) -> Column:
    """Return a column of text."""
    return Column(name, Kind.TEXT, meaning)


def integer(name: str, meaning: str) -> Column:
    """Return a column of numbers."""
    return Column(name, Kind.INTEGER, meaning)


def amount(name: str, meaning: str) -> Column:
    """Return a column of base units."""
    return Column(f"{name}_base_units", Kind.AMOUNT, meaning)
