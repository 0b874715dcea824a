"""The reference of the tables, docs/audit-tables.md, written from the tables themselves.

``python -m service.audit.exports.reference > docs/audit-tables.md`` after changing a table; a test
compares the two.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from service.audit.exports.table import Table
from service.audit.exports.tables import TABLES

INTRODUCTION = """\
# Tables of an audit

<!-- Written by `python -m service.audit.exports.reference`; change the tables, then run it again.
-->

`relief audit replay … --out DIR` writes these tables ([audit.md](audit.md)), in each format the
same rows in the same order. The table `columns` says what this page says.

| format | where | text | integer | amount | nothing |
|---|---|---|---|---|---|
| `sqlite` | `DIR/relief.sqlite` | `TEXT` | `INTEGER` | `INTEGER`; `TEXT` above 2⁶³−1 | `NULL` |
| `parquet` | `DIR/parquet/<table>/` | string | int64 | decimal(38, 0) | null |
| `csv` | `DIR/csv/<table>.csv` | in quotes | bare | bare | nothing between the commas |
| `jsonl` | `DIR/jsonl/<table>.jsonl` | string | number | string | `null` |

- **Amounts** are base units, a millionth of a token each, and exact everywhere
  ([decision 0115](decisions/0115-amounts-are-exact-in-every-format.md)). SQLite sums integers
  exactly, and fails rather than rounds; only caps that mean "no limit" are larger than its
  integers. If a chain tells amounts of more than 38 digits, which no token of ours can, Parquet
  has amounts as strings.
- **No text is empty.** Times are Unix seconds, yes and no are 1 and 0. Hashes, ids and keys are
  0x-hex in small letters, addresses EIP-55, commitments hex without 0x, as in manifests.
- **CSV** is RFC 4180 in UTF-8 with LF, the names first. Text that a spreadsheet could take for a
  formula has an apostrophe in front, and so has text that begins with one: drop the first one.
- **Parquet** is zstd, and large tables are divided into folders: `of_programme=<programme>`, or
  `from_block=<block>` for 100,000 blocks each. DuckDB and Spark show the folder as a column more.
- **Two runs** over the same blocks, with the same inputs and the same versions of SQLite and
  Arrow, write the same bytes.
"""


def reference() -> str:
    """Return the page."""
    return "\n".join([INTRODUCTION, *_pages()])


def _pages() -> Iterator[str]:
    for table in TABLES:
        yield f"## `{table.name}`\n\n{table.meaning}\n"
        partition = table.partition
        if partition is not None:
            yield f"In Parquet divided by `{partition.folder}`.\n"
        yield "| column | kind | meaning |\n|---|---|---|"
        yield from _rows(table)
        yield ""


def _rows(table: Table) -> Iterator[str]:
    for position, column in enumerate(table.columns):
        kind = f"{column.kind.value}, key" if position < table.key else column.kind.value
        yield f"| `{column.name}` | {kind} | {column.meaning} |"


def main() -> None:
    """Print the page."""
    sys.stdout.write(reference())


if __name__ == "__main__":
    main()
