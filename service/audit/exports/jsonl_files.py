"""Tables as JSON Lines: an object a row, members in the order of columns, amounts as strings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from service.audit.exports.table import Kind, Row, Table
from service.audit.exports.writing import Open, Write

FOLDER_NAME = "jsonl"


@contextmanager
def jsonl_files(folder: Path) -> Iterator[Open]:
    """Write each table into ``jsonl/<table>.jsonl`` in a folder."""
    own = folder / FOLDER_NAME
    own.mkdir()

    @contextmanager
    def opened(table: Table) -> Iterator[Write]:
        names = table.names
        amounts = tuple(names[position] for position in table.positions(Kind.AMOUNT))
        with (own / f"{table.name}.jsonl").open("wb") as file:

            def write(rows: list[Row]) -> None:
                for row in rows:
                    members: dict[str, Any] = dict(zip(names, row, strict=True))
                    for name in amounts:
                        if members[name] is not None:
                            members[name] = str(members[name])
                    file.write(orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE))

            yield write

    yield opened
