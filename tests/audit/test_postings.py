"""Postings come back in order, those in the file too."""

from __future__ import annotations

import pytest

from service.audit.entry_store import EntryStore
from service.audit.postings import AT_A_TIME, Posting, Postings


def posting(number: int) -> Posting:
    batch = bytes([number % 256]) * 32 if number % 2 else None
    index = number if number % 3 else None
    return Posting(number, bytes(32), 1, b"\1" * 32, "Paid", "a", "b", 2**70 + number, batch, index)


@pytest.mark.parametrize("count", [0, 1, AT_A_TIME - 1, AT_A_TIME, 2 * AT_A_TIME + 7])
def test_postings_come_back_in_order(count: int) -> None:
    postings = Postings(_store=EntryStore(0, a_write=1))
    for number in range(count):
        postings.append(posting(number))
    assert list(postings) == list(postings) == [posting(number) for number in range(count)]
    assert list(Postings.of(postings)) == list(postings)
