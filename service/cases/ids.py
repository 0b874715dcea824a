"""Row ids that sort by the time they were made: UUID version 7 (RFC 9562, section 5.7).

Listing and its cursors go by id, so that ids must grow in the order of the file's rows.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID

_RANDOM_BITS = 74
_LOW_BITS = 62
_VERSION = 0x7
_VARIANT = 0b10


def new_ids(count: int, now: datetime) -> list[str]:
    """Return ids in growing order: one random start, then counted on (RFC 9562, 6.2, method 2).

    Parameters
    ----------
    count
        How many.
    now
        Aware time of the batch, kept to the millisecond.
    """
    milliseconds = int(now.timestamp() * 1000)
    # The top random bit is left zero, so that counting on cannot overflow.
    start = secrets.randbits(_RANDOM_BITS - 1)
    return [_uuid7(milliseconds, start + index) for index in range(count)]


def _uuid7(milliseconds: int, random: int) -> str:
    high, low = random >> _LOW_BITS, random & ((1 << _LOW_BITS) - 1)
    value = milliseconds << 80 | _VERSION << 76 | high << 64 | _VARIANT << 62 | low
    return str(UUID(int=value))
