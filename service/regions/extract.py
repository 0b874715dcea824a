"""Write ``data/gbt2260.tsv`` again from the table that python-stdnum carries.

Run ``python -m service.regions.extract`` after a new edition and read the difference before
committing it: a scope signed by officers must not change its meaning with a dependency.
"""

from __future__ import annotations

import re
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

OUTPUT = Path(__file__).parent / "data" / "gbt2260.tsv"

HEADER = """\
# GB/T 2260 codes of the administrative divisions of the People's Republic of China, with the
# years they were in force. Fields: code, first year (empty: older than the table), last year
# (empty: in force), name.
# Source: python-stdnum {version}, stdnum/cn/loc.dat (LGPL-2.1-or-later), which was made from
# the Chinese Wikipedia's 中华人民共和国行政区划代码 (CC BY-SA 4.0). Extracted 2026-11-24,
# otherwise unchanged, by `python -m service.regions.extract`. This file keeps these licences.
"""

_LINE = re.compile(r'  (?P<code>\d{4}) county="(?P<names>[^"]+)"')
_NAME = re.compile(r"(?:\[(?P<first>\d{4})?-(?P<last>\d{4})?\])?(?P<name>.+)")


def extract(source: str) -> list[str]:
    """Return the table's lines, in code order, from the text of ``loc.dat``.

    Periods that end before they begin (a handful in the source) are left out.

    Raises
    ------
    ValueError
        When a line of the source is not understood.
    """
    lines = []
    province = ""
    for line in source.splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            province = line[:2]
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line not understood: {line!r}")
        for part in match["names"].split(","):
            period = _NAME.fullmatch(part)
            if period is None:
                raise ValueError(f"name not understood: {part!r}")
            first, last = period["first"] or "", period["last"] or ""
            if first and last and first > last:
                continue
            lines.append("\t".join((province + match["code"], first, last, period["name"])))
    return sorted(lines, key=lambda entry: entry.split("\t")[0])


def main() -> None:
    """Write the extract of the installed edition."""
    source = files("stdnum.cn").joinpath("loc.dat").read_text(encoding="utf-8")
    header = HEADER.format(version=version("python-stdnum"))
    OUTPUT.write_text(header + "\n".join(extract(source)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
