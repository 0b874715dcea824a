"""Packed payout entries: 28-byte words, payee (20) | amount (8, big-endian), see Entries.sol.

A chunk's entries are its words one behind the other, in the order of the payouts' indices; a batch
has chunks of exactly ``chunk_size`` words, the last one may be shorter.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from service.units import MAX_ENTRY_BASE_UNITS, eip55

WORD_BYTES = 28
PAYEE_BYTES = 20
MAX_CHUNK_ENTRIES = 500
"""``AllowanceVault.MAX_CHUNK_SIZE``."""

_WORD = struct.Struct(">20sQ")


def pack_entries(entries: Iterable[tuple[str, int]]) -> bytes:
    """Pack payees and amounts.

    Parameters
    ----------
    entries
        Pairs of an address (``0x`` and 40 hexadecimal digits) and an amount in base units, 0 to
        2**64-1.

    Returns
    -------
    bytes
        28 bytes an entry.

    Raises
    ------
    ValueError
        When an address is none or an amount does not fit 8 bytes.
    """
    pack = _WORD.pack
    words = []
    for payee, amount_base_units in entries:
        address = bytes.fromhex(payee.removeprefix("0x"))
        if len(address) != PAYEE_BYTES:
            raise ValueError(f"not an address: {payee}")
        if not 0 <= amount_base_units <= MAX_ENTRY_BASE_UNITS:
            raise ValueError(f"an entry cannot hold {amount_base_units} base units")
        words.append(pack(address, amount_base_units))
    return b"".join(words)


def unpack_entries(packed: bytes) -> Iterator[tuple[str, int]]:
    """Yield the payees, in EIP-55 form, and amounts in base units of packed entries.

    Raises
    ------
    ValueError
        When the length is no multiple of 28 bytes.
    """
    if len(packed) % WORD_BYTES:
        raise ValueError(f"{len(packed)} bytes are no whole number of entries")
    for address, amount_base_units in _WORD.iter_unpack(packed):
        yield eip55("0x" + address.hex()), amount_base_units


def entry_amounts(packed: bytes) -> list[int]:
    """Return the amounts of packed entries, base units, in their order."""
    return [amount for _, amount in _WORD.iter_unpack(packed)]
