"""Holders' authorizations (ERC-3009) that were used or cancelled, each by its holder and nonce.

Merchants' tills use one for each payment, so there are as many as spends: most are in a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from service.audit.arithmetic import ADDRESS_BYTES
from service.audit.sorted_records import SortedRecords

NONCE_BYTES = 32
KEY_BYTES = ADDRESS_BYTES + NONCE_BYTES
BLOCK_BYTES = 8
RECORD_BYTES = KEY_BYTES + BLOCK_BYTES + 32
"""Holder, nonce, and the block and the transaction that ended it."""

AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class Ended:
    """An authorization was used or cancelled.

    Attributes
    ----------
    account, nonce
        Whose, 20 bytes, and which, 32 bytes.
    block, tx
        Where.
    """

    account: bytes
    nonce: bytes
    block: int
    tx: bytes

    @property
    def record(self) -> bytes:
        """As it is kept."""
        return self.account + self.nonce + self.block.to_bytes(BLOCK_BYTES, "big") + self.tx

    @classmethod
    def read(cls, record: bytes) -> Ended:
        """Read one that is kept."""
        block = int.from_bytes(record[KEY_BYTES : KEY_BYTES + BLOCK_BYTES], "big")
        nonce = record[ADDRESS_BYTES:KEY_BYTES]
        return cls(record[:ADDRESS_BYTES], nonce, block, record[KEY_BYTES + BLOCK_BYTES :])


@dataclass
class Authorizations:
    """Takes them in the order of the chain.

    Parameters
    ----------
    checked
        Last block that :meth:`reused` has looked at.
    at_a_time
        So many are put among the others at once.
    """

    checked: int = -1
    at_a_time: int = AT_A_TIME
    _records: SortedRecords = field(default_factory=lambda: SortedRecords(RECORD_BYTES, KEY_BYTES))
    _latest: bytearray = field(default_factory=bytearray)
    _last_block: int = -1

    @classmethod
    def kept(cls, records: bytes, checked: int) -> Authorizations:
        """Return those that :meth:`packed` gave."""
        made = cls(checked)
        made._latest += records
        return made

    def add(self, ended: Ended) -> None:
        """Take one."""
        self._latest += ended.record
        self._last_block = ended.block
        if len(self._latest) >= self.at_a_time * RECORD_BYTES:
            self._put()

    def packed(self) -> Iterator[bytes]:
        """Yield all, by holder and nonce, as they are kept."""
        self._put()
        for records in self._records:
            yield records.tobytes()

    def __iter__(self) -> Iterator[Ended]:
        """Yield all, by holder and nonce; more than once what ended more than once."""
        for some in self.packed():
            for at in range(0, len(some), RECORD_BYTES):
                yield Ended.read(some[at : at + RECORD_BYTES])

    def once(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield holder and nonce of each, once."""
        before = None
        for each in self:
            key = (each.account, each.nonce)
            if key != before:
                yield key
            before = key

    def reused(self) -> Iterator[Ended]:
        """Yield what ended after it had ended, of blocks not looked at before.

        Only when the last of these blocks is over.
        """
        after, self.checked = self.checked, max(self.checked, self._last_block)
        if self._last_block <= after:
            return
        before = None
        for each in self:
            key = (each.account, each.nonce)
            if key == before and each.block > after:
                yield each
            before = key

    def _put(self) -> None:
        if self._latest:
            self._records.add(
                np.frombuffer(bytes(self._latest), np.uint8).reshape(-1, RECORD_BYTES)
            )
            self._latest.clear()
