"""Many entries' amounts added up at once."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from service.audit.arithmetic import ENTRY_BYTES

_ENTRIES = np.dtype([("payee", "V20"), ("amount", ">u8")])


class Amounts(NamedTuple):
    """Of many entries: all together, the least and the largest, base units; zeros of none."""

    total: int
    least: int
    largest: int


@lru_cache(maxsize=1)  # minted first and run then
def amounts_of(entries: bytes) -> Amounts:
    """Add up the amounts of whole entries."""
    whole = np.frombuffer(entries, _ENTRIES, len(entries) // ENTRY_BYTES)
    amounts = whole["amount"].astype(np.uint64)
    if not len(amounts):
        return Amounts(0, 0, 0)
    largest = int(amounts.max())
    if largest * len(amounts) < 2**64:
        total = int(amounts.sum())
    else:
        total = (int((amounts >> 32).sum()) << 32) + int((amounts & 0xFFFFFFFF).sum())
    return Amounts(total, int(amounts.min()), largest)
