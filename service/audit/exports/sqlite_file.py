"""Tables as one SQLite file: STRICT tables with primary keys and indexes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from service.audit.exports.table import Column, Kind, Row, Table
from service.audit.exports.writing import Open, Write
from service.errors import ConfigurationError

FILE_NAME = "relief.sqlite"
LARGEST_INTEGER = 2**63 - 1

TYPES = {Kind.TEXT: "TEXT", Kind.INTEGER: "INTEGER", Kind.AMOUNT: "ANY"}
"""An amount is an INTEGER up to :data:`LARGEST_INTEGER`, TEXT above: SQLite has none larger."""

DRAFT_PRAGMAS = ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE")
"""A draft is thrown away when it is not finished: no journal."""


@contextmanager
def sqlite_file(folder: Path) -> Iterator[Open]:
    """Write tables into ``relief.sqlite`` in a folder.

    Raises
    ------
    ConfigurationError
        When SQLite cannot write, for instance because the disk is full.
    """
    try:
        with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as connection:
            for pragma in DRAFT_PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("BEGIN")

            @contextmanager
            def opened(table: Table) -> Iterator[Write]:
                connection.execute(create_statement(table))
                yield _writer(connection, table)
                for index in index_statements(table):
                    connection.execute(index)

            yield opened
            connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise ConfigurationError(f"{folder / FILE_NAME} cannot be written: {error}") from error


def create_statement(table: Table) -> str:
    """Return the statement that creates a table."""
    key = table.names[: table.key]
    columns = [f"  {_declared(column, in_key=column.name in key)}" for column in table.columns]
    lines = ",\n".join([*columns, f"  PRIMARY KEY ({_names(key)})"])
    return f"CREATE TABLE {_name(table.name)} (\n{lines}\n) STRICT"


def index_statements(table: Table) -> Iterator[str]:
    """Yield the statements that create a table's indexes."""
    for columns in table.indexes:
        name = _name(f"{table.name}_by_{'_'.join(columns)}")
        yield f"CREATE INDEX {name} ON {_name(table.name)} ({_names(columns)})"


def _declared(column: Column, *, in_key: bool) -> str:
    return f"{_name(column.name)} {TYPES[column.kind]}{' NOT NULL' if in_key else ''}"


def _writer(connection: sqlite3.Connection, table: Table) -> Write:
    marks = ", ".join("?" for _ in table.columns)
    insert = f"INSERT INTO {_name(table.name)} VALUES ({marks})"  # noqa: S608  # our own name
    amounts = table.positions(Kind.AMOUNT)

    def write(rows: list[Row]) -> None:
        fitting = (row if _fits(row, amounts) else _fitted(row, amounts) for row in rows)
        connection.executemany(insert, fitting)

    return write


def _fits(row: Row, amounts: tuple[int, ...]) -> bool:
    for position in amounts:
        value = row[position]
        if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
            return False
    return True


def _fitted(row: Row, amounts: tuple[int, ...]) -> Row:
    cells = list(row)
    for position in amounts:
        value = cells[position]
        if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
            cells[position] = str(value)
    return tuple(cells)


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(map(_name, names))


def _name(name: str) -> str:
    """Quote a name: some are words of SQL."""
    return f'"{name}"'
