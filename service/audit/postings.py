"""What a double-entry ledger must say of each event, in order; most of it in a file."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from operator import attrgetter

from service.audit.entry_store import EntryStore, Stored

AT_A_TIME = 1_000
IN_MEMORY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Posting:
    """What a double-entry ledger must say of one event: money leaves one account for another.

    Attributes
    ----------
    source, target
        ``funding``, ``budget:<programme>``, ``committed:<programme>``, ``circulating``,
        ``redeemed``, ``emergency``.
    first_index, payouts
        The payouts concerned, where there are such.
    """

    block: int
    block_hash: bytes
    log_index: int
    tx: bytes
    event: str
    source: str
    target: str
    amount: int
    batch: bytes | None = None
    first_index: int | None = None
    payouts: int = 0


_MEMBERS = attrgetter(*(each.name for each in fields(Posting)))


@dataclass
class Postings:
    """Takes postings in the order of the chain."""

    _written: list[Stored] = field(default_factory=list)
    _latest: list[Posting] = field(default_factory=list)
    _store: EntryStore = field(default_factory=lambda: EntryStore(IN_MEMORY_BYTES))

    @classmethod
    def of(cls, postings: Iterable[Posting]) -> Postings:
        """Take some."""
        taken = cls()
        for posting in postings:
            taken.append(posting)
        return taken

    def append(self, posting: Posting) -> None:
        """Take one."""
        self._latest.append(posting)
        if len(self._latest) >= AT_A_TIME:
            # Of our own making and read by nobody else: marshal is quick.
            self._written.append(self._store.keep(marshal.dumps(list(map(_MEMBERS, self._latest)))))
            self._latest.clear()

    def __iter__(self) -> Iterator[Posting]:
        """Yield all of them."""
        for some in self._written:
            for members in marshal.loads(bytes(some)):  # noqa: S302 - as above
                yield Posting(*members)
        yield from self._latest
