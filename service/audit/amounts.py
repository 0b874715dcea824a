"""Many entries' amounts added up at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from service.audit.arithmetic import ENTRY_BYTES

_ENTRIES = np.dtype([("payee", "V20"), ("amount", ">u8")])


class Amounts(NamedTuple):
    """Of many entries: all together, the least and the largest, base units; zeros of none."""

    total: int
    least: int
    largest: int


def amounts_of(entries: bytes) -> Amounts:
    """Add up the amounts of whole entries."""
    whole = np.frombuffer(entries, _ENTRIES, len(entries) // ENTRY_BYTES)
    amounts = whole["amount"].astype(np.uint64)
    if not len(amounts):
        return Amounts(0, 0, 0)
    high, low = int((amounts >> 32).sum()), int((amounts & 0xFFFFFFFF).sum())
    return Amounts((high << 32) + low, int(amounts.min()), int(amounts.max()))
