"""Administrative regions: GB/T 2260 codes, their hierarchy, and the scope of programmes."""

from service.regions.region import WHOLE_COUNTRY, Region, parse_region
from service.regions.table import (
    Validity,
    existing_region,
    full_name,
    known_on,
    name_on,
    validity_of,
)

__all__ = [
    "WHOLE_COUNTRY",
    "Region",
    "Validity",
    "existing_region",
    "full_name",
    "known_on",
    "name_on",
    "parse_region",
    "validity_of",
]
