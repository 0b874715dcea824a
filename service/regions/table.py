"""Which GB/T 2260 codes exist, since when, until when, and what they are called.

The table is a dated extract kept beside this module (``data/gbt2260.tsv`` says where it comes
from). It knows years, not days: in the year of a change the old and the new code both count as
valid, so that no case is refused over the date of a decree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files

from service.regions.region import WHOLE_COUNTRY, Region, parse_region

_ALWAYS = 0
_STILL = 9999
_COLLECTIVE = {"市辖区", "市区", "县"}


@dataclass(frozen=True, slots=True)
class Validity:
    """One name of one code, and the years it was in force, both included.

    Attributes
    ----------
    name
        Chinese name, without the names of the levels above.
    first_year
        First year in force, or None when it is older than the table.
    last_year
        Last year in force, or None when it is in force still.
    """

    name: str
    first_year: int | None
    last_year: int | None

    def includes(self, day: date) -> bool:
        """Tell whether the name was in force at some time of that day's year."""
        first = _ALWAYS if self.first_year is None else self.first_year
        last = _STILL if self.last_year is None else self.last_year
        return first <= day.year <= last


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[Validity, ...]]:
    text = files("service.regions").joinpath("data/gbt2260.tsv").read_text(encoding="utf-8")
    table: dict[str, tuple[Validity, ...]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        code, first, last, name = line.split("\t")
        validity = Validity(name, int(first) if first else None, int(last) if last else None)
        table[code] = (*table.get(code, ()), validity)
    return table


def validity_of(region: Region) -> tuple[Validity, ...]:
    """Return every name the code ever had with its years; empty when it never existed."""
    return _table().get(region.six_digits, ())


def existing_region(text: str) -> Region:
    """Read the code of a region that exists or existed; ``"0"`` is the whole country.

    Raises
    ------
    ValueError
        When the text is no code, or the standard never had it.
    """
    region = parse_region(text)
    if region != WHOLE_COUNTRY and not validity_of(region):
        raise ValueError(f"GB/T 2260 has no code {text}")
    return region


def known_on(region: Region, day: date) -> bool:
    """Tell whether the code was in force on that day.

    A case keeps the code it was filed under: asked with the case's own date, a code that was
    abolished later stays valid.
    """
    return any(validity.includes(day) for validity in validity_of(region))


def name_on(region: Region, day: date) -> str | None:
    """Return the code's name on that day, its last name before or after, or None if unknown.

    In the year of a change the newer name is given.
    """
    validities = validity_of(region)
    in_force = [validity.name for validity in validities if validity.includes(day)]
    if in_force:
        return in_force[-1]
    return validities[-1].name if validities else None


def full_name(region: Region, day: date) -> str:
    """Return the names from the province down, joined: ``"四川省绵阳市三台县"``.

    A level the table does not know is written as its code.
    """
    return "".join(name_on(part, day) or str(part) for part in (*region.ancestors(), region))


def counties_on(region: Region, day: date) -> list[Region]:
    """Return the counties and districts in force that day inside a region, in code order.

    The standard's collective entries (such as ``市辖区``, "districts under the city") are no
    places and are left out.
    """
    return [
        Region(int(code), 6)
        for code, validities in sorted(_table().items())
        if code.startswith(region.prefix)
        and code[4:] != "00"
        and any(
            validity.includes(day) and validity.name not in _COLLECTIVE for validity in validities
        )
    ]
